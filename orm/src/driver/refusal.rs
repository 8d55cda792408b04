//! A driver's error, in the words of the model.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::dialect::Dialect;
use crate::error::Error;
use crate::statement::{Kind, Statement};
use crate::table::{ColumnDef, Table};

/// An error from getting a connection.
pub(crate) fn connection(source: sqlx::Error) -> Error {
    match source {
        sqlx::Error::Configuration(reason) => Error::Configuration {
            reason: reason.to_string(),
        },
        source => Error::Connection { source },
    }
}

/// An error that ended the connection while it ran a statement.
pub(super) fn broken(source: sqlx::Error, statement: &Statement) -> Error {
    // Whoever knows of the transaction around it, or of its COMMIT, says more.
    if statement.kind().is_read() || statement.kind() == Kind::Transaction {
        Error::Connection { source }
    } else {
        Error::Unconfirmed { source }
    }
}

/// What a database tells of a violation.
pub(super) struct Violated {
    /// The constraint's name, where the database tells it.
    pub(super) constraint: Option<String>,
    /// The columns, where the database tells them.
    pub(super) columns: Vec<String>,
}

/// An error from running a statement.
pub(super) fn statement(
    source: sqlx::Error,
    statement: &Statement,
    dialect: Dialect,
    is_busy: bool,
    violated: impl FnOnce(&dyn DatabaseError) -> Violated,
) -> Error {
    let table = statement.table_name();
    let Some(refusal) = source.as_database_error() else {
        return match source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => broken(source, statement),
            source => Error::Database { table, source },
        };
    };
    if is_busy {
        return Error::Busy { dialect, source };
    }
    let first = |mut names: Vec<String>| {
        if names.is_empty() {
            String::new()
        } else {
            names.swap_remove(0)
        }
    };
    match refusal.kind() {
        ErrorKind::UniqueViolation => {
            let violated = violated(refusal);
            let (constraint, columns) = named(violated, statement.table());
            Error::UniqueViolation {
                table,
                columns,
                constraint,
                source,
            }
        }
        ErrorKind::ForeignKeyViolation => {
            let constraint = violated(refusal)
                .constraint
                .or_else(|| only_foreign_key(statement))
                .unwrap_or_default();
            Error::ForeignKeyViolation {
                table,
                constraint,
                source,
            }
        }
        ErrorKind::CheckViolation => {
            let constraint = violated(refusal).constraint.unwrap_or_default();
            Error::CheckViolation {
                table,
                constraint,
                source,
            }
        }
        ErrorKind::NotNullViolation => {
            let column = first(violated(refusal).columns);
            Error::NotNullViolation {
                table,
                column,
                source,
            }
        }
        _ => Error::Database { table, source },
    }
}

/// SQLite does not tell which foreign key failed. A row that is written fails its own, and there may be only one.
fn only_foreign_key(statement: &Statement) -> Option<String> {
    let writes = matches!(statement.kind(), Kind::Insert | Kind::Update);
    match statement.table()?.foreign_keys() {
        [only] if writes => Some(only.name().to_owned()),
        _ => None,
    }
}

/// Completes what one database tells and another does not: the columns from the constraint's name, or the name from
/// the columns.
fn named(violated: Violated, table: Option<&'static Table>) -> (String, Vec<String>) {
    let Violated {
        constraint,
        columns,
    } = violated;
    let Some(table) = table else {
        return (constraint.unwrap_or_default(), columns);
    };
    let key_name = format!("{}_pkey", table.name());
    let is_key = match &constraint {
        // What MySQL calls every primary key.
        Some(name) => name == "PRIMARY" || *name == key_name,
        None => table.key_columns().map(ColumnDef::name).eq(&columns),
    };
    if is_key {
        let columns = table.key_columns().map(|column| column.name().to_owned());
        return (key_name, columns.collect());
    }
    let declared = table.uniques().iter().find(|unique| match &constraint {
        Some(name) => name == unique.name(),
        None => unique.columns().iter().eq(columns.iter()),
    });
    match declared {
        Some(unique) => {
            let columns = unique
                .columns()
                .iter()
                .map(|&column| column.to_owned())
                .collect();
            (unique.name().to_owned(), columns)
        }
        None => (constraint.unwrap_or_default(), columns),
    }
}
