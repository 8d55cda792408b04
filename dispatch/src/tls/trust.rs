//! Whom a client trusts, and whom it expects.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

use crate::carrier::Carrier;
use crate::tls::ALPN_NATIVE;
use crate::tls::certificates::certificates;
use crate::tls::error::TlsError;
use crate::tls::stream::{ReadHalf, WriteHalf, halves};
use crate::wire::Wire;

/// Whose certificates a client accepts, and the name that it expects in one: that of the server's
/// host, or its IP address.
#[derive(Clone)]
pub struct ClientTls {
    config: ClientConfig,
    name: ServerName<'static>,
}

impl ClientTls {
    /// Trusts these roots alone, given as PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError::Roots`], [`TlsError::ServerName`].
    pub fn with_pem(roots: &[u8], server_name: &str) -> Result<Self, TlsError> {
        let unusable = |error| TlsError::Roots(Box::new(error));
        let roots = CertificateDer::pem_slice_iter(roots).collect::<Result<Vec<_>, _>>();
        let mut store = RootCertStore::empty();
        for root in roots.map_err(unusable)? {
            store
                .add(root)
                .map_err(|error| TlsError::Roots(error.into()))?;
        }
        Self::with_roots(store, server_name)
    }

    /// Trusts the roots in this PEM file alone. It blocks for as long as reading takes.
    ///
    /// # Errors
    ///
    /// [`TlsError::Certificate`] with the file, [`TlsError::ServerName`].
    pub fn with_pem_file(roots: impl AsRef<Path>, server_name: &str) -> Result<Self, TlsError> {
        let path = roots.as_ref();
        let unusable = |source| TlsError::Certificate {
            path: path.to_owned(),
            source,
        };
        let mut store = RootCertStore::empty();
        for root in certificates(path).map_err(|error| unusable(error.into()))? {
            store.add(root).map_err(|error| unusable(error.into()))?;
        }
        Self::with_roots(store, server_name)
    }

    /// Trusts whom the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others. It blocks for
    /// as long as reading takes.
    ///
    /// # Errors
    ///
    /// [`TlsError::Roots`] when none is found, [`TlsError::ServerName`].
    pub fn with_system_roots(server_name: &str) -> Result<Self, TlsError> {
        let mut found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        // Among hundreds some are odd: those are left out, which trusts less and not more.
        store.add_parsable_certificates(found.certs);
        if let (true, Some(error)) = (store.is_empty(), found.errors.pop()) {
            return Err(TlsError::Roots(error.into()));
        }
        Self::with_roots(store, server_name)
    }

    fn with_roots(store: RootCertStore, server_name: &str) -> Result<Self, TlsError> {
        if store.is_empty() {
            let none = Error::General("no certificate was found".to_owned());
            return Err(TlsError::Roots(none.into()));
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has suites for both")
            .with_root_certificates(store)
            .with_no_client_auth();
        // A resumed session would not look at the certificate again.
        config.resumption = Resumption::disabled();
        Self::with_config(config, server_name)
    }

    /// With a configuration of rustls, for what the others leave out: a client's certificate, a
    /// verifier of one's own. Its names for ALPN are replaced by that of the wire, and no early data
    /// is sent.
    ///
    /// # Errors
    ///
    /// [`TlsError::ServerName`].
    pub fn with_config(mut config: ClientConfig, server_name: &str) -> Result<Self, TlsError> {
        let name = ServerName::try_from(server_name.to_owned());
        let name = name.map_err(|_| TlsError::ServerName {
            name: server_name.to_owned(),
        })?;
        // It would leave before anybody has shown a certificate, and could be replayed.
        config.enable_early_data = false;
        Ok(Self { config, name })
    }

    /// Shakes hands. Nothing of the application is written before that is done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn connect(
        self,
        stream: Box<dyn Carrier>,
        wire: Wire,
    ) -> io::Result<(ReadHalf, WriteHalf)> {
        let mut config = self.config;
        config.alpn_protocols = match wire {
            Wire::Classic => Vec::new(),
            Wire::Native => vec![ALPN_NATIVE.to_vec()],
        };
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(self.name, stream).await?;
        Ok(halves(stream.into()))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
