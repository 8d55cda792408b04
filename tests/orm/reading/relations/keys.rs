//! Keys of every kind, and any number of them.

use packetboat_orm::{Counted, Dialect, Executor, Model, ModelExt, assert_queries};
use uuid::Uuid;

use crate::common::bed::Bed;
use crate::relations::{Country, Painter, Painting, painter, painting, tables};

/// Keyed by two columns, one of which says whose it is.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(has_many(seats: Seat, by = (hall_house, hall_number)))]
#[model(has_many(guests: Guest, through = Booking, by = (hall_house, hall_number)))]
struct Hall {
    #[model(key)]
    house: String,
    #[model(key)]
    number: i32,
}

#[derive(Clone, Debug, PartialEq, Model)]
#[model(belongs_to(hall: Hall, by = (hall_house, hall_number)))]
struct Seat {
    id: i64,
    hall_house: String,
    hall_number: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Model)]
#[model(has_many(halls: Hall, through = Booking, to = (hall_house, hall_number)))]
struct Guest {
    id: i64,
}

/// Nothing but the keys of the other two.
#[derive(Clone, Debug, PartialEq, Model)]
struct Booking {
    #[model(key)]
    guest_id: i64,
    #[model(key)]
    hall_house: String,
    #[model(key)]
    hall_number: i32,
}

async fn keys_have_several_columns(bed: impl Bed) {
    let db = bed.db();
    Hall::create_table(db).await.expect("a table");
    Seat::create_table(db).await.expect("a table");
    Guest::create_table(db).await.expect("a table");
    Booking::create_table(db).await.expect("a table");
    let mut halls: Vec<Hall> = [("a", 1), ("a", 2), ("a1", 2), ("b", 1)]
        .map(|(house, number)| Hall {
            house: house.to_owned(),
            number,
        })
        .to_vec();
    Hall::insert_all(&mut halls, db).await.expect("halls");
    for (id, house, number) in [
        (1, "a", Some(1)),
        (2, "a1", Some(2)),
        (3, "a", None),
        (4, "a", Some(1)),
        (5, "b", Some(2)),
    ] {
        let mut seat = Seat {
            id,
            hall_house: house.to_owned(),
            hall_number: number,
        };
        seat.insert(db).await.expect("a seat");
    }
    let mut guests = [Guest { id: 1 }, Guest { id: 2 }];
    Guest::insert_all(&mut guests, db).await.expect("guests");
    for (guest_id, hall) in [(1, 0), (2, 0), (2, 2)] {
        let mut booking = Booking {
            guest_id,
            hall_house: halls[hall].house.clone(),
            hall_number: halls[hall].number,
        };
        booking.insert(db).await.expect("a booking");
    }

    let seats = hall::seats
        .order_by(seat::id.asc())
        .load(&halls, db)
        .await
        .expect("seats");
    let ids: Vec<Vec<i64>> = seats
        .iter()
        .map(|seats| seats.iter().map(|seat| seat.id).collect())
        .collect();
    assert_eq!(ids, [vec![1, 4], vec![], vec![2], vec![]]);
    let first = hall::seats
        .limit(1)
        .load(&halls, db)
        .await
        .expect("first seats");
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1, 0]);
    let seats: Vec<(Seat, Option<Hall>)> = Seat::select()
        .with(seat::hall)
        .order_by(seat::id.asc())
        .all(db)
        .await
        .expect("seats");
    let found: Vec<Option<Hall>> = seats.into_iter().map(|(_, hall)| hall).collect();
    let [a1, a12] = [0, 2].map(|at: usize| Some(halls[at].clone()));
    assert_eq!(found, [a1.clone(), a12, None, a1, None]);
    let guests_of = hall::guests
        .order_by(guest::id.asc())
        .load(&halls, db)
        .await
        .expect("guests");
    assert_eq!(
        guests_of.iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 0, 1, 0]
    );
    let booked = guest::halls.load(&guests, db).await.expect("halls");
    assert_eq!(booked.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        hall::seats.of(&halls[0]).count(db).await.expect("a count"),
        2
    );
    assert_eq!(
        guest::halls
            .of(&guests[1])
            .count(db)
            .await
            .expect("a count"),
        2
    );
}

