//! Many calls at once on one connection.

mod body;
mod call;
mod pushes;
mod resume;
mod task;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use packetboat_framing::{Error, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::bell::Bell;
use crate::client::config::{ClientBuilder, Timeouts};
use crate::client::error::{ClientError, Wait};
use crate::idempotency::IdempotencyKey;
use crate::message::Message;
use crate::session::SessionId;
use crate::shape::Shape;
pub use body::NativeBody;
use call::Call;
use pushes::Inbox;
pub use pushes::{Lost, Pushed, Pushes};
use task::Task;

/// Calls that wait for the connection's task to take them up. Beyond them a caller waits, as it
/// does when the server lets no more requests be in flight.
const QUEUE: usize = 64;

/// A connection to a server on the native wire: any number of calls at a time, with a file both
/// ways where wanted. Clones share the connection, which closes when the last one is gone and the
/// files that it brought have been read.
///
/// Replies come in any order, so what must be in order is awaited: log in first. A session that a
/// reply gives is held and goes with every later call of all clones.
///
/// ```no_run
/// # use packetboat_dispatch::{Message, client::{ClientError, NativeClient}};
/// # #[derive(serde::Serialize, Message)] #[message(type = "login", reply = ())]
/// # struct Login { name: String, password: String }
/// # #[derive(serde::Serialize, Message)] #[message(type = "count", reply = u64)] struct Count { of: String }
/// # async fn f(password: String) -> Result<(), ClientError> {
/// let client = NativeClient::connect("127.0.0.1:7878").await?;
/// client.call(Login { name: "ann".into(), password }).await?;
/// let films = client.call(Count { of: "films".into() });
/// let users = client.call(Count { of: "users".into() });
/// let (films, users) = tokio::try_join!(films, users)?;
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// A call that is dropped is cancelled: the server is told, and the connection goes on. Whether
/// its handler stops is the server's to say.
#[derive(Clone)]
pub struct NativeClient {
    inner: Arc<Inner>,
    key: Option<IdempotencyKey>,
}

struct Inner {
    calls: mpsc::Sender<Call>,
    bell: Arc<Bell>,
    /// Names calls to the connection's task.
    next: AtomicU32,
    timeouts: Timeouts,
    // A std lock: held to read or set it, never across an await.
    session: Mutex<Option<SessionId>>,
    lost: Arc<OnceLock<Arc<Error>>>,
    inbox: Arc<Inbox>,
}

impl NativeClient {
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
        let builder: ClientBuilder = ClientBuilder::default();
        builder.connect_native(addr).await
    }

