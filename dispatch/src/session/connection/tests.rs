//! What sessions promise, on a clock that the tests move.

use std::time::Duration;

use super::*;
use crate::session::extractor::Sessions;
use crate::session::memory::MemoryStore;
use crate::session::policy::{Lifetime, SessionPolicy};

const MINUTE: Duration = Duration::from_secs(60);

fn manager() -> SessionManager {
    let mut policy = SessionPolicy::default();
    policy.connection.absolute = 70 * MINUTE;
    policy.kept = Lifetime {
        idle: 60 * MINUTE,
        absolute: 130 * MINUTE,
    };
    SessionManager::new(policy, MemoryStore::new())
}

async fn subject(connection: &ConnectionSessions, id: &SessionId) -> Option<String> {
    let session = connection.verify(id).await.expect("the memory store works");
    session.map(|session| session.subject)
}

async fn login(connection: &ConnectionSessions, keep: bool) -> SessionId {
    connection.login(None, "ann", keep).await.expect("room")
}

#[tokio::test(start_paused = true)]
async fn session_is_valid_on_its_own_connection_only() {
    let manager = manager();
    let (one, other) = (
        manager.connection(Peer::new(None)),
        manager.connection(Peer::new(None)),
    );
    let id = login(&one, false).await;
    assert_eq!(subject(&one, &id).await.as_deref(), Some("ann"));
    assert_eq!(subject(&other, &id).await, None);
    // Another connection cannot end it either.
    other.logout(&id).await.expect("no error");
    assert_eq!(subject(&one, &id).await.as_deref(), Some("ann"));
    // The connection is gone, and the session with it.
    drop(one);
    assert_eq!(
        subject(&manager.connection(Peer::new(None)), &id).await,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn kept_session_is_valid_everywhere_until_logout() {
    let manager = manager();
    let one = manager.connection(Peer::new(None));
    let id = login(&one, true).await;
    drop(one);
    let other = manager.connection(Peer::new(None));
    assert_eq!(subject(&other, &id).await.as_deref(), Some("ann"));
    let third = manager.connection(Peer::new(None));
    Sessions::new(third, Some(id.clone()))
        .logout()
        .await
        .expect("ended");
    assert_eq!(subject(&other, &id).await, None);
}

#[tokio::test(start_paused = true)]
async fn logout_ends_what_was_presented_and_nothing_else() {
    let connection = manager().connection(Peer::new(None));
    let id = login(&connection, false).await;
    let stranger = SessionId::generate();
    connection.logout(&stranger).await.expect("no error");
    assert_eq!(subject(&connection, &id).await.as_deref(), Some("ann"));
    connection.logout(&id).await.expect("ended");
    assert_eq!(subject(&connection, &id).await, None);
}

#[tokio::test(start_paused = true)]
async fn login_never_adopts_a_presented_id_and_ends_its_session() {
    for keep in [false, true] {
        let connection = manager().connection(Peer::new(None));
        // Chosen by the client before any login.
        let planted = SessionId::generate();
        let sessions = Sessions::new(connection.clone(), Some(planted.clone()));
        let first = sessions.login("ann", keep).await.expect("room");
        assert_ne!(first.key(), planted.key());
        assert_eq!(subject(&connection, &planted).await, None);

        let sessions = Sessions::new(connection.clone(), Some(first.clone()));
        let second = sessions.login("bob", keep).await.expect("room");
        assert_ne!(second.key(), first.key());
        assert_eq!(
            subject(&connection, &first).await,
            None,
            "the old one ended"
        );
        assert_eq!(subject(&connection, &second).await.as_deref(), Some("bob"));
    }
}

#[tokio::test(start_paused = true)]
async fn connection_has_one_session_of_its_own() {
    let connection = manager().connection(Peer::new(None));
    let first = login(&connection, false).await;
    let second = login(&connection, false).await;
    assert_eq!(subject(&connection, &first).await, None);
    let kept = login(&connection, true).await;
    assert_eq!(subject(&connection, &second).await, None);
    assert_eq!(subject(&connection, &kept).await.as_deref(), Some("ann"));
}

#[tokio::test(start_paused = true)]
async fn session_ends_by_idling_and_by_age() {
    let connection = manager().connection(Peer::new(None));
    let id = login(&connection, false).await;
    for _ in 0..2 {
        tokio::time::advance(29 * MINUTE).await;
        assert!(subject(&connection, &id).await.is_some(), "each use counts");
    }
    // 70 minutes after the login, 12 after the last use.
    tokio::time::advance(12 * MINUTE).await;
    assert_eq!(subject(&connection, &id).await, None);

    let id = login(&connection, false).await;
    tokio::time::advance(30 * MINUTE).await;
    assert_eq!(subject(&connection, &id).await, None);
}

#[tokio::test(start_paused = true)]
async fn kept_session_ends_by_idling_and_by_age() {
    let connection = manager().connection(Peer::new(None));
    let id = login(&connection, true).await;
    for _ in 0..2 {
        tokio::time::advance(59 * MINUTE).await;
        assert!(subject(&connection, &id).await.is_some(), "each use counts");
    }
    tokio::time::advance(12 * MINUTE).await;
    assert_eq!(subject(&connection, &id).await, None);

    let id = login(&connection, true).await;
    tokio::time::advance(60 * MINUTE).await;
    assert_eq!(subject(&connection, &id).await, None);
}

#[tokio::test(start_paused = true)]
async fn peer_is_told_of_logins() {
    let manager = manager();
    let (peer, other) = (Peer::new(None), Peer::new(None));
    let connection = manager.connection(peer.clone());
    let id = login(&connection, true).await;
    assert!(peer.is_logged_in());
    let elsewhere = manager.connection(other.clone());
    assert_eq!(subject(&elsewhere, &SessionId::generate()).await, None);
    assert!(!other.is_logged_in(), "a guess is no login");
    assert!(subject(&elsewhere, &id).await.is_some());
    assert!(other.is_logged_in());
    elsewhere.logout(&id).await.expect("ended");
    assert!(!other.is_logged_in());
}

#[tokio::test(start_paused = true)]
async fn revoked_subject_is_logged_out_everywhere() {
    let manager = manager();
    let (one, two) = (
        manager.connection(Peer::new(None)),
        manager.connection(Peer::new(None)),
    );
    let ids = [login(&one, true).await, login(&two, true).await];
    manager.revoke_subject("ann").await.expect("revoked");
    for id in &ids {
        assert_eq!(subject(&one, id).await, None);
    }
}

/// A store that finds what it was not asked for, and counts what it is told.
struct Loose {
    inner: MemoryStore,
    any: Mutex<Option<Session>>,
    touches: std::sync::atomic::AtomicUsize,
    sweeps: std::sync::atomic::AtomicUsize,
}

#[async_trait::async_trait]
impl crate::session::store::SessionStore for Arc<Loose> {
    async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        *self.any.lock().expect("no panic") = Some(session.clone());
        self.inner.insert(session).await
    }
    async fn load(&self, _: &SessionKey) -> Result<Option<Session>, StoreError> {
        Ok(self.any.lock().expect("no panic").clone())
    }
    async fn touch(&self, key: &SessionKey, now: std::time::SystemTime) -> Result<(), StoreError> {
        self.touches
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if let Some(any) = &mut *self.any.lock().expect("no panic") {
            any.touched = now;
        }
        self.inner.touch(key, now).await
    }
    async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.inner.remove(key).await
    }
    async fn remove_subject(&self, subject: &str) -> Result<(), StoreError> {
        self.inner.remove_subject(subject).await
    }
    async fn sweep(&self, now: std::time::SystemTime) -> Result<(), StoreError> {
        self.sweeps
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.inner.sweep(now).await
    }
}

