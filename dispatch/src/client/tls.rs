//! A client that speaks through TLS, and never without.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::ToSocketAddrs;
use tokio::time::timeout;
use tokio_rustls::rustls::Error;

use crate::carrier::Carrier;
use crate::client::config::{ClientBuilder, tcp};
use crate::client::error::{ClientError, Distrust, Wait};
use crate::client::{Client, NativeClient};
use crate::shape::{Flagged, Shape};
use crate::tls::{ClientTls, ReadHalf, WriteHalf};
use crate::wire::Wire;

/// A [`Client`] through TLS.
pub type TlsClient<Sh = Flagged> = Client<Sh, ReadHalf, WriteHalf>;

/// A client through TLS before it is connected.
///
/// It is a type of its own because there is no way back: whatever it connects to has to shake
/// hands, with a certificate that is trusted, before a byte of the application leaves.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct TlsClientBuilder<Sh = Flagged> {
    plain: ClientBuilder<Sh>,
    tls: ClientTls,
}

impl<Sh: Shape> ClientBuilder<Sh> {
    /// Connects through TLS 1.2 or 1.3. What else the builder says stays as it is.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// use packetboat_dispatch::Client;
    /// use packetboat_dispatch::tls::ClientTls;
    ///
    /// let tls = ClientTls::with_pem_file("ca.pem", "movies.example")?;
    /// let client = Client::builder().tls(tls).connect_native("192.0.2.7:7878").await?;
    /// # Ok(()) }
    /// ```
    pub fn tls(self, tls: ClientTls) -> TlsClientBuilder<Sh> {
        TlsClientBuilder { plain: self, tls }
    }
}

impl<Sh: Shape> TlsClientBuilder<Sh> {
    /// Connects over TCP, on the classic wire. [`Timeouts::connect`](crate::client::Timeouts) is for
    /// the connection and the handshake together.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`], [`ClientError::Tls`], or [`ClientError::Timeout`] with
    /// [`Wait::Connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what it had opened.
    pub async fn connect(self, addr: impl ToSocketAddrs) -> Result<TlsClient<Sh>, ClientError> {
        let after = self.plain.timeouts.connect;
        let connecting = async { self.over(tcp(addr).await?).await };
        in_time(after, connecting).await
    }

    /// Connects over TCP, on the native wire, which is named by ALPN.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_native(
        self,
        addr: impl ToSocketAddrs,
    ) -> Result<NativeClient, ClientError> {
        let after = self.plain.timeouts.connect;
        let connecting = async { self.over_native(tcp(addr).await?).await };
        in_time(after, connecting).await
    }

    /// Shakes hands over a connection that is there already, a Unix socket or memory in a test, and
    /// speaks the classic wire inside.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn over<T>(self, stream: T) -> Result<TlsClient<Sh>, ClientError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { plain, tls } = self;
        let (read, write) = handshake(&plain, tls, Box::new(stream), Wire::Classic).await?;
        Ok(plain.over(read, write))
    }

    /// As [`over`](Self::over), on the native wire.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn over_native<T>(self, stream: T) -> Result<NativeClient, ClientError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { plain, tls } = self;
        let (read, write) = handshake(&plain, tls, Box::new(stream), Wire::Native).await?;
        Ok(plain.over_native(read, write))
    }
}

async fn handshake<Sh>(
    builder: &ClientBuilder<Sh>,
    tls: ClientTls,
    stream: Box<dyn Carrier>,
    wire: Wire,
) -> Result<(ReadHalf, WriteHalf), ClientError> {
    let shaking = async {
        let shaken = tls.connect(stream, wire).await;
        shaken.map_err(|source| ClientError::Tls {
            why: why(&source),
            source,
        })
    };
    in_time(builder.timeouts.connect, shaking).await
}

async fn in_time<T>(
    after: std::time::Duration,
    connecting: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(after, connecting).await.unwrap_or_else(|_| {
        let wait = Wait::Connect;
        Err(ClientError::Timeout { wait, after })
    })
}

/// What kind of failure a handshake's error is.
fn why(error: &io::Error) -> Distrust {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => {
            Distrust::Certificate
        }
        Some(Error::InvalidMessage(_)) => Distrust::NotTls,
        Some(_) => Distrust::Refused,
        None => Distrust::Broken,
    }
}
