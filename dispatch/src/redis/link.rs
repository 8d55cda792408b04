//! The way to Redis: a command goes out on the connection that there is, or fails in time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    Client, ConnectionInfo, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo,
};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::call::{Call, Request};
use super::error::RedisError;
use super::keeper::Keeper;
use super::options::RedisOptions;

/// A handle to a Redis. Clones are the same one; its connection ends with the last.
#[derive(Clone)]
pub struct Redis {
    pub(super) shared: Arc<Shared>,
    // Its task ends with the last handle.
    keeping: Arc<Keeping>,
}

pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) options: RedisOptions,
    pub(super) state: watch::Sender<State>,
    pub(super) on_push: Option<OnPush>,
}

pub(super) type OnPush = Box<dyn Fn(PushInfo) + Send + Sync>;

/// The task that keeps the connection, once it has begun.
#[derive(Default)]
struct Keeping(Mutex<Option<AbortHandle>>);

/// Whether there is a connection.
#[derive(Clone)]
pub(super) enum State {
    /// Not yet, or not any more, and nothing says that there will be none.
    Connecting,
    /// It could not be reached, or does not answer.
    Away(RedisError),
    Here(Connection),
}

/// A connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(super) multiplexed: MultiplexedConnection,
    /// The life of the server behind it: another one has other data, or may have.
    run: Arc<str>,
    /// Its number among those of this handle.
    number: u64,
}

/// Whether a command may be sent twice: if its connection is lost, it goes out on the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    Once,
}

impl Redis {
    /// A handle. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`RedisError::BadUrl`].
    pub fn new(options: RedisOptions) -> Result<Self, RedisError> {
        Self::with(options, None)
    }

    /// A handle to the same, with a connection of its own, on which this is done with what comes
    /// unasked.
    pub(crate) fn apart(&self, on_push: OnPush) -> Result<Self, RedisError> {
        Self::with(self.shared.options.clone(), Some(on_push))
    }

    fn with(options: RedisOptions, on_push: Option<OnPush>) -> Result<Self, RedisError> {
        let client = client(&options.url).map_err(|e| RedisError::BadUrl(Arc::new(e)))?;
        let shared = Shared {
            client,
            options,
            state: watch::Sender::new(State::Connecting),
            on_push,
        };
        Ok(Self {
            shared: Arc::new(shared),
            keeping: Arc::default(),
        })
    }

    /// The options that it was made with.
    #[must_use]
    pub fn options(&self) -> &RedisOptions {
        &self.shared.options
    }

    /// Whether it answers: for a check of health.
    ///
    /// # Errors
    ///
    /// It does not, within the limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing undone.
    pub async fn ping(&self) -> Result<(), RedisError> {
        self.command(Again::Once, &::redis::cmd("PING")).await
    }

    /// The name of a key or a channel.
    pub(crate) fn name(&self, kind: &str, rest: &str) -> String {
        format!("{}:{kind}:{{{rest}}}", self.shared.options.prefix)
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        again: Again,
        call: &Call,
    ) -> Result<T, RedisError> {
        self.ask(again, Request::Script(call)).await
    }

    /// Sends a command.
    pub(crate) async fn command<T: FromRedisValue>(
        &self,
        again: Again,
        command: &::redis::Cmd,
    ) -> Result<T, RedisError> {
        self.ask(again, Request::Command(command)).await
    }

    /// The connection, as soon as there is one.
    pub(crate) async fn connected(&self) -> Connection {
        self.begin();
        let mut states = self.shared.state.subscribe();
        let here = states
            .wait_for(|state| matches!(state, State::Here(_)))
            .await;
        match here.as_deref() {
            Ok(State::Here(connection)) => connection.clone(),
            // The sender is held by this handle.
            _ => unreachable!("it waited for a connection"),
        }
    }

    /// Returns when this connection is over.
    pub(crate) async fn over(&self, connection: &Connection) {
        let mut states = self.shared.state.subscribe();
        // An error: the handle is over, and all connections with it.
        let _ = states
            .wait_for(|state| match state {
                State::Here(now) => now.number != connection.number,
                State::Connecting => true,
                // It may answer yet.
                State::Away(_) => false,
            })
            .await;
    }

