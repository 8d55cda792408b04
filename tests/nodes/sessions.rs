//! Sessions behind the shared cache: nobody is logged out by it, and who was is so everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use packetboat_dispatch::SessionId;
use packetboat_dispatch::async_trait;
use packetboat_dispatch::session::{
    Lifetime, MemoryStore, RedisStore, Session, SessionKey, SessionStore, StoreError,
};
use packetboat_tests::redis::Redis;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::world::handle;

/// The nodes' database: it counts what it is asked, and may be slow to answer.
#[derive(Clone, Default)]
struct Database {
    store: Arc<MemoryStore>,
    loads: Arc<AtomicU64>,
    /// A load that has read waits for this, once.
    hold: Arc<std::sync::Mutex<Option<Arc<Notify>>>>,
}

#[async_trait]
impl SessionStore for Database {
    async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        self.store.insert(session).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let session = self.store.load(key).await;
        let hold = self.hold.lock().expect("no panic").take();
        if let Some(hold) = hold {
            hold.notified().await;
        }
        session
    }

    async fn touch(&self, key: &SessionKey, now: SystemTime) -> Result<(), StoreError> {
        self.store.touch(key, now).await
    }

    async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.store.remove(key).await
    }

    async fn remove_subject(&self, subject: &str) -> Result<(), StoreError> {
        self.store.remove_subject(subject).await
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        self.store.sweep(now).await
    }
}

fn session(subject: &str) -> Session {
    let lifetime = Lifetime {
        idle: Duration::from_secs(600),
        absolute: Duration::from_secs(3600),
    };
    let key = SessionId::generate().key();
    Session::new(key, subject, true, SystemTime::now(), lifetime)
}

/// Two nodes over one database.
fn nodes(redis: &Redis, life: Duration) -> (Database, [RedisStore<Database>; 2]) {
    let database = Database::default();
    let nodes = [(); 2].map(|()| {
        RedisStore::new(&handle(&redis.url(), "sessions"), database.clone()).with_life(life)
    });
    (database, nodes)
}

async fn is_there(store: &RedisStore<Database>, session: &Session) -> bool {
    store
        .load(&session.key)
        .await
        .expect("the database is there")
        .is_some()
}

#[tokio::test]
async fn a_cached_session_asks_the_database_once_and_a_flush_logs_nobody_out() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let (database, [here, there]) = nodes(&redis, Duration::from_secs(20));
    let ann = session("ann");
    here.insert(&ann).await.expect("stored");
    for _ in 0..50 {
        assert!(is_there(&here, &ann).await && is_there(&there, &ann).await);
    }
    assert_eq!(database.loads.load(Ordering::SeqCst), 1);
    redis.command(&["FLUSHALL"]).await;
    for _ in 0..50 {
        assert!(is_there(&here, &ann).await && is_there(&there, &ann).await);
    }
    assert_eq!(database.loads.load(Ordering::SeqCst), 2, "and fills again");
}

#[tokio::test]
async fn a_session_that_is_over_in_the_cache_alone_is_not_over() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let (database, [here, there]) = nodes(&redis, Duration::from_secs(20));
    let mut ann = session("ann");
    ann.lifetime.idle = Duration::from_millis(200);
    here.insert(&ann).await.expect("stored");
    assert!(is_there(&there, &ann).await, "it is in the cache");
    // As a node that cannot reach Redis notes its use.
    let later = SystemTime::now() + Duration::from_secs(5);
    database.touch(&ann.key, later).await.expect("noted");
    sleep(Duration::from_millis(250)).await;
    let loaded = there
        .load(&ann.key)
        .await
        .expect("loads")
        .expect("it lives");
    assert_eq!(loaded.touched, later);
}

#[tokio::test]
async fn alone_without_redis_sessions_go_on_in_time() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let (_, [here, there]) = nodes(&redis, Duration::from_secs(20));
    let ann = session("ann");
    here.insert(&ann).await.expect("stored");
    assert!(is_there(&there, &ann).await);
    redis.hang();
    // The first finds out, and the others wait no more.
    let began = Instant::now();
    for _ in 0..10 {
        assert!(is_there(&there, &ann).await);
    }
    assert!(began.elapsed() < Duration::from_millis(700));
    redis.go_on();
    redis.crash();
    let began = Instant::now();
    let bob = session("bob");
    here.insert(&bob).await.expect("a login goes on");
    assert!(is_there(&there, &ann).await && is_there(&there, &bob).await);
    here.remove(&ann.key).await.expect("and a logout");
    assert!(!is_there(&there, &ann).await);
    assert!(began.elapsed() < Duration::from_millis(1200));
}

