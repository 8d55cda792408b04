//! A writer and its readers: which statement goes where, and what happens when a reader is not there.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use packetboat_orm::{
    Collect, Dialect, Done, Error, Executor, Finish as _, ModelExt, Params, Result, Router, Scoped,
    Shared, Source, Statement, Using, begin, sql, transaction,
};
use tokio::time::sleep;

use crate::common::bed::Bed;
use crate::common::models::{Author, Bystander, authors, names};

/// A database that can be made unreachable, and counts what is asked of it.
#[derive(Clone)]
struct Faulty<E> {
    inner: E,
    state: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    asked: AtomicU64,
    /// Every statement fails before its first row.
    is_down: AtomicBool,
    /// The connection breaks after the first row.
    breaks: AtomicBool,
}

impl<E> Faulty<E> {
    fn asked(&self) -> u64 {
        self.state.asked.swap(0, Ordering::Relaxed)
    }

    fn set_down(&self, is_down: bool) {
        self.state.is_down.store(is_down, Ordering::Relaxed);
    }
}

fn broken() -> Error {
    Error::Connection {
        source: sqlx::Error::PoolTimedOut,
    }
}

impl<E: Executor> Executor for Faulty<E> {
    type Tx = E::Tx;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        self.inner.enter().await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        self.state.asked.fetch_add(1, Ordering::Relaxed);
        if self.state.is_down.load(Ordering::Relaxed) {
            return Err(broken());
        }
        if self.state.breaks.load(Ordering::Relaxed) {
            self.inner.run(statement, params, One(out)).await?;
            return Err(broken());
        }
        self.inner.run(statement, params, out).await
    }
}

impl<E: Shared> Shared for Faulty<E> {}

/// Lets one row through.
struct One<C>(C);

impl<C: Collect> Collect for One<C> {
    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        let _ = self.0.row(row)?;
        Ok(ControlFlow::Break(()))
    }
}

/// Databases that are no replicas of each other, so that one sees which was asked: each holds an author of its name.
async fn databases<B: Bed, const N: usize>(
    first: B,
    names: [&str; N],
) -> [(B, Faulty<B::Pool>); N] {
    let mut databases = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let bed = if number == 0 {
            first.clone()
        } else {
            first.another().await
        };
        authors(bed.db(), &[name]).await;
        Bystander::create_table(bed.db()).await.expect("a table");
        let pool = Faulty {
            inner: bed.pool(),
            state: Arc::default(),
        };
        databases.push((bed, pool));
    }
    databases.try_into().ok().expect("as many as names")
}

async fn a_scope_reads_from_readers_until_it_writes(bed: impl Bed) {
    let [(_, writer), (_, a), (_b, b)] = &databases(bed, ["writer", "a", "b"]).await;
    let router = Router::new("default", writer.clone())
        .reader("a", a.clone())
        .reader("b", b.clone());
    let db = router.scope();
    for _ in 0..6 {
        assert_eq!(names(&db).await.len(), 1);
    }
    assert_eq!(
        (writer.asked(), a.asked() > 0, b.asked() > 0),
        (0, true, true)
    );
    Author::new("new").insert(&db).await.expect("an insert");
    assert_eq!(names(&db).await, ["writer", "new"]);
    // A clone is the same scope, another scope is not, and both may be used by reference in a task.
    assert_eq!(names(db.clone()).await, ["writer", "new"]);
    assert_eq!((writer.asked(), a.asked() + b.asked()), (3, 0));
    let other = router.scope();
    let task = tokio::spawn(async move { names(&other).await });
    assert!(["a", "b"].contains(&&*task.await.expect("no panic")[0]));
    // What writes, and says so only by its kind.
    let raw = router.scope();
    sql("UPDATE author SET born = 1")
        .exec(&raw)
        .await
        .expect("an update");
    assert_eq!(names(&raw).await, ["writer", "new"]);
}

