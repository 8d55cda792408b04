//! A wrapper around an executor keeps working through `enter`, in nested transactions, and in other tasks.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::sync::{Arc, Mutex};

use packetboat_orm::{
    Collect, DbPool, Dialect, Done, Error, Executor, Finish, Kind, Model, ModelExt, Params, Result,
    Statement, begin, sql, transaction,
};

/// What was seen of a statement.
#[derive(Clone, Debug)]
struct Seen {
    kind: Kind,
    table: &'static str,
    line: u32,
    fingerprint: u64,
    rows: u64,
}

/// Notes every statement on its way.
#[derive(Clone)]
struct Traced<E> {
    inner: E,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl<E> Traced<E> {
    fn new(inner: E) -> Self {
        Self {
            inner,
            seen: Arc::default(),
        }
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl<E: Executor> Executor for Traced<E> {
    type Tx = Traced<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        let inner = self.inner.enter().await?;
        Ok(Traced {
            inner,
            seen: Arc::clone(&self.seen),
        })
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let (out, done) = self.inner.run(statement, params, out).await?;
        self.seen.lock().unwrap().push(Seen {
            kind: statement.kind(),
            table: statement.table_name(),
            line: statement.location().line(),
            fingerprint: statement.fingerprint(),
            rows: done.rows_affected,
        });
        Ok((out, done))
    }
}

impl<E: Finish> Finish for Traced<E> {
    async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.inner.rollback().await
    }
}

/// Refuses to write, whatever stands behind it.
struct ReadOnly<E>(E);

impl<E: Executor> Executor for ReadOnly<E> {
    type Tx = ReadOnly<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        self.0.enter().await.map(ReadOnly)
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        if !statement.kind().is_read() {
            return Err(Error::Unsupported {
                dialect: self.dialect(),
                what: "a write",
            });
        }
        self.0.run(statement, params, out).await
    }
}

impl<E: Finish> Finish for ReadOnly<E> {
    async fn commit(self) -> Result<()> {
        self.0.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.0.rollback().await
    }
}

/// As an application names its stack, once.
type Db = Traced<DbPool>;

#[derive(Clone, Debug, Model, PartialEq)]
struct Note {
    id: i64,
    text: String,
}

fn note(text: &str) -> Note {
    Note {
        id: 0,
        text: text.to_owned(),
    }
}

async fn open() -> Db {
    let db = DbPool::connect("sqlite::memory:").await.unwrap();
    Note::create_table(&db).await.unwrap();
    Traced::new(db)
}

/// A function over any executor, which enters by itself.
async fn write_two(mut db: impl Executor) -> Result<u64> {
    note("before").insert(&mut db).await?;
    transaction(&mut db, async |tx| note("inside").insert(tx).await).await?;
    Note::select().count(db).await
}

#[tokio::test]
async fn wrapper_sees_every_statement_through_enter_and_in_a_task() {
    let mut db = open().await;
    let task = tokio::spawn({
        let mut db = db.clone();
        async move {
            let outside = write_two(&mut db).await?;
            // Entered by the wrapper, nested by the function.
            let mut tx = begin(&mut db).await?;
            let inside = write_two(&mut tx).await?;
            let tx = tokio::spawn(async move {
                note("in another task").insert(&mut tx).await?;
                Ok::<_, Error>(tx)
            });
            tx.await.unwrap()?.commit().await?;
            Ok::<_, Error>((outside, inside))
        }
    });
    assert_eq!(task.await.unwrap().unwrap(), (2, 4));
    let seen = db.take();
    let kinds: Vec<Kind> = seen.iter().map(|seen| seen.kind).collect();
    let twice = [Kind::Insert, Kind::Insert, Kind::Select];
    assert_eq!(kinds, [twice.as_slice(), &twice, &[Kind::Insert]].concat());
    assert!(seen.iter().all(|seen| seen.table == "note"));
    assert_eq!(seen[0].fingerprint, seen[1].fingerprint);
    assert_eq!(seen[0].rows, 1);
    assert_ne!(seen[0].line, seen[1].line);
    assert_eq!(Note::select().count(&mut db).await.unwrap(), 5);
}

#[tokio::test]
async fn wrapper_sees_streams_batches_and_raw_sql() {
    let mut db = open().await;
    let mut rows: Vec<Note> = (0..4001).map(|n| note(&n.to_string())).collect();
    assert_eq!(Note::insert_all(&mut rows, &mut db).await.unwrap(), 4001);
    assert_eq!(db.take().len(), 3);
    let line = line!() + 1;
    let mut stream = Note::select().stream(&mut db);
    let mut rows = 0;
    while let Some(row) = stream.next().await {
        row.unwrap();
        rows += 1;
    }
    drop(stream);
    assert_eq!(rows, 4001);
    let seen = db.take();
    assert_eq!((seen.len(), seen[0].line, seen[0].table), (1, line, "note"));
    sql("DELETE FROM note WHERE text = ?")
        .bind("7")
        .exec(&mut db)
        .await
        .unwrap();
    let seen = db.take();
    assert_eq!(
        (seen[0].kind, seen[0].table, seen[0].rows),
        (Kind::Write, "", 1)
    );
}

#[tokio::test]
async fn statement_names_the_line_that_asked() {
    let mut db = open().await;
    let begins = line!();
    let mut one = note("a");
    one.save(&mut db).await.unwrap();
    one.save(&mut db).await.unwrap();
    one.update(&mut db).await.unwrap();
    Note::find(1, &mut db).await.unwrap();
    Note::select().all(&mut db).await.unwrap();
    Note::select().one(&mut db).await.unwrap();
    Note::select().optional(&mut db).await.unwrap();
    Note::select().exists(&mut db).await.unwrap();
    Note::select()
        .update([note::text.set("b")], &mut db)
        .await
        .unwrap();
    Note::select().delete(&mut db).await.unwrap();
    one.delete(&mut db).await.unwrap();
    let lines: Vec<u32> = db.take().iter().map(|seen| seen.line).collect();
    assert_eq!(lines.len(), 11);
    assert!(
        lines.is_sorted_by(|a, b| a < b),
        "each its own, in order: {lines:?}"
    );
    assert!(lines[0] > begins && lines[10] < line!());
}

#[tokio::test]
async fn wrappers_stack_and_hold_in_transactions() {
    let db = open().await;
    let mut outer = ReadOnly(db.clone());
    assert_eq!(Note::select().count(&mut outer).await.unwrap(), 0);
    assert!(matches!(
        note("a").insert(&mut outer).await,
        Err(Error::Unsupported { .. })
    ));
    let refused = transaction(&mut outer, async |tx| {
        // Nor by way of a nested one.
        transaction(&mut *tx, async |tx| note("a").insert(tx).await).await
    });
    assert!(matches!(refused.await, Err(Error::Unsupported { .. })));
    assert_eq!(db.take().len(), 1);
}
