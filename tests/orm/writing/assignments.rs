//! Assignments of an update by a query: expressions on the row as it was.

use packetboat_orm::{Dialect, Error, Executor, Model, ModelExt};

use crate::common::bed::Bed;
use crate::common::shop::{Kind, Toy, fill, toy};

#[derive(Clone, Debug, Model, PartialEq)]
struct Triple {
    id: i64,
    a: i64,
    b: i64,
    c: i64,
}

/// One row of 1, 2 and 3.
async fn one(db: impl Executor + Copy) -> Triple {
    Triple::create_table(db).await.expect("a table");
    let mut row = Triple {
        id: 0,
        a: 1,
        b: 2,
        c: 3,
    };
    row.insert(db).await.expect("a row");
    row
}

async fn values(db: impl Executor) -> (i64, i64, i64) {
    let columns = (triple::a, triple::b, triple::c);
    Triple::select()
        .columns(columns)
        .one(db)
        .await
        .expect("the row")
}

async fn assignments_take_expressions(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let changed = Toy::select()
        .filter(toy::kind.eq(Kind::Game))
        .update(
            [
                toy::pieces.set(toy::pieces + 1),
                toy::title.set(toy::title.upper()),
                toy::score.set(1.5),
            ],
            db,
        )
        .await;
    assert_eq!(changed.expect("an update"), 2);
    let rows = Toy::select()
        .order_by(toy::id.asc())
        .columns((toy::title, toy::pieces, toy::score))
        .all(db)
        .await;
    let expected = [("CHESS", 33, 1.5), ("map", 500, 62.5), ("DICE", 6, 1.5)];
    assert_eq!(
        rows.expect("rows"),
        expected.map(|(title, pieces, score)| (title.to_owned(), pieces, score))
    );
}

async fn assignments_read_the_row_as_it_was(bed: impl Bed) {
    let db = bed.db();
    one(db).await;
    let set = [triple::a.set(triple::a + 10), triple::b.set(triple::a)];
    Triple::select().update(set, db).await.expect("an update");
    assert_eq!(values(db).await, (11, 1, 3));
    // Each is read by the one after it, whichever is written first.
    let set = [
        triple::b.set(triple::a + triple::b),
        triple::a.set(triple::c),
        triple::c.set(triple::c * 2),
    ];
    Triple::select().update(set, db).await.expect("an update");
    assert_eq!(values(db).await, (3, 12, 6));
}

async fn columns_that_read_each_other_are_swapped_or_refused(bed: impl Bed) {
    let db = bed.db();
    let row = one(db).await;
    let swap = [triple::a.set(triple::b), triple::b.set(triple::a)];
    let swapped = Triple::select().update(swap, db).await;
    if db.dialect() == Dialect::MySql {
        // It knows no more what a was when it comes to b.
        assert!(
            matches!(swapped, Err(Error::Unsupported { .. })),
            "{swapped:?}"
        );
        assert_eq!(values(db).await, (row.a, row.b, row.c));
    } else {
        assert_eq!(swapped.expect("an update"), 1);
        assert_eq!(values(db).await, (row.b, row.a, row.c));
    }
}

async fn a_column_is_assigned_once(bed: impl Bed) {
    let db = bed.db();
    one(db).await;
    let twice = [triple::a.set(5), triple::b.set(6), triple::a.set(7)];
    let refused = Triple::select().update(twice, db).await;
    assert!(
        matches!(refused, Err(Error::Unsupported { .. })),
        "{refused:?}"
    );
    assert_eq!(values(db).await, (1, 2, 3));
}

crate::common::on_every_database![
    assignments_take_expressions,
    assignments_read_the_row_as_it_was,
    columns_that_read_each_other_are_swapped_or_refused,
    a_column_is_assigned_once,
];
