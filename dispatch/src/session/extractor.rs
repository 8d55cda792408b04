//! The argument of handlers that log in and out.

use crate::session::connection::ConnectionSessions;
use crate::session::id::SessionId;
use crate::session::store::StoreError;

/// Logs the caller in and out: an argument of a handler.
///
/// It cannot look a session up. Who is calling is the guard's to say, by way of `Identity`.
#[derive(Clone, Debug)]
pub struct Sessions {
    connection: ConnectionSessions,
    presented: Option<SessionId>,
}

impl Sessions {
    /// The sessions of a connection, as a request sees them that presented this id.
    #[must_use]
    pub fn new(connection: ConnectionSessions, presented: Option<SessionId>) -> Self {
        Self {
            connection,
            presented,
        }
    }

    /// Logs `subject` in and gives the new session's id, which belongs in the reply.
    ///
    /// The session that came with the request is ended, not adopted. With `keep` the new one
    /// outlives the connection; otherwise it is valid on this connection alone.
    ///
    /// # Errors
    ///
    /// When the store of kept sessions failed, or is full.
    ///
    /// # Cancel safety
    ///
    /// As [`ConnectionSessions::login`].
    pub async fn login(
        &self,
        subject: impl Into<String>,
        keep: bool,
    ) -> Result<SessionId, StoreError> {
        let presented = self.presented.as_ref();
        self.connection.login(presented, subject, keep).await
    }

    /// Ends the session that came with the request. Without one there is nothing to end.
    ///
    /// # Errors
    ///
    /// When the store of kept sessions failed, and the session may still be alive.
    ///
    /// # Cancel safety
    ///
    /// As [`ConnectionSessions::logout`].
    pub async fn logout(&self) -> Result<(), StoreError> {
        match &self.presented {
            Some(presented) => self.connection.logout(presented).await,
            None => Ok(()),
        }
    }
}
