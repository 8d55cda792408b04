//! A network that is cut, and mended: every call ends in time with an error that says so, and the pool recovers.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use packetboat_orm::test::Database;
use packetboat_orm::{
    DbPool, Dialect, Error, Executor, Finish, Model, ModelExt, Result, UnitOfWork, sql,
};
use packetboat_tests::proxy::{Proxy, Weather};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Every call answers within this time, whatever the network does.
const ANSWER: Duration = Duration::from_secs(3);

#[derive(Clone, Debug, Model, PartialEq)]
struct Entry {
    id: i64,
    #[model(unique)]
    name: String,
}

fn entry(name: &str) -> Entry {
    Entry {
        id: 0,
        name: name.to_owned(),
    }
}

/// A database behind a network that can be cut.
struct Remote {
    proxy: Proxy,
    db: DbPool,
    /// Dropped last.
    database: Database,
}

impl Remote {
    async fn make(server: Dialect) -> Option<Self> {
        let database = Database::fresh(server).await?;
        let (before, after) = database.url().split_once('@').expect("a user");
        let (place, path) = after.split_once('/').expect("a database");
        let place: SocketAddr = place.parse().expect("an address");
        let proxy = Proxy::start(place, Weather::default())
            .await
            .expect("a proxy");
        let db = DbPool::connect(&format!("{before}@{}/{path}", proxy.addr()))
            .await
            .expect("a pool");
        Entry::create_table(&db).await.expect("a table");
        Some(Self {
            proxy,
            db,
            database,
        })
    }

    /// Uses so many connections at once, and leaves them idle.
    async fn warm_up(&self, connections: usize) {
        let mut held = Vec::new();
        for _ in 0..connections {
            held.push(self.db.begin().await.expect("a transaction"));
        }
        for transaction in held {
            transaction.rollback().await.expect("a rollback");
        }
        // They show that they are alive before they are idle.
        sleep(Duration::from_millis(100)).await;
    }
}

/// A statement that takes some time on the server.
async fn nap(mut db: impl Executor, seconds: f64) -> Result<()> {
    let nap = match db.dialect() {
        Dialect::Postgres => sql("SELECT 1 FROM pg_sleep(?)"),
        _ => sql("SELECT SLEEP(?)"),
    };
    nap.bind(seconds).exec(&mut db).await.map(drop)
}

/// How a call ended, and after which time.
async fn timed<T>(call: impl Future<Output = Result<T>>) -> (Result<T>, Duration) {
    let began = Instant::now();
    let outcome = call.await;
    (outcome, began.elapsed())
}

async fn every_call_answers_in_time_and_the_pool_recovers(server: Dialect) {
    let Some(remote) = Remote::make(server).await else {
        return;
    };
    let db = remote.db.clone();
    remote.warm_up(6).await;

    // Under way when the network is cut: a read, a write, a transaction in the middle, one that then commits.
    let mut under_way = JoinSet::new();
    let pool = db.clone();
    under_way.spawn(async move { ("read", timed(nap(&pool, 60.0)).await) });
    let pool = db.clone();
    under_way.spawn(async move {
        let mut tx = pool.begin().await.expect("a transaction");
        let outcome = timed(async {
            nap(&mut tx, 60.0).await?;
            tx.commit().await
        });
        ("transaction", outcome.await)
    });
    let mut tx = db.begin().await.expect("a transaction");
    entry("committed?")
        .insert(&mut tx)
        .await
        .expect("an insert");
    sleep(Duration::from_millis(300)).await;
    remote.proxy.cut();
    under_way.spawn(async move { ("commit", timed(tx.commit()).await) });
    // And what comes during the cut, on idle connections and on new ones: more than the pool has.
    for number in 0..12 {
        let pool = db.clone();
        under_way.spawn(async move {
            let mut row = entry(&format!("during {number}"));
            ("during", timed(row.insert(&pool)).await)
        });
    }
    let mut next = async || timeout(Duration::from_secs(20), under_way.join_next()).await;
    while let Some(ended) = next().await.expect("an answer at all") {
        let (what, (outcome, time)) = ended.expect("no panic");
        let error = outcome.expect_err("nothing passes");
        assert!(error.is_connection(), "{what}: {error:?}");
        // What may have happened is told from what has not.
        let unconfirmed = matches!(error, Error::Unconfirmed { .. });
        match what {
            "commit" => assert!(unconfirmed, "{what}: {error:?}"),
            "read" | "transaction" => assert!(!unconfirmed, "{what}: {error:?}"),
            _ => {}
        }
        assert!(time < ANSWER, "{what} took {time:?}");
    }

    remote.proxy.mend();
    // All of the pool's connections, and not only the first that is made anew.
    let mut back = JoinSet::new();
    for number in 0..10 {
        let pool = db.clone();
        back.spawn(async move {
            let mut tx = pool.begin().await?;
            entry(&format!("back {number}")).insert(&mut tx).await?;
            nap(&mut tx, 0.2).await?;
            tx.commit().await
        });
    }
    let (outcomes, time) = {
        let began = Instant::now();
        (back.join_all().await, began.elapsed())
    };
    for outcome in outcomes {
        outcome.expect("the network is back");
    }
    assert!(time < Duration::from_secs(2), "it took {time:?}");
    let back = Entry::select()
        .filter(entry::name.ge("back") & entry::name.lt("bacl"))
        .count(&db);
    assert_eq!(back.await.expect("a count"), 10);
    drop(remote.database);
}

