//! Call by message, await the reply.

use std::fmt;

use packetboat_framing::{Prefix, Reader, Source, Writer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::ToSocketAddrs;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::message::Message;
use crate::session::SessionId;
use crate::shape::{Flagged, Shape};

pub mod blocking;
mod body;
mod config;
mod error;
mod exchange;
mod native;
mod pool;
mod request;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "web")]
mod websocket;

pub use body::ReplyBody;
pub use config::{ClientBuilder, Timeouts};
pub use error::{ClientError, Distrust, Wait};
pub use native::{Lost, NativeBody, NativeClient, Pushed, Pushes};
pub use pool::{Backoff, Pool};
#[cfg(feature = "tls")]
pub use tls::{TlsClient, TlsClientBuilder};

/// A connection to a server on the classic wire: one request, one reply.
///
/// The message's type says what comes back, so a call is typed from end to end. A session that a
/// reply gives is held and goes with every later call.
///
/// ```no_run
/// # use packetboat_dispatch::{Message, client::{Client, ClientError}};
/// # #[derive(serde::Serialize, Message)] #[message(type = "login", reply = LoginReply)]
/// # struct Login { name: String, password: String }
/// # #[derive(serde::Deserialize)] struct LoginReply { is_vip: u8 }
/// # #[derive(serde::Serialize, Message)] #[message(type = "buy_vip", reply = ())] struct BuyVip {}
/// # async fn f(password: String) -> Result<(), ClientError> {
/// let mut client = Client::connect("127.0.0.1:7878").await?;
/// let reply = client.call(Login { name: "ann".into(), password }).await?;
/// if reply.is_vip == 0 {
///     client.call(BuyVip {}).await?; // the session goes along
/// }
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// Replies have no names on this wire, so they are told apart by their order alone. A call that is
/// dropped before it has its reply leaves the connection poisoned: every later call gives
/// [`ClientError::Poisoned`]. Connect again then.
pub struct Client<Sh = Flagged, R = OwnedReadHalf, W = OwnedWriteHalf> {
    reader: Reader<R, Prefix>,
    writer: Writer<W, Prefix>,
    shape: Sh,
    timeouts: Timeouts,
    drain_bytes: u64,
    session: Option<SessionId>,
    /// Set while a call is under way. One that was dropped never clears it.
    poisoned: bool,
}

impl Client {
    /// Connects over TCP, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`], or [`ClientError::Timeout`] with [`Wait::Connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what it had opened.
    pub async fn connect(addr: impl ToSocketAddrs) -> Result<Self, ClientError> {
        Self::builder().connect(addr).await
    }

    /// A client whose timeouts, limits or shape of replies are its own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
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
    /// It does not compile for a message that has a file, or whose reply has one.
    ///
    /// # Errors
    ///
    /// Those of [`ClientError`]; a refusal is [`ClientError::Rejected`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future poisons the connection. The server may have done what was asked.
    pub async fn call<M>(&mut self, message: M) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        const {
            assert!(
                M::ATTACHMENT.is_none(),
                "this message has a file: use `call_with_file`"
            );
            assert!(
                M::REPLY_ATTACHMENT.is_none(),
                "the reply has a file: use `call_for_file`"
            );
        }
        self.exchange(&message, None, |_| ()).await
    }

    /// Sends a message with a file and gives the reply, which comes after the file.
    ///
    /// `progress` hears how many bytes of the file have been handed to the network, after each
    /// piece. A server that refuses may do so before the file is through; sending then stops, and a
    /// rest of more than `Limits::drain_bytes` costs the connection.
    ///
    /// # Errors
    ///
    /// Those of [`ClientError`]; among them [`SizeMismatch`](ClientError::SizeMismatch) when the
    /// message states another size than the file has, and [`Source`](ClientError::Source) when the
    /// file changes its length on the way.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future poisons the connection.
    pub async fn call_with_file<M>(
        &mut self,
        message: M,
        file: Source,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        const {
            assert!(
                M::ATTACHMENT.is_some(),
                "this message has no file: use `call`"
            );
            assert!(
                M::REPLY_ATTACHMENT.is_none(),
                "a file both ways is not supported"
            );
        }
        self.exchange(&message, Some(file), progress).await
    }

    /// Sends a message and gives its reply as soon as it is there, with the file that follows it.
    ///
    /// The file's bytes may come much later: a server can hold them back. What is left of it when
    /// the [`ReplyBody`] is dropped is thrown away before the next call.
    ///
    /// # Errors
    ///
    /// Those of [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future poisons the connection. Dropping the file does not.
    pub async fn call_for_file<M>(
        &mut self,
        message: M,
    ) -> Result<(M::Reply, ReplyBody<'_, R>), ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        const {
            assert!(M::ATTACHMENT.is_none(), "a file both ways is not supported");
            assert!(
                M::REPLY_ATTACHMENT.is_some(),
                "the reply has no file: use `call`"
            );
        }
        let reply = self.exchange(&message, None, |_| ()).await?;
        Ok((reply, ReplyBody::new(self.reader.body(), &self.timeouts)))
    }

    /// The session that goes with each call, if there is one.
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// Holds another session, or none: one that was kept from earlier, or after a logout.
    pub fn set_session(&mut self, session: Option<SessionId>) {
        self.session = session;
    }

    /// Whether a call can be made; `false` once one was dropped or failed in the middle.
    pub fn is_usable(&self) -> bool {
        !self.poisoned
    }
}

impl<Sh, R, W> fmt::Debug for Client<Sh, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("logged_in", &self.session.is_some())
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