/// Keys in any order, each of some types, some in no row; more of them than one statement can bind.
async fn any_number_of_keys_is_loaded(bed: impl Bed) {
    tables(bed.db()).await;
    let mut painters: Vec<Painter> = (1..=66_000)
        .map(|id| Painter {
            id,
            name: String::new(),
            country_code: Some(format!("{}", id % 1_000)),
        })
        .collect();
    painters.reverse();
    for id in [1, 40_000, 65_999] {
        let mut painter = painters[66_000 - id].clone();
        painter.insert(bed.db()).await.expect("a painter");
        let mut painting = Painting {
            id: Uuid::nil(),
            painter_id: painter.id,
            studio_id: None,
            title: format!("{id}"),
            year: 0,
        };
        painting.insert(bed.db()).await.expect("a painting");
    }
    let mut country = Country {
        code: "7".to_owned(),
        name: "Seven".to_owned(),
    };
    country.insert(bed.db()).await.expect("a country");

    let mut db = Counted::new(bed.db());
    let loaded = painter::paintings
        .filter(painting::year.eq(0))
        .load(&painters, &mut db)
        .await
        .expect("paintings");
    // Only MySQL has no way to bind them as one value.
    let statements = if bed.db().dialect() == Dialect::MySql {
        2
    } else {
        1
    };
    assert_eq!(db.queries(), statements);
    let found: Vec<&str> = loaded
        .iter()
        .flatten()
        .map(|painting| painting.title.as_str())
        .collect();
    assert_eq!(found, ["65999", "40000", "1"]);
    assert_eq!(loaded[66_000 - 40_000].len(), 1);

    let countries = assert_queries!(
        1,
        db,
        painter::country
            .load(&painters, &mut db)
            .await
            .expect("countries")
    );
    assert_eq!(countries.iter().flatten().count(), 66);
    // As bytes, they are bound one by one on SQLite too.
    let paintings: Vec<Painting> = (0..33_000_u128)
        .map(|id| Painting {
            id: Uuid::from_u128(id),
            painter_id: 1,
            studio_id: None,
            title: String::new(),
            year: 0,
        })
        .collect();
    let sales = painting::sales
        .load(&paintings, bed.db())
        .await
        .expect("no sales");
    assert_eq!(sales.iter().flatten().count(), 0);
}

/// PostgreSQL alone has no NUL in a text.
async fn a_key_may_hold_any_character_of_the_database(bed: impl Bed) {
    tables(bed.db()).await;
    let mut codes = vec![
        "\\",
        "'",
        "\"",
        "[1]",
        "\u{1}",
        "\u{7f}",
        "é",
        "e\u{301}",
        "\u{1f600}",
        " ",
        "a ",
        "a",
        "A",
    ];
    if bed.db().dialect() != Dialect::Postgres {
        codes.extend(["a\0", "a\0b"]);
    }
    let mut countries: Vec<Country> = codes
        .iter()
        .map(|code| Country {
            code: (*code).to_owned(),
            name: code.escape_unicode().to_string(),
        })
        .collect();
    Country::insert_all(&mut countries, bed.db())
        .await
        .expect("countries");
    let painters: Vec<Painter> = codes
        .iter()
        .map(|code| Painter {
            id: 0,
            name: String::new(),
            country_code: Some((*code).to_owned()),
        })
        .collect();
    let found = painter::country
        .load(&painters, bed.db())
        .await
        .expect("countries");
    let expected: Vec<Option<Country>> = countries.into_iter().map(Some).collect();
    assert_eq!(found, expected);
}

crate::common::on_every_database! {
    keys_have_several_columns,
    any_number_of_keys_is_loaded,
    a_key_may_hold_any_character_of_the_database,
}
