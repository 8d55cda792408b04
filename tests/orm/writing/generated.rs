//! Columns that the database fills, and keys that it chooses for many rows at once.

use chrono::{DateTime, Utc};
use packetboat_orm::{Counted, Error, Executor, Model, ModelExt, schema};

use crate::common::bed::Bed;
use crate::read_back::WithoutReturning;

/// Two columns that no statement writes.
#[derive(Clone, Debug, PartialEq, Model)]
struct Item {
    id: i64,
    #[model(unique)]
    name: String,
    price: i64,
    pieces: i64,
    #[model(generated = "price * pieces")]
    total: i64,
    #[model(default = "new", generated)]
    state: String,
    #[model(default = now, generated)]
    listed: Option<DateTime<Utc>>,
}

fn item(name: &str, price: i64, pieces: i64) -> Item {
    Item {
        id: 0,
        name: name.to_owned(),
        price,
        pieces,
        total: -1,
        state: "not so".to_owned(),
        listed: None,
    }
}

async fn stored(db: impl Executor) -> Vec<Item> {
    let all = Item::select().order_by(item::id.asc());
    all.all(db).await.expect("all items")
}

async fn every_write_reads_back_what_the_database_filled(bed: impl Bed) {
    let db = bed.db();
    Item::create_table(db).await.expect("a table");
    let mut hat = item("hat", 5, 3);
    hat.insert(db).await.expect("an insert");
    assert_eq!((hat.total, hat.state.as_str()), (15, "new"));
    assert!(hat.listed.is_some());
    assert_eq!(stored(db).await, [hat.clone()]);

    hat.pieces = 4;
    hat.state = "sold".to_owned();
    hat.update(db).await.expect("an update");
    assert_eq!(
        (hat.total, hat.state.as_str()),
        (20, "new"),
        "what was not written is not so"
    );
    hat.price = 6;
    hat.save(db).await.expect("a save");
    assert_eq!(hat.total, 24);
    let mut tracked = hat.clone().tracked();
    tracked.pieces = 1;
    assert!(tracked.update(db).await.expect("an update"));
    assert_eq!(tracked.total, 6);
    assert!(!tracked.update(db).await.expect("nothing new"));
    hat = tracked.into_inner();
    assert_eq!(stored(db).await, [hat.clone()]);

    let mut same = item("hat", 7, 2);
    same.upsert(item::name).run(db).await.expect("an upsert");
    assert_eq!((same.id, same.total, same.listed), (hat.id, 14, hat.listed));
    let mut given = Item {
        id: 1_000_000,
        ..item("given", 2, 2)
    };
    given.save(db).await.expect("an insert with a key");
    assert_eq!((given.id, given.total), (1_000_000, 4));
    assert_eq!(stored(db).await, [same, given]);
    let mut gone = item("gone", 1, 1);
    gone.id = 77;
    let outcome = gone.update(db).await;
    assert!(
        matches!(outcome, Err(Error::NotFound { .. })),
        "{outcome:?}"
    );
}

async fn many_rows_are_read_back_each_into_its_own_struct(bed: impl Bed) {
    let db = bed.db();
    Item::create_table(db).await.expect("a table");
    let mut many: Vec<Item> = (0..700).map(|n| item(&format!("i{n}"), n, 2)).collect();
    Item::insert_all(&mut many, db).await.expect("many rows");
    for (n, item) in (0..).zip(&many) {
        assert_eq!((item.name.clone(), item.total), (format!("i{n}"), n * 2));
    }
    assert_eq!(stored(db).await, many);
    // With keys given, in no order.
    let mut given: Vec<Item> = [5_000, 3_000, 4_000]
        .map(|id| Item {
            id,
            ..item(&format!("g{id}"), id, 3)
        })
        .to_vec();
    Item::insert_all(&mut given, db).await.expect("three rows");
    for item in &given {
        assert_eq!(
            (item.name.clone(), item.total),
            (format!("g{}", item.id), item.id * 3)
        );
        let found = Item::find(item.id, db).await.expect("a query");
        assert_eq!(found.as_ref(), Some(item));
    }
}

async fn the_check_finds_them_as_they_were_declared(bed: impl Bed) {
    let db = bed.db();
    Item::create_table(db).await.expect("a table");
    let report = schema::check::<Item>(db).await.expect("a check");
    assert!(report.is_clean(), "{report}");
}

/// Keyed by a text, and a trigger's or a default's work.
#[derive(Clone, Debug, PartialEq, Model)]
struct Flag {
    #[model(key)]
    name: String,
    #[model(default = 1, generated)]
    level: i32,
}

