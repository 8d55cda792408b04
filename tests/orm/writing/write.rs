//! Writing: save, insert, insert_all, update, delete, create_table.

use packetboat_orm::{Error, Model, ModelExt};
use uuid::Uuid;

use crate::common::bed::Bed;
use crate::common::models::{Author, Fame, author, authors, names};

async fn keys_are_filled_in(bed: impl Bed) {
    let db = bed.db();
    let authors = authors(db, &["ann", "bob", "cid"]).await;
    assert!(
        authors
            .windows(2)
            .all(|pair| 0 < pair[0].id && pair[0].id < pair[1].id),
        "{authors:?}"
    );
    assert_eq!(
        Author::find(authors[1].id, db).await.expect("a query"),
        Some(authors[1].clone())
    );
}

async fn save_inserts_without_a_key_and_updates_with_one(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let mut bob = Author::new("bob");
    bob.save(db).await.expect("an insert");
    assert_ne!(bob.id, 0);
    bob.name = "rob".to_owned();
    bob.born = Some(1901);
    bob.fame = Fame::World;
    bob.save(db).await.expect("an update");
    assert_eq!(Author::find(bob.id, db).await.expect("a query"), Some(bob));
    assert_eq!(names(db).await, ["ann", "rob"]);
}

async fn save_inserts_a_key_that_is_not_there(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut ann = Author {
        id: 1_000_000,
        ..Author::new("ann")
    };
    ann.save(db).await.expect("an insert");
    ann.save(db).await.expect("an update that changes nothing");
    assert_eq!(Author::select().all(db).await.expect("a query"), [ann]);
}

async fn save_never_overwrites_the_row_that_has_the_same_name(bed: impl Bed) {
    let db = bed.db();
    let before = authors(db, &["ann", "bob"]).await;
    // With a key of its own, and with a key that is not there: the name is Ann's in both.
    for id in [before[1].id, 1_000_000] {
        let mut thief = Author {
            id,
            born: Some(1),
            ..Author::new("ann")
        };
        let error = thief.save(db).await.expect_err("the name is taken");
        assert!(error.is_unique("name"), "{error:?}");
        assert_eq!(
            Author::select()
                .order_by(author::id.asc())
                .all(db)
                .await
                .expect("a query"),
            before
        );
    }
}

async fn update_writes_every_column_of_one_row(bed: impl Bed) {
    let db = bed.db();
    let mut before = authors(db, &["ann", "bob"]).await;
    before[0] = Author {
        born: Some(-44),
        is_living: false,
        fame: Fame::World,
        ..before[0].clone()
    };
    before[0].update(db).await.expect("an update");
    // A row that is there already as it should be is found, and not "gone".
    before[0]
        .update(db)
        .await
        .expect("an update that changes nothing");
    assert_eq!(
        Author::select()
            .order_by(author::id.asc())
            .all(db)
            .await
            .expect("a query"),
        before
    );
}

async fn update_of_a_row_that_is_gone_is_an_error(bed: impl Bed) {
    let db = bed.db();
    let mut ann = authors(db, &["ann"]).await.remove(0);
    assert!(ann.delete(db).await.expect("a delete"));
    assert!(matches!(
        ann.update(db).await,
        Err(Error::NotFound { table: "author" })
    ));
}

async fn delete_says_whether_there_was_a_row(bed: impl Bed) {
    let db = bed.db();
    let mut authors = authors(db, &["ann", "bob"]).await;
    assert!(authors[0].delete(db).await.expect("a delete"));
    assert!(!authors[0].delete(db).await.expect("a second delete"));
    assert_eq!(names(db).await, ["bob"]);
}

async fn insert_of_a_key_that_is_there_is_an_error(bed: impl Bed) {
    let db = bed.db();
    let ann = authors(db, &["ann"]).await.remove(0);
    let mut other = Author {
        id: ann.id,
        ..Author::new("other")
    };
    let error = other.insert(db).await.expect_err("the key is taken");
    assert!(error.is_unique("id"), "{error:?}");
    assert_eq!(names(db).await, ["ann"]);
}

