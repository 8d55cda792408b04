//! A closure whose work is never kept, however it ends.

use packetboat_orm::{Error, ModelExt, Result, test, transaction};

use crate::common::bed::Bed;
use crate::common::models::{Author, authors, names};

async fn what_it_returns_is_given_back_and_what_it_wrote_is_not_kept(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let seen = test::rolled_back(db, async |tx| {
        Author::new("bob").insert(&mut *tx).await?;
        Ok::<_, Error>(names(tx).await)
    });
    let seen = seen.await.expect("a transaction").expect("an insert");
    assert_eq!(seen, ["ann", "bob"]);
    assert_eq!(names(db).await, ["ann"]);

    let refused: Result<Result<()>> = test::rolled_back(db, async |tx| {
        Author::new("bob").insert(&mut *tx).await?;
        Author::new("ann").insert(tx).await
    })
    .await;
    let error = refused.expect("a rollback").expect_err("twice");
    assert!(error.is_unique("name"), "{error:?}");
    assert_eq!(names(db).await, ["ann"]);
}

async fn what_is_committed_inside_is_not_kept_either(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let seen = test::rolled_back(db, async |tx| {
        transaction(&mut *tx, async |nested| {
            Author::new("bob").insert(nested).await
        })
        .await
        .expect("a nested transaction");
        names(tx).await
    });
    assert_eq!(seen.await.expect("a transaction"), ["ann", "bob"]);
    assert_eq!(names(db).await, ["ann"]);
}

async fn a_panic_inside_keeps_nothing(bed: impl Bed) {
    authors(bed.db(), &["ann"]).await;
    let inside = bed.clone();
    let test = tokio::spawn(async move {
        test::rolled_back(inside.db(), async |tx| {
            Author::new("bob").insert(tx).await.expect("an insert");
            panic!("a test that fails");
        })
        .await
    });
    assert!(test.await.expect_err("it failed").is_panic());
    Author::new("cid").insert(bed.db()).await.expect("no lock");
    assert_eq!(names(bed.db()).await, ["ann", "cid"]);
}

crate::common::on_every_database![
    what_it_returns_is_given_back_and_what_it_wrote_is_not_kept,
    what_is_committed_inside_is_not_kept_either,
    a_panic_inside_keeps_nothing,
];
