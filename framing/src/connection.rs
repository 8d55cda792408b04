//! A reader and a writer on one socket, and how to part them.

use std::{fmt, io};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split},
    net::{TcpStream, UnixStream, tcp, unix},
};

use crate::{
    budget::Budget, error::Error, header::Header, limits::Limits, reader::Reader, writer::Writer,
};

/// Both directions of one connection.
///
/// ```no_run
/// # async fn f() -> Result<(), packetboat_framing::Error> {
/// use packetboat_framing::{Connection, Limits, Prefix};
/// use tokio::net::TcpStream;
///
/// let stream = TcpStream::connect("127.0.0.1:7878").await?;
/// let mut connection = Connection::tcp(stream, Prefix::CLASSIC, &Limits::classic())?;
/// connection.writer.send(b"{\"type\": \"check_notice\"}").await?;
/// let reply = connection.reader.message().await?;
/// # Ok(()) }
/// ```
pub struct Connection<R, W, H> {
    /// What the peer sends.
    pub reader: Reader<R, H>,
    /// What the peer is sent.
    pub writer: Writer<W, H>,
}

impl<H: Header> Connection<tcp::OwnedReadHalf, tcp::OwnedWriteHalf, H> {
    /// A connection over TCP. Files go out by sendfile.
    ///
    /// Sets `TCP_NODELAY`: what is written is whole already, and must not wait for more.
    ///
    /// # Errors
    ///
    /// The socket refused the option.
    pub fn tcp(stream: TcpStream, header: H, limits: &Limits) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        Ok(Self::new(read, write, header, limits))
    }
}

impl<H: Header> Connection<unix::OwnedReadHalf, unix::OwnedWriteHalf, H> {
    /// A connection over a Unix socket. Files go out by sendfile.
    pub fn unix(stream: UnixStream, header: H, limits: &Limits) -> Self {
        let (read, write) = stream.into_split();
        Self::new(read, write, header, limits)
    }
}

impl<S, H> Connection<ReadHalf<S>, WriteHalf<S>, H>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Header,
{
    /// A connection over anything else that reads and writes, such as TLS.
    pub fn stream(stream: S, header: H, limits: &Limits) -> Self {
        let (read, write) = split(stream);
        Self::new(read, write, header, limits)
    }
}

impl<R, W, H> Connection<R, W, H>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
    H: Header,
{
    /// A connection of two halves.
    pub fn new(read: R, write: W, header: H, limits: &Limits) -> Self {
        Self {
            reader: Reader::new(read, header.clone(), limits),
            writer: Writer::new(write, header, limits),
        }
    }

    /// Takes the buffers of attachments, both ways, out of this budget.
    #[must_use]
    pub fn with_budget(self, budget: &Budget) -> Self {
        Self {
            reader: self.reader.with_budget(budget.clone()),
            writer: self.writer.with_budget(budget.clone()),
        }
    }

    /// Both directions, to be owned apart. [`linger`] takes them together again.
    pub fn into_split(self) -> (Reader<R, H>, Writer<W, H>) {
        (self.reader, self.writer)
    }

    /// Closes so that the last answer arrives: see [`linger`].
    ///
    /// # Errors
    ///
    /// As [`linger`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes at once.
    pub async fn linger(mut self) -> Result<u64, Error> {
        linger(&mut self.reader, &mut self.writer).await
    }
}

impl<R, W, H> fmt::Debug for Connection<R, W, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("reader", &self.reader)
            .field("writer", &self.writer)
            .finish()
    }
}

/// The end of a connection whose peer may still be sending: writes what is queued, shuts the
/// write side, and reads on for a while, throwing away what comes. Then both may be dropped.
///
/// A bare close while bytes are unread sends a reset, and a reset eats the answer on its way. So
/// this reads until the peer closes too, for at most
/// [`drain_bytes`](crate::Limits::drain_bytes) and [`drain_time`](crate::Limits::drain_time).
/// Nothing that comes is taken for a frame. Gives the number of bytes thrown away.
///
/// # Errors
///
/// What was queued could not be written: [`Error::WriteTimeout`], [`Error::Io`] and the others of
/// [`Writer::step`].
///
/// # Cancel safety
///
/// May be called again after the future was dropped.
pub async fn linger<R, W, H>(
    reader: &mut Reader<R, H>,
    writer: &mut Writer<W, H>,
) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
    H: Header,
{
    // Both at once: a peer that reads only when it has sent everything takes the answer last.
    let (written, discarded) = tokio::join!(writer.shutdown(), reader.discard());
    written.map(|()| discarded)
}
