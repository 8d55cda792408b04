//! One connection for several statements: it is one, and it goes back clean.

use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};

use packetboat_orm::{
    Error, Executor, ModelExt, Result, Router, UnitOfWork, begin, sql, transaction,
};

use crate::common::bed::Bed;
use crate::common::models::{Author, authors, names};

/// Writes into a table that only this connection sees.
async fn scratch(db: &mut impl Executor, value: i64) -> Result<i64> {
    let insert = sql("INSERT INTO scratch (n) VALUES (?)").bind(value);
    insert.exec(&mut *db).await?;
    sql("SELECT COUNT(*) FROM scratch").one(db).await
}

async fn it_is_one_connection_with_its_transactions(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let pool = bed.pool();
    let task = tokio::spawn(async move {
        let mut db = UnitOfWork::new(&pool);
        assert!(!db.is_holding());
        sql("CREATE TEMPORARY TABLE scratch (n BIGINT)")
            .exec(&mut db)
            .await?;
        assert!(db.is_holding());
        assert_eq!(scratch(&mut db, 1).await?, 1);
        transaction(&mut db, async |tx| {
            assert_eq!(scratch(tx, 2).await?, 2);
            let undone: Result<()> = transaction(&mut *tx, async |nested| {
                assert_eq!(scratch(nested, 3).await?, 3);
                Err(Error::NotFound { table: "nothing" })
            })
            .await;
            undone.expect_err("it says so");
            Author::new("ann").insert(tx).await
        })
        .await?;
        assert_eq!(scratch(&mut db, 3).await?, 3);
        sql("DROP TABLE scratch").exec(&mut db).await?;
        db.release();
        assert!(!db.is_holding());
        // On another connection, or on the same.
        Author::select().count(&mut db).await
    });
    assert_eq!(task.await.expect("no panic").expect("a unit of work"), 1);
}

/// Polls a future once, so that its statement is on its way, and drops it.
fn poll_once(future: impl Future) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

async fn a_cancelled_statement_leaves_nothing_behind(bed: impl Bed) {
    authors(bed.db(), &["ann"]).await;
    let pool = bed.pool();
    for _ in 0..20 {
        let mut db = UnitOfWork::new(&pool);
        assert_eq!(names(&mut db).await, ["ann"]);
        poll_once(names(&mut db));
        poll_once(transaction(&mut db, async |tx| {
            Author::new("bob").insert(&mut *tx).await?;
            Author::new("cid").insert(tx).await?;
            // A database may answer all of it at once.
            pending::<Result<()>>().await
        }));
        // Either it works, or it says that its connection is lost; and then a new one can be taken.
        match Author::select().count(&mut db).await {
            Ok(count) => assert_eq!(count, 1),
            Err(Error::Poisoned) => {
                db.release();
                assert_eq!(names(&mut db).await, ["ann"]);
            }
            Err(error) => panic!("{error:?}"),
        }
        drop(db);
        // The next user of the pool sees nothing of it, in no transaction, and no answer of another.
        assert_eq!(names(bed.db()).await, ["ann"]);
    }
    assert_eq!(names(&bed.other().await).await, ["ann"]);
}

async fn a_transaction_that_is_dropped_takes_the_connection_with_it(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let pool = bed.pool();
    let mut db = UnitOfWork::new(&pool);
    let mut tx = begin(&mut db).await.expect("a transaction");
    Author::new("ann").insert(&mut tx).await.expect("an insert");
    let used = Author::select().count(&mut db).await;
    assert!(matches!(used, Err(Error::NestedOpen)), "{used:?}");
    drop(tx);
    let used = Author::select().count(&mut db).await;
    assert!(matches!(used, Err(Error::Poisoned)), "{used:?}");
    db.release();
    assert_eq!(Author::select().count(&mut db).await.expect("a count"), 0);
}

async fn over_a_router_it_begins_on_a_reader(bed: impl Bed) {
    async fn over<B: Bed>(bed: B, reader: B) {
        authors(bed.db(), &["writer"]).await;
        authors(reader.db(), &["reader"]).await;
        let router = Router::new("default", bed.pool()).reader("a", reader.pool());
        let scope = router.scope();
        let mut db = UnitOfWork::new(&scope);
        assert_eq!(names(&mut db).await, ["reader"]);
        Author::new("new").insert(&mut db).await.expect("an insert");
        assert_eq!(names(&mut db).await, ["writer", "new"]);
        drop(db);
        assert_eq!(
            names(&scope).await,
            ["writer", "new"],
            "the scope knows of it"
        );
        // Nor does it read on from a reader what another hand in the same scope has written since.
        let scope = router.scope();
        let mut db = UnitOfWork::new(&scope);
        assert_eq!(names(&mut db).await, ["reader"]);
        Author::new("other")
            .insert(&scope)
            .await
            .expect("an insert");
        assert_eq!(names(&mut db).await, ["writer", "new", "other"]);
        drop(db);
        // A reader that is not there is passed over.
        packetboat_orm::Pooled::close_all(&reader.pool()).await;
        assert_eq!(
            names(&mut UnitOfWork::new(&router.scope())).await,
            ["writer", "new", "other"]
        );
    }
    let reader = bed.another().await;
    over(bed, reader).await;
}

crate::common::on_every_database![
    it_is_one_connection_with_its_transactions,
    a_cancelled_statement_leaves_nothing_behind,
    a_transaction_that_is_dropped_takes_the_connection_with_it,
    over_a_router_it_begins_on_a_reader,
];
