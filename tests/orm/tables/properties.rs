//! Properties: whatever the value, it changes no SQL; it comes back as it was saved, or is refused before anything is
//! written.

use std::env;
use std::sync::Mutex;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use packetboat_orm::{
    Collect, Dialect, Done, Error, Executor, Json, Model, ModelExt, Params, Result, Statement,
};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use crate::common::bed::Bed;
use crate::common::draw::draw;
use crate::common::models::{Bystander, bystander};

/// One of everything.
#[derive(Clone, Debug, Model, PartialEq)]
struct Thing {
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
    maybe: Option<String>,
    bytes: Vec<u8>,
    instant: DateTime<Utc>,
    day: NaiveDate,
    local: NaiveDateTime,
    uuid: Uuid,
    #[model(scale = 4)]
    decimal: Decimal,
    json: Json<Value>,
}

/// Every instant that chrono has, to the nanosecond.
fn any_time() -> impl Strategy<Value = NaiveDateTime> {
    let least = NaiveDateTime::MIN.and_utc().timestamp();
    let greatest = NaiveDateTime::MAX.and_utc().timestamp();
    let seconds = prop_oneof![
        4 => -62_135_596_800_i64..253_402_300_800,
        1 => least..=greatest,
    ];
    (seconds, 0_u32..2_000_000_000).prop_filter_map("no such time", |(seconds, nanos)| {
        let at = DateTime::from_timestamp(seconds, 0)?.naive_utc();
        if nanos < 1_000_000_000 {
            Some(at + TimeDelta::nanoseconds(i64::from(nanos)))
        } else {
            Some(at)
        }
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        2 => r#"['"`\\%_;?$0-9a-zA-Z -]{0,40}"#,
        1 => proptest::collection::vec(any::<char>(), 0..300).prop_map(String::from_iter),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    // Numbers that all three keep exactly: PostgreSQL and MySQL have their own ideas of the others.
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any_text(), inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn any_row() -> impl Strategy<Value = Thing> {
    let numbers = (
        any::<bool>(),
        any::<i16>(),
        any::<i32>(),
        any::<i64>(),
        any::<u32>(),
        any::<u64>(),
    );
    let floats = (proptest::num::f32::ANY, proptest::num::f64::ANY);
    let texts = (
        any_text(),
        proptest::option::of(any_text()),
        proptest::collection::vec(any::<u8>(), 0..300),
    );
    let times = (any_time(), any_time(), any_time());
    let others = (any::<u128>(), any::<i64>(), 0_u32..6, any_json());
    (numbers, floats, texts, times, others).prop_map(
        |(
            (truth, tiny, small, large, count, counter),
            (single, double),
            (text, maybe, bytes),
            times,
            others,
        )| Thing {
            id: 0,
            truth,
            tiny,
            small,
            large,
            count,
            counter,
            single,
            double,
            text,
            maybe,
            bytes,
            instant: times.0.and_utc(),
            day: times.1.date(),
            local: times.2,
            uuid: Uuid::from_u128(others.0),
            decimal: Decimal::new(others.1, others.2),
            json: Json(others.3),
        },
    )
}

/// Writes down the text of every statement.
struct Texts<'a, E> {
    inner: E,
    texts: &'a Mutex<Vec<String>>,
}

impl<E: Executor> Executor for Texts<'_, E> {
    type Tx = E::Tx;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        self.inner.enter().await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        self.texts
            .lock()
            .expect("no panic while it is held")
            .push(statement.sql().to_owned());
        self.inner.run(statement, params, out).await
    }
}

/// Values for a property of this file.
fn values<S: Strategy>(strategy: &S) -> Vec<S::Value> {
    let cases = if env::var("PACKETBOAT_LONG").is_ok() {
        10_000
    } else {
        256
    };
    draw(strategy, cases)
}

