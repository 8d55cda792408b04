//! A transaction that SQLite itself has ended is ended here too.

use packetboat_orm::{Error, Executor, Finish as _, Model, ModelExt, begin, sql};

use crate::common::bed::Bed;

#[derive(Clone, Debug, PartialEq, Model)]
struct Word {
    id: i64,
    #[model(unique)]
    text: String,
}

fn word(text: &str) -> Word {
    Word {
        id: 0,
        text: text.to_owned(),
    }
}

async fn words(db: impl Executor) -> Vec<String> {
    let all = Word::select().order_by(word::id.asc()).all(db).await;
    all.expect("all words")
        .into_iter()
        .map(|word| word.text)
        .collect()
}

/// The rest of the work, after a statement that has ended the transaction, is not kept by itself.
async fn nothing_is_kept(bed: &impl Bed, refused: &str) {
    let mut tx = begin(bed.db()).await.expect("a transaction");
    word("a").insert(&mut tx).await.expect("a word");
    word(refused).insert(&mut tx).await.expect_err("refused");
    let outcome = word("b").insert(&mut tx).await;
    assert!(matches!(outcome, Err(Error::Aborted)), "{outcome:?}");
    let outcome = tx.commit().await;
    assert!(matches!(outcome, Err(Error::Aborted)), "{outcome:?}");
    assert_eq!(words(bed.db()).await, ["twice"]);

    let mut tx = begin(bed.db()).await.expect("a transaction");
    word("a").insert(&mut tx).await.expect("a word");
    let mut nested = tx.enter().await.expect("a savepoint");
    word(refused)
        .insert(&mut nested)
        .await
        .expect_err("refused");
    nested.rollback().await.expect("it is gone already");
    let outcome = word("b").insert(&mut tx).await;
    assert!(matches!(outcome, Err(Error::Aborted)), "{outcome:?}");
    tx.rollback().await.expect("it is gone already");
    assert_eq!(words(bed.db()).await, ["twice"]);
    // And the connection is as good as before.
    let mut tx = begin(bed.db()).await.expect("a transaction");
    word("c").insert(&mut tx).await.expect("a word");
    tx.commit().await.expect("a commit");
    assert_eq!(words(bed.db()).await, ["twice", "c"]);
}

async fn a_constraint_that_rolls_back_ends_the_transaction(bed: impl Bed) {
    sql("CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT UNIQUE ON CONFLICT ROLLBACK)")
        .exec(bed.db())
        .await
        .expect("a table");
    word("twice").insert(bed.db()).await.expect("a word");
    nothing_is_kept(&bed, "twice").await;
}

async fn a_trigger_that_rolls_back_ends_the_transaction(bed: impl Bed) {
    Word::create_table(bed.db()).await.expect("a table");
    sql(
        "CREATE TRIGGER no_evil BEFORE INSERT ON word WHEN NEW.text = 'evil' \
         BEGIN SELECT RAISE(ROLLBACK, 'evil'); END",
    )
    .exec(bed.db())
    .await
    .expect("a trigger");
    word("twice").insert(bed.db()).await.expect("a word");
    nothing_is_kept(&bed, "evil").await;
}

async fn a_constraint_as_usual_does_not(bed: impl Bed) {
    Word::create_table(bed.db()).await.expect("a table");
    let mut tx = begin(bed.db()).await.expect("a transaction");
    word("a").insert(&mut tx).await.expect("a word");
    word("a").insert(&mut tx).await.expect_err("refused");
    word("b").insert(&mut tx).await.expect("a word");
    tx.commit().await.expect("a commit");
    assert_eq!(words(bed.db()).await, ["a", "b"]);
}

crate::common::on_every_database!(@on only_on_sqlite Sqlite(Sqlite):
    a_constraint_that_rolls_back_ends_the_transaction
    a_trigger_that_rolls_back_ends_the_transaction
    a_constraint_as_usual_does_not
);
crate::common::on_every_database!(@on only_on_sqlite_file SqliteFile(Sqlite):
    a_constraint_that_rolls_back_ends_the_transaction
    a_trigger_that_rolls_back_ends_the_transaction
    a_constraint_as_usual_does_not
);
crate::common::on_every_database!(@on only_on_sqlite_by_url ByUrl(Sqlite):
    a_constraint_that_rolls_back_ends_the_transaction
    a_trigger_that_rolls_back_ends_the_transaction
    a_constraint_as_usual_does_not
);