fn loose() -> Arc<Loose> {
    Arc::new(Loose {
        inner: MemoryStore::new(),
        any: Mutex::default(),
        touches: Default::default(),
        sweeps: Default::default(),
    })
}

#[tokio::test(start_paused = true)]
async fn store_with_a_loose_look_up_lets_nobody_in() {
    let manager = SessionManager::new(SessionPolicy::default(), loose());
    let connection = manager.connection(Peer::new(None));
    let id = login(&connection, true).await;
    assert!(subject(&connection, &id).await.is_some());
    assert_eq!(subject(&connection, &SessionId::generate()).await, None);
}

#[tokio::test(start_paused = true)]
async fn store_hears_of_use_once_a_minute_and_sweeps_on_the_way_of_logins() {
    let store = loose();
    let touches = || store.touches.load(std::sync::atomic::Ordering::Relaxed);
    let sweeps = || store.sweeps.load(std::sync::atomic::Ordering::Relaxed);
    let connection = SessionManager::new(SessionPolicy::default(), Arc::clone(&store))
        .connection(Peer::new(None));
    let id = login(&connection, true).await;
    for _ in 0..59 {
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(subject(&connection, &id).await.is_some());
    }
    assert_eq!(touches(), 0);
    for _ in 0..60 {
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(subject(&connection, &id).await.is_some());
    }
    assert_eq!(touches(), 1);

    login(&connection, true).await;
    assert_eq!(sweeps(), 0, "two minutes after the start");
    tokio::time::advance(3 * MINUTE).await;
    login(&connection, true).await;
    assert_eq!(sweeps(), 0, "a second before its time");
    tokio::time::advance(Duration::from_secs(1)).await;
    login(&connection, true).await;
    login(&connection, true).await;
    assert_eq!(sweeps(), 1, "once in five minutes");
}

#[tokio::test(start_paused = true)]
async fn nothing_printed_holds_an_id() {
    let connection = manager().connection(Peer::new(None));
    let id = login(&connection, false).await;
    let sessions = Sessions::new(connection.clone(), Some(id.clone()));
    for text in [format!("{connection:?}"), format!("{sessions:?}")] {
        assert!(!text.contains(&id.expose()), "{text}");
        assert!(!text.contains(&id.key().to_hex()), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_a_session_lasts_a_working_day_and_a_kept_one_thirty() {
    let hours = |hours: u64| Duration::from_secs(60 * 60 * hours);
    let connection = SessionManager::default().connection(Peer::new(None));

    let id = login(&connection, false).await;
    for _ in 0..12 * 60 / 20 {
        assert!(subject(&connection, &id).await.is_some());
        tokio::time::advance(20 * MINUTE).await;
    }
    assert_eq!(subject(&connection, &id).await, None, "twelve hours in all");
    let id = login(&connection, false).await;
    tokio::time::advance(30 * MINUTE).await;
    assert_eq!(subject(&connection, &id).await, None, "half an hour idle");

    let id = login(&connection, true).await;
    for _ in 0..30 {
        assert!(subject(&connection, &id).await.is_some());
        tokio::time::advance(hours(24)).await;
    }
    assert_eq!(subject(&connection, &id).await, None, "thirty days in all");
    let id = login(&connection, true).await;
    tokio::time::advance(hours(7 * 24 - 1)).await;
    assert!(subject(&connection, &id).await.is_some());
    tokio::time::advance(hours(7 * 24)).await;
    assert_eq!(subject(&connection, &id).await, None, "seven days idle");
}