/// The value as a database keeps it: times are cut to microseconds, and a zero has no sign everywhere.
fn kept(row: &Thing) -> Thing {
    let cut = |time: NaiveDateTime| {
        let nanos = i64::from(time.and_utc().timestamp_subsec_nanos());
        time - TimeDelta::nanoseconds(nanos % 1000)
    };
    Thing {
        instant: cut(row.instant.naive_utc()).and_utc(),
        local: cut(row.local),
        ..row.clone()
    }
}

async fn a_row_comes_back_or_is_refused(bed: impl Bed) {
    let db = bed.db();
    Thing::create_table(db).await.expect("a table");
    Bystander::create_table(db).await.expect("a table");
    let mut witness = Bystander {
        id: 0,
        secret: "kept".to_owned(),
    };
    witness.insert(db).await.expect("a witness");

    let (mut stored, mut refused) = (0, 0);
    for mut row in values(&any_row()) {
        match row.insert(db).await {
            Ok(()) => {
                stored += 1;
                let back = Thing::find(row.id, db)
                    .await
                    .expect("a query")
                    .expect("the row");
                assert_eq!(back, kept(&row));
                let found = Thing::select()
                    .filter(thing::text.eq(&row.text) & thing::id.eq(row.id))
                    .one(db)
                    .await;
                assert_eq!(found.expect("the row by its text"), back);
            }
            Err(Error::Encode { table: "thing", .. }) => {
                refused += 1;
                assert_eq!(row.id, 0);
            }
            Err(error) => panic!("{row:?}: {error:?}"),
        }
        assert_eq!(Thing::select().count(db).await.expect("a count"), stored);
    }
    assert!(
        stored > 0 && refused > 0,
        "{stored} stored, {refused} refused"
    );
    assert_eq!(
        Bystander::select()
            .filter(bystander::id.ge(0))
            .all(db)
            .await
            .expect("a query"),
        [witness]
    );
}

async fn no_value_changes_the_sql(bed: impl Bed) {
    let inner = bed.db();
    Thing::create_table(inner).await.expect("a table");
    let texts = Mutex::new(Vec::new());
    let mut expected: Option<Vec<String>> = None;
    for mut row in values(&any_row()) {
        let mut db = Texts {
            inner,
            texts: &texts,
        };
        // Refused or not: only the text matters here.
        let _ = row.insert(&mut db).await;
        row.id = 1;
        let _ = row.update(&mut db).await;
        let filter =
            thing::text.eq(&row.text) | thing::large.gt(row.large) | thing::instant.le(row.instant);
        let _ = Thing::select().filter(filter).limit(1).all(&mut db).await;
        let set = [
            thing::text.set(&row.text),
            thing::bytes.set(&row.bytes),
            thing::maybe.set(row.text.as_str()),
        ];
        let _ = Thing::select()
            .filter(thing::uuid.eq(row.uuid))
            .update(set, &mut db)
            .await;
        let _ = Thing::select()
            .filter(thing::text.is_in([&row.text, &row.text]))
            .delete(&mut db)
            .await;
        // SQLite refuses a pattern with NUL before there is any text.
        let part = row.text.replace('\0', "");
        let _ = Thing::select()
            .filter(
                thing::text.contains(&part)
                    | thing::maybe.like(&part)
                    | thing::large.between(row.large, i64::from(row.count))
                    | thing::text.lower().eq(&row.text),
            )
            .order_by(thing::text.desc())
            .columns((
                thing::maybe.coalesce(row.text.as_str()),
                thing::large + row.large,
            ))
            .all(&mut db)
            .await;
        let same = Thing::select().filter(thing::text.ne(&row.text));
        let _ = Thing::select()
            .filter(thing::id.is_in(same.columns(thing::id)))
            .group_by(thing::text)
            .columns((thing::text, thing::large.max()))
            .having(thing::large.max().gt(row.large))
            .all(&mut db)
            .await;
        let seen = std::mem::take(&mut *texts.lock().expect("no panic while it is held"));
        match &expected {
            None => expected = Some(seen),
            Some(expected) => assert_eq!(&seen, expected, "{row:?}"),
        }
    }
}

crate::common::on_every_database![a_row_comes_back_or_is_refused, no_value_changes_the_sql];
