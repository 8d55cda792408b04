//! Reads that go past the driver: the same values and the same errors as by it, and nothing left behind by any end.

#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    reason = "a step that fails here fails the test, and its error says why"
)]

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use packetboat_orm::{
    Collect, Decode, Demand, Error, Executor, Finish as _, Model, ModelExt as _, Result, Source,
    Statement, begin, sql,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// More than what goes by the driver.
const MANY: i64 = 5_000;

#[derive(Clone, Debug, Model, PartialEq)]
struct Note {
    id: i64,
    text: String,
    bytes: Option<Vec<u8>>,
    weight: Option<f64>,
}

fn options(folder: &TempDir) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(folder.path().join("test.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_millis(50))
}

/// A plain pool of one connection, so that whatever is not given back is missed at once.
async fn open() -> (TempDir, SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options(&folder))
        .await
        .unwrap();
    // Types are the test's matter, so that wrong ones can be stored.
    sql("CREATE TABLE note (id INTEGER PRIMARY KEY, text, bytes, weight)")
        .exec(&pool)
        .await
        .unwrap();
    (folder, pool)
}

async fn fill(db: &SqlitePool) {
    sql("INSERT INTO note (id, text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, 'note ' || i FROM n")
        .bind(MANY)
        .exec(db)
        .await
        .unwrap();
}

/// Reads by the driver: whoever may stop between two rows is read for so.
struct Stepwise<T>(Vec<T>);

impl<T: Decode> Collect for Stepwise<T> {
    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        self.0.push(T::decode(row, 0)?);
        Ok(ControlFlow::Continue(()))
    }
}

/// The rows past the driver, and by it: the same, or the same error.
async fn both_ways<T: Decode + Debug>(db: &SqlitePool, query: &'static str) -> Result<Vec<T>> {
    let statement = Statement::read(query);
    let mut executor = db;
    let past = executor.all::<T>(&statement, ()).await;
    let by = executor
        .run(&statement, (), Stepwise(Vec::<T>::new()))
        .await;
    assert_eq!(
        format!("{:?}", past.as_ref().map_err(ToString::to_string)),
        format!(
            "{:?}",
            by.map(|(rows, _)| rows.0)
                .map_err(|error| error.to_string())
        ),
        "{query}"
    );
    past
}

