//! Data that this crate has not written: every field type reads every column type of the database with every kind of
//! value in it. It gets the value or a typed error that names table and column, and nothing panics.

use std::fmt::Debug;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use packetboat_orm::{Dialect, Error, Executor, Field, Json, Model, ModelExt, Result, Statement};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::common::bed::Bed;

#[derive(Clone, Copy, Debug, Eq, Field, PartialEq)]
enum Colour {
    Red,
    Green,
}

#[derive(Clone, Copy, Debug, Eq, Field, PartialEq)]
#[model(integer)]
enum Level {
    Low = 1,
    High = 2,
}

#[derive(Clone, Debug, Eq, Field, PartialEq)]
struct Email(String);

/// Types of columns, each with literals that it takes.
type Columns = &'static [(&'static str, &'static [&'static str])];

const SQLITE: Columns = &[
    (
        "INTEGER",
        &[
            "0",
            "1",
            "-1",
            "2",
            "32768",
            "2147483648",
            "9223372036854775807",
            "-9223372036854775808",
            "'text'",
            "x'00ff'",
            "0.5",
            "9e999",
        ],
    ),
    (
        "REAL",
        &[
            "0.0",
            "0.1",
            "1e300",
            "-9e999",
            "9e999",
            "1.5",
            "9007199254740993",
            "'text'",
        ],
    ),
    (
        "TEXT",
        &[
            "''",
            "'red'",
            "'Red'",
            "'1'",
            "'2024-02-30'",
            "'2024-02-29'",
            "'2024-02-29T12:00:00Z'",
            "'2024-02-29 12:00:00'",
            "'99999-01-01T00:00:00Z'",
            "'-262144-01-01'",
            "'1e400'",
            "'NaN'",
            "'{\"a\":1}'",
            "'[1,'",
            "'79228162514264337593543950336'",
            "'0b6f2d9c-0000-0000-0000-000000000000'",
            "CAST(x'ff' AS TEXT)",
            "CAST(x'61ff00' AS TEXT)",
            "CAST(x'edb080' AS TEXT)",
            "'2016-12-31T23:59:60Z'",
        ],
    ),
    (
        "BLOB",
        &[
            "x''",
            "x'00'",
            "x'ff'",
            "x'31'",
            "zeroblob(16)",
            "zeroblob(17)",
            "zeroblob(100000)",
            "'text'",
            "1",
        ],
    ),
    ("NUMERIC", &["1", "0.1", "'1e3'", "'x'"]),
    ("ANY", &["1", "'1'", "x'31'", "1.0"]),
    ("BOOLEAN", &["0", "1", "2", "-1", "'true'", "'yes'"]),
    ("DATE", &["'2024-02-29'", "20240229", "2460370.5", "'now'"]),
    (
        "DATETIME",
        &[
            "1700000000",
            "1700000000.5",
            "'2024-02-29 12:00'",
            "9223372036854775807",
        ],
    ),
];

