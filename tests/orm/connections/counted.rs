//! Counting statements, and the query of every row.

use std::panic::{AssertUnwindSafe, catch_unwind};

use packetboat_orm::{
    Counted, Error, Executor, ModelExt, Result, Shared, assert_queries, transaction,
};

use crate::common::bed::Bed;
use crate::common::models::{Author, author, authors};

async fn statements_are_counted_and_not_the_rest(bed: impl Bed) {
    authors(bed.db(), &["ann", "bob"]).await;
    let db = Counted::new(bed.pool());
    let all = assert_queries!(1, db, Author::select().all(&db).await.expect("all"));
    assert_eq!(all.len(), 2);
    // By itself, and in a transaction and a nested one, whose BEGIN and COMMIT are no queries.
    let count = assert_queries!(4, db, {
        Author::new("cid").insert(&db).await.expect("an insert");
        transaction(&db, async |tx| {
            Author::new("dan").insert(&mut *tx).await?;
            transaction(&mut *tx, async |nested| {
                Author::new("eve").insert(nested).await
            })
            .await?;
            Author::select().count(tx).await
        })
        .await
        .expect("a transaction")
    });
    assert_eq!(count, 5);
    // One that the database refuses was sent.
    assert_queries!(1, db, Author::new("ann").insert(&db).await).expect_err("the name is taken");
    assert_eq!((db.queries(), db.clone().queries()), (6, 6));
    assert_eq!(db.scope().queries(), 0);
}

async fn another_number_is_told_with_each_line(bed: impl Bed) {
    authors(bed.db(), &["ann"]).await;
    let db = Counted::new(bed.pool());
    let line = line!() + 1;
    Author::select().count(&db).await.expect("a count");
    let panic = catch_unwind(AssertUnwindSafe(|| assert_queries!(1, db, ())));
    assert!(panic.is_err(), "none were sent");
    let panic = catch_unwind(AssertUnwindSafe(|| db.assert_since(0, 2)));
    let message = *panic
        .expect_err("one was sent")
        .downcast::<String>()
        .expect("a text");
    assert!(
        message.starts_with("2 statements were expected, and 1 were sent:\n  SELECT COUNT(*)"),
        "{message}"
    );
    assert!(
        message.contains(&format!("{}:{line}", file!())),
        "{message}"
    );
}

/// The years of authors, asked for one by one. Returns the line that asks.
async fn years(db: &impl Shared) -> Result<u32> {
    let mut line = 0;
    for ann in Author::select().all(db).await? {
        line = line!() + 1;
        Author::find(ann.id, db).await?;
    }
    Ok(line)
}

async fn the_query_of_every_row_names_its_line(bed: impl Bed) {
    let names: Vec<String> = (0..6).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    authors(bed.db(), &names).await;
    let line = years(&Counted::new(bed.pool()).refuse_repeats(6))
        .await
        .expect("six are allowed");
    let db = Counted::new(bed.pool()).refuse_repeats(5);
    let refused = years(&db).await.expect_err("the sixth");
    let Error::Repeated {
        table,
        times,
        location,
    } = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((table, times), ("author", 6));
    assert_eq!((location.file(), location.line()), (file!(), line));
    // The one for the list, and five; the sixth was not sent.
    assert_eq!(db.queries(), 6);
    // In a transaction too, since it is the same scope.
    let refused: Result<()> =
        transaction(&db, async |tx| Author::find(1, tx).await.map(drop)).await;
    assert!(
        matches!(refused, Err(Error::Repeated { .. })),
        "{refused:?}"
    );
    // Another scope begins anew, and a warning refuses nothing.
    Author::find(1, &db.scope()).await.expect("a query");
    years(&Counted::new(bed.pool()).warn_repeats(1))
        .await
        .expect("a warning");
}

async fn what_differs_in_more_than_values_is_no_repeat(bed: impl Bed) {
    authors(bed.db(), &["ann"]).await;
    let mut db = Counted::new(bed.db()).refuse_repeats(1);
    let select = Author::select;
    select()
        .filter(author::name.eq("ann"))
        .all(&mut db)
        .await
        .expect("the first of its kind");
    select()
        .filter(author::name.ne("ann"))
        .all(&mut db)
        .await
        .expect("another");
    select()
        .filter(author::id.eq(1))
        .all(&mut db)
        .await
        .expect("another");
    let again = select().filter(author::name.eq("bob")).all(&mut db).await;
    assert!(matches!(again, Err(Error::Repeated { .. })), "{again:?}");
}

async fn it_counts_around_what_is_used_alone(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    async fn work(mut db: impl Executor) -> Result<()> {
        Author::new("ann").insert(&mut db).await?;
        Author::select().count(db).await.map(drop)
    }
    transaction(bed.db(), async |tx| {
        let mut db = Counted::new(tx);
        assert_queries!(2, db, work(&mut db).await)
    })
    .await
    .expect("a transaction");
}

crate::common::on_every_database![
    statements_are_counted_and_not_the_rest,
    another_number_is_told_with_each_line,
    the_query_of_every_row_names_its_line,
    what_differs_in_more_than_values_is_no_repeat,
    it_counts_around_what_is_used_alone,
];