async fn a_scope_says_who_served_it_and_begins_anew(bed: impl Bed) {
    let [(_, writer), (_, a), (_, b)] = &databases(bed, ["writer", "a", "b"]).await;
    let router = Router::new("default", writer.clone())
        .reader("a", a.clone())
        .reader("b", b.clone());
    let db = router.scope();
    assert_eq!((db.served_by(), db.has_written()), (None, false));
    let read = names(&db).await;
    assert_eq!(
        db.served_by(),
        Some(&*read[0]).filter(|name| *name != "writer")
    );
    Author::new("new").insert(&db).await.expect("an insert");
    assert_eq!((db.served_by(), db.has_written()), (Some("default"), true));
    // Another request of the same client, and one of somebody else.
    let later = db.new_scope();
    assert_eq!((later.served_by(), later.has_written()), (None, false));
    later.read_what_is_written();
    assert_eq!(names(&later).await, ["writer", "new"]);
    assert_eq!(later.served_by(), Some("default"));
    let other = db.new_scope();
    assert_eq!(names(&other).await.len(), 1);
    assert!(matches!(other.served_by(), Some("a" | "b")));
    assert!(db.has_written(), "the first scope is as it was");
    // Where no reader can be reached, it is the writer who serves.
    a.set_down(true);
    b.set_down(true);
    assert_eq!(names(&other).await, ["writer", "new"]);
    assert_eq!(other.served_by(), Some("default"));
}

async fn a_transaction_stays_with_the_writer(bed: impl Bed) {
    let [(_, writer), (_a, a)] = &databases(bed, ["writer", "a"]).await;
    let router = Router::new("default", writer.clone()).reader("a", a.clone());
    let db = router.scope();
    let task = tokio::spawn(async move {
        assert_eq!(names(&db).await, ["a"]);
        transaction(&db, async |tx| {
            Author::new("new").insert(&mut *tx).await?;
            transaction(&mut *tx, async |nested| {
                assert_eq!(names(nested).await, ["writer", "new"]);
                Ok(())
            })
            .await
        })
        .await?;
        // It may have written.
        assert_eq!(names(&db).await, ["writer", "new"]);
        let mut tx = begin(&db).await?;
        Author::new("undone").insert(&mut tx).await?;
        tx.rollback().await
    });
    task.await.expect("no panic").expect("transactions");
    assert_eq!(names(&router.scope()).await, ["a"]);
    assert_eq!(names(writer).await, ["writer", "new"]);
}

async fn a_reader_that_fails_is_left_out_and_tried_again(bed: impl Bed) {
    let [(_, writer), (_, a), (_b, b)] = &databases(bed, ["writer", "a", "b"]).await;
    let left_out = Duration::from_millis(300);
    let router = Router::new("default", writer.clone())
        .reader("a", a.clone())
        .reader("b", b.clone())
        .leave_out(left_out);
    let db = router.scope();
    a.set_down(true);
    for _ in 0..4 {
        assert_eq!(names(&db).await, ["b"], "nobody sees that a is down");
    }
    assert_eq!((a.asked(), b.asked()), (1, 4));
    b.set_down(true);
    for _ in 0..4 {
        assert_eq!(names(&db).await, ["writer"]);
    }
    assert_eq!((a.asked(), b.asked()), (0, 1));
    // After a time one statement tries each of them, and only one.
    sleep(left_out).await;
    for _ in 0..4 {
        assert_eq!(names(&db).await, ["writer"]);
    }
    assert_eq!((a.asked(), b.asked()), (1, 1));
    a.set_down(false);
    sleep(left_out).await;
    writer.asked();
    for _ in 0..4 {
        assert_eq!(names(&db).await, ["a"]);
    }
    assert_eq!((a.asked(), b.asked(), writer.asked()), (4, 1, 0));
}

async fn a_read_that_broke_off_is_not_read_twice(bed: impl Bed) {
    let [(_, writer), (_a, a)] = &databases(bed, ["writer", "a"]).await;
    Author::new("second").insert(a).await.expect("an insert");
    let router = Router::new("default", writer.clone()).reader("a", a.clone());
    a.state.breaks.store(true, Ordering::Relaxed);
    let mut stream = Author::select().stream(router.scope());
    let first = stream.next().await.expect("a row").expect("a good row");
    assert_eq!(first.name, "a");
    // One row is with the application. Rows of another database after it would be a mixture.
    let broken = stream.next().await.expect("an end").expect_err("it broke");
    assert!(broken.is_connection(), "{broken:?}");
    assert!(stream.next().await.is_none());
    // It counts as a failure of the reader all the same.
    assert_eq!(names(&router.scope()).await, ["writer"]);
}

