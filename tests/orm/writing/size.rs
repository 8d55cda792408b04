//! How much a call carries while it is awaited: every function that awaits it carries as much, on the stack and in its
//! task.

use packetboat_orm::{DbPool, ModelExt, Result, transaction};

use crate::common::models::Author;

/// Per call, in bytes. What sqlx has under way is larger than this by itself.
const LIMIT: usize = 4 * 1024;

#[tokio::test]
async fn calls_are_small_on_the_largest_executor() {
    let db = DbPool::connect("sqlite::memory:").await.expect("a pool");
    let (mut one, mut many) = (Author::new("ann"), [Author::new("bob")]);
    let transaction = transaction(&db, async |tx| -> Result<()> {
        Author::new("cid").insert(&mut *tx).await?;
        transaction(tx, async |nested| Author::new("dan").save(nested).await).await
    });
    let sizes = [
        ("all", size(Author::select().all(&db))),
        ("insert", size(one.insert(&db))),
        ("save", size(one.save(&db))),
        ("update", size(one.update(&db))),
        ("delete", size(one.delete(&db))),
        ("insert_all", size(Author::insert_all(&mut many, &db))),
        ("transaction", size(transaction)),
    ];
    println!("{sizes:?}");
    let large: Vec<_> = sizes.iter().filter(|(_, size)| *size > LIMIT).collect();
    assert!(large.is_empty(), "more than {LIMIT} bytes: {large:?}");
}

fn size(call: impl Future) -> usize {
    let size = size_of_val(&call);
    drop(call);
    size
}
