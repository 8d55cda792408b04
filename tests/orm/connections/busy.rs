//! SQLite, locked by another process or by oneself: nobody waits for long, and nothing is lost.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use packetboat_orm::{
    DbOptions, Dialect, Error, Executor, Finish, Model, ModelExt, begin, sqlite, transaction,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::common::bed::Bed;

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

/// Another process that holds the lock of a database for so many seconds.
struct Locker(Child);

impl Locker {
    fn start(path: &str, seconds: f64) -> Self {
        let script = "import sqlite3, sys, time\n\
                      db = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                      db.execute('BEGIN IMMEDIATE')\n\
                      print('locked', flush=True)\n\
                      time.sleep(float(sys.argv[2]))\n\
                      db.execute('COMMIT')\n";
        let mut process = Command::new("python3")
            .args(["-c", script, path, &seconds.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("its line");
        assert_eq!(line, "locked\n");
        Self(process)
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file with the table, opened with this time for connection and lock together.
async fn open(limit: Duration) -> (TempDir, String, sqlite::Pool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("test.db");
    let db = sqlite::Options::new(&path)
        .busy_timeout(limit)
        .open()
        .await
        .expect("a database");
    Entry::create_table(&db).await.expect("a table");
    (folder, path.display().to_string(), db)
}

/// The default limit is 5 s against a lock of 10 s; the short form is a fifth of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_process_holds_up_no_request_for_long() {
    let long = env::var("PACKETBOAT_LONG").is_ok();
    let scale = if long { 1.0 } else { 0.2 };
    let limit = Duration::from_secs(5).mul_f64(scale);
    // A process that starves beside other tests is no reason to fail.
    let latest = Duration::from_secs(6).mul_f64(scale) + Duration::from_millis(300);
    let (_folder, path, db) = open(limit).await;
    let locked = Instant::now();
    let locker = Locker::start(&path, 10.0 * scale);

    // Requests that keep coming while it is locked, each again until it is through.
    let (slowest, refusals) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut requests = JoinSet::new();
    for number in 0..40_u32 {
        let (db, slowest, refusals) = (db.clone(), slowest.clone(), refusals.clone());
        requests.spawn(async move {
            sleep(Duration::from_secs(10).mul_f64(scale * f64::from(number) / 50.0)).await;
            loop {
                let began = Instant::now();
                let mut row = entry(&format!("{number}"));
                let outcome = match number % 3 {
                    0 => row.insert(&db).await,
                    1 => transaction(&db, async |tx| row.insert(tx).await).await,
                    _ => Entry::select().all(&db).await.map(drop),
                };
                let millis = u32::try_from(began.elapsed().as_millis()).expect("a short time");
                slowest.fetch_max(millis, Ordering::Relaxed);
                match outcome {
                    Ok(()) => return,
                    Err(Error::Busy { .. }) if number % 3 != 2 => {
                        refusals.fetch_add(1, Ordering::Relaxed)
                    }
                    // Readers do not even notice.
                    Err(error) => panic!("request {number}: {error:?}"),
                };
            }
        });
    }
    requests.join_all().await;
    assert!(
        locked.elapsed() > Duration::from_secs(10).mul_f64(scale),
        "it was not locked"
    );
    let slowest = Duration::from_millis(slowest.load(Ordering::Relaxed).into());
    assert!(slowest < latest, "the slowest took {slowest:?}");
    assert!(refusals.load(Ordering::Relaxed) > 0, "nobody was refused");
    drop(locker);

    // None lost, none twice, and the connection waits for its full time again.
    let names = Entry::select().count(&db).await.expect("a count");
    assert_eq!(
        names,
        (0..40).filter(|number| number % 3 != 2).count() as u64
    );
    let _locker = Locker::start(&path, 0.8 * limit.as_secs_f64());
    entry("later")
        .insert(&db)
        .await
        .expect("the lock is over in time");
}

/// A transaction begun by hand is nobody's frame: who waits for its connection is refused when the time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_held_is_busy_after_the_limit() {
    let (_folder, _path, db) = open(Duration::from_millis(300)).await;
    let mut tx = begin(&db).await.expect("a transaction");
    let began = Instant::now();
    let outcome = entry("a").insert(&db).await;
    assert!(matches!(outcome, Err(Error::Busy { .. })), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(1));
    entry("b").insert(&mut tx).await.expect("an insert");
    tx.commit().await.expect("a commit");
    entry("a").insert(&db).await.expect("an insert");
}

async fn a_pool_inside_its_own_transaction_is_refused_at_once(bed: impl Bed) {
    let db = bed.db();
    Entry::create_table(db).await.expect("a table");
    let began = Instant::now();
    let outcome = transaction(db, async |tx| {
        entry("tx").insert(&mut *tx).await?;
        // Nested ones hold it as well.
        transaction(tx, async |_| entry("pool").insert(db).await).await
    })
    .await;
    if db.dialect() == Dialect::Sqlite {
        assert!(matches!(outcome, Err(Error::WouldDeadlock)), "{outcome:?}");
        assert!(began.elapsed() < Duration::from_millis(500));
        assert_eq!(Entry::select().count(db).await.expect("a count"), 0);
    } else {
        // There is another connection.
        outcome.expect("two inserts");
        assert_eq!(Entry::select().count(db).await.expect("a count"), 2);
    }
    // Afterwards it is as good as before.
    transaction(db, async |tx| entry("again").insert(tx).await)
        .await
        .expect("a transaction");
    entry("alone").insert(db).await.expect("an insert");
}

async fn a_pool_of_one_connection_refuses_itself_too(bed: impl Bed) {
    let options = DbOptions::from_url(bed.url()).expect("a URL");
    let db = options.max_connections(1).connect().await.expect("a pool");
    Entry::create_table(&db).await.expect("a table");
    let outcome = transaction(&db, async |_| entry("a").insert(&db).await).await;
    assert!(matches!(outcome, Err(Error::WouldDeadlock)), "{outcome:?}");
    entry("a").insert(&db).await.expect("an insert");
}

async fn who_only_waits_for_another_is_not_refused(bed: impl Bed) {
    let db = bed.db();
    Entry::create_table(db).await.expect("a table");
    // Two transactions of one task, side by side: each waits for the other and not for itself.
    let one = transaction(db, async |tx| {
        entry("one").insert(&mut *tx).await?;
        sleep(Duration::from_millis(50)).await;
        Entry::select().all(tx).await.map(drop)
    });
    let two = transaction(db, async |tx| {
        entry("two").insert(&mut *tx).await?;
        sleep(Duration::from_millis(50)).await;
        entry("too").insert(tx).await
    });
    let (one, two) = timeout(Duration::from_secs(4), async { tokio::join!(one, two) })
        .await
        .expect("in time");
    one.expect("the first");
    two.expect("the second");
    assert_eq!(Entry::select().count(db).await.expect("a count"), 3);
}

async fn a_read_beside_the_transaction_sees_what_was_before(bed: impl Bed) {
    let db = bed.db();
    Entry::create_table(db).await.expect("a table");
    let seen = transaction(db, async |tx| {
        entry("a").insert(tx).await?;
        // On another connection, where there is one that need not wait.
        Entry::select().count(db).await
    });
    match timeout(Duration::from_secs(4), seen)
        .await
        .expect("in time")
    {
        Ok(seen) => assert_eq!(seen, 0),
        Err(error) => panic!("{error:?}"),
    }
}

crate::common::on_every_database![
    a_pool_inside_its_own_transaction_is_refused_at_once,
    a_pool_of_one_connection_refuses_itself_too,
    a_read_beside_the_transaction_sees_what_was_before,
    who_only_waits_for_another_is_not_refused,
];
