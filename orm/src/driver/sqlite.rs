//! SQLite: values that it has no type for, and its errors.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, Row as _, ValueRef as _};
use uuid::Uuid;

use crate::codec::{Sink, Source, sealed};
use crate::dialect::Dialect;
use crate::driver::refusal::{self, Violated};
use crate::driver::run::{drive, executors, gets, puts};
use crate::driver::{Driver, Harm};
use crate::error::{Error, Result, Unfit};
use crate::executor::{Collect, Done};
use crate::statement::Statement;
use crate::table::{ColumnDef, SqlType};
use crate::unfit;
use crate::value::List;

impl sealed::Sealed for Sqlite {}
impl sealed::Sealed for SqliteArguments {}
impl sealed::Sealed for SqliteRow {}

impl Driver for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;
    // Takes the write lock at once. A transaction that reads first and then finds the lock taken cannot wait for it:
    // it would have to begin again.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const BEGIN_READ: &'static str = "BEGIN";
    const SCHEMA_COMMITS: bool = false;
    // The connection's thread works in order, so a rollback sent now comes after whatever was cancelled; and closing
    // the only connection to a database in memory would lose the database.
    const ROLLS_BACK_WHEN_LEFT: bool = true;
    // The thread of the connection sees that nobody listens, and resets the statement.
    const SURVIVES_CANCEL: bool = true;

    async fn run<C: Collect>(
        connection: &mut SqliteConnection,
        owes: &mut bool,
        statement: &Statement,
        arguments: SqliteArguments,
        mut out: C,
    ) -> Result<(C, Done)> {
        drive!(
            Self,
            connection,
            owes,
            statement,
            arguments,
            out,
            |done| done.last_insert_rowid(),
            |error| { refuse(error, statement) }
        )
    }

    async fn control(connection: &mut SqliteConnection, statement: Statement) -> Result<()> {
        let outcome = sqlx::raw_sql(statement.sql_str()).execute(connection).await;
        outcome.map(drop).map_err(|error| refuse(error, &statement))
    }

    fn harm(error: &sqlx::Error) -> Harm {
        match error.as_database_error().and_then(code) {
            // Out of memory, interrupted, an I/O error, disk full, busy: SQLite may have rolled back all of it.
            Some(5 | 7 | 9 | 10 | 13) => Harm::Transaction,
            Some(_) => Harm::None,
            None => Harm::Transaction,
        }
    }

    fn says_no_transaction(error: &sqlx::Error) -> bool {
        // The one plain SQLITE_ERROR that a ROLLBACK can have.
        error.as_database_error().and_then(code) == Some(1)
    }
}

executors!(Sqlite, SqliteConnection);

/// The primary result code, without what an extended one adds.
fn code(error: &dyn DatabaseError) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}

fn refuse(error: sqlx::Error, statement: &Statement) -> Error {
    // SQLITE_BUSY and SQLITE_LOCKED.
    let is_busy = matches!(error.as_database_error().and_then(code), Some(5 | 6));
    refusal::statement(error, statement, Dialect::Sqlite, is_busy, |refusal| {
        // "UNIQUE constraint failed: user.name, user.age", "CHECK constraint failed: positive"
        let (_, named) = refusal.message().split_once("failed: ").unwrap_or_default();
        let columns = named.split(", ").filter_map(|name| name.split_once('.'));
        let columns: Vec<String> = columns.map(|(_, column)| column.to_owned()).collect();
        let constraint = (columns.is_empty() && !named.is_empty()).then(|| named.to_owned());
        Violated {
            constraint,
            columns,
        }
    })
}

/// How an instant is kept: text of one width, so that it sorts as time, in the form of SQLite's own date functions.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
/// The same without a zone.
const NAIVE: &str = "%Y-%m-%dT%H:%M:%S%.6f";
const DAY: &str = "%Y-%m-%d";

fn add<T>(arguments: &mut SqliteArguments, column: &ColumnDef, value: T) -> Result<()>
where
    T: for<'q> sqlx::Encode<'q, Sqlite> + sqlx::Type<Sqlite>,
{
    arguments
        .add(value)
        .map_err(|error| unfit::encode(column, Unfit::Driver(error.into())))
}

impl Sink for SqliteArguments {
    fn reserve(&mut self, additional: usize) {
        sqlx::Arguments::reserve(self, additional, additional * 8);
    }

    fn null(&mut self, column: &ColumnDef, _: SqlType) -> Result<()> {
        add(self, column, None::<i64>)
    }

    puts! {
        bool(bool);
        i16(i16);
        i32(i32);
        i64(i64);
        uuid(Uuid);
    }

    fn u64(&mut self, column: &ColumnDef, value: u64) -> Result<()> {
        add(self, column, unfit::signed(column, value)?)
    }

    fn f32(&mut self, column: &ColumnDef, value: f32) -> Result<()> {
        unfit::finite(column, value.into())?;
        add(self, column, value)
    }

