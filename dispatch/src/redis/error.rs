//! Why Redis could not do what it was asked.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Why Redis could not do what it was asked. For the operator.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisError {
    /// There is no connection, and nothing was sent.
    #[error("Redis is away")]
    Away(#[source] Option<Arc<dyn Error + Send + Sync>>),

    /// The URL is none.
    #[error("the URL of Redis cannot be read")]
    BadUrl(#[source] Arc<dyn Error + Send + Sync>),

    /// It answered with an error, or the connection was lost before it had answered. In the second
    /// case it may have done what was asked.
    #[error("Redis failed")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),

    /// It did not answer in time, and may have done what was asked.
    #[error("Redis did not answer within {after:?}")]
    TimedOut {
        /// [`RedisOptions::limit`](crate::redis::RedisOptions::limit).
        after: Duration,
    },

    /// What it answered is none of what was expected: something else has written under these keys.
    #[error("what Redis answered cannot be read")]
    Unreadable,
}

impl RedisError {
    /// Whether nothing of it was sent: it was not done, and will not be.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    pub(super) fn failed(cause: ::redis::RedisError) -> Self {
        Self::Failed(Arc::new(cause))
    }
}