    /// Returns when it is known that there is no connection, or that it does not answer.
    pub(crate) async fn away(&self) {
        self.begin();
        let mut states = self.shared.state.subscribe();
        // The sender is held by this handle.
        let _ = states
            .wait_for(|state| matches!(state, State::Away(_)))
            .await;
    }

    /// A connection has been lost.
    pub(crate) fn lost(&self, connection: &Connection) {
        self.shared.lost(connection.number);
    }

    /// It does not answer in time: until it is known to do so again, nobody waits for it.
    pub(crate) fn suspect(&self) {
        let after = self.shared.options.limit;
        self.shared.state.send_if_modified(|state| {
            let is_here = !matches!(state, State::Away(_));
            if is_here {
                *state = State::Away(RedisError::TimedOut { after });
            }
            is_here
        });
    }

    async fn ask<T: FromRedisValue>(
        &self,
        again: Again,
        request: Request<'_>,
    ) -> Result<T, RedisError> {
        self.begin();
        let after = self.shared.options.limit;
        let mut has_sent = false;
        let asking = async {
            let mut left = if again == Again::Once { 1 } else { 0 };
            loop {
                let mut connection = self.here().await?;
                has_sent = true;
                let Connection {
                    multiplexed, run, ..
                } = &mut connection;
                match request.send(multiplexed, run).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) if error.is_unrecoverable_error() => {
                        self.shared.lost(connection.number);
                        if left == 0 {
                            return Err(RedisError::failed(error));
                        }
                        left -= 1;
                    }
                    Err(error) if error.kind() == ::redis::ErrorKind::UnexpectedReturnType => {
                        return Err(RedisError::Unreadable);
                    }
                    Err(error) => return Err(RedisError::failed(error)),
                }
            }
        };
        match timeout(after, asking).await {
            Ok(answer) => answer,
            Err(_) => {
                self.suspect();
                match has_sent {
                    true => Err(RedisError::TimedOut { after }),
                    false => Err(RedisError::Away(None)),
                }
            }
        }
    }

    /// The connection, or that there is none.
    async fn here(&self) -> Result<Connection, RedisError> {
        let mut states = self.shared.state.subscribe();
        let known = states
            .wait_for(|state| !matches!(state, State::Connecting))
            .await;
        match known.as_deref() {
            Ok(State::Here(connection)) => Ok(connection.clone()),
            Ok(State::Away(why)) => Err(RedisError::Away(Some(Arc::new(why.clone())))),
            _ => Err(RedisError::Away(None)),
        }
    }

    /// Begins to keep a connection, where that has not begun.
    fn begin(&self) {
        let mut keeping = self
            .keeping
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if keeping.is_none() {
            let keeper = Keeper::new(Arc::clone(&self.shared));
            *keeping = Some(tokio::spawn(keeper.run()).abort_handle());
        }
    }
}

impl Shared {
    pub(super) fn lost(&self, number: u64) {
        self.state.send_if_modified(|state| {
            let is_it = matches!(state, State::Here(now) if now.number == number);
            if is_it {
                *state = State::Connecting;
            }
            is_it
        });
    }
}

impl Connection {
    pub(super) fn new(multiplexed: MultiplexedConnection, run: &str, number: u64) -> Self {
        let run = run.into();
        Self {
            multiplexed,
            run,
            number,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) async fn subscribe(&self, channels: &[Arc<str>]) -> Result<(), RedisError> {
        let names: Vec<&str> = channels.iter().map(|name| &**name).collect();
        let subscribed = self.multiplexed.clone().subscribe(&names).await;
        subscribed.map_err(RedisError::failed)
    }

    pub(crate) async fn unsubscribe(&self, channels: &[Arc<str>]) -> Result<(), RedisError> {
        let names: Vec<&str> = channels.iter().map(|name| &**name).collect();
        let unsubscribed = self.multiplexed.clone().unsubscribe(&names).await;
        unsubscribed.map_err(RedisError::failed)
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let keeping = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = keeping {
            task.abort();
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_here = matches!(*self.shared.state.borrow(), State::Here(_));
        f.debug_struct("Redis")
            .field("options", &self.shared.options)
            .field("is_here", &is_here)
            .finish_non_exhaustive()
    }
}

/// With RESP3, in which messages of channels come beside answers.
fn client(url: &str) -> ::redis::RedisResult<Client> {
    let info: ConnectionInfo = url.into_connection_info()?;
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings))
}
