//! MySQL and MariaDB: values that they do not take, and their errors.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySql, MySqlArguments, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{Row as _, ValueRef as _};
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

impl sealed::Sealed for MySql {}
impl sealed::Sealed for MySqlArguments {}
impl sealed::Sealed for MySqlRow {}

impl Driver for MySql {
    type Values = MySqlArguments;

    const DIALECT: Dialect = Dialect::MySql;
    const BEGIN: &'static str = "BEGIN";
    const BEGIN_READ: &'static str = "START TRANSACTION READ ONLY";
    const SCHEMA_COMMITS: bool = true;
    // A server that does not answer would not answer a rollback either.
    const ROLLS_BACK_WHEN_LEFT: bool = false;
    // sqlx 0.9.0 forgets a PREPARE that was dropped, and takes its answer for that of the next statement: at best a
    // panic, at worst the rows of another.
    const SURVIVES_CANCEL: bool = false;

    async fn run<C: Collect>(
        connection: &mut MySqlConnection,
        owes: &mut bool,
        statement: &Statement,
        arguments: MySqlArguments,
        mut out: C,
    ) -> Result<(C, Done)> {
        drive!(
            Self,
            connection,
            owes,
            statement,
            arguments,
            out,
            // Keys are at most BIGINT here.
            |done| i64::try_from(done.last_insert_id()).unwrap_or(i64::MAX),
            |error| refuse(error, statement)
        )
    }

    async fn control(connection: &mut MySqlConnection, statement: Statement) -> Result<()> {
        let outcome = sqlx::raw_sql(statement.sql_str()).execute(connection).await;
        outcome.map(drop).map_err(|error| refuse(error, &statement))
    }

    fn harm(error: &sqlx::Error) -> Harm {
        match error.as_database_error().map(number) {
            // A deadlock rolls back everything, and what follows would commit by itself; so does a full lock table, and
            // on MariaDB a row changed since it was read. A lock that took too long does so too, under
            // innodb_rollback_on_timeout, and does not tell.
            Some(1020 | 1205 | 1206 | 1213) => Harm::Transaction,
            Some(_) => Harm::None,
            None => Harm::Transaction,
        }
    }

    fn takes_no_writes(error: &sqlx::Error) -> bool {
        let Some(refusal) = error.as_database_error() else {
            return false;
        };
        match number(refusal) {
            // "The MariaDB server is running with the --read-only option so it cannot execute this statement": a server
            // that was made a replica. The same number stands for other options.
            1290 => ["read-only", "read_only"]
                .iter()
                .any(|option| refusal.message().contains(option)),
            // InnoDB runs in read-only mode.
            1836 => true,
            _ => false,
        }
    }

    fn says_no_transaction(_: &sqlx::Error) -> bool {
        // A rollback of nothing is no error here.
        false
    }
}

executors!(MySql, MySqlConnection);

fn number(error: &(dyn DatabaseError + 'static)) -> u16 {
    error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number)
}

fn refuse(error: sqlx::Error, statement: &Statement) -> Error {
    let number = error.as_database_error().map(number);
    // Too many connections, the server shuts down, the connection was killed.
    if matches!(number, Some(1040 | 1053 | 1927)) {
        return refusal::broken(error, statement);
    }
    // A deadlock, a lock that took too long, a row changed since it was read.
    let is_busy = matches!(number, Some(1213 | 1205 | 1020));
    refusal::statement(error, statement, Dialect::MySql, is_busy, |refusal| {
        violated(refusal.message())
    })
}

/// "Duplicate entry 'ann' for key 'user.user_name_key'" (MariaDB leaves the table out), "Column 'name' cannot be
/// null", "CONSTRAINT `positive` failed for `db`.`user`", "... CONSTRAINT `owner` FOREIGN KEY ..."
///
/// The entry is a user's text, so what is looked for is looked for from behind.
fn violated(message: &str) -> Violated {
    if let Some((_, key)) = message.rsplit_once(" for key '") {
        let key = key.trim_end_matches('\'');
        let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
        return Violated {
            constraint: Some(name.to_owned()),
            columns: Vec::new(),
        };
    }
    if let Some(rest) = message.strip_prefix("Column '") {
        let column = rest.split_once('\'').map_or(rest, |(column, _)| column);
        return Violated {
            constraint: None,
            columns: vec![column.to_owned()],
        };
    }
    let constraint = message
        .split_once("CONSTRAINT `")
        .and_then(|(_, rest)| rest.split_once('`'));
    Violated {
        constraint: constraint.map(|(name, _)| name.to_owned()),
        columns: Vec::new(),
    }
}

fn add<T>(arguments: &mut MySqlArguments, column: &ColumnDef, value: T) -> Result<()>
where
    T: for<'q> sqlx::Encode<'q, MySql> + sqlx::Type<MySql>,
{
    sqlx::Arguments::add(arguments, value)
        .map_err(|error| unfit::encode(column, Unfit::Driver(error.into())))
}

