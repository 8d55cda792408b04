//! TLS on a server's port.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, join};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::carrier::{Carrier, Rewound};
use crate::tls::certificates::Certificates;
use crate::tls::stream::{ReadHalf, WriteHalf, halves};
use crate::tls::{ALPN_HTTP, ALPN_NATIVE};
use crate::wire::{Speaks, Wire};

/// Whether a port that serves TLS serves plain connections as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsMode {
    /// Both, told apart by their first bytes. Whoever sits between a client and this port can keep
    /// the two from using TLS, unless the client insists.
    Optional,
    /// TLS alone; what is plain is closed unread.
    Required,
}

/// The server's side of TLS.
pub(crate) struct Port {
    mode: TlsMode,
    acceptor: TlsAcceptor,
}

/// A connection after its handshake.
pub(crate) struct Accepted {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
    /// What was agreed upon by ALPN.
    pub(crate) speaks: Option<Speaks>,
}

impl Port {
    /// Serves the wires that there are, or one only, and maybe HTTP.
    pub(crate) fn new(
        certificates: Certificates,
        mode: TlsMode,
        only: Option<Wire>,
        http: bool,
    ) -> Self {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has suites for both")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
        // No resumption: connections live long, and a session that is resumed would outlive a
        // certificate that was replaced.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if only != Some(Wire::Classic) {
            // Who names other protocols, a browser for example, is refused in the handshake.
            config.alpn_protocols = vec![ALPN_NATIVE.to_vec()];
        }
        if http {
            config.alpn_protocols.push(ALPN_HTTP.to_vec());
        }
        Self {
            mode,
            acceptor: Arc::new(config).into(),
        }
    }

    /// Whether a plain connection is refused.
    pub(crate) fn is_required(&self) -> bool {
        self.mode == TlsMode::Required
    }

    /// Shakes hands on a connection of which these bytes have been read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn accept<R, W>(
        &self,
        bytes: &[u8],
        read: R,
        write: W,
    ) -> std::io::Result<Accepted>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let carrier: Box<dyn Carrier> = Box::new(Rewound::new(bytes, join(read, write)));
        let stream = self.acceptor.accept(carrier).await?;
        let speaks = match stream.get_ref().1.alpn_protocol() {
            Some(ALPN_NATIVE) => Some(Speaks::Wire(Wire::Native)),
            #[cfg(feature = "web")]
            Some(ALPN_HTTP) => Some(Speaks::Http),
            _ => None,
        };
        let (read, write) = halves(stream.into());
        Ok(Accepted {
            read,
            write,
            speaks,
        })
    }
}