    /// Connects over a Unix socket, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_unix(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let builder: ClientBuilder = ClientBuilder::default();
        let after = builder.timeouts.connect;
        let stream = match timeout(after, UnixStream::connect(path)).await {
            Ok(stream) => stream.map_err(ClientError::Connect)?,
            Err(_) => {
                let wait = Wait::Connect;
                return Err(ClientError::Timeout { wait, after });
            }
        };
        let (read, write) = stream.into_split();
        Ok(builder.over_native(read, write))
    }

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
    /// Dropping the future cancels the call. The server may have done what was asked.
    pub async fn call<M>(&self, message: M) -> Result<M::Reply, ClientError>
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
        self.exchange(&message, None, None, |_| ())
            .await
            .map(|(reply, _)| reply)
    }

    /// Sends a message with a file and gives the reply, while other calls go on.
    ///
    /// `progress` hears how many bytes of the file have been handed to the network. A server that
    /// refuses may do so before the file is through; sending then stops.
    ///
    /// # Errors
    ///
    /// Those of [`ClientError`]; among them [`SizeMismatch`](ClientError::SizeMismatch) when the
    /// message states another size than the file has, and [`Source`](ClientError::Source) when the
    /// file changes its length on the way.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub async fn call_with_file<M>(
        &self,
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
                "the reply has a file: use `call_both_ways`"
            );
        }
        let call = self.exchange(&message, Some(file), None, progress);
        call.await.map(|(reply, _)| reply)
    }

    /// Sends a message and gives its reply as soon as it is there, with the file that follows it.
    ///
    /// The file's bytes may come much later: a server can hold them back. Only what is read of it
    /// is sent, apart from 64 KiB to 2 MiB. Dropping the [`NativeBody`] cancels the rest.
    ///
    /// # Errors
    ///
    /// Those of [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub async fn call_for_file<M>(&self, message: M) -> Result<(M::Reply, NativeBody), ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        const {
            assert!(
                M::ATTACHMENT.is_none(),
                "this message has a file: use `call_both_ways`"
            );
            assert!(
                M::REPLY_ATTACHMENT.is_some(),
                "the reply has no file: use `call`"
            );
        }
        self.exchange(&message, None, None, |_| ()).await
    }

    /// Sends a message with a file and gives the reply with the file that follows it.
    ///
    /// # Errors
    ///
    /// As [`call_with_file`](Self::call_with_file).
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub async fn call_both_ways<M>(
        &self,
        message: M,
        file: Source,
        progress: impl FnMut(u64) + Send,
    ) -> Result<(M::Reply, NativeBody), ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        const {
            assert!(
                M::ATTACHMENT.is_some() && M::REPLY_ATTACHMENT.is_some(),
                "message and reply do not both have a file"
            );
        }
        self.exchange(&message, Some(file), None, progress).await
    }

    /// The pushes of one type that come from now on. Take them up before the call that brings them
    /// is made.
    ///
    /// At most `max` wait for being read, and 4 MiB of them; beyond that the oldest are dropped, and
    /// the next read says how many. What nobody takes up is dropped. A push holds up no call, and
    /// no other push.
    ///
    /// ```no_run
    /// # use packetboat_dispatch::{Message, client::{ClientError, NativeClient}};
    /// # #[derive(serde::Serialize, Message)] #[message(type = "enter", reply = ())] struct Enter {}
    /// # #[derive(serde::Deserialize, Message)] #[message(type = "said", reply = ())] struct Said { text: String }
    /// # async fn f(client: NativeClient) -> Result<(), ClientError> {
    /// let mut said = client.pushes::<Said>(100);
    /// client.call(Enter {}).await?;
    /// while let Some(pushed) = said.next().await {
    ///     match pushed {
    ///         Ok(pushed) => println!("{}", pushed.message.text),
    ///         Err(lost) => eprintln!("{lost}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// If `max` is 0.
    #[must_use]
    pub fn pushes<M: Message>(&self, max: usize) -> Pushes<M> {
        Pushes::new(&self.inner.inbox, max)
    }

    /// This connection, on which calls carry this key: with the same key again they count once,
    /// where the server's handler keeps it ([`Idempotency`](crate::Idempotency)). A key is for one
    /// doing of one thing, and for every retry of it.
    #[must_use]
    pub fn with_idempotency_key(&self, key: IdempotencyKey) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            key: Some(key),
        }
    }

    /// The session that goes with each call, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.inner.session().clone()
    }

    /// Holds another session, or none: one that was kept from earlier, or after a logout.
    pub fn set_session(&self, session: Option<SessionId>) {
        *self.inner.session() = session;
    }

    /// Whether a call can be made; `false` once the connection is over.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.inner.calls.is_closed()
    }
}

impl Inner {
    fn session(&self) -> MutexGuard<'_, Option<SessionId>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for a call. After four billion an old one may be met again, long over.
    fn name(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Why a call on a connection that is over fails.
    fn over(&self) -> ClientError {
        match self.lost.get() {
            Some(error) => ClientError::Lost(Arc::clone(error)),
            None => ClientError::Closed,
        }
    }
}

impl<Sh: Shape> ClientBuilder<Sh> {
    /// Connects over TCP, on the native wire. The shape of replies is the wire's own.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`], or [`ClientError::Timeout`] with [`Wait::Connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what it had opened.
    pub async fn connect_native(
        self,
        addr: impl ToSocketAddrs,
    ) -> Result<NativeClient, ClientError> {
        let after = self.timeouts.connect;
        let stream = match timeout(after, TcpStream::connect(addr)).await {
            Ok(stream) => stream.map_err(ClientError::Connect)?,
            Err(_) => {
                let wait = Wait::Connect;
                return Err(ClientError::Timeout { wait, after });
            }
        };
        // What is written is whole already, and must not wait for more.
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        let (read, write) = stream.into_split();
        Ok(self.over_native(read, write))
    }

    /// Speaks the native wire over the two halves of a connection that is there already: TLS, a
    /// Unix socket, or memory in a test.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the connection has a task of its own.
    pub fn over_native<R, W>(self, read: R, write: W) -> NativeClient
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (calls, queue) = mpsc::channel(QUEUE);
        let (bell, lost) = (Arc::<Bell>::default(), Arc::default());
        let inbox = Arc::<Inbox>::default();
        let shared = (Arc::clone(&bell), Arc::clone(&inbox));
        let task = Task::new((read, write), &self, queue, shared);
        tokio::spawn(task.run(Arc::clone(&lost)));
        NativeClient {
            key: None,
            inner: Arc::new(Inner {
                calls,
                bell,
                next: AtomicU32::new(0),
                timeouts: self.timeouts,
                session: Mutex::default(),
                lost,
                inbox,
            }),
        }
    }
}

impl fmt::Debug for NativeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeClient")
            .field("logged_in", &self.inner.session().is_some())
            .field("usable", &self.is_usable())
            .finish_non_exhaustive()
    }
}
