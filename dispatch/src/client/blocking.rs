//! The same client for programs that are not async.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use packetboat_framing::{BodyExt, Chunk, Error, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::ToSocketAddrs;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::{Builder, Runtime};

#[cfg(feature = "tls")]
use crate::client::TlsClientBuilder;
use crate::client::error::ClientError;
use crate::client::{Client as Async, ClientBuilder, ReplyBody};
use crate::message::Message;
use crate::session::SessionId;
use crate::shape::{Flagged, Shape};
#[cfg(feature = "tls")]
use crate::tls::{ReadHalf, WriteHalf};

/// A connection to a server, on a small runtime of its own that runs only during calls.
///
/// It must not be used inside an async task: `block_on` would panic there.
///
/// ```no_run
/// # use packetboat_dispatch::{Message, client::{blocking::Client, ClientError}};
/// # #[derive(serde::Serialize, serde::Deserialize, Message)] #[message(type = "echo", reply = Echo)]
/// # struct Echo { text: String }
/// # fn main() -> Result<(), ClientError> {
/// let mut client = Client::connect("127.0.0.1:7878")?;
/// println!("{}", client.call(Echo { text: "hello".into() })?.text);
/// # Ok(()) }
/// ```
pub struct Client<Sh = Flagged, R = OwnedReadHalf, W = OwnedWriteHalf> {
    // Dropped after the client, whose socket is registered with it.
    client: Async<Sh, R, W>,
    runtime: Runtime,
}

impl Client {
    /// Connects over TCP, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// As the async client's `connect`; [`ClientError::Connect`] when there is no runtime to be had.
    ///
    /// # Panics
    ///
    /// Inside an async task.
    pub fn connect(addr: impl ToSocketAddrs) -> Result<Self, ClientError> {
        Self::with(ClientBuilder::default(), addr)
    }
}

impl<Sh: Shape> Client<Sh> {
    /// Connects over TCP, with what the builder says.
    ///
    /// # Errors
    ///
    /// As [`connect`](Client::connect).
    ///
    /// # Panics
    ///
    /// Inside an async task.
    pub fn with(builder: ClientBuilder<Sh>, addr: impl ToSocketAddrs) -> Result<Self, ClientError> {
        let runtime = runtime()?;
        let client = runtime.block_on(builder.connect(addr))?;
        Ok(Self { client, runtime })
    }
}

#[cfg(feature = "tls")]
impl<Sh: Shape> Client<Sh, ReadHalf, WriteHalf> {
    /// Connects through TLS, with what the builder says.
    ///
    /// # Errors
    ///
    /// As [`connect`](Client::connect), and [`ClientError::Tls`].
    ///
    /// # Panics
    ///
    /// Inside an async task.
    pub fn with_tls(
        builder: TlsClientBuilder<Sh>,
        addr: impl ToSocketAddrs,
    ) -> Result<Self, ClientError> {
        let runtime = runtime()?;
        let client = runtime.block_on(builder.connect(addr))?;
        Ok(Self { client, runtime })
    }
}

impl<Sh, R, W> Client<Sh, R, W>
where
    Sh: Shape,
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    /// Sends a message and gives its reply.
    ///
    /// # Errors
    ///
    /// As the async client's `call`.
    ///
    /// # Panics
    ///
    /// Inside an async task.
    pub fn call<M>(&mut self, message: M) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        self.runtime.block_on(self.client.call(message))
    }

    /// Sends a message with a file and gives the reply; `progress` hears how much has gone.
    ///
    /// # Errors
    ///
    /// As the async client's `call_with_file`.
    ///
    /// # Panics
    ///
    /// Inside an async task.
    pub fn call_with_file<M>(
        &mut self,
        message: M,
        file: Source,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let call = self.client.call_with_file(message, file, progress);
        self.runtime.block_on(call)
    }

    /// Sends a message and gives its reply, with the file that follows it.
    ///
    /// # Errors
    ///
    /// As the async client's `call_for_file`.
    ///
    /// # Panics
    ///
    /// Inside an async task.
    pub fn call_for_file<M>(
        &mut self,
        message: M,
    ) -> Result<(M::Reply, Download<'_, R>), ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let (reply, body) = self.runtime.block_on(self.client.call_for_file(message))?;
        let download = Download {
            body,
            runtime: &self.runtime,
            chunk: None,
            at: 0,
        };
        Ok((reply, download))
    }

    /// The session that goes with each call, if there is one.
    pub fn session(&self) -> Option<&SessionId> {
        self.client.session()
    }

    /// Holds another session, or none.
    pub fn set_session(&mut self, session: Option<SessionId>) {
        self.client.set_session(session);
    }
}

fn runtime() -> Result<Runtime, ClientError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(ClientError::Connect)
}

impl<Sh, R, W> fmt::Debug for Client<Sh, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

/// The file that follows a reply, to be read or saved. What is left of it when it is dropped is
/// thrown away before the next call.
pub struct Download<'a, R = OwnedReadHalf> {
    body: ReplyBody<'a, R>,
    runtime: &'a Runtime,
    chunk: Option<Chunk>,
    at: usize,
}

impl<R: AsyncRead + Unpin + Send> Download<'_, R> {
    /// Saves what is left as the file `path`, as `BodyExt::save`: under a temporary name, synced,
    /// then renamed over `path`. Gives its length.
    ///
    /// # Errors
    ///
    /// The file came short or too slowly, or the disk failed.
    ///
    /// # Panics
    ///
    /// Inside an async task.
    pub fn save(mut self, path: impl AsRef<Path> + Send) -> Result<u64, Error> {
        self.runtime.block_on(self.body.save(path))
    }
}

impl<R: AsyncRead + Unpin + Send> Read for Download<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self
            .chunk
            .as_ref()
            .is_none_or(|chunk| chunk.len() == self.at)
        {
            let next = self.runtime.block_on(self.body.chunk());
            self.chunk = next.map_err(io::Error::other)?;
            self.at = 0;
        }
        let Some(chunk) = &self.chunk else {
            return Ok(0);
        };
        let n = (&chunk[self.at..]).read(buffer)?;
        self.at += n;
        Ok(n)
    }
}

impl<R> fmt::Debug for Download<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}
