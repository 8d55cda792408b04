//! Transactions and savepoints: what is kept, what is undone, and what a cancellation does.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use packetboat_orm::{
    Dialect, Error, Executor, Finish, ModelExt, Result, begin, sql, transaction, try_transaction,
};

use crate::common::bed::Bed;
use crate::common::models::{Author, Bystander, author, authors, names};

async fn a_transaction_keeps_what_it_did(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let bob = transaction(db, async |tx| {
        let mut bob = Author::new("bob");
        bob.insert(&mut *tx).await?;
        Author::select()
            .filter(author::name.eq("ann"))
            .delete(&mut *tx)
            .await?;
        assert_eq!(names(tx).await, ["bob"], "it sees its own work");
        Ok(bob)
    })
    .await
    .expect("a transaction");
    assert_eq!(
        Author::select()
            .all(&bed.other().await)
            .await
            .expect("a query"),
        [bob]
    );
}

async fn an_error_undoes_everything(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let refused: Result<()> = transaction(db, async |tx| {
        Author::new("bob").insert(&mut *tx).await?;
        Author::new("ann").insert(tx).await
    })
    .await;
    assert!(refused.expect_err("the name is taken").is_unique("name"));
    assert_eq!(names(db).await, ["ann"]);
}

async fn an_error_of_the_application_undoes_everything(bed: impl Bed) {
    #[derive(Debug, PartialEq)]
    enum Refusal {
        Database,
        TooPoor,
    }
    impl From<Error> for Refusal {
        fn from(_: Error) -> Self {
            Self::Database
        }
    }

    let db = bed.db();
    authors(db, &["ann"]).await;
    let refused: Result<(), Refusal> = try_transaction(db, async |tx| {
        Author::new("bob").insert(tx).await?;
        Err(Refusal::TooPoor)
    })
    .await;
    assert_eq!(refused, Err(Refusal::TooPoor));
    assert_eq!(names(db).await, ["ann"]);
}

async fn a_transaction_that_is_dropped_is_undone(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let mut tx = begin(db).await.expect("a transaction");
    Author::new("bob").insert(&mut tx).await.expect("an insert");
    drop(tx);
    // The pool goes on, also where the dropped transaction held its only writer.
    Author::new("cid").insert(db).await.expect("an insert");
    assert_eq!(names(db).await, ["ann", "cid"]);
    assert_eq!(names(&bed.other().await).await, ["ann", "cid"]);
}

async fn nobody_else_sees_what_is_not_committed(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let other = bed.other().await;
    let mut tx = begin(db).await.expect("a transaction");
    Author::new("bob").insert(&mut tx).await.expect("an insert");
    assert_eq!(names(&other).await, ["ann"]);
    tx.commit().await.expect("a commit");
    assert_eq!(names(&other).await, ["ann", "bob"]);
}

async fn a_nested_transaction_undoes_its_own_part_alone(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    transaction(db, async |tx| {
        Author::new("bob").insert(&mut *tx).await?;
        let refused: Result<()> = transaction(&mut *tx, async |nested| {
            Author::new("cid").insert(&mut *nested).await?;
            Author::new("ann").insert(nested).await
        })
        .await;
        assert!(refused.expect_err("the name is taken").is_unique("name"));
        transaction(&mut *tx, async |nested| {
            Author::new("dan").insert(nested).await
        })
        .await?;
        Author::new("eve").insert(tx).await
    })
    .await
    .expect("the outer transaction");
    assert_eq!(names(db).await, ["ann", "bob", "dan", "eve"]);
}

async fn nested_transactions_go_three_deep(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut first = begin(db).await.expect("a transaction");
    Author::new("one")
        .insert(&mut first)
        .await
        .expect("an insert");
    let mut second = begin(&mut first).await.expect("a savepoint");
    Author::new("two")
        .insert(&mut second)
        .await
        .expect("an insert");
    let mut third = begin(&mut second).await.expect("a savepoint");
    Author::new("three")
        .insert(&mut third)
        .await
        .expect("an insert");
    third.commit().await.expect("the third");
    second
        .rollback()
        .await
        .expect("the second, and the third in it");
    Author::new("four")
        .insert(&mut first)
        .await
        .expect("an insert");
    first.commit().await.expect("the first");
    assert_eq!(names(db).await, ["one", "four"]);
}

