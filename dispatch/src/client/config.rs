//! What a client may be told before it connects.

use std::time::Duration;

use packetboat_framing::Limits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::client::Client;
use crate::client::error::{ClientError, Wait};
use crate::shape::{Flagged, Shape};

/// How long a client waits, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a connection, its TLS handshake included. Default: 10 s.
    pub connect: Duration,
    /// For the reply, from when the request and its file were sent. Default: 60 s, twice what a
    /// handler may take by default, because a server may also have a queue before it.
    pub reply: Duration,
    /// For a file's first byte, from when its reply came. A server may hold a file back for as long
    /// as it likes, and its reply says so. Default: none.
    pub first_byte: Option<Duration>,
    /// Without any byte of a file moving, either way. Default: 30 s. It does not run while a server
    /// holds back the first byte.
    pub progress: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            reply: Duration::from_secs(60),
            first_byte: None,
            progress: Duration::from_secs(30),
        }
    }
}

/// A client before it is connected.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it connects"]
pub struct ClientBuilder<Sh = Flagged> {
    pub(super) shape: Sh,
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
}

impl<Sh: Shape> ClientBuilder<Sh> {
    /// The shape of replies. Default: [`Flagged`].
    pub fn shape<T: Shape>(self, shape: T) -> ClientBuilder<T> {
        ClientBuilder {
            shape,
            limits: self.limits,
            timeouts: self.timeouts,
        }
    }

    /// How much the server may send: `max_message_bytes` and `max_attachment_bytes` count, and the
    /// two `drain` limits for a file that is not read. How long a client waits stands in
    /// [`Timeouts`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long the client waits.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Connects over TCP.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`], or [`ClientError::Timeout`] with [`Wait::Connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what it had opened.
    pub async fn connect(self, addr: impl ToSocketAddrs) -> Result<Client<Sh>, ClientError> {
        let after = self.timeouts.connect;
        let stream = match tokio::time::timeout(after, tcp(addr)).await {
            Ok(stream) => stream?,
            Err(_) => {
                let wait = Wait::Connect;
                return Err(ClientError::Timeout { wait, after });
            }
        };
        let (reader, writer) = stream.into_split();
        Ok(self.over(reader, writer))
    }

    /// Speaks over the two halves of a connection that is there already: TLS, a Unix socket, or
    /// memory in a test.
    pub fn over<R, W>(self, reader: R, writer: W) -> Client<Sh, R, W>
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        Client::from_halves(reader, writer, self)
    }
}

/// A connection over TCP.
pub(super) async fn tcp(addr: impl ToSocketAddrs) -> Result<TcpStream, ClientError> {
    let stream = TcpStream::connect(addr).await;
    let stream = stream.map_err(ClientError::Connect)?;
    // Requests are small and each waits for its reply: nothing to coalesce.
    stream.set_nodelay(true).map_err(ClientError::Connect)?;
    Ok(stream)
}