async fn an_error_of_the_statement_is_no_failure_of_the_reader(bed: impl Bed) {
    let [(_, writer), (_a, a)] = &databases(bed, ["writer", "a"]).await;
    let db = Router::new("default", writer.clone())
        .reader("a", a.clone())
        .scope();
    let refused = sql("SELECT missing FROM author").all::<i64>(&db).await;
    assert!(
        matches!(refused, Err(Error::Database { .. })),
        "{refused:?}"
    );
    assert_eq!(writer.asked(), 0);
    assert_eq!(names(&db).await, ["a"]);
}

async fn a_database_is_used_by_its_name(bed: impl Bed) {
    let [(_, writer), (_, a), (_v1, v1)] = &databases(bed, ["writer", "a", "v1"]).await;
    let db = Router::new("default", writer.clone())
        .reader("a", a.clone())
        .database("v1", v1.clone())
        .scope();
    assert_eq!(names(db.using("v1")).await, ["v1"]);
    assert_eq!(names(db.using("default")).await, ["writer"]);
    assert_eq!(names(db.using("a")).await, ["a"]);
    let v1 = db.using("v1");
    Author::new("new").insert(&v1).await.expect("an insert");
    transaction(&v1, async |tx| {
        assert_eq!(names(tx).await, ["v1", "new"]);
        Ok(())
    })
    .await
    .expect("a transaction");
    // It was not the writer that was written to.
    assert_eq!(names(&db).await, ["a"]);
    let unknown = db.using("v2");
    for refused in [
        Author::select().all(&unknown).await.map(drop),
        begin(&unknown).await.map(drop),
    ] {
        assert!(
            matches!(&refused, Err(Error::UnknownDatabase { name }) if name == "v2"),
            "{refused:?}"
        );
    }
}

async fn rules_choose_by_table(bed: impl Bed) {
    let [(_, writer), (_, a), (_v1, v1)] = &databases(bed, ["writer", "a", "v1"]).await;
    let router = Router::new("default", writer.clone())
        .reader("a", a.clone())
        .database("v1", v1.clone())
        .db_for_read(|statement| match statement.table_name() {
            "author" => Some("default"),
            "bystander" => Some("v1"),
            _ => None,
        })
        .db_for_write(|statement| (statement.table_name() == "bystander").then_some("v1"));
    let db = router.scope();
    assert_eq!(names(&db).await, ["writer"]);
    let mut bystander = Bystander {
        id: 0,
        secret: "x".to_owned(),
    };
    bystander.insert(&db).await.expect("an insert");
    assert_eq!(Bystander::select().count(&db).await.expect("a count"), 1);
    assert_eq!(Bystander::select().count(v1).await.expect("a count"), 1);
    assert_eq!(Bystander::select().count(writer).await.expect("a count"), 0);
    // Raw SQL names no table, and v1 is not where this scope would see its own writes to the writer.
    let raw = || sql("SELECT name FROM author ORDER BY id");
    assert_eq!(raw().all::<String>(&db).await.expect("names"), ["a"]);
    // A transaction is of one database.
    let refused: Result<u64> =
        transaction(&db, async |tx| Bystander::select().count(tx).await).await;
    assert!(
        matches!(refused, Err(Error::Unsupported { .. })),
        "{refused:?}"
    );
    let refused: Result<()> = transaction(&db, async |tx| bystander.update(tx).await).await;
    assert!(
        matches!(refused, Err(Error::Unsupported { .. })),
        "{refused:?}"
    );
    let count = transaction(db.using("v1"), async |tx| {
        Bystander::select().count(tx).await
    })
    .await;
    assert_eq!(count.expect("a transaction on the other"), 1);
    // A rule that names nothing is told.
    let wrong = router.db_for_read(|_| Some("v3")).scope();
    let refused = Author::select().count(&wrong).await;
    assert!(
        matches!(refused, Err(Error::UnknownDatabase { .. })),
        "{refused:?}"
    );
}

crate::common::on_every_database![
    a_scope_reads_from_readers_until_it_writes,
    a_scope_says_who_served_it_and_begins_anew,
    a_transaction_stays_with_the_writer,
    a_reader_that_fails_is_left_out_and_tried_again,
    a_read_that_broke_off_is_not_read_twice,
    an_error_of_the_statement_is_no_failure_of_the_reader,
    a_database_is_used_by_its_name,
    rules_choose_by_table,
];
