//! Executors around executors: a wrapper keeps working through `enter` and under `tokio::spawn`.

use std::sync::{Arc, Mutex};

use packetboat_orm::{
    Collect, Dialect, Done, Executor, Finish, Kind, ModelExt, Params, Result, Statement, begin,
    transaction,
};

use crate::common::bed::Bed;
use crate::common::models::{Author, author, authors, names};

/// Writes down every statement that passes.
#[derive(Clone)]
struct Recorded<E> {
    inner: E,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What a statement says of itself.
#[derive(Clone, Debug)]
struct Seen {
    kind: Kind,
    table: &'static str,
    file: &'static str,
    fingerprint: u64,
}

impl<E> Recorded<E> {
    fn new(inner: E) -> Self {
        Self {
            inner,
            seen: Arc::default(),
        }
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().expect("no panic while it is held"))
    }
}

impl<E: Executor> Executor for Recorded<E> {
    type Tx = Recorded<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        Ok(Recorded {
            inner: self.inner.enter().await?,
            seen: Arc::clone(&self.seen),
        })
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        self.seen
            .lock()
            .expect("no panic while it is held")
            .push(Seen {
                kind: statement.kind(),
                table: statement.table_name(),
                file: statement.location().file(),
                fingerprint: statement.fingerprint(),
            });
        self.inner.run(statement, params, out).await
    }
}

impl<E: Finish> Finish for Recorded<E> {
    async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.inner.rollback().await
    }
}

async fn a_wrapper_sees_every_statement(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let mut db = Recorded::new(bed.db());
    let mut ann = Author::new("ann");
    ann.insert(&mut db).await.expect("an insert");
    ann.update(&mut db).await.expect("an update");
    Author::find(ann.id, &mut db).await.expect("a query");
    Author::select()
        .filter(author::name.eq("ann"))
        .all(&mut db)
        .await
        .expect("a query");
    Author::select().count(&mut db).await.expect("a count");
    // A stream is no way past it.
    Author::select()
        .stream(&mut db)
        .next()
        .await
        .expect("a row")
        .expect("a good row");
    Author::select().delete(&mut db).await.expect("a delete");
    let seen = db.take();
    let kinds = seen.iter().map(|seen| seen.kind).collect::<Vec<_>>();
    let selects = [Kind::Select; 4];
    assert_eq!(
        kinds,
        [&[Kind::Insert, Kind::Update], &selects[..], &[Kind::Delete]].concat()
    );
    assert!(seen.iter().all(|seen| seen.table == "author"), "{seen:?}");
    assert!(seen.iter().all(|seen| seen.file == file!()), "{seen:?}");
}

async fn a_fingerprint_tells_statements_apart_and_not_values(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let mut db = Recorded::new(bed.db());
    for name in ["ann", "bob"] {
        Author::select()
            .filter(author::name.eq(name))
            .all(&mut db)
            .await
            .expect("a query");
    }
    Author::select()
        .filter(author::name.ne("ann"))
        .all(&mut db)
        .await
        .expect("a query");
    let prints = db
        .take()
        .iter()
        .map(|seen| seen.fingerprint)
        .collect::<Vec<_>>();
    assert_eq!(prints[0], prints[1]);
    assert_ne!(prints[0], prints[2]);
}

async fn a_wrapper_survives_enter_in_a_task(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let inside = bed.clone();
    let seen = tokio::spawn(async move {
        let db = Recorded::new(bed.db());
        transaction(db.clone(), async |tx| {
            Author::new("ann").insert(&mut *tx).await?;
            transaction(&mut *tx, async |nested| {
                Author::new("bob").insert(nested).await
            })
            .await?;
            Author::select().count(tx).await
        })
        .await
        .expect("a transaction");
        let mut tx = begin(db.clone()).await.expect("a transaction");
        Author::new("cid").insert(&mut tx).await.expect("an insert");
        tx.rollback().await.expect("a rollback");
        db.take()
    })
    .await
    .expect("no panic");
    let kinds = seen.iter().map(|seen| seen.kind).collect::<Vec<_>>();
    assert_eq!(
        kinds,
        [Kind::Insert, Kind::Insert, Kind::Select, Kind::Insert]
    );
    assert_eq!(names(inside.db()).await, ["ann", "bob"]);
}

async fn wrappers_stack(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let outer = Recorded::new(Recorded::new(bed.db()));
    transaction(outer.clone(), async |tx| {
        Author::new("ann").insert(tx).await
    })
    .await
    .expect("a transaction");
    assert_eq!(outer.take().len(), 1);
    assert_eq!(outer.inner.take().len(), 1);
}

crate::common::on_every_database![
    a_wrapper_sees_every_statement,
    a_fingerprint_tells_statements_apart_and_not_values,
    a_wrapper_survives_enter_in_a_task,
    wrappers_stack,
];
