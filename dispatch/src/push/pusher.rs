//! Pushes to one connection, and tasks that end with it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::connection::ConnectionId;
use crate::extract::{FromCall, FromRef};
use crate::message::Message;
use crate::push::error::PushError;
use crate::push::frame::Frame;
use crate::push::hub::Hub;
use crate::push::outbox::Outbox;
use crate::push::sending::encode;
use crate::push::slow::SlowReader;
use crate::rejection::Rejection;
use crate::request::Call;

/// The way to one connection: an extractor that gives that of the caller, where a [`Hub`] is a
/// part of the state. Clones are the same one.
///
/// ```
/// use std::time::Duration;
/// use packetboat_dispatch::{Message, Rejection, push::{Pusher, SlowReader}};
/// # #[derive(serde::Serialize, serde::Deserialize, Message)] #[message(type = "watch", reply = ())] struct Watch {}
/// # #[derive(serde::Serialize, serde::Deserialize, Message)] #[message(type = "code", reply = ())]
/// # struct Code { number: u32 }
///
/// /// From now on the caller is shown a new code every five seconds, until it is gone.
/// async fn watch(pusher: Pusher, _: Watch) -> Result<(), Rejection> {
///     let mut number = 0;
///     pusher.every(Duration::from_secs(5), SlowReader::DropOldest, move || {
///         number += 1;
///         async move { Some(Code { number }) }
///     })?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Pusher {
    outbox: Arc<Outbox>,
    max_message: usize,
}

/// A task that is tied to a connection. It goes on when this is dropped.
#[derive(Debug)]
pub struct Tied(AbortHandle);

impl Pusher {
    pub(super) fn new(outbox: Arc<Outbox>, max_message: usize) -> Self {
        Self {
            outbox,
            max_message,
        }
    }

    /// The connection.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.outbox.id()
    }

    /// Sends to this connection. With [`SlowReader::Wait`] it waits while the reader's queue is
    /// full.
    ///
    /// # Errors
    ///
    /// [`PushError::Closed`] when the connection is over, or is cut by this push; and those of the
    /// message.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has sent nothing.
    pub async fn send<M>(&self, message: &M, slow: SlowReader) -> Result<(), PushError>
    where
        M: Message + Serialize,
    {
        let data = encode(message, self.max_message)?;
        self.send_encoded(M::TYPE, data, slow).await
    }

    async fn send_encoded(
        &self,
        message_type: &str,
        data: Bytes,
        slow: SlowReader,
    ) -> Result<(), PushError> {
        self.outbox
            .send(Frame::direct(message_type, data, slow))
            .await
    }

    /// Sends what `make` makes, now and after each period, until it makes nothing or the
    /// connection ends, whichever way it does.
    ///
    /// A time at which it could not run, or its reader had no room, is left out: it does not drift,
    /// and sends nothing in a burst.
    ///
    /// # Errors
    ///
    /// [`PushError::Closed`] and [`PushError::TooManyTasks`].
    ///
    /// # Panics
    ///
    /// If the period is zero.
    pub fn every<M, F>(
        &self,
        period: Duration,
        slow: SlowReader,
        mut make: impl FnMut() -> F + Send + 'static,
    ) -> Result<Tied, PushError>
    where
        M: Message + Serialize,
        F: Future<Output = Option<M>> + Send,
    {
        assert!(!period.is_zero(), "a period has a length");
        let pusher = self.clone();
        self.spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let Some(message) = make().await else { return };
                let encoded = encode(&message, pusher.max_message);
                drop(message);
                let sent = match encoded {
                    Ok(data) => pusher.send_encoded(M::TYPE, data, slow.clone()).await,
                    Err(error) => Err(error),
                };
                match sent {
                    Ok(()) => {}
                    Err(PushError::Closed) => return,
                    Err(error) => tracing::error!(%error, "a push was not sent"),
                }
            }
        })
    }

    /// Runs a task that ends with the connection, at its next await: when it closes, is cut, its
    /// task panics, or the server stops.
    ///
    /// # Errors
    ///
    /// As [`every`](Self::every).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Tied, PushError> {
        self.outbox.spawn(task).map(Tied)
    }
}

impl Tied {
    /// Ends it at its next await.
    pub fn stop(&self) {
        self.0.abort();
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Pusher
where
    Hub: FromRef<S>,
{
    async fn from_call(call: &mut Call, state: &S, _: &I) -> Result<Self, Rejection> {
        Ok(Hub::from_ref(state).pusher(call.peer())?)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Hub
where
    Self: FromRef<S>,
{
    async fn from_call(_: &mut Call, state: &S, _: &I) -> Result<Self, Rejection> {
        Ok(Self::from_ref(state))
    }
}

impl fmt::Debug for Pusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pusher")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