#[tokio::test]
async fn who_was_logged_out_is_refused_on_all_nodes_at_once() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    // Long lives: what is seen here is the removal, and not the end of an entry.
    let (_, [here, there]) = nodes(&redis, Duration::from_secs(20));
    for n in 0..100 {
        let [ann, other] = [(); 2].map(|()| session(&format!("ann {n}")));
        for session in [&ann, &other] {
            here.insert(session).await.expect("stored");
            assert!(is_there(&there, session).await);
        }
        here.remove(&ann.key).await.expect("removed");
        assert!(!is_there(&there, &ann).await && is_there(&there, &other).await);
        here.remove_subject(&other.subject).await.expect("removed");
        for _ in 0..10 {
            assert!(!is_there(&there, &ann).await && !is_there(&there, &other).await);
            assert!(!is_there(&here, &ann).await && !is_there(&here, &other).await);
        }
    }
}

#[tokio::test]
async fn what_was_read_before_a_removal_does_not_come_back() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    for by_subject in [false, true] {
        let (database, [here, there]) = nodes(&redis, Duration::from_secs(20));
        let ann = session("ann of the race");
        here.insert(&ann).await.expect("stored");
        let hold = Arc::new(Notify::new());
        *database.hold.lock().expect("no panic") = Some(Arc::clone(&hold));
        let reading = async { there.load(&ann.key).await.expect("loads") };
        let removing = async {
            // The other one has read, and stands still.
            while database.loads.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            match by_subject {
                false => here.remove(&ann.key).await.expect("removed"),
                true => here.remove_subject(&ann.subject).await.expect("removed"),
            }
            hold.notify_one();
        };
        let (read, ()) = tokio::join!(reading, removing);
        assert!(read.is_some(), "it was read before");
        assert!(!is_there(&here, &ann).await && !is_there(&there, &ann).await);
    }
}

#[tokio::test]
async fn a_removal_of_which_redis_could_not_be_told_holds_after_a_second() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let (database, [here, there]) = nodes(&redis, Duration::from_secs(1));
    let ann = session("ann");
    here.insert(&ann).await.expect("stored");
    assert!(is_there(&there, &ann).await, "it is in the cache");
    // As a node that cannot reach Redis removes it; and Redis stands still over what it was asked before.
    database.remove(&ann.key).await.expect("removed");
    let removed = Instant::now();
    assert!(is_there(&there, &ann).await, "the cache has it still");
    sleep(Duration::from_secs(1).saturating_sub(removed.elapsed())).await;
    for _ in 0..10_000 {
        assert!(!is_there(&there, &ann).await, "{:?}", removed.elapsed());
    }
}

#[tokio::test]
async fn a_redis_that_stood_still_keeps_nothing_that_it_was_given_before() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let (database, [here, there]) = nodes(&redis, Duration::from_secs(1));
    let (ann, bob) = (session("ann"), session("bob"));
    for session in [&ann, &bob] {
        here.insert(session).await.expect("stored");
    }
    // Redis knows the scripts from then on.
    assert!(is_there(&there, &bob).await);
    let before = database.loads.load(Ordering::SeqCst);
    let hold = Arc::new(Notify::new());
    *database.hold.lock().expect("no panic") = Some(Arc::clone(&hold));
    let reading = async { there.load(&ann.key).await.expect("loads") };
    let hanging = async {
        while database.loads.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        // What was read goes to a Redis that does it later.
        redis.hang();
        hold.notify_one();
    };
    let (read, ()) = tokio::join!(reading, hanging);
    assert!(read.is_some());
    // By a node that cannot tell Redis of it.
    database.remove(&ann.key).await.expect("removed");
    sleep(Duration::from_millis(1100)).await;
    redis.go_on();
    let late = RedisStore::new(&handle(&redis.url(), "sessions"), database.clone());
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        assert!(!is_there(&late, &ann).await, "it has come back");
    }
}