    fn f64(&mut self, column: &ColumnDef, value: f64) -> Result<()> {
        unfit::finite(column, value)?;
        add(self, column, value)
    }

    fn text(&mut self, column: &ColumnDef, value: &str) -> Result<()> {
        unfit::text_size(column, value)?;
        add(self, column, value.to_owned())
    }

    fn bytes(&mut self, column: &ColumnDef, value: &[u8]) -> Result<()> {
        unfit::bytes_size(column, value)?;
        add(self, column, value.to_owned())
    }

    fn datetime(&mut self, column: &ColumnDef, value: DateTime<Utc>) -> Result<()> {
        add(
            self,
            column,
            unfit::datetime(column, value)?.format(INSTANT).to_string(),
        )
    }

    fn naive_datetime(&mut self, column: &ColumnDef, value: NaiveDateTime) -> Result<()> {
        add(
            self,
            column,
            unfit::naive_datetime(column, value)?
                .format(NAIVE)
                .to_string(),
        )
    }

    fn date(&mut self, column: &ColumnDef, value: NaiveDate) -> Result<()> {
        add(
            self,
            column,
            unfit::date(column, value)?.format(DAY).to_string(),
        )
    }

    fn decimal(&mut self, column: &ColumnDef, value: Decimal) -> Result<()> {
        match column.scale() {
            Some(scale) => add(self, column, unfit::scaled(column, value, scale)?),
            // In one form, so that equal numbers are equal text.
            None => add(self, column, value.normalize().to_string()),
        }
    }

    fn json(&mut self, column: &ColumnDef, value: &str) -> Result<()> {
        add(self, column, value.to_owned())
    }

    fn list(&mut self, column: &ColumnDef, values: &List) -> Result<()> {
        let json = match values {
            List::Ints(values) => serde_json::to_string(values),
            List::Texts(values) => serde_json::to_string(values),
            List::Uuids(_) => {
                return Err(Error::Unsupported {
                    dialect: Dialect::Sqlite,
                    what: "many UUIDs as one value",
                });
            }
        };
        let json = json.map_err(|error| unfit::encode(column, Unfit::Json(Arc::new(error))))?;
        add(self, column, json)
    }
}

fn get<'r, T>(row: &'r SqliteRow, index: usize, column: &ColumnDef) -> Result<T>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    // The driver reads NULL as SQLite does: as 0, and as the empty text.
    if row.is_null(index, column)? {
        return Err(column.misfit(sqlx::error::UnexpectedNullError));
    }
    row.try_get(index).map_err(|error| column.misfit(error))
}

impl Source for SqliteRow {
    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        Ok(self
            .try_get_raw(index)
            .map_err(|error| column.misfit(error))?
            .is_null())
    }

    gets! {
        i64(i64);
        text(String);
        bytes(Vec<u8>);
        uuid(Uuid);
        json(String);
    }

    fn bool(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        match self.i64(index, column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(column.misfit("a number that is no truth value")),
        }
    }

    fn f32(&self, index: usize, column: &ColumnDef) -> Result<f32> {
        let wide = self.f64(index, column)?;
        // What was stored from an f32 comes back exactly.
        #[allow(clippy::cast_possible_truncation, reason = "checked on the next line")]
        let narrow = wide as f32;
        if f64::from(narrow) == wide {
            Ok(narrow)
        } else {
            Err(column.misfit("a number too precise for f32"))
        }
    }

    fn f64(&self, index: usize, column: &ColumnDef) -> Result<f64> {
        let value: f64 = get(self, index, column)?;
        Ok(value)
    }

    fn datetime(&self, index: usize, column: &ColumnDef) -> Result<DateTime<Utc>> {
        let text: &str = get(self, index, column)?;
        // Ours, any other offset, and the form of SQLite's CURRENT_TIMESTAMP, which is UTC.
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(time.to_utc());
        }
        naive(text)
            .map(|time| time.and_utc())
            .map_err(|error| column.misfit(error))
    }

    fn naive_datetime(&self, index: usize, column: &ColumnDef) -> Result<NaiveDateTime> {
        naive(get(self, index, column)?).map_err(|error| column.misfit(error))
    }

    fn date(&self, index: usize, column: &ColumnDef) -> Result<NaiveDate> {
        NaiveDate::parse_from_str(get(self, index, column)?, DAY)
            .map_err(|error| column.misfit(error))
    }

    fn decimal(&self, index: usize, column: &ColumnDef) -> Result<Decimal> {
        match column.scale() {
            Some(scale) => {
                let digits = i128::from(self.i64(index, column)?);
                Decimal::try_from_i128_with_scale(digits, scale)
                    .map_err(|error| column.misfit(error))
            }
            None => {
                let text: &str = get(self, index, column)?;
                text.parse()
                    .map_err(|error: rust_decimal::Error| column.misfit(error))
            }
        }
    }
}

fn naive(text: &str) -> chrono::ParseResult<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
}