/// The table is unlocked, and the pool's connection is there and in no transaction.
async fn assert_nothing_left(folder: &TempDir, db: &SqlitePool) {
    let mut outside = SqliteConnection::connect_with(&options(folder))
        .await
        .unwrap();
    let checkpoint = Statement::write("PRAGMA wal_checkpoint(TRUNCATE)");
    // A statement that was not reset would still read an old state, and hold the log.
    let free = async {
        loop {
            let (busy, ..) = outside
                .one::<(i64, i64, i64)>(&checkpoint, ())
                .await
                .unwrap();
            if busy == 0 {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), free)
        .await
        .expect("nothing is read any more");
    let tx = timeout(Duration::from_secs(5), begin(db))
        .await
        .expect("a connection");
    tx.expect("that is in no transaction")
        .rollback()
        .await
        .unwrap();
}

/// Polls a future so many times, each when it asks for it, and drops it.
async fn cancel_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn every_value_comes_back_as_by_the_driver() {
    let (_folder, db) = open().await;
    let mut notes: Vec<Note> = [
        ("", None, None),
        ("nul \0 inside", Some(Vec::new()), Some(0.5)),
        ("日本語 🚢", Some(vec![0, 255, 0]), Some(-0.0)),
        (
            &*"long ".repeat(100_000),
            Some(vec![7; 300_000]),
            Some(f64::MAX),
        ),
    ]
    .into_iter()
    .map(|(text, bytes, weight)| Note {
        id: 0,
        text: text.to_owned(),
        bytes,
        weight,
    })
    .collect();
    for note in &mut notes {
        note.insert(&db).await.unwrap();
    }
    let read = both_ways::<Note>(&db, "SELECT id, text, bytes, weight FROM note ORDER BY id");
    assert_eq!(read.await.unwrap(), notes);
    assert_eq!(Note::select().all(&db).await.unwrap(), notes);
    let sides = "SELECT a.*, b.* FROM note a LEFT JOIN note b ON b.id = a.id + 3 ORDER BY a.id";
    let pairs = both_ways::<(Note, Option<Note>)>(&db, sides).await.unwrap();
    assert_eq!(pairs[0].1.as_ref(), Some(&notes[3]));
    assert_eq!(pairs[1].1, None);
}

#[tokio::test]
async fn what_does_not_fit_is_an_error_that_names_its_column() {
    let (folder, db) = open().await;
    for (values, column) in [
        ("1, NULL, NULL, NULL", "text"),
        ("1, 5, NULL, NULL", "text"),
        ("1, x'00', NULL, NULL", "text"),
        ("1, CAST(x'ff' AS TEXT), NULL, NULL", "text"),
        ("1, '', 1, NULL", "bytes"),
        ("1, '', NULL, 'heavy'", "weight"),
        ("1, '', NULL, 3", "weight"),
    ] {
        let mut connection = db.acquire().await.unwrap();
        let insert = sqlx::AssertSqlSafe(format!("INSERT INTO note VALUES ({values})"));
        sqlx::query(insert).execute(&mut *connection).await.unwrap();
        drop(connection);
        let by_the_model = Note::select().all(&db).await;
        match by_the_model {
            Err(Error::Decode {
                table: "note",
                column: named,
                ..
            }) => assert_eq!(named, column),
            other => panic!("{values}: {other:?}"),
        }
        let query = "SELECT id, text, bytes, weight FROM note";
        assert!(both_ways::<Note>(&db, query).await.is_err(), "{values}");
        sql("DELETE FROM note").exec(&db).await.unwrap();
    }
    // More columns asked for than there are, and a number that is too large.
    assert!(both_ways::<(i64, i64)>(&db, "SELECT 1").await.is_err());
    assert!(both_ways::<(i16,)>(&db, "SELECT 70000").await.is_err());
    assert!(both_ways::<(bool,)>(&db, "SELECT 2").await.is_err());
    assert_nothing_left(&folder, &db).await;
}

#[tokio::test]
async fn what_sqlite_refuses_is_the_same_error() {
    let (folder, db) = open().await;
    fill(&db).await;
    assert!(
        both_ways::<(i64,)>(&db, "SELECT nothing FROM note")
            .await
            .is_err()
    );
    assert!(both_ways::<(i64,)>(&db, "SELECT").await.is_err());
    // In the first row, and in a later one.
    assert!(
        both_ways::<(i64,)>(&db, "SELECT abs(-9223372036854775807 - 1)")
            .await
            .is_err()
    );
    let late = "SELECT abs(CASE id WHEN 4000 THEN -9223372036854775807 - 1 ELSE id END) FROM note";
    let error = both_ways::<(i64,)>(&db, late).await.unwrap_err();
    assert!(matches!(&error, Error::Database { .. }), "{error:?}");
    let driver = error
        .driver()
        .and_then(sqlx::Error::as_database_error)
        .unwrap();
    assert_eq!(
        (driver.message(), driver.code().as_deref()),
        ("integer overflow", Some("1"))
    );
    assert_nothing_left(&folder, &db).await;
}

#[tokio::test]
async fn a_lock_that_takes_too_long_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder).journal_mode(SqliteJournalMode::Delete);
    let one = SqlitePoolOptions::new().max_connections(1);
    let db = one.clone().connect_with(options.clone()).await.unwrap();
    let other = one.connect_with(options).await.unwrap();
    sql("CREATE TABLE note (id INTEGER PRIMARY KEY, text, bytes, weight)")
        .exec(&db)
        .await
        .unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE")
        .execute(&other)
        .await
        .unwrap();
    let error = Note::select().all(&db).await.unwrap_err();
    assert!(
        error.is_transient() && matches!(error, Error::Busy { .. }),
        "{error:?}"
    );
    sqlx::raw_sql("COMMIT").execute(&other).await.unwrap();
    assert_eq!(Note::select().all(&db).await.unwrap(), []);
}

