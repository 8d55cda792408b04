//! Times in every season: days of 130 years, leap seconds, hours that a clock skips, in sessions of three time zones.

use std::env;
use std::process::Command;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use packetboat_orm::{
    Dialect, Error, Executor, Finish as _, Model, ModelExt, Result, Unfit, begin, sql,
};

use crate::common::bed::Bed;

#[derive(Clone, Debug, Model, PartialEq)]
struct Moment {
    id: i64,
    instant: DateTime<Utc>,
    local: NaiveDateTime,
    day: NaiveDate,
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Visit {
    id: i64,
    name: String,
    #[model(default = now)]
    at: DateTime<Utc>,
}

/// West and east of Greenwich, one with summer time, one whose offset has half an hour.
const ZONES: [(&str, &str); 3] = [
    ("America/New_York", "-05:00"),
    ("Asia/Kolkata", "+05:30"),
    ("Pacific/Tongatapu", "+13:00"),
];

/// Sets the zone of this session. SQLite has none but the process's.
async fn set_zone(
    mut tx: impl Executor,
    (name, offset): (&'static str, &'static str),
) -> Result<()> {
    let set = match tx.dialect() {
        Dialect::Postgres => sql("SELECT set_config('TimeZone', ?, true)").bind(name),
        // By offset, since the names are in tables that a server may lack.
        Dialect::MySql => sql("SET time_zone = ?").bind(offset),
        Dialect::Sqlite => return Ok(()),
    };
    set.exec(&mut tx).await.map(drop)
}

fn at(text: &str) -> NaiveDateTime {
    text.parse().expect("a time")
}

/// A moment of every day from 1969 to 2100, at another time of the day each, and those that have a history.
fn moments() -> Vec<Moment> {
    let first = NaiveDate::from_ymd_opt(1969, 1, 1).expect("a day");
    let days = first.iter_days().take_while(|day| day.year() <= 2100);
    let each_day = days.enumerate().map(|(number, day)| {
        // A prime number of microseconds that is no part of a day: all hours come, to the last digit.
        let micros = number as i64 * 7_919_000_003 % 86_400_000_000;
        day.and_time(chrono::NaiveTime::MIN) + TimeDelta::microseconds(micros)
    });
    let history = [
        // Before and after zero, and where 32 bits end, signed and unsigned.
        "1969-12-31T23:59:59.999999",
        "1970-01-01T00:00:00",
        "2038-01-19T03:14:07",
        "2038-01-19T03:14:08",
        "2106-02-07T06:28:15",
        "2106-02-07T06:28:16",
        // Around leap seconds.
        "2015-06-30T23:59:59.999999",
        "2016-12-31T23:59:59.999999",
        "2017-01-01T00:00:00",
        // Hours that clocks skip, and hours that they run twice: New York, Berlin, and by half an hour Lord Howe.
        "2024-03-10T02:30:00",
        "2024-11-03T01:30:00",
        "2024-03-31T02:30:00",
        "2024-10-27T02:30:00",
        "2024-10-06T02:15:00",
        // A day that Samoa had not, and one that has a name of its own.
        "2011-12-30T12:00:00",
        "2000-02-29T00:00:00",
        "2100-02-28T23:59:59.999999",
    ];
    each_day
        .chain(history.map(at))
        .map(|local| Moment {
            id: 0,
            instant: local.and_utc(),
            local,
            day: local.date(),
        })
        .collect()
}

async fn times_of_130_years_come_back_in_every_zone(bed: impl Bed) {
    let db = bed.db();
    Moment::create_table(db).await.expect("a table");
    Visit::create_table(db).await.expect("a table");
    let long = env::var("PACKETBOAT_LONG").is_ok();
    // Every 16th day without PACKETBOAT_LONG, those with a history always.
    let mut all = moments();
    let history = all.split_off(all.len() - 17);
    let mut moments = all
        .into_iter()
        .step_by(if long { 1 } else { 16 })
        .chain(history)
        .collect::<Vec<_>>();
    Moment::insert_all(&mut moments, db)
        .await
        .expect("the moments");
    for (number, zone) in ZONES.into_iter().enumerate() {
        let mut tx = begin(db).await.expect("a transaction");
        set_zone(&mut tx, zone).await.expect("the zone");
        // Written in one zone, read in the others.
        let back = Moment::select()
            .order_by(moment::instant.asc())
            .all(&mut tx);
        let back = back.await.expect("the moments");
        let mut expected = moments.clone();
        expected.sort_by_key(|moment| moment.instant);
        for (back, expected) in back.iter().zip(&expected) {
            assert_eq!(
                (back.instant, back.local, back.day),
                (expected.instant, expected.local, expected.day),
                "{zone:?}"
            );
        }
        assert_eq!(back.len(), expected.len());
        // Found by their values in this zone, and written in it.
        let strange = at("2024-03-10T02:30:00");
        let skipped = Moment::select().filter(
            moment::instant.eq(strange.and_utc())
                & moment::local.eq(strange)
                & moment::day.eq(strange.date()),
        );
        assert_eq!(
            skipped.count(&mut tx).await.expect("a count"),
            1,
            "{zone:?}"
        );
        let mut again = moments[moments.len() - 17..].to_vec();
        again.iter_mut().for_each(|moment| moment.id = 0);
        Moment::insert_all(&mut again, &mut tx)
            .await
            .expect("moments");
        // The database's own clock.
        let name = format!("visitor {number}");
        sql("INSERT INTO visit (name) VALUES (?)")
            .bind(name.as_str())
            .exec(&mut tx)
            .await
            .expect("a visit");
        let visit = Visit::select().filter(visit::name.eq(&name)).one(&mut tx);
        let ago = Utc::now() - visit.await.expect("the visit").at;
        assert!(ago.abs() < TimeDelta::minutes(1), "{zone:?}: {ago}");
        let visits = Visit::select().filter(visit::at.gt(Utc::now() - TimeDelta::minutes(1)));
        assert_eq!(
            visits.count(&mut tx).await.expect("a count"),
            number as u64 + 1
        );
        tx.commit().await.expect("a commit");
        let written = Moment::select()
            .order_by(moment::id.desc())
            .limit(again.len() as u64);
        let mut written = written.all(db).await.expect("the moments");
        written.sort_by_key(|moment| moment.id);
        for (written, expected) in written.iter().zip(&again) {
            assert_eq!(
                (written.instant, written.local, written.day),
                (expected.instant, expected.local, expected.day),
                "{zone:?}"
            );
        }
        // In the next zone there are as many as before.
        for mut written in written {
            written.delete(db).await.expect("a delete");
        }
    }
}

async fn a_leap_second_is_refused_and_not_moved(bed: impl Bed) {
    let db = bed.db();
    Moment::create_table(db).await.expect("a table");
    let leap = NaiveDate::from_ymd_opt(2016, 12, 31)
        .and_then(|day| day.and_hms_micro_opt(23, 59, 59, 1_000_000))
        .expect("a leap second");
    for (column, instant, local) in [
        ("instant", leap.and_utc(), at("2016-12-31T23:59:59")),
        ("local", at("2016-12-31T23:59:59").and_utc(), leap),
    ] {
        let mut moment = Moment {
            id: 0,
            instant,
            local,
            day: leap.date(),
        };
        match moment.insert(db).await {
            Err(Error::Encode {
                table: "moment",
                column: named,
                reason: Unfit::LeapSecond,
            }) => {
                assert_eq!(named, column);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(Moment::select().count(db).await.expect("a count"), 0);
}

/// SQLite's only zone is the process's, so this runs the test above in processes of three zones.
#[test]
fn times_come_back_in_processes_of_every_zone() {
    let tests = env::current_exe().expect("this program");
    for (zone, _) in ZONES {
        let run = Command::new(&tests)
            .args([
                "--exact",
                "zones::on_sqlite::times_of_130_years_come_back_in_every_zone",
            ])
            .args(["zones::on_sqlite_file::times_of_130_years_come_back_in_every_zone"])
            .env("TZ", zone)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{zone}: {said}");
        assert!(said.contains("2 passed"), "{zone}: {said}");
    }
}

crate::common::on_every_database![
    a_leap_second_is_refused_and_not_moved,
    times_of_130_years_come_back_in_every_zone,
];
