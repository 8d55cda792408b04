//! A few connections that are made again when they are lost, and calls that are made again when
//! that is safe.

mod backoff;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_core::future::BoxFuture;
use packetboat_framing::native::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{sleep, sleep_until};

use crate::client::config::ClientBuilder;
use crate::client::error::ClientError;
use crate::client::native::NativeClient;
use crate::idempotency::IdempotencyKey;
use crate::message::Message;
pub use backoff::Backoff;

/// Connections unless told otherwise: one carries many calls, and a second one goes on while the
/// first is made again.
const CONNECTIONS: usize = 2;

type Connect = dyn Fn() -> BoxFuture<'static, Result<NativeClient, ClientError>> + Send + Sync;

/// Native connections to one server, made when they are first needed and made again when they are
/// lost. Clones are the same pool.
///
/// A call is tried again, after a wait, when nothing of it was begun ([`ClientError::is_not_begun`])
/// and that may change; and when its connection was lost on it, **only** if its message is
/// [safe](Message::IS_SAFE), or it has an idempotency key ([`call_once`](Self::call_once)). Any
/// other call whose connection is lost gives the error, since it may have been done.
///
/// What each connection needs first, a login say, belongs to connecting:
///
/// ```no_run
/// # use packetboat_dispatch::{Message, client::{ClientError, NativeClient, Pool}};
/// # #[derive(Clone, serde::Serialize, Message)] #[message(type = "login", reply = ())]
/// # struct Login { name: String, password: String }
/// # #[derive(serde::Serialize, Message)] #[message(type = "count", reply = u64, safe)] struct Count {}
/// # #[derive(serde::Serialize, Message)] #[message(type = "buy", reply = ())] struct Buy { id: u64 }
/// # async fn f(login: Login) -> Result<(), ClientError> {
/// let pool = Pool::new(move || {
///     let login = login.clone();
///     async move {
///         let client = NativeClient::connect("127.0.0.1:7878").await?;
///         client.call(login).await?;
///         Ok(client)
///     }
/// });
/// pool.call(Count {}).await?;
/// pool.call_once(Buy { id: 7 }).await?; // however often it is sent
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    connect: Box<Connect>,
    backoff: Backoff,
    slots: Box<[Mutex<Slot>]>,
    next: AtomicUsize,
}

/// A place for one connection. Its lock is held while the connection is made, so that those who
/// want it too wait for that and make none of their own.
#[derive(Default)]
struct Slot {
    client: Option<NativeClient>,
    /// In a row.
    failures: u32,
    /// Not tried again before.
    not_before: Option<Instant>,
}

impl Pool {
    /// A pool of 2 connections that are made by this function, with the default [`Backoff`].
    /// Nothing is connected yet.
    pub fn new<F, Fut>(connect: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<NativeClient, ClientError>> + Send + 'static,
    {
        Self::with(connect, CONNECTIONS, Backoff::default())
    }

    /// The same over TCP, with the defaults of [`ClientBuilder`].
    pub fn tcp(addr: impl Into<String>) -> Self {
        let addr: Arc<str> = addr.into().into();
        Self::new(move || {
            let (builder, addr): (ClientBuilder, _) = (ClientBuilder::default(), addr.clone());
            async move { builder.connect_native(&*addr).await }
        })
    }

    /// A pool of so many connections that are made again after such waits.
    ///
    /// # Panics
    ///
    /// Of no connections.
    pub fn with<F, Fut>(connect: F, connections: usize, backoff: Backoff) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<NativeClient, ClientError>> + Send + 'static,
    {
        assert!(connections > 0, "a pool has one connection at least");
        Self {
            inner: Arc::new(Inner {
                connect: Box::new(move || Box::pin(connect())),
                backoff,
                slots: (0..connections).map(|_| Mutex::default()).collect(),
                next: AtomicUsize::new(0),
            }),
        }
    }

    /// Sends a message and gives its reply, as [`NativeClient::call`].
    ///
    /// # Errors
    ///
    /// Those of [`ClientError`], of the last try.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call. The server may have done what was asked.
    pub async fn call<M>(&self, message: M) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        self.call_with(&message, None).await
    }