async fn an_open_nested_transaction_shuts_out_the_outer(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut outer = begin(db).await.expect("a transaction");
    let nested = begin(&mut outer).await.expect("a savepoint");
    let used = Author::new("ann").insert(&mut outer).await;
    assert!(matches!(used, Err(Error::NestedOpen)), "{used:?}");
    nested.commit().await.expect("the savepoint");
    Author::new("ann")
        .insert(&mut outer)
        .await
        .expect("an insert");
    outer.commit().await.expect("the transaction");
    assert_eq!(names(db).await, ["ann"]);
}

/// MariaDB ends a transaction whose snapshot another has overtaken. Swallowed by the closure, that error must not become
/// a commit of what comes after it alone.
async fn a_transaction_that_the_server_ended_is_not_kept_by_halves(bed: impl Bed) {
    let db = bed.db();
    if db.dialect() != Dialect::MySql {
        return;
    }
    authors(db, &["ann"]).await;
    let kept = transaction(db, async |tx| {
        // The default of MariaDB 11.6 and later; MySQL does not know it.
        let _ = sql("SET SESSION innodb_snapshot_isolation = ON")
            .exec(&mut *tx)
            .await;
        Author::new("before").insert(&mut *tx).await?;
        let ann = || Author::select().filter(author::name.eq("ann"));
        ann().one(&mut *tx).await?;
        ann().update([author::born.set(1)], db).await?;
        let refused = ann().update([author::born.set(2)], &mut *tx).await;
        let after = Author::new("after").insert(&mut *tx).await;
        match refused {
            // A server that lets it pass.
            Ok(_) => after,
            Err(error) => {
                assert!(matches!(error, Error::Busy { .. }), "{error:?}");
                assert!(matches!(after, Err(Error::Aborted)), "{after:?}");
                Ok(())
            }
        }
    })
    .await;
    let names = names(db).await;
    match kept {
        Ok(()) => assert_eq!(names, ["ann", "before", "after"]),
        Err(error) => {
            assert!(matches!(error, Error::Aborted), "{error:?}");
            assert_eq!(names, ["ann"]);
        }
    }
}

async fn a_table_is_not_created_in_a_transaction_that_it_would_commit(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let undone: Result<()> = transaction(db, async |tx| {
        Author::new("ann").insert(&mut *tx).await?;
        Bystander::create_table(tx).await?;
        Err(Error::NotFound { table: "nothing" })
    })
    .await;
    if db.dialect() == Dialect::MySql {
        assert!(
            matches!(undone, Err(Error::Unsupported { .. })),
            "{undone:?}"
        );
    } else {
        assert!(matches!(undone, Err(Error::NotFound { table: "nothing" })));
    }
    assert_eq!(names(db).await, [""; 0]);
}

async fn a_cancelled_savepoint_poisons_the_commit(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut outer = begin(db).await.expect("a transaction");
    Author::new("ann")
        .insert(&mut outer)
        .await
        .expect("an insert");
    let mut nested = begin(&mut outer).await.expect("a savepoint");
    Author::new("bob")
        .insert(&mut nested)
        .await
        .expect("an insert");
    drop(nested);
    let committed = outer.commit().await;
    assert!(matches!(committed, Err(Error::Poisoned)), "{committed:?}");
    assert_eq!(names(db).await, [""; 0]);
    Author::new("cid")
        .insert(db)
        .await
        .expect("the pool goes on");
}

