//! Numbers at the edges of their types: each is stored exactly or refused with a typed error, none wraps.

use packetboat_orm::{Dialect, Error, Executor as _, Model, ModelExt, Unfit, sql};

use crate::common::bed::Bed;

#[derive(Clone, Debug, Default, Model, PartialEq)]
struct Number {
    id: i64,
    tiny: i16,
    small: i32,
    large: i64,
    count: u32,
    counter: u64,
}

/// The powers of two at which types end, with what is one below and one above, in both directions.
fn edges() -> Vec<i128> {
    let powers = [0, 1, 7, 8, 15, 16, 31, 32, 53, 62, 63, 64].map(|bits| 1_i128 << bits);
    let mut edges = powers
        .into_iter()
        .flat_map(|power| [power - 1, power, power + 1])
        .flat_map(|edge| [edge, -edge])
        .collect::<Vec<_>>();
    edges.sort_unstable();
    edges.dedup();
    edges
}

async fn edges_are_stored_exactly_or_refused(bed: impl Bed) {
    let db = bed.db();
    Number::create_table(db).await.expect("a table");
    let mut rows = 0;
    for edge in edges() {
        // What does not fit the Rust type cannot even be said.
        let mut number = Number {
            id: 0,
            tiny: edge.try_into().unwrap_or_default(),
            small: edge.try_into().unwrap_or_default(),
            large: edge.try_into().unwrap_or_default(),
            count: edge.try_into().unwrap_or_default(),
            counter: edge.try_into().unwrap_or_default(),
        };
        let fits = number.counter <= i64::MAX as u64;
        match number.insert(db).await {
            Ok(()) => {
                assert!(fits, "{edge}");
                rows += 1;
                let back = Number::find(number.id, db).await.expect("a query");
                assert_eq!(back.as_ref(), Some(&number), "{edge}");
                // Found by each of its columns.
                let found = Number::select().filter(
                    number::id.eq(number.id)
                        & number::tiny.eq(number.tiny)
                        & number::small.eq(number.small)
                        & number::large.eq(number.large)
                        & number::count.eq(number.count)
                        & number::counter.eq(number.counter),
                );
                assert_eq!(found.count(db).await.expect("a count"), 1, "{edge}");
            }
            Err(Error::Encode {
                table: "number",
                column,
                reason: Unfit::OutOfRange,
            }) => {
                assert!(!fits && column == "counter", "{edge}: {column}");
            }
            Err(error) => panic!("{edge}: {error:?}"),
        }
        // Filters and assignments refuse the same.
        let found = Number::select()
            .filter(number::counter.eq(number.counter))
            .count(db)
            .await;
        let set = Number::select()
            .filter(number::id.eq(-1))
            .update([number::counter.set(number.counter)], db)
            .await;
        assert_eq!((found.is_ok(), set.is_ok()), (fits, fits), "{edge}");
    }
    assert_eq!(Number::select().count(db).await.expect("a count"), rows);
}

/// A column wider than its field, with whatever another program has put there.
macro_rules! narrow {
    ($($model:ident($field:ty);)+) => {
        $(
            #[derive(Clone, Debug, Model, PartialEq)]
            #[model(table = "wide")]
            struct $model {
                id: i64,
                large: $field,
            }
        )+

        async fn a_number_too_large_for_its_field_is_never_cut(bed: impl Bed) {
            let db = bed.db();
            Wide::create_table(db).await.expect("a table");
            let edges = edges().into_iter().filter_map(|edge| i64::try_from(edge).ok());
            for edge in edges.chain([i64::MIN, i64::MAX]) {
                let mut row = Wide { id: 0, large: edge };
                row.insert(db).await.expect("an insert");
                $(
                    match ($model::find(row.id, db).await, <$field>::try_from(edge)) {
                        (Ok(Some(read)), Ok(expected)) => assert_eq!(read.large, expected),
                        (Err(Error::Decode { table: "wide", column: "large", .. }), Err(_)) => {}
                        other => panic!("{edge} as {}: {other:?}", stringify!($field)),
                    }
                )+
            }
        }
    };
}