const POSTGRES: Columns = &[
    ("boolean", &["true", "false"]),
    ("smallint", &["0", "1", "-32768", "32767"]),
    ("integer", &["0", "1", "32768", "-2147483648"]),
    (
        "bigint",
        &["2147483648", "9223372036854775807", "-9223372036854775808"],
    ),
    ("real", &["0.1", "'NaN'", "'Infinity'", "1e-45"]),
    (
        "double precision",
        &["0.1", "'NaN'", "'-Infinity'", "1e308"],
    ),
    (
        "numeric",
        &[
            "0",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "1e1000",
            "1e-1000",
            "0.1",
            "9223372036854775808",
            "79228162514264337593543950336",
            "123456789012345678901234567890.123456789",
        ],
    ),
    ("numeric(40, 30)", &["1e-29", "-1.5"]),
    ("money", &["1.50", "'-92233720368547758.08'"]),
    ("text", &["''", "'red'", "'1'", "'2024-02-29'", "'{}'"]),
    ("varchar(10)", &["'red'", "''"]),
    ("char(10)", &["'red'"]),
    ("\"char\"", &["'a'", "''"]),
    ("name", &["'red'"]),
    (
        "bytea",
        &["'\\x'", "'\\xff00'", "decode(repeat('00', 16), 'hex')"],
    ),
    (
        "timestamptz",
        &[
            "'2024-02-29 12:00:00+05:30'",
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'294276-12-31'",
        ],
    ),
    (
        "timestamp",
        &[
            "'2024-02-29 12:00:00'",
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'294276-12-31 23:59:59.999999'",
        ],
    ),
    (
        "date",
        &[
            "'2024-02-29'",
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'5874897-12-31'",
        ],
    ),
    ("time", &["'23:59:59.999999'", "'24:00:00'"]),
    ("timetz", &["'12:00:00+15:59'"]),
    (
        "interval",
        &["'1 month -1 day 25 hours'", "'178000000 years'"],
    ),
    ("uuid", &["'0b6f2d9c-0000-0000-0000-000000000000'"]),
    (
        "json",
        &["'null'", "'{\"a\": 1e400}'", "'[1, 2]'", "'\"\\u0000\"'"],
    ),
    ("jsonb", &["'null'", "'{\"a\": 1}'", "'1e400'"]),
    ("xml", &["'<a/>'"]),
    ("inet", &["'::1/64'"]),
    ("cidr", &["'10.0.0.0/8'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("bit(3)", &["B'101'"]),
    ("bit varying", &["B''", "B'10101010101'"]),
    ("oid", &["4294967295"]),
    ("xid", &["'1'"]),
    ("tid", &["'(0,1)'"]),
    ("pg_lsn", &["'16/B374D848'"]),
    ("point", &["'(1,2)'"]),
    ("circle", &["'<(0,0),1>'"]),
    ("tsvector", &["'a b'"]),
    ("int4range", &["'[1,5)'", "'empty'"]),
    ("int4multirange", &["'{[1,5)}'"]),
    ("integer[]", &["'{}'", "'{1,NULL}'", "'{{1},{2}}'"]),
    ("text[]", &["'{a}'"]),
    ("mood", &["'red'"]),
    ("pair", &["ROW(1, 'a')"]),
    ("positive", &["1"]),
    ("regclass", &["'pg_class'"]),
];

const MYSQL: Columns = &[
    ("BOOLEAN", &["0", "1", "2", "-128"]),
    ("TINYINT", &["-128", "127", "1"]),
    ("TINYINT UNSIGNED", &["255"]),
    ("SMALLINT", &["-32768"]),
    ("MEDIUMINT", &["-8388608"]),
    ("INT", &["-2147483648"]),
    ("INT UNSIGNED", &["4294967295"]),
    ("INT(5) ZEROFILL", &["7"]),
    ("BIGINT", &["9223372036854775807", "-9223372036854775808"]),
    ("BIGINT UNSIGNED", &["18446744073709551615", "0"]),
    ("FLOAT", &["0.1", "3.4e38"]),
    ("DOUBLE", &["0.1", "1.7e308"]),
    (
        "DECIMAL(65, 0)",
        &[
            "9223372036854775808",
            "99999999999999999999999999999999999999999999999999999999999999999",
        ],
    ),
    (
        "DECIMAL(65, 30)",
        &["0.000000000000000000000000000001", "-1.5"],
    ),
    ("DECIMAL(10, 2)", &["-0.01"]),
    ("BIT(1)", &["0", "1"]),
    ("BIT(64)", &["18446744073709551615"]),
    ("CHAR(10)", &["'red'", "''"]),
    (
        "VARCHAR(40)",
        &[
            "'red'",
            "'1'",
            "'2024-02-29'",
            "'0b6f2d9c-0000-0000-0000-000000000000'",
        ],
    ),
    ("VARCHAR(10) CHARACTER SET latin1", &["'\u{e9}'"]),
    ("TEXT", &["''", "'{}'"]),
    ("BINARY(16)", &["''", "x'0b6f2d9c000000000000000000000000'"]),
    ("VARBINARY(40)", &["x''", "x'ff'", "x'00'"]),
    ("BLOB", &["x'ff00'", "REPEAT('a', 60000)"]),
    (
        "DATE",
        &[
            "'2024-02-29'",
            "'0000-00-00'",
            "'2024-00-00'",
            "'2024-02-30'",
            "'9999-12-31'",
        ],
    ),
    (
        "DATETIME",
        &[
            "'2024-02-29 12:00:00'",
            "'0000-00-00 00:00:00'",
            "'2024-02-00 01:00:00'",
        ],
    ),
    (
        "DATETIME(6)",
        &[
            "'9999-12-31 23:59:59.999999'",
            "'1000-01-01 00:00:00.000001'",
        ],
    ),
    (
        "TIMESTAMP NULL",
        &["'2024-02-29 12:00:00'", "'0000-00-00 00:00:00'"],
    ),
    (
        "TIME(6)",
        &["'-838:59:59'", "'838:59:59'", "'00:00:00.000001'"],
    ),
    ("YEAR", &["0", "2155"]),
    ("JSON", &["'{}'", "'null'", "'1e400'"]),
    ("ENUM('red', 'green')", &["'red'"]),
    ("SET('red', 'green')", &["'red,green'", "''"]),
    ("UUID", &["'0b6f2d9c-0000-0000-0000-000000000000'"]),
    ("INET6", &["'::1'"]),
    ("POINT", &["ST_PointFromText('POINT(1 2)')"]),
];

/// One model for each field type, all on one table.
macro_rules! readers {
    ($($model:ident: $field:ty;)+) => {
        $(
            #[derive(Clone, Debug, Model, PartialEq)]
            #[model(table = "foreign_data")]
            struct $model {
                id: i64,
                value: $field,
            }
        )+

        /// Reads the one row, into which this literal was put, as every type.
        async fn read_as_everything(db: impl Executor + Copy, what: &str, literal: &str) {
            let null = literal == "NULL";
            let mut number = number(literal);
            let is_number = literal.parse::<f64>().is_ok();
            $(
                let field = stringify!($field);
                let read = read_rows::<$model>(db).await;
                check(what, field, null, <$field as Field>::NULLABLE, &read);
                // What is read as an integer is the number that was put there, or at least one number for every type.
                if let Ok(rows) = &read
                    && let Ok(read) = format!("{:?}", rows[0].value).parse::<i128>()
                {
                    let read = Decimal::from(read);
                    if !is_number {
                        number.get_or_insert(read);
                    }
                    assert_eq!(number, Some(read), "{what} as {field}");
                }
            )+
        }
    };
}

/// The number that a literal says, also one in quotes.
fn number(literal: &str) -> Option<Decimal> {
    let literal = literal.trim_matches('\'');
    let exact = Decimal::from_str_exact(literal);
    exact.or_else(|_| Decimal::from_scientific(literal)).ok()
}

/// The one row. A table that was made anew is one that older connections have prepared statements for, which
/// PostgreSQL refuses; they are replaced.
async fn read_rows<M: Model>(db: impl Executor + Copy) -> Result<Vec<M>> {
    let mut read = M::select().all(db).await;
    for _ in 0..8 {
        match read {
            Err(error) if error.is_connection() => read = M::select().all(db).await,
            read => return read,
        }
    }
    read
}

readers! {
    AsBool: bool;
    AsI16: i16;
    AsI32: i32;
    AsI64: i64;
    AsU32: u32;
    AsU64: u64;
    AsF32: f32;
    AsF64: f64;
    AsText: String;
    AsBytes: Vec<u8>;
    AsInstant: DateTime<Utc>;
    AsDay: NaiveDate;
    AsLocal: NaiveDateTime;
    AsUuid: Uuid;
    AsDecimal: Decimal;
    AsJson: Json<serde_json::Value>;
    AsColour: Colour;
    AsLevel: Level;
    AsEmail: Email;
    AsMaybeI64: Option<i64>;
    AsMaybeText: Option<String>;
    AsMaybeInstant: Option<DateTime<Utc>>;
    AsMaybeJson: Option<Json<bool>>;
    AsMaybeColour: Option<Colour>;
}

/// The same for a decimal that SQLite keeps as an integer.
#[derive(Clone, Debug, Model, PartialEq)]
#[model(table = "foreign_data")]
struct AsScaled {
    id: i64,
    #[model(scale = 2)]
    value: Decimal,
}

fn check<T: Debug>(what: &str, field: &str, null: bool, nullable: bool, read: &Result<Vec<T>>) {
    match read {
        Ok(_) => assert!(
            !null || nullable,
            "{what} as {field}: NULL was read as {read:?}"
        ),
        Err(Error::Decode {
            table: "foreign_data",
            column: "value",
            ..
        }) => {
            assert!(!null || !nullable, "{what} as {field}: NULL was refused");
        }
        // The driver asks the server about types that it has not seen, and this is of a kind that it does not know:
        // there is no row yet in which the column could be named.
        Err(Error::Database {
            table: "foreign_data",
            ..
        }) if what.contains("multirange") => {}
        Err(error) => panic!("{what} as {field}: {error:?}"),
    }
}

/// A statement that this test has put together of its own words.
async fn run(mut db: impl Executor, sql: String) {
    let said = sql.clone();
    let sql: &'static str = sql.leak();
    let outcome = db.exec(&Statement::write(sql), ()).await;
    outcome.unwrap_or_else(|error| panic!("{said}: {error:?}"));
}

async fn table(db: impl Executor + Copy, column: &str) {
    run(db, "DROP TABLE IF EXISTS foreign_data".to_owned()).await;
    run(
        db,
        format!("CREATE TABLE foreign_data (id BIGINT NOT NULL, value {column})"),
    )
    .await;
}

async fn every_field_reads_every_column_or_says_why_not(bed: impl Bed) {
    let db = bed.db();
    let columns = match db.dialect() {
        Dialect::MySql => MYSQL,
        Dialect::Postgres => {
            for sql in [
                "CREATE TYPE mood AS ENUM ('red', 'green')",
                "CREATE TYPE pair AS (a integer, b text)",
                "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
            ] {
                run(db, sql.to_owned()).await;
            }
            POSTGRES
        }
        Dialect::Sqlite => SQLITE,
    };
    for (column, values) in columns {
        table(db, column).await;
        for value in values.iter().chain(["NULL"].iter()) {
            run(db, "DELETE FROM foreign_data".to_owned()).await;
            let insert = format!("INSERT INTO foreign_data (id, value) VALUES (1, {value})");
            // MariaDB takes such dates only when told to, for this one statement.
            let insert = match db.dialect() {
                Dialect::MySql => {
                    format!("SET STATEMENT sql_mode = 'ALLOW_INVALID_DATES' FOR {insert}")
                }
                _ => insert,
            };
            run(db, insert).await;
            let what = format!("{value} in {column}");
            read_as_everything(db, &what, value).await;
            let read = read_rows::<AsScaled>(db).await;
            check(
                &what,
                "Decimal with a scale",
                *value == "NULL",
                false,
                &read,
            );
        }
    }
}

/// Texts and bytes of any kind, in the columns that take any.
async fn no_text_or_bytes_make_a_field_panic(bed: impl Bed) {
    let db = bed.db();
    let cases = if std::env::var("PACKETBOAT_LONG").is_ok() {
        2000
    } else {
        20
    };
    let mut runner = TestRunner::deterministic();
    let texts = "[-+0-9.eE:TZ /a-f\\u{0}-\\u{7f}é🛥{}\\[\\]\"\\\\]{0,40}";
    let texts = proptest::string::string_regex(texts).expect("a pattern");
    let times = "-?[0-9]{1,6}-[0-9]{1,3}-[0-9]{1,3}([T ][0-9]{1,3}:[0-9]{1,3}(:[0-9]{1,3}(\\.[0-9]{1,12})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?";
    let times = proptest::string::string_regex(times).expect("a pattern");
    let numbers = proptest::string::string_regex("-?[0-9]{0,40}(\\.[0-9]{0,40})?(e-?[0-9]{1,5})?")
        .expect("a pattern");
    let hex = |text: &str| {
        text.bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    for is_text in [true, false] {
        let column = match (db.dialect(), is_text) {
            (Dialect::MySql, true) => "LONGTEXT CHARACTER SET utf8mb4",
            (Dialect::Postgres, true) => "text",
            (Dialect::Sqlite, true) => "TEXT",
            (Dialect::Postgres, false) => "bytea",
            (_, false) => "BLOB",
        };
        table(db, column).await;
        for case in 0..cases {
            let text = match case % 3 {
                0 => texts.new_tree(&mut runner),
                1 => times.new_tree(&mut runner),
                _ => numbers.new_tree(&mut runner),
            };
            let text = text.expect("a text").current();
            let value = match (db.dialect(), is_text) {
                (Dialect::Postgres, true) => {
                    format!(
                        "convert_from(decode('{}', 'hex'), 'UTF8')",
                        hex(&text.replace('\0', ""))
                    )
                }
                (Dialect::Postgres, false) => format!("decode('{}', 'hex')", hex(&text)),
                (Dialect::MySql, true) => format!("CONVERT(x'{}' USING utf8mb4)", hex(&text)),
                (Dialect::Sqlite, true) => format!("CAST(x'{}' AS TEXT)", hex(&text)),
                (_, false) => format!("x'{}'", hex(&text)),
            };
            run(db, "DELETE FROM foreign_data".to_owned()).await;
            run(
                db,
                format!("INSERT INTO foreign_data (id, value) VALUES (1, {value})"),
            )
            .await;
            read_as_everything(db, &format!("{text:?} in {column}"), &text).await;
        }
    }
}

/// A query that gives fewer columns than the model has, and other ones.
async fn rows_of_another_shape_are_refused(bed: impl Bed) {
    let db = bed.db();
    for (select, shape) in [
        ("SELECT 1", "fewer columns"),
        ("SELECT 'x', 'y'", "other types"),
        ("SELECT NULL, NULL", "NULL"),
    ] {
        let read = packetboat_orm::sql(select).all::<AsInstant>(db).await;
        assert!(
            matches!(
                read,
                Err(Error::Decode {
                    table: "foreign_data",
                    ..
                })
            ),
            "{shape}: {read:?}"
        );
    }
}

crate::common::on_every_database![
    every_field_reads_every_column_or_says_why_not,
    no_text_or_bytes_make_a_field_panic,
    rows_of_another_shape_are_refused,
];