/// Polls a future once, so that its statement is on its way, and drops it. Says whether it had not ended yet: a
/// database now and then answers at once.
fn is_cancelled(future: impl Future) -> bool {
    pin!(future)
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

async fn a_cancelled_write_poisons_the_commit(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut poisoned = 0;
    for attempt in 0.. {
        if poisoned == 10 {
            return;
        }
        assert!(
            attempt < 1000,
            "nearly every insert ended at its first poll"
        );
        let mut tx = begin(db).await.expect("a transaction");
        if is_cancelled(Author::new("ann").insert(&mut tx)) {
            poisoned += 1;
            let committed = tx.commit().await;
            assert!(matches!(committed, Err(Error::Poisoned)), "{committed:?}");
        }
        // Dropped or refused, it is undone.
        assert_eq!(names(db).await, [""; 0]);
    }
}

async fn a_transaction_with_a_cancelled_statement_can_be_rolled_back(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    // The first time the statement is new to its connection, later it is prepared.
    for _ in 0..8 {
        let mut tx = begin(db).await.expect("a transaction");
        is_cancelled(Author::new("bob").insert(&mut tx));
        tx.rollback().await.expect("a rollback");

        let mut tx = begin(db).await.expect("a transaction");
        is_cancelled(Author::select().filter(author::name.ne("bob")).all(&mut tx));
        tx.rollback().await.expect("a rollback");

        let mut outer = begin(db).await.expect("a transaction");
        let mut nested = begin(&mut outer).await.expect("a savepoint");
        is_cancelled(Author::new("cid").insert(&mut nested));
        drop(nested);
        let committed = outer.commit().await;
        assert!(matches!(committed, Err(Error::Poisoned)), "{committed:?}");
    }
    assert_eq!(names(db).await, ["ann"]);
}

async fn the_pool_goes_on_after_cancelled_statements(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    for number in 0..20 {
        is_cancelled(Author::select().filter(author::id.gt(number)).all(db));
        is_cancelled(Author::select().filter(author::id.gt(number)).count(db));
        assert_eq!(names(db).await, ["ann"]);
    }
}

async fn a_stream_may_be_dropped_in_a_transaction(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut rows = (0..500)
        .map(|n| Author::new(&format!("a{n:03}")))
        .collect::<Vec<_>>();
    Author::insert_all(&mut rows, db).await.expect("many rows");
    let mut tx = begin(db).await.expect("a transaction");
    for _ in 0..3 {
        let mut stream = Author::select()
            .order_by(author::name.asc())
            .stream(&mut tx);
        assert_eq!(
            stream
                .next()
                .await
                .expect("a row")
                .expect("a good row")
                .name,
            "a000"
        );
    }
    Author::new("more")
        .insert(&mut tx)
        .await
        .expect("an insert");
    tx.commit().await.expect("a commit");
    assert_eq!(Author::select().count(db).await.expect("a count"), 501);
}

async fn a_transaction_moves_into_a_task(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut tx = begin(db).await.expect("a transaction");
    let task = tokio::spawn(async move {
        Author::new("ann").insert(&mut tx).await?;
        let mut nested = begin(&mut tx).await?;
        Author::new("bob").insert(&mut nested).await?;
        nested.commit().await?;
        tx.commit().await
    });
    task.await.expect("no panic").expect("the transaction");
    assert_eq!(names(db).await, ["ann", "bob"]);
}

async fn a_closure_runs_in_a_task(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let inside = bed.clone();
    let task = tokio::spawn(async move {
        transaction(inside.db(), async |tx| {
            Author::new("ann").insert(&mut *tx).await?;
            transaction(&mut *tx, async |nested| {
                Author::new("bob").insert(nested).await
            })
            .await?;
            Author::select().count(tx).await
        })
        .await
    });
    assert_eq!(task.await.expect("no panic").expect("the transaction"), 2);
    assert_eq!(names(bed.db()).await, ["ann", "bob"]);
}

/// As an application writes it: any pool, or a transaction.
async fn rename(mut db: impl Executor, id: i64, to: &str) -> Result<Author> {
    let mut author = Author::find(id, &mut db)
        .await?
        .ok_or(Error::NotFound { table: "author" })?;
    author.name = to.to_owned();
    author.update(&mut db).await?;
    Ok(author)
}

async fn a_function_takes_a_pool_and_a_transaction_alike(bed: impl Bed) {
    let db = bed.db();
    let ann = authors(db, &["ann"]).await.remove(0);
    assert_eq!(
        rename(db, ann.id, "eve").await.expect("on the pool").name,
        "eve"
    );
    let undone: Result<()> = transaction(db, async |tx| {
        rename(&mut *tx, ann.id, "dan").await?;
        Err(Error::NotFound { table: "nothing" })
    })
    .await;
    assert!(matches!(undone, Err(Error::NotFound { table: "nothing" })));
    assert_eq!(names(db).await, ["eve"]);
}

crate::common::on_every_database![
    a_transaction_keeps_what_it_did,
    an_error_undoes_everything,
    an_error_of_the_application_undoes_everything,
    a_transaction_that_is_dropped_is_undone,
    nobody_else_sees_what_is_not_committed,
    a_nested_transaction_undoes_its_own_part_alone,
    nested_transactions_go_three_deep,
    an_open_nested_transaction_shuts_out_the_outer,
    a_transaction_that_the_server_ended_is_not_kept_by_halves,
    a_table_is_not_created_in_a_transaction_that_it_would_commit,
    a_cancelled_savepoint_poisons_the_commit,
    a_cancelled_write_poisons_the_commit,
    a_transaction_with_a_cancelled_statement_can_be_rolled_back,
    the_pool_goes_on_after_cancelled_statements,
    a_stream_may_be_dropped_in_a_transaction,
    a_transaction_moves_into_a_task,
    a_closure_runs_in_a_task,
    a_function_takes_a_pool_and_a_transaction_alike,
];