async fn insert_all_takes_more_rows_than_one_statement_can(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut rows = (0..1234)
        .map(|n| Author {
            born: Some(n),
            ..Author::new(&format!("a{n}"))
        })
        .collect::<Vec<_>>();
    assert_eq!(
        Author::insert_all(&mut rows, db).await.expect("many rows"),
        1234
    );
    let back = Author::select()
        .order_by(author::born.asc())
        .all(db)
        .await
        .expect("a query");
    assert_eq!(back.len(), 1234);
    assert!(
        back.iter()
            .zip(&rows)
            .all(|(back, row)| back.name == row.name && back.born == row.born)
    );
    assert_eq!(Author::insert_all(&mut [], db).await.expect("no rows"), 0);
}

async fn insert_all_writes_all_or_nothing(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    let mut rows = (0..1234)
        .map(|n| Author::new(&format!("a{n}")))
        .collect::<Vec<_>>();
    // In the last of the statements.
    rows[1233].name = "ann".to_owned();
    let error = Author::insert_all(&mut rows, db)
        .await
        .expect_err("a name is taken");
    assert!(error.is_unique("name"), "{error:?}");
    assert_eq!(names(db).await, ["ann"]);
}

async fn create_table_leaves_a_table_that_is_there(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["ann"]).await;
    Author::create_table(db).await.expect("nothing to do");
    assert_eq!(names(db).await, ["ann"]);
}

async fn names_differ_by_case_and_by_trailing_spaces(bed: impl Bed) {
    let db = bed.db();
    let before = authors(db, &["ann", "Ann", "ann ", " ann", "änn"]).await;
    for author in &before {
        let found = Author::select()
            .filter(author::name.eq(&author.name))
            .all(db)
            .await
            .expect("a query");
        assert_eq!(found, std::slice::from_ref(author));
    }
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Token {
    id: Uuid,
    owner: String,
}

async fn uuid_keys_are_made_here(bed: impl Bed) {
    let db = bed.db();
    Token::create_table(db).await.expect("a table");
    let mut made = Token {
        id: Uuid::nil(),
        owner: "ann".to_owned(),
    };
    made.save(db).await.expect("an insert");
    assert!(!made.id.is_nil());
    let mut given = Token {
        id: Uuid::from_u128(7),
        owner: "bob".to_owned(),
    };
    given.save(db).await.expect("an insert");
    given.owner = "cid".to_owned();
    given.save(db).await.expect("an update");
    assert_eq!(Token::find(made.id, db).await.expect("a query"), Some(made));
    assert_eq!(
        Token::find(given.id, db).await.expect("a query"),
        Some(given)
    );
    // In a batch too, beside one that is given.
    let mut batch = [0, 8, 0].map(|id| Token {
        id: Uuid::from_u128(id),
        owner: "dan".to_owned(),
    });
    let written = Token::insert_all(&mut batch, db).await.expect("a batch");
    assert_eq!(written, 3);
    for token in batch {
        let found = Token::find(token.id, db).await.expect("a query");
        assert_eq!(found, Some(token));
    }
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Setting {
    #[model(key)]
    name: String,
    value: String,
}

async fn text_keys_are_given(bed: impl Bed) {
    let db = bed.db();
    Setting::create_table(db).await.expect("a table");
    let mut theme = Setting {
        name: "theme".to_owned(),
        value: "dark".to_owned(),
    };
    theme.save(db).await.expect("an insert");
    theme.value = "light".to_owned();
    theme.save(db).await.expect("an update");
    assert_eq!(
        Setting::find("theme", db).await.expect("a query"),
        Some(theme)
    );
    assert_eq!(Setting::find("Theme", db).await.expect("a query"), None);
}

crate::common::on_every_database![
    keys_are_filled_in,
    save_inserts_without_a_key_and_updates_with_one,
    save_inserts_a_key_that_is_not_there,
    save_never_overwrites_the_row_that_has_the_same_name,
    update_writes_every_column_of_one_row,
    update_of_a_row_that_is_gone_is_an_error,
    delete_says_whether_there_was_a_row,
    insert_of_a_key_that_is_there_is_an_error,
    insert_all_takes_more_rows_than_one_statement_can,
    insert_all_writes_all_or_nothing,
    create_table_leaves_a_table_that_is_there,
    names_differ_by_case_and_by_trailing_spaces,
    uuid_keys_are_made_here,
    text_keys_are_given,
];