#[tokio::test]
async fn values_are_bound_and_statements_are_kept_in_the_drivers_cache() {
    let (_folder, db) = open().await;
    fill(&db).await;
    let size = async || db.acquire().await.unwrap().cached_statements_size();
    let read = async |above: i64| {
        let query = sql("SELECT id FROM note WHERE id > ? AND text <> ?")
            .bind(above)
            .bind("note 4999");
        query.all::<(i64,)>(&db).await.unwrap()
    };
    assert_eq!(read(4_000).await.len(), 999);
    let before = size().await;
    for above in 1..20 {
        let rows = read(above).await;
        assert_eq!(
            (rows.len() as i64, rows[0].0),
            (MANY - above - 1, above + 1)
        );
    }
    assert_eq!(size().await, before);
    db.acquire()
        .await
        .unwrap()
        .clear_cached_statements()
        .await
        .unwrap();
    assert_eq!(read(0).await.len(), 4_999);
    // A table that has changed under a statement that is kept.
    let all = Statement::read("SELECT * FROM note LIMIT 100");
    let mut executor = &db;
    executor.all::<Note>(&all, ()).await.unwrap();
    sql("ALTER TABLE note ADD COLUMN more DEFAULT 'x'")
        .exec(&db)
        .await
        .unwrap();
    let rows = executor.all::<(Note, String)>(&all, ()).await.unwrap();
    assert_eq!((rows.len(), rows[0].1.as_str()), (100, "x"));
}

