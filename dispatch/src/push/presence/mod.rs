//! Who is here.
//!
//! A member is present under a key, the user's say, with something to be known about it, its meta.
//! A key may be here by several connections; it joins with the first and leaves with the last.

mod conformance;
mod diff;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::push::broker::MemberId;

pub use conformance::check_presence;
pub use diff::PresenceDiff;
pub use memory::MemoryPresence;
#[cfg(feature = "redis")]
pub use redis::RedisPresence;

/// Somebody who is here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Present {
    /// The key.
    pub key: String,
    /// What is to be known about it, in JSON: that of the connection that came first.
    pub meta: Box<RawValue>,
}

/// Keeps who is in which room, for all nodes.
///
/// Each entry belongs to a connection, and is renewed by its node. One that is not renewed in time
/// is over: its node is gone. [`check_presence`] tests that an implementation keeps what is asked
/// here.
///
/// # Cancel safety
///
/// Any of these futures may be dropped at any point. What it was doing may then have happened or
/// not, but never in half.
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// A connection is here, until so long from now if it is not renewed. Gives whether its key was
    /// not here before.
    ///
    /// # Errors
    ///
    /// When it may not have been noted.
    async fn enter(
        &self,
        room: &str,
        member: MemberId,
        present: &Present,
        time: Duration,
    ) -> Result<bool, PresenceError>;

    /// These connections are still here. Gives those among them that are not: their time was over,
    /// and they have to enter again.
    ///
    /// # Errors
    ///
    /// When it may not have been noted.
    async fn renew(
        &self,
        room: &str,
        members: &[MemberId],
        time: Duration,
    ) -> Result<Vec<MemberId>, PresenceError>;

    /// A connection has left. Gives whether its key is gone with it; one that was not here changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// When it may not have been noted.
    async fn leave(&self, room: &str, member: MemberId) -> Result<bool, PresenceError>;

    /// Who is here: each key once, in the order in which they came. Those whose time is over are
    /// not.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    async fn list(&self, room: &str) -> Result<Vec<Present>, PresenceError>;

    /// Removes those whose time is over, and gives the keys that are gone with them: to one caller
    /// alone, whose is to tell the others.
    ///
    /// # Errors
    ///
    /// When it failed. Who is over is in no list, whether swept or not.
    async fn sweep(&self, room: &str) -> Result<Vec<Present>, PresenceError>;
}

#[async_trait]
impl<P: Presence + ?Sized> Presence for Arc<P> {
    async fn enter(
        &self,
        room: &str,
        member: MemberId,
        present: &Present,
        time: Duration,
    ) -> Result<bool, PresenceError> {
        (**self).enter(room, member, present, time).await
    }

    async fn renew(
        &self,
        room: &str,
        members: &[MemberId],
        time: Duration,
    ) -> Result<Vec<MemberId>, PresenceError> {
        (**self).renew(room, members, time).await
    }

    async fn leave(&self, room: &str, member: MemberId) -> Result<bool, PresenceError> {
        (**self).leave(room, member).await
    }

    async fn list(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        (**self).list(room).await
    }

    async fn sweep(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        (**self).sweep(room).await
    }
}

/// Why it cannot be said who is here. The cause is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("the presence store failed")]
pub struct PresenceError {
    #[source]
    cause: Box<dyn Error + Send + Sync>,
    is_away: bool,
}

impl PresenceError {
    /// Wraps the store's own error.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_away: false,
        }
    }

    /// The store cannot be reached, and nothing was sent to it. A hub then goes by those who are
    /// present on its own node, until the store is back.
    pub fn away(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_away: true,
        }
    }

    /// Whether it [was away](Self::away).
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.is_away
    }
}

impl Present {
    /// Somebody, with something to be known.
    ///
    /// # Errors
    ///
    /// The meta cannot be serialised.
    pub fn new(key: impl Into<String>, meta: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self {
            key: key.into(),
            meta: serde_json::value::to_raw_value(meta)?,
        })
    }

    /// What is to be known, typed.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub fn meta<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.meta.get())
    }
}

impl PartialEq for Present {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, self.meta.get()) == (&other.key, other.meta.get())
    }
}
