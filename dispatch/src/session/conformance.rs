//! A test for any session store.

use std::time::{Duration, SystemTime};

use crate::session::id::SessionId;
use crate::session::policy::Lifetime;
use crate::session::record::Session;
use crate::session::store::SessionStore;

/// Checks that a store keeps what [`SessionStore`] asks of it, for the tests of those who write one.
///
/// The store may hold other sessions. What this adds it removes again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use packetboat_dispatch::session::{MemoryStore, check_store};
///
/// check_store(&MemoryStore::new()).await;
/// # }
/// ```
///
/// # Panics
///
/// At the first rule that does not hold, naming it.
pub async fn check_store(store: &impl SessionStore) {
    // Whole seconds, well after 1970: a store may keep times to the microsecond only.
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let at = |minutes: u64| start + Duration::from_secs(60 * minutes);

    let ann = session("store check: ann's, \"quoted\" 名字", at(0));
    let other = session(&ann.subject, at(1));
    let bob = session("store check: bob", at(2));

    assert_eq!(load(store, &ann).await, None, "a key never stored is found");
    for session in [&ann, &other, &bob] {
        store.insert(session).await.expect("insert");
    }
    for session in [&ann, &other, &bob] {
        assert_eq!(
            load(store, session).await.as_ref(),
            Some(session),
            "what was stored comes back"
        );
    }

    store.touch(&ann.key, at(7)).await.expect("touch");
    let touched = load(store, &ann).await.expect("a touched session stays");
    assert_eq!(touched.touched, at(7), "touch notes the time");
    assert_eq!(touched.created, ann.created, "touch changes nothing else");
    assert_eq!(
        load(store, &bob).await.as_ref(),
        Some(&bob),
        "touch is for one session"
    );

    // Idle 10 minutes: `other` ends at minute 11, `bob` at 12, `ann` at 17.
    store.sweep(at(11)).await.expect("sweep");
    assert_eq!(
        load(store, &other).await,
        None,
        "sweep removes what is over"
    );
    assert!(
        load(store, &bob).await.is_some(),
        "sweep keeps what is not over"
    );
    assert!(
        load(store, &ann).await.is_some(),
        "sweep counts from the last use"
    );

    store.remove(&bob.key).await.expect("remove");
    assert_eq!(load(store, &bob).await, None, "remove removes");
    store
        .remove(&bob.key)
        .await
        .expect("removing twice is no error");
    store
        .touch(&bob.key, at(8))
        .await
        .expect("touching what is gone is no error");
    assert_eq!(load(store, &bob).await, None, "touch revives nothing");

    store.insert(&other).await.expect("insert");
    store.insert(&bob).await.expect("insert");
    store
        .remove_subject(&ann.subject)
        .await
        .expect("remove_subject");
    assert_eq!(
        load(store, &ann).await,
        None,
        "remove_subject removes them all"
    );
    assert_eq!(
        load(store, &other).await,
        None,
        "remove_subject removes them all"
    );
    assert!(
        load(store, &bob).await.is_some(),
        "remove_subject is for one subject"
    );
    store.remove(&bob.key).await.expect("remove");
}

async fn load(store: &impl SessionStore, session: &Session) -> Option<Session> {
    store.load(&session.key).await.expect("load")
}

fn session(subject: &str, created: SystemTime) -> Session {
    let lifetime = Lifetime {
        idle: Duration::from_secs(600),
        absolute: Duration::from_secs(3600),
    };
    let key = SessionId::generate().key();
    Session::new(key, subject, true, created, lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::async_trait;
    use crate::session::{MemoryStore, SessionKey, StoreError};

    /// Takes everything, and has nothing.
    struct Forgetful;

    #[async_trait]
    impl SessionStore for Forgetful {
        async fn insert(&self, _: &Session) -> Result<(), StoreError> {
            Ok(())
        }

        async fn load(&self, _: &SessionKey) -> Result<Option<Session>, StoreError> {
            Ok(None)
        }

        async fn touch(&self, _: &SessionKey, _: SystemTime) -> Result<(), StoreError> {
            Ok(())
        }

        async fn remove(&self, _: &SessionKey) -> Result<(), StoreError> {
            Ok(())
        }

        async fn remove_subject(&self, _: &str) -> Result<(), StoreError> {
            Ok(())
        }

        async fn sweep(&self, _: SystemTime) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[tokio::test]
    #[should_panic(expected = "what was stored comes back")]
    async fn a_store_that_keeps_nothing_is_found_out() {
        check_store(&Forgetful).await;
    }

    /// Keeps times as whole seconds since 1970, as a column of a database may.
    struct InSeconds(MemoryStore);

    fn in_seconds(time: SystemTime) -> SystemTime {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.expect("no time before 1970 can be kept");
        SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
    }

    #[async_trait]
    impl SessionStore for InSeconds {
        async fn insert(&self, session: &Session) -> Result<(), StoreError> {
            let mut session = session.clone();
            session.created = in_seconds(session.created);
            session.touched = in_seconds(session.touched);
            self.0.insert(&session).await
        }

        async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
            self.0.load(key).await
        }

        async fn touch(&self, key: &SessionKey, now: SystemTime) -> Result<(), StoreError> {
            self.0.touch(key, in_seconds(now)).await
        }

        async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
            self.0.remove(key).await
        }

        async fn remove_subject(&self, subject: &str) -> Result<(), StoreError> {
            self.0.remove_subject(subject).await
        }

        async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
            self.0.sweep(in_seconds(now)).await
        }
    }

    #[tokio::test]
    async fn a_store_that_keeps_whole_seconds_since_1970_is_good_enough() {
        check_store(&InSeconds(MemoryStore::new())).await;
    }
}