#[tokio::test]
async fn what_is_not_one_statement_that_reads_goes_by_the_driver() {
    let (folder, db) = open().await;
    fill(&db).await;
    let two = both_ways::<(i64,)>(&db, "SELECT 1; SELECT 2")
        .await
        .unwrap();
    assert_eq!(two, [(1,), (2,)]);
    assert_eq!(
        both_ways::<(i64,)>(&db, " SELECT 1; -- one").await.unwrap(),
        [(1,)]
    );
    assert_eq!(both_ways::<(i64,)>(&db, "").await.unwrap(), []);
    // Called a read, but none.
    let mut executor = &db;
    let delete = Statement::read("DELETE FROM note WHERE id < 3 RETURNING id");
    assert_eq!(
        executor.all::<(i64,)>(&delete, ()).await.unwrap(),
        [(1,), (2,)]
    );
    // Numbered parameters.
    let numbered = Statement::read("SELECT ?2, ?1");
    assert_eq!(
        executor
            .all::<(i64, i64)>(&numbered, (1_i64, 2_i64))
            .await
            .unwrap(),
        [(2, 1)]
    );
    assert_nothing_left(&folder, &db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_anywhere_it_leaves_nothing() {
    let (folder, db) = open().await;
    fill(&db).await;
    let query = Note::select();
    for polls in 0..8 {
        for _ in 0..20 {
            let _ = cancel_after(polls, query.clone().all(&db)).await;
        }
        assert_eq!(query.clone().all(&db).await.unwrap().len() as i64, MANY);
    }
    for micros in (0..4_000).step_by(40) {
        let _ = timeout(Duration::from_micros(micros), query.clone().all(&db)).await;
    }
    assert_nothing_left(&folder, &db).await;
    assert_eq!(query.all(&db).await.unwrap().len() as i64, MANY);
    assert_eq!(db.size(), 1);
}

/// Steps for ever, and gives no row.
const ENDLESS: &str = "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_scan_is_interrupted_and_holds_nobody_up() {
    let (folder, db) = open().await;
    let endless = sql(ENDLESS).all::<(i64,)>(&db);
    timeout(Duration::from_millis(50), endless)
        .await
        .expect_err("it ends by itself");
    assert_nothing_left(&folder, &db).await;
}

#[tokio::test]
async fn in_a_transaction_a_cancelled_read_does_no_harm() {
    let (folder, db) = open().await;
    fill(&db).await;
    let mut tx = begin(&db).await.unwrap();
    let mut note = Note {
        id: 0,
        text: "mine".to_owned(),
        bytes: None,
        weight: None,
    };
    note.insert(&mut tx).await.unwrap();
    // It sees what the transaction did.
    assert_eq!(
        Note::select().all(&mut tx).await.unwrap().len() as i64,
        MANY + 1
    );
    for polls in 0..6 {
        let _ = cancel_after(polls, Note::select().all(&mut tx)).await;
    }
    let endless = sql(ENDLESS).all::<(i64,)>(&mut tx);
    timeout(Duration::from_millis(30), endless)
        .await
        .expect_err("it ends by itself");
    // Nested, too.
    let mut nested = tx.enter().await.unwrap();
    let _ = cancel_after(2, Note::select().all(&mut nested)).await;
    Note::find(1, &mut nested)
        .await
        .unwrap()
        .unwrap()
        .delete(&mut nested)
        .await
        .unwrap();
    nested.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(Note::select().count(&db).await.unwrap() as i64, MANY);
    assert_nothing_left(&folder, &db).await;
}

#[tokio::test]
async fn a_transaction_dropped_while_it_reads_is_rolled_back() {
    let (folder, db) = open().await;
    fill(&db).await;
    for micros in [0, 50, 200, 1_000, 5_000, 20_000] {
        let mut tx = begin(&db).await.unwrap();
        sql("DELETE FROM note").exec(&mut tx).await.unwrap();
        let endless = sql(ENDLESS).all::<(i64,)>(&mut tx);
        let _ = timeout(Duration::from_micros(micros), endless).await;
        drop(tx);
        assert_eq!(Note::select().count(&db).await.unwrap() as i64, MANY);
    }
    assert_nothing_left(&folder, &db).await;
}

/// Panics in the thousandth row.
struct Panics(u32);

impl Collect for Panics {
    fn demand(&self) -> Demand {
        Demand::All
    }

    fn row<R: Source>(&mut self, _: &R) -> Result<ControlFlow<()>> {
        self.0 += 1;
        assert!(self.0 < 1_000, "enough");
        Ok(ControlFlow::Continue(()))
    }
}

#[tokio::test]
async fn a_collector_that_panics_does_so_where_it_was_asked_for() {
    let (folder, db) = open().await;
    fill(&db).await;
    let pool = db.clone();
    let task = tokio::spawn(async move {
        let mut pool = &pool;
        let all = Statement::read("SELECT id FROM note");
        pool.run(&all, (), Panics(0)).await.map(drop)
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_nothing_left(&folder, &db).await;
}

/// Says that it takes every row at once, and waits all the same.
struct Waits(i64);

impl Collect for Waits {
    async fn ready(&mut self) -> ControlFlow<()> {
        if self.0 % 1_000 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        if self.0 == 4_500 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn demand(&self) -> Demand {
        Demand::All
    }

    fn row<R: Source>(&mut self, _: &R) -> Result<ControlFlow<()>> {
        self.0 += 1;
        Ok(ControlFlow::Continue(()))
    }
}

#[tokio::test]
async fn a_collector_that_waits_is_waited_for() {
    let (folder, db) = open().await;
    fill(&db).await;
    let all = Statement::read("SELECT id FROM note");
    let mut pool = &db;
    let (waited, _) = pool.run(&all, (), Waits(0)).await.unwrap();
    assert_eq!(waited.0, 4_500);
    assert_nothing_left(&folder, &db).await;
}

#[tokio::test]
async fn statements_of_one_run_are_not_kept() {
    let (folder, db) = open().await;
    fill(&db).await;
    let before = db.acquire().await.unwrap().cached_statements_size();
    let ids = (1..=100).collect::<Vec<i64>>();
    let found = Note::select()
        .filter(note::id.is_in(ids))
        .all(&db)
        .await
        .unwrap();
    assert_eq!(found.len(), 100);
    assert!(db.acquire().await.unwrap().cached_statements_size() <= before + 1);
    assert_nothing_left(&folder, &db).await;
}

#[test]
fn a_runtime_that_ends_takes_its_reads_along() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (folder, db) = runtime.block_on(open());
    runtime.spawn(async move { sql(ENDLESS).all::<(i64,)>(&db).await });
    std::thread::sleep(Duration::from_millis(50));
    // Drops the task, and waits for the thread that reads.
    drop(runtime);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = SqlitePool::connect_with(options(&folder)).await.unwrap();
        assert_nothing_left(&folder, &db).await;
    });
}