    /// Sends a message with an idempotency key of its own, so that it may be sent again when its
    /// connection was lost: done once, where the server's handler keeps the key.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub async fn call_once<M>(&self, message: M) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        let key = IdempotencyKey::generate();
        self.call_with(&message, Some(key)).await
    }

    async fn call_with<M>(
        &self,
        message: &M,
        key: Option<IdempotencyKey>,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        const {
            assert!(
                M::ATTACHMENT.is_none() && M::REPLY_ATTACHMENT.is_none(),
                "this message or its reply has a file: ask for a `client`, and call it"
            );
        }
        let again = M::IS_SAFE || key.is_some();
        let mut failures = 0;
        loop {
            let error = match self.once(message, key).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let may_pass = is_passing(&error) || (again && error.is_lost());
            if !may_pass || failures == self.inner.backoff.retries {
                return Err(error);
            }
            failures += 1;
            let wait = self.inner.backoff.wait(failures);
            tracing::debug!(message_type = M::TYPE, %error, ?wait, "a call is tried again");
            sleep(wait).await;
        }
    }

    async fn once<M>(
        &self,
        message: &M,
        key: Option<IdempotencyKey>,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        let mut client = self.client().await?;
        if let Some(key) = key {
            client = client.with_idempotency_key(key);
        }
        let (reply, _) = client.exchange(message, None, None, |_| ()).await?;
        Ok(reply)
    }

    /// One of the connections, each in its turn, made again if it is lost: for calls with files.
    ///
    /// # Errors
    ///
    /// What connecting gives. After a failure the next try waits, as [`Backoff`] says; meanwhile the
    /// other connections are used, and where none lives, whoever asks waits too.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the connection to be made by the next.
    pub async fn client(&self) -> Result<NativeClient, ClientError> {
        let inner = &*self.inner;
        let at = inner.next.fetch_add(1, Ordering::Relaxed) % inner.slots.len();
        let own = &inner.slots[at];
        if own.try_lock().map_or(true, |slot| slot.is_resting())
            && let Some(client) = inner.usable()
        {
            return Ok(client);
        }
        let mut slot = own.lock().await;
        if let Some(client) = slot.client.as_ref().filter(|client| client.is_usable()) {
            return Ok(client.clone());
        }
        slot.client = None;
        if let Some(instant) = slot.not_before {
            sleep_until(instant.into()).await;
        }
        match (inner.connect)().await {
            Ok(client) => {
                *slot = Slot {
                    client: Some(client.clone()),
                    ..Slot::default()
                };
                Ok(client)
            }
            Err(error) => {
                slot.failures = slot.failures.saturating_add(1);
                slot.not_before = Instant::now().checked_add(inner.backoff.wait(slot.failures));
                Err(error)
            }
        }
    }
}

impl Inner {
    /// A connection that lives, whichever it is.
    fn usable(&self) -> Option<NativeClient> {
        let slots = self.slots.iter().filter_map(|slot| slot.try_lock().ok());
        let mut clients = slots.filter_map(|slot| slot.client.clone());
        clients.find(NativeClient::is_usable)
    }
}

impl Slot {
    /// Whether it waits before it is tried again.
    fn is_resting(&self) -> bool {
        self.not_before
            .is_some_and(|instant| instant > Instant::now())
    }
}

/// Whether nothing was begun, and another time or another connection may do better.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { code } => matches!(*code, Code::GOING_AWAY | Code::OVERLOADED),
        error => error.is_not_begun(),
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("connections", &self.inner.slots.len())
            .field("backoff", &self.inner.backoff)
            .finish_non_exhaustive()
    }
}
