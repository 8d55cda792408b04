//! The sessions of one server: policy, clock and store.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::connection::Peer;
use crate::session::clock::Clock;
use crate::session::connection::ConnectionSessions;
use crate::session::id::{SessionId, SessionKey};
use crate::session::memory::MemoryStore;
use crate::session::policy::SessionPolicy;
use crate::session::record::Session;
use crate::session::store::{SessionStore, StoreError};

/// The sessions of one server. Cheap to clone; all clones are the same one.
///
/// By default kept sessions live in memory, under the default [`SessionPolicy`].
#[derive(Clone)]
pub struct SessionManager {
    shared: Arc<Shared>,
}

struct Shared {
    policy: SessionPolicy,
    clock: Clock,
    store: Box<dyn SessionStore>,
    // A std lock around one copy.
    swept: Mutex<SystemTime>,
}

impl SessionManager {
    /// Sessions under this policy, kept ones in this store.
    #[must_use]
    pub fn new(policy: SessionPolicy, store: impl SessionStore) -> Self {
        let clock = Clock::new();
        let swept = Mutex::new(clock.now());
        let shared = Shared {
            policy,
            clock,
            store: Box::new(store),
            swept,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The sessions of a new connection: none yet. They end when the last clone of the handle goes.
    #[must_use]
    pub fn connection(&self, peer: Peer) -> ConnectionSessions {
        ConnectionSessions::new(self.clone(), peer)
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &SessionPolicy {
        &self.shared.policy
    }

    /// Ends every kept session of a subject: after a new password, or when an account is closed.
    /// Sessions that end with their connection are not in the store; the guard refuses those.
    ///
    /// # Errors
    ///
    /// When the store failed, and one of them may still be alive.
    pub async fn revoke_subject(&self, subject: &str) -> Result<(), StoreError> {
        self.shared.store.remove_subject(subject).await
    }

    /// A session that begins now, and the id for the peer. It is stored nowhere yet.
    pub(super) fn mint(&self, subject: String, keep: bool) -> (SessionId, Session) {
        let id = SessionId::generate();
        let lifetime = self.policy().lifetime(keep);
        let session = Session::new(id.key(), subject, keep, self.now(), lifetime);
        (id, session)
    }

    pub(super) async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        self.sweep().await;
        self.shared.store.insert(session).await
    }

    /// The kept session of this key, if it is alive; a use of it is noted.
    pub(super) async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        let Some(mut session) = self.shared.store.load(key).await? else {
            return Ok(None);
        };
        // A store whose look-up is loose (by prefix, or folding case) lets nobody in.
        if session.key != *key {
            return Ok(None);
        }
        let now = self.now();
        if session.is_expired(now) {
            self.shared.store.remove(key).await?;
            return Ok(None);
        }
        if self.is_due(&session, now) {
            self.shared.store.touch(key, now).await?;
            session.touched = now;
        }
        Ok(Some(session))
    }

    pub(super) async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.shared.store.remove(key).await
    }

    pub(super) fn now(&self) -> SystemTime {
        self.shared.clock.now()
    }

    /// Whether the last noted use is long enough ago to note another.
    fn is_due(&self, session: &Session, now: SystemTime) -> bool {
        // A time in the future is another node's clock: then there is nothing to note.
        now.duration_since(session.touched)
            .is_ok_and(|since| since >= self.policy().touch_every)
    }

    /// At most once in `sweep_every`, on the way of a login.
    async fn sweep(&self) {
        let now = self.now();
        {
            let mut swept = self
                .shared
                .swept
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let since = now.duration_since(*swept).unwrap_or_default();
            if since < self.policy().sweep_every {
                return;
            }
            *swept = now;
        }
        // What is over is refused whether it was swept or not, so the login goes on.
        if let Err(error) = self.shared.store.sweep(now).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "expired sessions were not swept"
            );
        }
    }
}

impl Default for SessionManager {
    fn default() -> Self {
        Self::new(SessionPolicy::default(), MemoryStore::new())
    }
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager")
            .field("policy", self.policy())
            .finish_non_exhaustive()
    }
}
