//! The sessions of one connection: at most one of its own, and kept ones from the store.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connection::Peer;
use crate::metrics;
use crate::session::id::{SessionId, SessionKey};
use crate::session::manager::SessionManager;
use crate::session::record::Session;
use crate::session::store::StoreError;

/// What one connection may present as its session. Clones are the same one.
///
/// A session made without `keep` lives in here and nowhere else: it is found on no other connection,
/// and ends when the connection's last handle goes.
#[derive(Clone)]
pub struct ConnectionSessions {
    manager: SessionManager,
    // Told of logins, since it decides how long a message may be.
    peer: Peer,
    // A std lock: held for a look or a swap, never across an await.
    own: Arc<Mutex<Option<Session>>>,
}

impl ConnectionSessions {
    pub(super) fn new(manager: SessionManager, peer: Peer) -> Self {
        Self {
            manager,
            peer,
            own: Arc::default(),
        }
    }

    /// The session of a presented id, if it is alive and may be used on this connection.
    ///
    /// # Errors
    ///
    /// When the store could not tell.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves all sessions as they were; at most a use is not noted.
    pub async fn verify(&self, presented: &SessionId) -> Result<Option<Session>, StoreError> {
        let key = presented.key();
        let session = match self.own(&key) {
            Some(own) => Some(own),
            None => self.manager.load(&key).await?,
        };
        if session.is_some() {
            self.peer.set_logged_in(true);
        }
        Ok(session)
    }

    /// Makes a session for `subject`, always under a new id: a presented one is never adopted.
    ///
    /// The session that was presented ends, and so does the one that this connection had before: a
    /// connection has at most one session of its own. With `keep` the new one is stored and outlives
    /// the connection.
    ///
    /// # Errors
    ///
    /// When the store failed. The new session does not exist then; the old ones may have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the old sessions ended, and a kept session in the store that nobody
    /// has the id of.
    pub async fn login(
        &self,
        presented: Option<&SessionId>,
        subject: impl Into<String>,
        keep: bool,
    ) -> Result<SessionId, StoreError> {
        if let Some(presented) = presented {
            self.logout(presented).await?;
        }
        let (id, session) = self.manager.mint(subject.into(), keep);
        if keep {
            self.manager.insert(&session).await?;
            *self.lock() = None;
        } else {
            *self.lock() = Some(session);
        }
        self.peer.set_logged_in(true);
        metrics::logged_in(keep);
        Ok(id)
    }

    /// Ends the presented session, wherever it lives. One that is unknown here is no error, and
    /// another connection's own session is unknown here.
    ///
    /// # Errors
    ///
    /// When the store failed, and a kept session may still be alive.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the session alive or ended.
    pub async fn logout(&self, presented: &SessionId) -> Result<(), StoreError> {
        let key = presented.key();
        self.peer.set_logged_in(false);
        if self.lock().take_if(|own| own.key == key).is_some() {
            return Ok(());
        }
        self.manager.remove(&key).await
    }

    /// The session of this connection alone, if it has this key and is alive; notes its use.
    fn own(&self, key: &SessionKey) -> Option<Session> {
        let mut slot = self.lock();
        let now = self.manager.now();
        slot.take_if(|own| own.is_expired(now));
        let own = slot.as_mut().filter(|own| own.key == *key)?;
        own.touched = now;
        Some(own.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Session>> {
        // Every change is one assignment, so a panic leaves nothing in half.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ConnectionSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSessions")
            .field("own", &*self.lock())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
