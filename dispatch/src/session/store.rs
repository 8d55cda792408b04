//! Where kept sessions live.

use std::error::Error;
use std::time::SystemTime;

use async_trait::async_trait;

use crate::session::id::SessionKey;
use crate::session::record::Session;

/// Where sessions made with `keep` live. The application may have its own, over its database.
///
/// [`check_store`](crate::session::check_store) tests that an implementation keeps what is asked
/// here. A store decides nothing: whether a session is over, and whether the key that was found is
/// the key that was asked for, is checked by the caller.
///
/// # Cancel safety
///
/// Any of these futures may be dropped at any point. What it was doing may then have happened or not,
/// but never in half.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Adds a session. Its key is new.
    ///
    /// # Errors
    ///
    /// When it could not be stored, be it for want of room. The login is then refused.
    async fn insert(&self, session: &Session) -> Result<(), StoreError>;

    /// The session of this key, if there is one. It may be over by now.
    ///
    /// # Errors
    ///
    /// When the store cannot tell. "No such session" is `None`.
    async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError>;

    /// Notes that the session was used at `now`. A session that is gone stays gone.
    ///
    /// # Errors
    ///
    /// When it could not be noted. The request is then refused.
    async fn touch(&self, key: &SessionKey, now: SystemTime) -> Result<(), StoreError>;

    /// Removes a session. Once this has returned, `load` does not find it, on any node. Removing
    /// one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// When it may still be there.
    async fn remove(&self, key: &SessionKey) -> Result<(), StoreError>;

    /// Removes every session of a subject: after a new password, or when an account is closed.
    ///
    /// # Errors
    ///
    /// When one of them may still be there.
    async fn remove_subject(&self, subject: &str) -> Result<(), StoreError>;

    /// Removes what is over at `now`, so that the store does not grow for ever.
    ///
    /// # Errors
    ///
    /// When it failed. Nothing depends on it: what is over is refused whether swept or not.
    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError>;
}

/// Why a store could not do what it was asked. The cause is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("the session store failed")]
pub struct StoreError {
    #[source]
    cause: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    /// Wraps the store's own error.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
        }
    }
}
