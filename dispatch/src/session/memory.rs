//! Kept sessions in the memory of this process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use crate::session::id::SessionKey;
use crate::session::record::Session;
use crate::session::store::{SessionStore, StoreError};

/// Kept sessions in memory, for tests and for servers whose restart may log people out.
///
/// It is bounded twice: a subject that makes one session too many loses its own least recently used
/// one, and a store that is full of live sessions refuses the next login. So nobody can push out
/// other people's sessions by logging in often.
pub struct MemoryStore {
    capacity: usize,
    per_subject: usize,
    // A std lock: held for look-ups and, when full, one sweep; never across an await.
    sessions: Mutex<HashMap<SessionKey, Session>>,
}

/// The store is full of sessions that are still alive.
#[derive(Debug, thiserror::Error)]
#[error("all {capacity} places of the session store are taken")]
struct Full {
    capacity: usize,
}

impl MemoryStore {
    /// Room for 100,000 sessions (about 30 MiB), 64 for each subject.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(100_000, 64)
    }

    /// Room for `capacity` sessions, `per_subject` for each subject.
    ///
    /// # Panics
    ///
    /// If one of the two is 0.
    #[must_use]
    pub fn with_capacity(capacity: usize, per_subject: usize) -> Self {
        assert!(capacity > 0 && per_subject > 0, "a store needs room");
        Self {
            capacity,
            per_subject,
            sessions: Mutex::default(),
        }
    }

    /// How many sessions are stored, those included that are over and not yet swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no session is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        // No line below leaves the map in half when it panics.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        let mut sessions = self.lock();
        // A scan for each login: 100,000 entries take about a millisecond, less than the hash of
        // the password that came before it.
        let own = sessions.values().filter(|s| s.subject == session.subject);
        if own.clone().count() >= self.per_subject
            && let Some(oldest) = own.min_by_key(|s| s.touched).map(|s| s.key)
        {
            sessions.remove(&oldest);
        }
        if sessions.len() >= self.capacity {
            sessions.retain(|_, stored| !stored.is_expired(session.created));
        }
        if sessions.len() >= self.capacity {
            let capacity = self.capacity;
            return Err(StoreError::new(Full { capacity }));
        }
        sessions.insert(session.key, session.clone());
        Ok(())
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        Ok(self.lock().get(key).cloned())
    }

    async fn touch(&self, key: &SessionKey, now: SystemTime) -> Result<(), StoreError> {
        if let Some(session) = self.lock().get_mut(key) {
            session.touched = now;
        }
        Ok(())
    }

    async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.lock().remove(key);
        Ok(())
    }

    async fn remove_subject(&self, subject: &str) -> Result<(), StoreError> {
        self.lock().retain(|_, stored| stored.subject != subject);
        Ok(())
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        self.lock().retain(|_, stored| !stored.is_expired(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::conformance::check_store;
    use crate::session::id::SessionId;
    use crate::session::policy::Lifetime;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minutes: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + MINUTE * minutes
    }

    fn session(subject: &str, created: SystemTime) -> Session {
        let lifetime = Lifetime {
            idle: 10 * MINUTE,
            absolute: 60 * MINUTE,
        };
        let key = SessionId::generate().key();
        Session::new(key, subject, true, created, lifetime)
    }

    #[tokio::test]
    async fn memory_store_conforms() {
        check_store(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn store_is_empty_until_the_first_session_and_after_the_last() {
        let store = MemoryStore::new();
        assert!(store.is_empty());
        let ann = session("ann", at(0));
        store.insert(&ann).await.expect("room");
        assert!(!store.is_empty());
        store.remove(&ann.key).await.expect("removed");
        assert!(store.is_empty());
    }

    #[tokio::test]
    async fn full_store_sweeps_and_then_refuses_and_pushes_nobody_out() {
        let store = MemoryStore::with_capacity(3, 3);
        let first = session("ann", at(0));
        store.insert(&first).await.expect("room");
        store.insert(&session("bob", at(5))).await.expect("room");
        store.insert(&session("cat", at(5))).await.expect("room");
        store
            .insert(&session("dan", at(4)))
            .await
            .expect_err("all three live");
        assert_eq!(store.len(), 3);
        // At minute 11 the first is over and makes room.
        store.insert(&session("dan", at(11))).await.expect("swept");
        assert!(store.load(&first.key).await.expect("loads").is_none());
        assert_eq!(store.len(), 3);
    }

    #[tokio::test]
    async fn subject_with_too_many_loses_its_own_least_used() {
        let store = MemoryStore::with_capacity(10, 2);
        let other = session("bob", at(0));
        store.insert(&other).await.expect("room");
        let (one, two) = (session("ann", at(1)), session("ann", at(2)));
        store.insert(&one).await.expect("room");
        store.insert(&two).await.expect("room");
        store.touch(&one.key, at(3)).await.expect("touched");
        store.insert(&session("ann", at(4))).await.expect("room");
        assert!(store.load(&two.key).await.expect("loads").is_none());
        assert!(store.load(&one.key).await.expect("loads").is_some());
        assert!(store.load(&other.key).await.expect("loads").is_some());
    }
}