/// Idle connections that the network has forgotten are found out by their silence, each within half a second.
async fn forgotten_connections_are_replaced(server: Dialect) {
    let Some(remote) = Remote::make(server).await else {
        return;
    };
    remote.warm_up(4).await;
    remote.proxy.cut();
    sleep(Duration::from_millis(50)).await;
    remote.proxy.mend();
    let mut calls = JoinSet::new();
    for number in 0..4 {
        let pool = remote.db.clone();
        calls.spawn(async move { timed(entry(&format!("{number}")).insert(&pool)).await });
    }
    for (outcome, time) in calls.join_all().await {
        outcome.expect("a new connection");
        assert!(time < Duration::from_millis(1500), "it took {time:?}");
    }
}

/// Connections that were on their way back to the pool when the network was cut do not keep their places there.
async fn places_in_the_pool_are_not_lost(server: Dialect) {
    let Some(remote) = Remote::make(server).await else {
        return;
    };
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut unit = UnitOfWork::new(&remote.db);
        nap(&mut unit, 0.0).await.expect("a statement");
        held.push(unit);
    }
    remote.proxy.cut();
    sleep(Duration::from_millis(50)).await;
    drop(held);
    sleep(Duration::from_millis(1200)).await;
    remote.proxy.mend();
    let mut calls = JoinSet::new();
    for number in 0..10 {
        let pool = remote.db.clone();
        calls.spawn(async move {
            let mut tx = pool.begin().await?;
            entry(&format!("{number}")).insert(&mut tx).await?;
            nap(&mut tx, 0.1).await?;
            tx.commit().await
        });
    }
    let began = Instant::now();
    for outcome in calls.join_all().await {
        outcome.expect("a place in the pool");
    }
    let time = began.elapsed();
    assert!(time < Duration::from_secs(2), "it took {time:?}");
}

/// A statement that takes longer than a silent server is waited for is only slow, as long as the server answers.
async fn a_slow_statement_is_waited_for(server: Dialect) {
    let Some(remote) = Remote::make(server).await else {
        return;
    };
    nap(&remote.db, 3.2).await.expect("it is slow and no more");
}

macro_rules! on_every_server {
    ($($test:ident),+ $(,)?) => {
        on_every_server!(@on on_postgres Postgres: $($test)+);
        on_every_server!(@on on_mysql MySql: $($test)+);
    };
    (@on $room:ident $server:ident: $($test:ident)+) => {
        mod $room {
            use packetboat_orm::Dialect;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(Dialect::$server).await;
                }
            )+
        }
    };
}

on_every_server![
    a_slow_statement_is_waited_for,
    every_call_answers_in_time_and_the_pool_recovers,
    forgotten_connections_are_replaced,
    places_in_the_pool_are_not_lost,
];
