//! Many rows of which nothing is read back: what is stored, what stands in the structs, and how many statements it takes.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use packetboat_orm::{
    Counted, Dialect, Error, Executor, Hooks, Json, Model, ModelExt, Result, Tenant,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::common::bed::Bed;

#[derive(Clone, Debug, PartialEq, Model)]
struct Grain {
    id: i64,
    #[model(unique)]
    number: i64,
    text: Option<String>,
}

fn grains(numbers: impl Iterator<Item = i64>) -> Vec<Grain> {
    let grain = |number: i64| Grain {
        id: 0,
        number,
        text: (number % 3 > 0).then(|| format!("grain {number}")),
    };
    numbers.map(grain).collect()
}

/// Numbers and texts of all of them, by number: nobody promises in which order keys are chosen.
async fn stored(db: impl Executor) -> Vec<(i64, Option<String>)> {
    let all = Grain::select().order_by(grain::number.asc()).all(db).await;
    let all = all.expect("all grains").into_iter();
    all.map(|grain| (grain.number, grain.text)).collect()
}

async fn rows_are_stored_and_keys_stay_unset(bed: impl Bed) {
    let db = bed.db();
    Grain::create_table(db).await.expect("a table");
    assert_eq!(Grain::bulk_insert(&mut [], db).await.expect("nothing"), 0);
    let mut from = 0;
    for count in [1, 2, 7, 100, 4_500] {
        let mut rows = grains(from..from + count);
        let inserted = Grain::bulk_insert(&mut rows, db).await.expect("rows");
        assert_eq!(inserted, count as u64);
        assert_eq!(rows, grains(from..from + count), "as they were");
        from += count;
    }
    let all = grains(0..from).into_iter();
    let expected: Vec<_> = all.map(|grain| (grain.number, grain.text)).collect();
    assert_eq!(stored(db).await, expected);
}

async fn all_rows_are_stored_or_none(bed: impl Bed) {
    let db = bed.db();
    Grain::create_table(db).await.expect("a table");
    for count in [3, 10_001] {
        let mut rows = grains((1..count).chain([1]));
        let error = Grain::bulk_insert(&mut rows, db).await.expect_err("twice");
        assert!(error.is_unique("number"), "{error:?}");
        assert_eq!(stored(db).await, [], "of {count}");
    }
}

async fn keys_that_are_set_are_kept(bed: impl Bed) {
    let db = bed.db();
    Grain::create_table(db).await.expect("a table");
    let mut rows = grains(0..6);
    for (row, key) in rows.iter_mut().zip([700, 500, 0, 0, 600, 0]) {
        row.id = key;
    }
    Grain::bulk_insert(&mut rows, db).await.expect("six rows");
    for row in rows.iter().filter(|row| row.id != 0) {
        let found = Grain::find(row.id, db).await.expect("a query");
        assert_eq!(found.as_ref(), Some(row));
    }
    assert_eq!(Grain::select().count(db).await.expect("a count"), 6);
}

async fn it_takes_few_statements(bed: impl Bed) {
    Grain::create_table(bed.db()).await.expect("a table");
    let mut db = Counted::new(bed.db());
    let mut from = 0;
    for (rows, most) in [(1, 1), (100, 1), (2_000, 4)] {
        let before = db.queries();
        let mut grains = grains(from..from + rows);
        Grain::bulk_insert(&mut grains, &mut db)
            .await
            .expect("rows");
        from += rows;
        let most = if bed.server() == Dialect::MySql {
            most
        } else {
            1
        };
        let took = db.queries() - before;
        assert!((1..=most).contains(&took), "{rows} rows in {took}");
    }
}

/// One of each type.
#[derive(Clone, Debug, Model, PartialEq)]
struct Motley {
    id: i64,
    truth: bool,
    small: i32,
    counter: u64,
    double: Option<f64>,
    text: String,
    bytes: Vec<u8>,
    instant: DateTime<Utc>,
    day: Option<NaiveDate>,
    local: NaiveDateTime,
    uuid: Uuid,
    decimal: Option<Decimal>,
    json: Json<Vec<i32>>,
}

/// Texts and bytes of many rows lie in one piece on their way to SQLite, and as arrays on their way to PostgreSQL.
async fn values_of_each_type_are_those_that_were_given(bed: impl Bed) {
    let db = bed.db();
    Motley::create_table(db).await.expect("a table");
    let day = NaiveDate::from_ymd_opt(2026, 2, 28).expect("a day");
    let local = day.and_hms_micro_opt(1, 2, 3, 4).expect("a time");
    let motley = |n: i32| Motley {
        id: 0,
        truth: n % 2 == 0,
        small: -n,
        counter: 1 << (n % 60),
        double: (n % 5 > 0).then(|| f64::from(n) / 8.0),
        // Empty ones and long ones, and letters of several bytes.
        text: "é漢🚢".repeat(n as usize % 40),
        bytes: vec![n as u8; n as usize % 50],
        instant: local.and_utc() + chrono::TimeDelta::seconds(n.into()),
        day: (n % 3 > 0).then_some(day),
        local,
        uuid: Uuid::from_u128(n as u128),
        decimal: (n % 7 > 0).then(|| Decimal::new(n.into(), 2)),
        json: Json((0..n % 4).collect()),
    };
    let given: Vec<Motley> = (1..=300).map(motley).collect();
    let mut unread = given.clone();
    Motley::bulk_insert(&mut unread, db).await.expect("rows");
    let mut read = given.clone();
    Motley::insert_all(&mut read, db).await.expect("rows");
    let by_number = (motley::small.desc(), motley::id.asc());
    let stored = Motley::select().order_by(by_number.0).order_by(by_number.1);
    let stored = stored.all(db).await.expect("all rows");
    assert_eq!(stored.len(), 600);
    for (at, stored) in stored.into_iter().enumerate() {
        let (id, given) = (stored.id, given[at / 2].clone());
        assert_eq!(stored, Motley { id, ..given }, "row {at}");
    }
}

