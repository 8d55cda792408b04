//! Keys of several columns.

use packetboat_orm::{Error, Executor, Model, ModelExt};

use crate::common::bed::Bed;

/// Keyed by a text and a number.
#[derive(Clone, Debug, PartialEq, Model)]
struct Seat {
    #[model(key)]
    row: String,
    taken_by: Option<String>,
    #[model(key)]
    number: i32,
}

/// Nothing but a key.
#[derive(Clone, Copy, Debug, PartialEq, Model)]
struct Member {
    #[model(key)]
    user: i64,
    #[model(key)]
    team: i64,
    #[model(key)]
    year: i16,
}

fn seat(row: &str, number: i32) -> Seat {
    Seat {
        row: row.to_owned(),
        taken_by: None,
        number,
    }
}

async fn seats(db: impl Executor) -> Vec<Seat> {
    let all = Seat::select().order_by(seat::row.asc());
    all.order_by(seat::number.asc())
        .all(db)
        .await
        .expect("all seats")
}

async fn a_row_is_found_and_written_by_its_whole_key(bed: impl Bed) {
    let db = bed.db();
    Seat::create_table(db).await.expect("a table");
    let mut all = vec![seat("a", 1), seat("a", 2), seat("b", 1)];
    assert_eq!(Seat::insert_all(&mut all, db).await.expect("rows"), 3);
    assert_eq!(seats(db).await, all);
    let key = ("a".to_owned(), 2);
    assert_eq!(all[1].key(), key);
    assert_eq!(
        Seat::find(&key, db).await.expect("a query"),
        Some(all[1].clone())
    );
    assert_eq!(
        Seat::find(("b".to_owned(), 2), db).await.expect("a query"),
        None
    );

    all[1].taken_by = Some("ann".to_owned());
    all[1].update(db).await.expect("an update");
    assert_eq!(seats(db).await, all);
    all[2].taken_by = Some("bob".to_owned());
    all[2].save(db).await.expect("an update");
    let mut new = seat("b", 0);
    new.save(db)
        .await
        .expect("an insert, with a zero in its key");
    new.taken_by = Some("cid".to_owned());
    new.save(db).await.expect("an update");
    all.insert(2, new);
    assert_eq!(seats(db).await, all);
    let mut tracked = all[0].clone().tracked();
    tracked.taken_by = Some("dan".to_owned());
    assert!(tracked.update(db).await.expect("an update"));
    all[0] = tracked.into_inner();
    all[3].taken_by = None;
    let mut same = all[3].clone();
    same.upsert((seat::row, seat::number))
        .run(db)
        .await
        .expect("an upsert");
    assert_eq!(seats(db).await, all);

    assert!(all[1].delete(db).await.expect("a delete"));
    assert!(!all[1].delete(db).await.expect("a delete"));
    let outcome = all[1].update(db).await;
    assert!(
        matches!(outcome, Err(Error::NotFound { table: "seat" })),
        "{outcome:?}"
    );
    all.remove(1);
    assert_eq!(seats(db).await, all);
}

async fn a_key_that_is_there_is_a_violation_of_all_its_columns(bed: impl Bed) {
    let db = bed.db();
    Seat::create_table(db).await.expect("a table");
    seat("a", 1).insert(db).await.expect("an insert");
    let error = seat("a", 1).insert(db).await.expect_err("it is there");
    let Error::UniqueViolation {
        columns,
        constraint,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(columns, &["row", "number"]);
    assert_eq!(constraint, "seat_pkey");
}

async fn a_row_may_be_nothing_but_its_key(bed: impl Bed) {
    let db = bed.db();
    Member::create_table(db).await.expect("a table");
    let member = |user| Member {
        user,
        team: 0,
        year: 1999,
    };
    let mut ann = member(1);
    ann.insert(db).await.expect("an insert");
    ann.save(db).await.expect("nothing to do");
    ann.update(db)
        .await
        .expect("nothing to do, and it is there");
    let mut bob = member(2);
    bob.save(db).await.expect("an insert");
    assert_eq!(
        Member::find((1, 0, 1999), db).await.expect("a query"),
        Some(ann)
    );
    let outcome = member(3).update(db).await;
    assert!(
        matches!(outcome, Err(Error::NotFound { .. })),
        "{outcome:?}"
    );
    ann.upsert((member::user, member::team, member::year))
        .run(db)
        .await
        .expect("nothing to do");
    assert!(ann.delete(db).await.expect("a delete"));
    assert_eq!(Member::select().all(db).await.expect("a query"), [bob]);
}

crate::common::on_every_database![
    a_row_is_found_and_written_by_its_whole_key,
    a_key_that_is_there_is_a_violation_of_all_its_columns,
    a_row_may_be_nothing_but_its_key,
];
