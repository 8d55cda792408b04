//! Many rows at once: how many statements they take, and columns in which NULL comes first.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use packetboat_orm::{
    ColumnDef, Counted, Field, Json, Model, ModelExt, Result, Sink, Source, SqlType,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::common::bed::Bed;

#[derive(Clone, Debug, PartialEq, Model)]
struct Page {
    id: i64,
    text: String,
    image: Option<Vec<u8>>,
}

/// A server takes so much in one statement, and no more: 16 MiB on MariaDB unless told otherwise, 1 GiB on PostgreSQL.
async fn statements_are_bounded_by_their_bytes(bed: impl Bed) {
    Page::create_table(bed.db()).await.expect("a table");
    let page = |n: usize| Page {
        id: 0,
        text: "t".repeat(30_000 + n),
        image: n.is_multiple_of(2).then(|| vec![7; 30_000]),
    };
    let mut pages: Vec<Page> = (0..500).map(page).collect();
    let mut db = Counted::new(bed.db());
    Page::insert_all(&mut pages, &mut db)
        .await
        .expect("22 MB in all");
    assert!((3..=12).contains(&db.queries()), "{}", db.queries());
    for at in [0, 250, 499] {
        let found = Page::find(pages[at].id, bed.db()).await.expect("a query");
        assert!(found.as_ref() == Some(&pages[at]), "page {at}");
    }
    // One row always goes, as far as the server takes it.
    let mut large = [page(9_000_000), page(1)];
    Page::insert_all(&mut large, bed.db())
        .await
        .expect("two rows");
    assert_eq!(Page::select().count(bed.db()).await.expect("a count"), 502);
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Dot {
    id: i64,
    #[model(unique)]
    number: i64,
}

fn dots(count: i64) -> Vec<Dot> {
    (0..count).map(|number| Dot { id: 0, number }).collect()
}

/// More than any database takes in one statement of this crate.
const MANY: i64 = 10_001;

async fn more_rows_than_one_statement_takes_are_one_transaction(bed: impl Bed) {
    let db = bed.db();
    Dot::create_table(db).await.expect("a table");
    let mut many = dots(MANY);
    // In the last of the statements.
    many[MANY as usize - 1].number = 0;
    let error = Dot::insert_all(&mut many, db).await.expect_err("twice");
    assert!(error.is_unique("number"), "{error:?}");
    assert!(many.iter().all(|dot| dot.id == 0));
    assert_eq!(Dot::select().count(db).await.expect("a count"), 0);

    let mut many = dots(MANY);
    Dot::insert_all(&mut many, db).await.expect("many rows");
    let stored = Dot::select().order_by(dot::number.asc()).all(db).await;
    assert!(stored.expect("all rows") == many);
}

/// Each type, and its NULL.
#[derive(Clone, Debug, Default, Model, PartialEq)]
struct Sparse {
    id: i64,
    truth: Option<bool>,
    tiny: Option<i16>,
    small: Option<i32>,
    large: Option<i64>,
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
    json: Option<Json<Vec<i32>>>,
}

async fn null_may_come_before_and_after_a_value_of_each_type(bed: impl Bed) {
    let db = bed.db();
    Sparse::create_table(db).await.expect("a table");
    let day = NaiveDate::from_ymd_opt(2026, 2, 28).expect("a day");
    let local = day.and_hms_micro_opt(1, 2, 3, 4).expect("a time");
    let full = Sparse {
        id: 0,
        truth: Some(true),
        tiny: Some(-2),
        small: Some(3),
        large: Some(i64::MAX),
        counter: Some(5),
        single: Some(0.5),
        double: Some(0.25),
        text: Some("t".to_owned()),
        bytes: Some(vec![0, 255]),
        instant: Some(local.and_utc()),
        day: Some(day),
        local: Some(local),
        uuid: Some(Uuid::from_u128(9)),
        decimal: Some(Decimal::new(125, 2)),
        json: Some(Json(vec![1, 2])),
    };
    let none = Sparse::default();
    let mut rows = [
        none.clone(),
        full.clone(),
        none.clone(),
        full.clone(),
        full,
        none,
    ];
    let (first, second) = rows.split_at_mut(3);
    Sparse::insert_all(first, db).await.expect("NULL first");
    Sparse::insert_all(second, db).await.expect("a value first");
    let stored = Sparse::select().order_by(sparse::id.asc()).all(db).await;
    assert_eq!(stored.expect("all rows"), rows);
}

/// A column that is wider than what is put into it.
#[derive(Clone, Debug, PartialEq)]
struct Wide(i32);

impl Field for Wide {
    const TYPE: SqlType = SqlType::I64;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.i32(column, self.0)
    }

    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        let number = i32::try_from(row.i64(index, column)?);
        number.map(Self).map_err(|error| column.misfit(error))
    }
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Gauge {
    id: i64,
    level: Option<Wide>,
}

async fn a_null_says_nothing_of_what_the_others_put(bed: impl Bed) {
    let db = bed.db();
    Gauge::create_table(db).await.expect("a table");
    let gauge = |level: Option<i32>| Gauge {
        id: 0,
        level: level.map(Wide),
    };
    let mut gauges = [None, Some(4), None, Some(5)].map(gauge);
    Gauge::insert_all(&mut gauges, db).await.expect("four rows");
    let stored = Gauge::select().order_by(gauge::id.asc()).all(db).await;
    assert_eq!(stored.expect("all rows"), gauges);
}

/// A text that goes to PostgreSQL by the driver's own arguments, and by no other way.
#[derive(Clone, Debug, PartialEq)]
struct Direct(String);

impl Field for Direct {
    const TYPE: SqlType = SqlType::Text;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        use sqlx::Arguments as _;

        let arguments = sink
            .as_postgres()
            .ok_or_else(|| column.misfit("not PostgreSQL"))?;
        let added = arguments.add(&self.0);
        added.map_err(|error| column.misfit(error))
    }

    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        row.text(index, column).map(Self)
    }
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Note {
    id: i64,
    text: Option<Direct>,
}

async fn a_field_of_the_drivers_own_may_begin_with_null(bed: impl Bed) {
    let db = bed.db();
    Note::create_table(db).await.expect("a table");
    for first in [None, Some("a")] {
        let texts = [first, None, Some("b")];
        let mut notes = texts.map(|text| Note {
            id: 0,
            text: text.map(|text| Direct(text.to_owned())),
        });
        Note::insert_all(&mut notes, db).await.expect("three rows");
        for note in notes {
            let found = Note::find(note.id, db).await.expect("a query");
            assert_eq!(found, Some(note));
        }
    }
}

crate::common::on_every_database![
    statements_are_bounded_by_their_bytes,
    more_rows_than_one_statement_takes_are_one_transaction,
    null_may_come_before_and_after_a_value_of_each_type,
    a_null_says_nothing_of_what_the_others_put,
];

crate::common::on_every_database!(@on only_on_postgres Postgres(Postgres): a_field_of_the_drivers_own_may_begin_with_null);