/// Keyed by what this crate chooses.
#[derive(Clone, Debug, PartialEq, Model)]
struct Ticket {
    id: Uuid,
    holder: String,
}

/// Keyed by two columns, whatever they are.
#[derive(Clone, Debug, PartialEq, Model)]
struct Square {
    #[model(key)]
    file: i32,
    #[model(key)]
    rank: i32,
    piece: Option<String>,
}

async fn keys_of_other_kinds_are_stored(bed: impl Bed) {
    let db = bed.db();
    Ticket::create_table(db).await.expect("a table");
    let mut tickets: Vec<Ticket> = (0..50)
        .map(|n| Ticket {
            id: Uuid::nil(),
            holder: format!("holder {n}"),
        })
        .collect();
    Ticket::bulk_insert(&mut tickets, db).await.expect("rows");
    for ticket in &tickets {
        let found = Ticket::find(ticket.id, db).await.expect("a query");
        assert_eq!(found.as_ref(), Some(ticket), "its key was chosen here");
    }
    Square::create_table(db).await.expect("a table");
    let squares = (0..64).map(|n| Square {
        file: n % 8,
        rank: n / 8,
        piece: (n < 16).then(|| "pawn".to_owned()),
    });
    let mut squares: Vec<Square> = squares.collect();
    Square::bulk_insert(&mut squares, db).await.expect("rows");
    for square in &squares {
        let found = Square::find((square.file, square.rank), db).await;
        assert_eq!(found.expect("a query").as_ref(), Some(square));
    }
}

/// Every role, and a column that the database fills.
#[derive(Clone, Debug, PartialEq, Model)]
struct Memo {
    id: i64,
    #[model(tenant)]
    owner: i64,
    text: String,
    #[model(version)]
    version: i32,
    #[model(created)]
    created: DateTime<Utc>,
    #[model(updated)]
    updated: Option<DateTime<Utc>>,
    #[model(default = "new", generated)]
    state: String,
}

fn memos() -> Vec<Memo> {
    let memo = |n: i32| Memo {
        id: 0,
        owner: 0,
        text: format!("memo {n}"),
        version: 0,
        created: DateTime::UNIX_EPOCH,
        updated: None,
        state: "as given".to_owned(),
    };
    (0..20).map(memo).collect()
}

async fn roles_are_kept_and_what_the_database_fills_is_left(bed: impl Bed) {
    Memo::create_table(bed.db()).await.expect("a table");
    let mut rows = memos();
    let error = Memo::bulk_insert(&mut rows, bed.db()).await;
    assert!(matches!(error, Err(Error::NoTenant { .. })), "{error:?}");
    assert_eq!(rows, memos(), "what failed leaves nothing in the structs");

    let mut db = Tenant::new(bed.db(), 7);
    Memo::bulk_insert(&mut rows, &mut db).await.expect("rows");
    let stored = Memo::select().order_by(memo::id.asc()).all(&mut db).await;
    for (mut given, stored) in rows.into_iter().zip(stored.expect("all rows")) {
        assert_eq!((given.id, given.state.as_str()), (0, "as given"));
        assert_eq!((given.owner, given.version), (7, 1));
        assert!(given.created > DateTime::UNIX_EPOCH);
        (given.id, given.state) = (stored.id, "new".to_owned());
        assert_eq!(given, stored);
    }
    let mut others = memos();
    others[3].owner = 8;
    let error = Memo::bulk_insert(&mut others, &mut db).await;
    assert!(matches!(error, Err(Error::OtherTenant { .. })), "{error:?}");
    assert_eq!(Memo::select().count(&mut db).await.expect("a count"), 20);
}

/// Wants to know its key.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(hooks)]
struct Parcel {
    id: i64,
    label: String,
}

impl Hooks for Parcel {
    fn validate(&self) -> Result<()> {
        match self.label.as_str() {
            "" => Err(Error::invalid("a parcel has a label")),
            _ => Ok(()),
        }
    }

    async fn after_save(&mut self, _: &mut impl Executor) -> Result<()> {
        assert_ne!(self.id, 0, "its key is there");
        self.label.push('!');
        Ok(())
    }
}

async fn hooks_run_and_see_the_row_as_it_is_stored(bed: impl Bed) {
    let db = bed.db();
    Parcel::create_table(db).await.expect("a table");
    let parcels = |last: &str| {
        ["a", "b", last].map(|label| Parcel {
            id: 0,
            label: label.to_owned(),
        })
    };
    Parcel::bulk_insert(&mut parcels(""), db)
        .await
        .expect_err("one without a label");
    assert_eq!(Parcel::select().count(db).await.expect("a count"), 0);
    let mut good = parcels("c");
    Parcel::bulk_insert(&mut good, db).await.expect("rows");
    assert!(good.iter().all(|parcel| parcel.label.ends_with('!')));
    assert_eq!(Parcel::select().count(db).await.expect("a count"), 3);
}

crate::common::on_every_database![
    rows_are_stored_and_keys_stay_unset,
    all_rows_are_stored_or_none,
    keys_that_are_set_are_kept,
    it_takes_few_statements,
    values_of_each_type_are_those_that_were_given,
    keys_of_other_kinds_are_stored,
    roles_are_kept_and_what_the_database_fills_is_left,
    hooks_run_and_see_the_row_as_it_is_stored,
];