async fn a_key_of_another_kind_is_read_back_too(bed: impl Bed) {
    let db = bed.db();
    Flag::create_table(db).await.expect("a table");
    let mut flags = ["c", "a", "b"].map(|name| Flag {
        name: name.to_owned(),
        level: 0,
    });
    Flag::insert_all(&mut flags, db).await.expect("three rows");
    let read = flags
        .each_ref()
        .map(|flag| (flag.name.as_str(), flag.level));
    assert_eq!(read, [("c", 1), ("a", 1), ("b", 1)]);
}

/// The plainest row whose key the database counts.
#[derive(Clone, Debug, PartialEq, Model)]
struct Line {
    id: i64,
    number: i64,
}

async fn insert_all_gives_each_row_its_own_key(bed: impl Bed) {
    let db = bed.db();
    Line::create_table(db).await.expect("a table");
    // While others insert too, and over more than one statement.
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let bed = bed.clone();
        tasks.spawn(async move {
            let mut lines: Vec<Line> = (0..620)
                .map(|n| Line {
                    id: 0,
                    number: task * 1_000 + n,
                })
                .collect();
            for part in lines.chunks_mut(310) {
                Line::insert_all(part, bed.db()).await.expect("many rows");
            }
            lines
        });
    }
    let mut all: Vec<Line> = tasks.join_all().await.into_iter().flatten().collect();
    all.sort_by_key(|line| line.id);
    let stored = Line::select().order_by(line::id.asc()).all(db).await;
    assert_eq!(stored.expect("all lines"), all);
    // Beside one whose key is given.
    let mut mixed = [0, 9_000_000, 0].map(|id| Line { id, number: -1 });
    Line::insert_all(&mut mixed, db).await.expect("three rows");
    assert_eq!(mixed[1].id, 9_000_000);
    assert!(
        mixed[0].id != 0 && mixed[2].id != 0 && mixed[0].id != mixed[2].id,
        "{mixed:?}"
    );
}

async fn one_statement_inserts_many_and_learns_their_keys(bed: impl Bed) {
    Line::create_table(bed.db()).await.expect("a table");
    let mut db = Counted::new(bed.db());
    let mut lines = [1, 2, 3].map(|number| Line { id: 0, number });
    Line::insert_all(&mut lines, &mut db)
        .await
        .expect("three rows");
    assert_eq!(db.queries(), 1);
    // And a plain write is one, without a transaction around it.
    lines[0].save(&mut db).await.expect("a save");
    lines[0].update(&mut db).await.expect("an update");
    lines[0].delete(&mut db).await.expect("a delete");
    lines[0].insert(&mut db).await.expect("an insert");
    assert_eq!(db.queries(), 5);
}

async fn keys_that_were_not_kept_are_not_filled_in(bed: impl Bed) {
    let db = bed.db();
    Item::create_table(db).await.expect("a table");
    let mut many: Vec<Item> = (0..700).map(|n| item(&format!("i{n}"), n, 2)).collect();
    many[699].name = "i0".to_owned();
    let before = many.clone();
    let error = Item::insert_all(&mut many, db)
        .await
        .expect_err("a name twice");
    assert!(error.is_unique("name"), "{error:?}");
    assert_eq!(many, before);
    assert_eq!(stored(db).await, []);
}

async fn a_server_without_returning_is_asked_again(bed: impl Bed) {
    Item::create_table(bed.db()).await.expect("a table");
    let mut db = WithoutReturning(bed.db());
    let mut hat = item("hat", 5, 3);
    hat.insert(&mut db).await.expect("an insert");
    assert_eq!((hat.total, hat.state.as_str()), (15, "new"));
    let mut many: Vec<Item> = (0..700).map(|n| item(&format!("i{n}"), n, 2)).collect();
    Item::insert_all(&mut many, &mut db)
        .await
        .expect("many rows");
    let mut given = [7_000, 6_000].map(|id| Item {
        id,
        ..item(&format!("g{id}"), 1, 1)
    });
    Item::insert_all(&mut given, &mut db)
        .await
        .expect("two rows");
    many.insert(0, hat);
    many.extend(given.into_iter().rev());
    assert_eq!(stored(bed.db()).await, many);
    Line::create_table(bed.db()).await.expect("a table");
    let mut lines: Vec<Line> = (0..700).map(|number| Line { id: 0, number }).collect();
    Line::insert_all(&mut lines, &mut db)
        .await
        .expect("many rows");
    let all = Line::select()
        .order_by(line::number.asc())
        .all(bed.db())
        .await;
    assert_eq!(all.expect("all lines"), lines);
}

crate::common::on_every_database![
    a_server_without_returning_is_asked_again,
    every_write_reads_back_what_the_database_filled,
    many_rows_are_read_back_each_into_its_own_struct,
    the_check_finds_them_as_they_were_declared,
    a_key_of_another_kind_is_read_back_too,
    insert_all_gives_each_row_its_own_key,
    one_statement_inserts_many_and_learns_their_keys,
    keys_that_were_not_kept_are_not_filled_in,
];
