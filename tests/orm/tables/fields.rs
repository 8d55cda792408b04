//! Every field type on every database: what is saved comes back, and is found by a filter.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use packetboat_orm::{Error, Field, Json, Model, ModelExt};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::common::bed::Bed;

#[derive(Clone, Copy, Debug, Eq, Field, PartialEq)]
enum Colour {
    Red,
    DeepBlue,
}

#[derive(Clone, Copy, Debug, Eq, Field, PartialEq)]
#[model(integer)]
enum Level {
    Low = 1,
    High = 100,
}

#[derive(Clone, Debug, Eq, Field, PartialEq)]
struct Email(String);

#[derive(Clone, Copy, Debug, Eq, Field, PartialEq)]
struct Cents(i64);

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Address {
    street: String,
    numbers: Vec<u32>,
    note: Option<String>,
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Plain {
    id: i64,
    truth: bool,
    tiny: i16,
    small: i32,
    large: i64,
    count: u32,
    counter: u64,
    single: f32,
    double: f64,
    text: String,
    bytes: Vec<u8>,
    instant: DateTime<Utc>,
    day: NaiveDate,
    local: NaiveDateTime,
    uuid: Uuid,
    decimal: Decimal,
    #[model(scale = 2)]
    money: Decimal,
    json: Json<Address>,
    colour: Colour,
    level: Level,
    email: Email,
    cents: Cents,
}

/// The same, each of which may be missing.
#[derive(Clone, Debug, Default, Model, PartialEq)]
struct Sparse {
    id: i64,
    truth: Option<bool>,
    tiny: Option<i16>,
    small: Option<i32>,
    large: Option<i64>,
    count: Option<u32>,
    counter: Option<u64>,
    single: Option<f32>,
    double: Option<f64>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    instant: Option<DateTime<Utc>>,
    day: Option<NaiveDate>,
    local: Option<NaiveDateTime>,
    uuid: Option<Uuid>,
    decimal: Option<Decimal>,
    #[model(scale = 2)]
    money: Option<Decimal>,
    json: Option<Json<Address>>,
    colour: Option<Colour>,
    level: Option<Level>,
    email: Option<Email>,
    cents: Option<Cents>,
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar")
}

fn time(day: NaiveDate, seconds: i64, micros: i64) -> NaiveDateTime {
    day.and_hms_opt(0, 0, 0).expect("midnight")
        + TimeDelta::seconds(seconds)
        + TimeDelta::microseconds(micros)
}

/// The smallest of everything.
fn least() -> Plain {
    Plain {
        id: 0,
        truth: false,
        tiny: i16::MIN,
        small: i32::MIN,
        large: i64::MIN,
        count: 0,
        counter: 0,
        single: f32::MIN,
        double: f64::MIN,
        text: String::new(),
        bytes: Vec::new(),
        instant: time(date(1, 1, 1), 0, 0).and_utc(),
        day: date(1, 1, 1),
        local: time(date(1, 1, 1), 0, 0),
        uuid: Uuid::nil(),
        decimal: "-7922816251426433759354395.0335"
            .parse()
            .expect("a decimal"),
        money: "-9999999999999999.99".parse().expect("a decimal"),
        json: Json(Address {
            street: String::new(),
            numbers: Vec::new(),
            note: None,
        }),
        colour: Colour::Red,
        level: Level::Low,
        email: Email(String::new()),
        cents: Cents(i64::MIN),
    }
}

/// The largest of everything.
fn greatest() -> Plain {
    Plain {
        id: 0,
        truth: true,
        tiny: i16::MAX,
        small: i32::MAX,
        large: i64::MAX,
        count: u32::MAX,
        counter: i64::MAX as u64,
        single: f32::MAX,
        double: f64::MAX,
        text: "🛥\u{202e}עברית '\"`\\%_;--\r\n\t\u{1}".to_owned(),
        bytes: (0..=255).collect(),
        instant: time(date(9999, 12, 31), 86_399, 999_999).and_utc(),
        day: date(9999, 12, 31),
        local: time(date(9999, 12, 31), 86_399, 999_999),
        uuid: Uuid::max(),
        decimal: "7922816251426433759354395.0335".parse().expect("a decimal"),
        money: "9999999999999999.99".parse().expect("a decimal"),
        json: Json(Address {
            street: "Rue de l'Été \"5\" \\ 🛥".to_owned(),
            numbers: vec![0, u32::MAX],
            note: Some("?".to_owned()),
        }),
        colour: Colour::DeepBlue,
        level: Level::High,
        email: Email("ann@example.org".to_owned()),
        cents: Cents(i64::MAX),
    }
}

async fn extremes_come_back(bed: impl Bed) {
    let db = bed.db();
    Plain::create_table(db)
        .await
        .expect("a table of every type");
    for mut row in [least(), greatest()] {
        row.insert(db).await.expect("an insert");
        assert_eq!(
            Plain::find(row.id, db).await.expect("a query").as_ref(),
            Some(&row)
        );
        row.update(db).await.expect("an update");
        assert_eq!(
            Plain::find(row.id, db).await.expect("a query").as_ref(),
            Some(&row)
        );
    }
    assert_eq!(
        Plain::insert_all(&mut [least(), greatest()], db)
            .await
            .expect("a batch"),
        2
    );
    let all = Plain::select()
        .order_by(plain::id.asc())
        .all(db)
        .await
        .expect("a query");
    assert_eq!(all.len(), 4);
    for (row, expected) in all
        .into_iter()
        .zip([least(), greatest(), least(), greatest()])
    {
        assert_eq!(Plain { id: 0, ..row }, expected);
    }
}

async fn null_and_values_come_back(bed: impl Bed) {
    let db = bed.db();
    Sparse::create_table(db)
        .await
        .expect("a table of every type");
    let full = greatest();
    let full = Sparse {
        id: 0,
        truth: Some(full.truth),
        tiny: Some(full.tiny),
        small: Some(full.small),
        large: Some(full.large),
        count: Some(full.count),
        counter: Some(full.counter),
        single: Some(full.single),
        double: Some(full.double),
        text: Some(full.text),
        bytes: Some(full.bytes),
        instant: Some(full.instant),
        day: Some(full.day),
        local: Some(full.local),
        uuid: Some(full.uuid),
        decimal: Some(full.decimal),
        money: Some(full.money),
        json: Some(full.json),
        colour: Some(full.colour),
        level: Some(full.level),
        email: Some(full.email),
        cents: Some(full.cents),
    };
    for mut row in [Sparse::default(), full] {
        row.insert(db).await.expect("an insert");
        assert_eq!(
            Sparse::find(row.id, db).await.expect("a query").as_ref(),
            Some(&row)
        );
        // And from one to the other: a value becomes NULL, NULL a value.
        let mut other = Sparse {
            id: row.id,
            ..Sparse::default()
        };
        other.save(db).await.expect("an update");
        assert_eq!(
            Sparse::find(row.id, db).await.expect("a query"),
            Some(other)
        );
        row.save(db).await.expect("an update");
        assert_eq!(Sparse::find(row.id, db).await.expect("a query"), Some(row));
    }
}

async fn every_type_is_found_by_its_value(bed: impl Bed) {
    let db = bed.db();
    Plain::create_table(db)
        .await
        .expect("a table of every type");
    Plain::insert_all(&mut [least(), greatest()], db)
        .await
        .expect("two rows");
    for row in [least(), greatest()] {
        let filters = [
            plain::truth.eq(row.truth),
            plain::tiny.eq(row.tiny),
            plain::small.eq(row.small),
            plain::large.eq(row.large),
            plain::count.eq(row.count),
            plain::counter.eq(row.counter),
            plain::single.eq(row.single),
            plain::double.eq(row.double),
            plain::text.eq(&row.text),
            plain::bytes.eq(&row.bytes),
            plain::instant.eq(row.instant),
            plain::day.eq(row.day),
            plain::local.eq(row.local),
            plain::uuid.eq(row.uuid),
            plain::decimal.eq(row.decimal),
            plain::money.eq(row.money),
            plain::colour.eq(row.colour),
            plain::level.eq(row.level),
            plain::email.eq(&row.email),
            plain::cents.eq(row.cents),
        ];
        for filter in filters {
            let said = format!("{filter:?}");
            let found = Plain::select()
                .filter(filter)
                .one(db)
                .await
                .unwrap_or_else(|error| panic!("{said}: {error}"));
            assert_eq!(Plain { id: 0, ..found }, row, "{said}");
        }
    }
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Moment {
    id: i64,
    instant: DateTime<Utc>,
    local: NaiveDateTime,
    day: NaiveDate,
}

async fn times_sort_as_times_and_keep_microseconds(bed: impl Bed) {
    let db = bed.db();
    Moment::create_table(db).await.expect("a table");
    // Years of one to four digits, before and after 1970 and 2038, and fractions of every length.
    let mut moments = [
        (1, 0, 0),
        (999, 1, 10),
        (1582, 5, 500_000),
        (1969, 86_399, 999_999),
        (1970, 0, 1),
        (2000, 0, 100),
        (2038, 3 * 3600, 120_000),
        (2100, 0, 0),
        (9999, 86_399, 999_999),
    ]
    .map(|(year, seconds, micros)| {
        let local = time(date(year, 12, 31), seconds, micros);
        Moment {
            id: 0,
            instant: local.and_utc(),
            local,
            day: local.date(),
        }
    });
    // Inserted in another order than that of time.
    for position in [4, 8, 0, 2, 6, 1, 7, 3, 5] {
        moments[position].insert(db).await.expect("an insert");
    }
    let by_instant = Moment::select()
        .order_by(moment::instant.asc())
        .all(db)
        .await
        .expect("a query");
    assert_eq!(by_instant, moments);
    let by_local = Moment::select()
        .order_by(moment::local.asc())
        .all(db)
        .await
        .expect("a query");
    assert_eq!(by_local, moments);
    let by_day = Moment::select()
        .order_by(moment::day.asc())
        .all(db)
        .await
        .expect("a query");
    assert_eq!(by_day, moments);
    for (position, moment) in moments.iter().enumerate() {
        let later = Moment::select()
            .filter(moment::instant.gt(moment.instant))
            .count(db)
            .await
            .expect("a count");
        assert_eq!(later, moments.len() as u64 - 1 - position as u64);
    }
}

async fn nanoseconds_are_cut_off(bed: impl Bed) {
    let db = bed.db();
    Moment::create_table(db).await.expect("a table");
    let local = time(date(2026, 1, 2), 3, 456_789);
    let fine = local + TimeDelta::nanoseconds(999);
    let mut row = Moment {
        id: 0,
        instant: fine.and_utc(),
        local: fine,
        day: fine.date(),
    };
    row.insert(db).await.expect("an insert");
    let back = Moment::find(row.id, db)
        .await
        .expect("a query")
        .expect("a row");
    assert_eq!((back.instant, back.local), (local.and_utc(), local));
    // The uncut value finds it too, since it is cut as well.
    assert!(
        Moment::select()
            .filter(moment::instant.eq(fine.and_utc()))
            .exists(db)
            .await
            .expect("a query")
    );
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Price {
    id: i64,
    #[model(scale = 2)]
    amount: Decimal,
}

async fn a_decimal_with_a_scale_sorts_and_refuses_what_would_be_rounded(bed: impl Bed) {
    let db = bed.db();
    Price::create_table(db).await.expect("a table");
    for amount in ["10", "9.5", "-3.25", "0.01", "100.00"] {
        Price {
            id: 0,
            amount: amount.parse().expect("a decimal"),
        }
        .insert(db)
        .await
        .expect("an insert");
    }
    let sorted = Price::select()
        .order_by(price::amount.asc())
        .all(db)
        .await
        .expect("a query");
    let sorted = sorted
        .iter()
        .map(|price| price.amount.normalize().to_string())
        .collect::<Vec<_>>();
    assert_eq!(sorted, ["-3.25", "0.01", "9.5", "10", "100"]);
    let dearer = Price::select()
        .filter(price::amount.gt(Decimal::from(9)))
        .count(db)
        .await
        .expect("a count");
    assert_eq!(dearer, 3);

    for amount in ["0.001", "1234567890123456789012.5"] {
        let refused = Price {
            id: 0,
            amount: amount.parse().expect("a decimal"),
        }
        .insert(db)
        .await;
        assert!(
            matches!(
                refused,
                Err(Error::Encode {
                    column: "amount",
                    ..
                })
            ),
            "{amount}: {refused:?}"
        );
    }
    assert_eq!(Price::select().count(db).await.expect("a count"), 5);
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Note {
    id: i64,
    text: String,
    bytes: Vec<u8>,
}

async fn long_and_unusual_text_comes_back(bed: impl Bed) {
    let db = bed.db();
    Note::create_table(db).await.expect("a table");
    let long = "é🛥x".repeat(1 << 18);
    assert!(long.len() > 1 << 20);
    let texts = [
        long.as_str(),
        "👩\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈",
        "\u{202e}gnirts \u{2066}right to left\u{2069} עברית العربية",
        "e\u{301} and \u{e9} are two texts",
        "\u{feff}with a mark before it",
        "\u{10ffff}\u{fffd}\u{ffff}",
        "100% _under_ [brackets] \\ backslash ?",
        "\r\n\t\u{b}\u{7f}\u{80} ",
        " ",
    ];
    for text in texts {
        let mut note = Note {
            id: 0,
            text: text.to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        note.insert(db).await.expect("an insert");
        let back = Note::select()
            .filter(note::text.eq(text))
            .one(db)
            .await
            .expect("the same text");
        assert!(
            back == note,
            "{} bytes came back as {}",
            text.len(),
            back.text.len()
        );
    }
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Short {
    id: i64,
    #[model(size = 5)]
    word: String,
}

async fn a_text_longer_than_its_column_is_refused(bed: impl Bed) {
    let db = bed.db();
    Short::create_table(db).await.expect("a table");
    // Characters and not bytes.
    Short {
        id: 0,
        word: "ééééé".to_owned(),
    }
    .insert(db)
    .await
    .expect("five characters");
    let refused = Short {
        id: 0,
        word: "sixsix".to_owned(),
    }
    .insert(db)
    .await;
    assert!(
        matches!(
            refused,
            Err(Error::Encode {
                table: "short",
                column: "word",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(Short::select().count(db).await.expect("a count"), 1);
}

crate::common::on_every_database![
    extremes_come_back,
    null_and_values_come_back,
    every_type_is_found_by_its_value,
    times_sort_as_times_and_keep_microseconds,
    nanoseconds_are_cut_off,
    a_decimal_with_a_scale_sorts_and_refuses_what_would_be_rounded,
    long_and_unusual_text_comes_back,
    a_text_longer_than_its_column_is_refused,
];