narrow! {
    Wide(i64);
    Tiny(i16);
    Small(i32);
    Count(u32);
    Counter(u64);
}

async fn limits_and_offsets_of_any_size_are_taken_at_their_word(bed: impl Bed) {
    let db = bed.db();
    Number::create_table(db).await.expect("a table");
    let mut rows = vec![Number::default(); 3];
    Number::insert_all(&mut rows, db).await.expect("three rows");
    let edges = [
        0,
        1,
        2,
        3,
        4,
        i32::MAX as u64,
        u32::MAX as u64,
        u32::MAX as u64 + 1,
    ];
    let large = [
        i64::MAX as u64 - 1,
        i64::MAX as u64,
        i64::MAX as u64 + 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    for limit in edges.into_iter().chain(large) {
        for offset in edges.into_iter().chain(large) {
            let page = Number::select()
                .order_by(number::id.asc())
                .limit(limit)
                .offset(offset);
            let expected = 3_u64.saturating_sub(offset).min(limit);
            let read = page.clone().all(db).await.expect("a page");
            assert_eq!(read.len() as u64, expected, "{limit}, {offset}");
            assert_eq!(
                page.count(db).await.expect("a count"),
                expected,
                "{limit}, {offset}"
            );
        }
    }
}

/// A balance that a check keeps from falling below nothing, whatever amount is taken from it.
async fn a_check_holds_whatever_the_amount(bed: impl Bed) {
    let mut db = bed.db();
    #[derive(Clone, Debug, Model, PartialEq)]
    struct Purse {
        id: i64,
        coins: i64,
    }
    let table = match db.dialect() {
        Dialect::MySql => {
            "CREATE TABLE purse (id BIGINT AUTO_INCREMENT PRIMARY KEY, coins BIGINT NOT NULL, CHECK (coins >= 0 AND coins <= 1000))"
        }
        Dialect::Postgres => {
            "CREATE TABLE purse (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, coins BIGINT NOT NULL, CHECK (coins >= 0 AND coins <= 1000))"
        }
        Dialect::Sqlite => {
            "CREATE TABLE purse (id INTEGER PRIMARY KEY, coins BIGINT NOT NULL, CHECK (coins >= 0 AND coins <= 1000))"
        }
    };
    sql(table).exec(&mut db).await.expect("a table");
    let mut purse = Purse { id: 0, coins: 100 };
    purse.insert(db).await.expect("a purse");
    for amount in edges() {
        let Ok(amount) = i64::try_from(amount) else {
            continue;
        };
        let spend = sql("UPDATE purse SET coins = coins - ? WHERE id = ?")
            .bind(amount)
            .bind(purse.id);
        let outcome = spend.exec(&mut db).await;
        let after = Purse::find(purse.id, db)
            .await
            .expect("a query")
            .expect("the purse");
        let expected = purse
            .coins
            .checked_sub(amount)
            .filter(|left| (0..=1000).contains(left));
        match expected {
            Some(left) => {
                outcome.expect("it is allowed");
                assert_eq!(after.coins, left, "{amount}");
                sql("UPDATE purse SET coins = 100")
                    .exec(&mut db)
                    .await
                    .expect("an update");
            }
            // The check, or before it the database's own arithmetic.
            None => {
                let error = outcome.expect_err("it is refused");
                assert!(
                    matches!(error, Error::CheckViolation { .. } | Error::Database { .. }),
                    "{amount}: {error:?}"
                );
                assert_eq!(after.coins, 100, "{amount}");
            }
        }
    }
    // By the model too, typed, with the constraint's name.
    for coins in [-1, i64::MIN, 1001, i64::MAX] {
        let refused = Purse {
            id: purse.id,
            coins,
        }
        .update(db)
        .await;
        assert!(
            matches!(refused, Err(Error::CheckViolation { .. })),
            "{refused:?}"
        );
    }
}

crate::common::on_every_database![
    a_check_holds_whatever_the_amount,
    a_number_too_large_for_its_field_is_never_cut,
    edges_are_stored_exactly_or_refused,
    limits_and_offsets_of_any_size_are_taken_at_their_word,
];
