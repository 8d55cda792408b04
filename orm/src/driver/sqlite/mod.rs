//! SQLite: which way a statement goes, and its errors.

mod cell;
mod raw;
mod read;
mod values;

use sqlx::error::DatabaseError;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use crate::codec::sealed;
use crate::count_rows::CountRows;
use crate::dialect::Dialect;
use crate::driver::home::Home;
use crate::driver::refusal::{self, Violated};
use crate::driver::run::{drive, executors};
use crate::driver::sqlite::read::{Guess, Outcome, read};
use crate::driver::sqlite::values::Values;
use crate::driver::{Driver, Harm};
use crate::error::Error;
use crate::error::Result;
use crate::executor::{Collect, Demand, Done};
use crate::statement::Statement;

impl sealed::Sealed for Sqlite {}

impl Driver for Sqlite {
    type Values = Values;

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
        values: Values,
        mut out: C,
    ) -> Result<(C, Done)> {
        drive!(
            Self,
            connection,
            owes,
            statement,
            values.into_arguments(),
            out,
            |done| done.last_insert_rowid(),
            |error| { refuse(error, statement) }
        )
    }

    async fn run_at_home<C: Collect>(
        home: &mut Home<Self>,
        owes: &mut bool,
        statement: &Statement,
        mut values: Values,
        mut out: C,
    ) -> Result<(C, Done)> {
        let binds_many = !statement.kind().is_read() && values.are_many();
        if out.demand() != Demand::All && !binds_many {
            return Self::run(home.get().await?, owes, statement, values, out).await;
        }
        let guess = Guess::of(statement);
        if binds_many || guess.is_many() {
            match read(home, statement, values, out).await? {
                Outcome::Read(out, rows, done) => {
                    guess.note(rows);
                    return Ok((out, done));
                }
                Outcome::Refused(same, untouched) => (values, out) = (same, untouched),
            }
        }
        let out = CountRows::new(out);
        let (out, done) = Self::run(home.get().await?, owes, statement, values, out).await?;
        guess.note(out.rows);
        Ok((out.out, done))
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

    async fn is_rolled_back(connection: &mut SqliteConnection) -> bool {
        match connection.lock_handle().await {
            // A trigger may RAISE(ROLLBACK), and a constraint may be one ON CONFLICT ROLLBACK. The error is an ordinary
            // one of a constraint, and what follows would be kept, each by itself.
            Ok(mut lock) => raw::is_autocommit(&mut lock),
            // The connection's thread is gone, and with it the transaction.
            Err(_) => true,
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