impl Sink for MySqlArguments {
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
        sqlx::Arguments::add(self, value)
            .map_err(|error| unfit::encode(column, Unfit::Driver(error.into())))
    }

    fn bytes(&mut self, column: &ColumnDef, value: &[u8]) -> Result<()> {
        unfit::bytes_size(column, value)?;
        sqlx::Arguments::add(self, value)
            .map_err(|error| unfit::encode(column, Unfit::Driver(error.into())))
    }

    fn datetime(&mut self, column: &ColumnDef, value: DateTime<Utc>) -> Result<()> {
        // Without a zone: a DATETIME has none, and so the session's does not matter.
        add(self, column, unfit::datetime(column, value)?.naive_utc())
    }

    fn naive_datetime(&mut self, column: &ColumnDef, value: NaiveDateTime) -> Result<()> {
        add(self, column, unfit::naive_datetime(column, value)?)
    }

    fn date(&mut self, column: &ColumnDef, value: NaiveDate) -> Result<()> {
        add(self, column, unfit::date(column, value)?)
    }

    fn decimal(&mut self, column: &ColumnDef, value: Decimal) -> Result<()> {
        add(self, column, unfit::decimal(column, value)?)
    }

    fn json(&mut self, column: &ColumnDef, value: &str) -> Result<()> {
        sqlx::Arguments::add(self, value)
            .map_err(|error| unfit::encode(column, Unfit::Driver(error.into())))
    }

    fn list(&mut self, _: &ColumnDef, _: &List) -> Result<()> {
        Err(Error::Unsupported {
            dialect: Dialect::MySql,
            what: "many values as one",
        })
    }

    fn as_mysql(&mut self) -> Option<&mut MySqlArguments> {
        Some(self)
    }
}

fn get<'r, T>(row: &'r MySqlRow, index: usize, column: &ColumnDef) -> Result<T>
where
    T: sqlx::Decode<'r, MySql> + sqlx::Type<MySql>,
{
    row.try_get(index).map_err(|error| column.misfit(error))
}

/// A DECIMAL that is an integer, as an integer. By its text, since the driver rounds beyond 28 digits, by which a fraction
/// may become none.
fn whole(row: &MySqlRow, index: usize, column: &ColumnDef) -> Result<i64> {
    let text: &str = row
        .try_get_unchecked(index)
        .map_err(|error| column.misfit(error))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    match whole.parse() {
        Ok(whole) if fraction.bytes().all(|digit| digit == b'0') => Ok(whole),
        _ => Err(column.misfit("a number that is no integer of 8 bytes")),
    }
}

impl Source for MySqlRow {
    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        Ok(self
            .try_get_raw(index)
            .map_err(|error| column.misfit(error))?
            .is_null())
    }

    gets! {
        bool(bool);
        f32(f32);
        f64(f64);
        text(String);
        bytes(Vec<u8>);
        uuid(Uuid);
        decimal(Decimal);
        naive_datetime(NaiveDateTime);
        date(NaiveDate);
    }

    fn i64(&self, index: usize, column: &ColumnDef) -> Result<i64> {
        match self.try_get::<i64, _>(index) {
            Ok(value) => Ok(value),
            // An UNSIGNED column, of a table that others have made.
            Err(error) => match self.try_get::<u64, _>(index) {
                Ok(value) => i64::try_from(value).map_err(|error| column.misfit(error)),
                // A sum of integers.
                Err(_) => match self.try_get::<Decimal, _>(index) {
                    Ok(_) => whole(self, index, column),
                    Err(_) => Err(column.misfit(error)),
                },
            },
        }
    }

    fn datetime(&self, index: usize, column: &ColumnDef) -> Result<DateTime<Utc>> {
        self.naive_datetime(index, column)
            .map(|time| time.and_utc())
    }

    fn json(&self, index: usize, column: &ColumnDef) -> Result<String> {
        // JSON on MySQL, LONGTEXT on MariaDB: text on the wire either way.
        self.try_get_unchecked(index)
            .map_err(|error| column.misfit(error))
    }

    fn as_mysql(&self) -> Option<&MySqlRow> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::violated;

    #[test]
    fn constraint_is_found_behind_a_hostile_value() {
        let message = "Duplicate entry 'x' for key 'y' for key 'user.user_name_key'";
        assert_eq!(
            violated(message).constraint.as_deref(),
            Some("user_name_key")
        );
        assert_eq!(
            violated("Duplicate entry '1' for key 'PRIMARY'")
                .constraint
                .as_deref(),
            Some("PRIMARY")
        );
    }

    #[test]
    fn foreign_key_and_null_are_named() {
        let message = "Cannot add or update a child row: a foreign key constraint fails (`db`.`book`, CONSTRAINT \
                       `owner` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`))";
        assert_eq!(violated(message).constraint.as_deref(), Some("owner"));
        assert_eq!(violated("Column 'name' cannot be null").columns, ["name"]);
    }
}
