//! What the database or the model refused, with table and column.

use std::error::Error as StdError;
use std::panic::Location;
use std::sync::Arc;

use crate::dialect::Dialect;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a statement, a transaction or a value was refused.
///
/// Violations name what was violated in the words of the model, alike on every database; [`std::error::Error::source`]
/// keeps the driver's own error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An earlier error ended the transaction on the server; nothing of it can be kept.
    ///
    /// PostgreSQL does so after any failed statement, MySQL after a deadlock, SQLite when the disk is full.
    /// Roll back, or run the failing statement in a nested transaction.
    #[error("the transaction was aborted by an earlier error, only a rollback is left")]
    Aborted,
    /// A lock or a serialization conflict with another transaction: running the whole transaction again may succeed.
    ///
    /// On SQLite also when the one connection that writes was not free in time.
    #[error("{dialect} refused because of a concurrent transaction")]
    Busy {
        /// Which database said so.
        dialect: Dialect,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A CHECK constraint failed.
    #[error("check constraint {constraint} of table {table} failed")]
    CheckViolation {
        /// The statement's table, or empty for raw SQL.
        table: &'static str,
        /// The constraint's name as the database gives it.
        constraint: String,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// The URL or the options of a pool are not usable.
    #[error("the database cannot be used as configured: {reason}")]
    Configuration {
        /// What is wrong.
        reason: String,
    },
    /// No connection, or one that broke before anything could be kept: the network, a server that went away or takes no
    /// writes any more, tables that have changed below prepared statements, a pool that is closed or exhausted.
    ///
    /// Nothing was changed: not by the statement, and not by the transaction that it stood in. The pool connects anew by
    /// itself, so the same again may succeed, a little later. Where something may have been changed, the error is
    /// [`Unconfirmed`](Self::Unconfirmed).
    #[error("no usable connection to the database")]
    Connection {
        /// The driver's error.
        source: sqlx::Error,
    },
    /// The database refused for a reason that has no variant of its own.
    #[error("the database refused a statement on table {table:?}")]
    Database {
        /// The statement's table, or empty for raw SQL.
        table: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A value in the database does not fit its field.
    #[error("column {column} of table {table:?} holds a value that does not fit its field")]
    Decode {
        /// The model's table, or empty for raw SQL.
        table: &'static str,
        /// The column, or its position for raw SQL.
        column: &'static str,
        /// What is wrong with the value.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A value cannot be stored in its column. Nothing was sent to the database.
    #[error("the value for column {column} of table {table:?} cannot be stored")]
    Encode {
        /// The model's table, or empty for raw SQL.
        table: &'static str,
        /// The column, or `?` for raw SQL.
        column: &'static str,
        /// What is wrong with the value.
        #[source]
        reason: Unfit,
    },
    /// A foreign key names no row, or a row that others refer to was to be deleted.
    #[error("foreign key {constraint} failed in a statement on table {table:?}")]
    ForeignKeyViolation {
        /// The statement's table, or empty for raw SQL.
        table: &'static str,
        /// The constraint's name: `post_author_fkey`. SQLite does not tell; there it is empty unless a row of a model
        /// with one foreign key was written.
        constraint: String,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A [hook](crate::Hooks) of the model refused the row. Nothing was kept.
    ///
    /// What is wrong stands in the source, in the application's words: change the row and write it again.
    #[error("a row was refused by its model")]
    Invalid {
        /// What is wrong with the row.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A row refers to one that is not there, through a relation that gives exactly one.
    ///
    /// Where there is no foreign key in the database, it may have been deleted; or a soft delete or another tenant hides
    /// it; or it was deleted between two queries outside of a transaction. Load the relation as
    /// [`optional`](crate::Relation::optional) where that is to be expected.
    #[error(
        "a row of table {table} refers by {column} to a row of table {related} that is not there"
    )]
    MissingRelated {
        /// The table of the row that refers.
        table: &'static str,
        /// The column by which it does.
        column: &'static str,
        /// The table of the row that is not there.
        related: &'static str,
    },
    /// A cursor that is none of this query: changed on its way, or made for another order.
    ///
    /// Whoever sent it is at fault; begin at the first page.
    #[error("the cursor is none of this query on table {table:?}")]
    InvalidCursor {
        /// The query's table.
        table: &'static str,
    },
    /// The outer transaction was used while a nested one is open.
    #[error("a nested transaction is still open")]
    NestedOpen,
    /// Rows of this table belong to tenants, and the executor says none, or one of another type than the column.
    ///
    /// Nothing was sent. Wrap the executor: `Tenant::new(&db, id)`.
    #[error("table {table:?} is read and written for a tenant only")]
    NoTenant {
        /// The model's table.
        table: &'static str,
    },
    /// No such row.
    #[error("no such row in table {table:?}")]
    NotFound {
        /// The model's table, or empty for raw SQL.
        table: &'static str,
    },
    /// A column that must have a value got NULL.
    #[error("column {column} of table {table:?} must not be NULL")]
    NotNullViolation {
        /// The statement's table, or empty for raw SQL.
        table: &'static str,
        /// The column as the database names it.
        column: String,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A row says that it belongs to another tenant than the executor works for.
    ///
    /// Nothing was sent. A row does not change hands: read it, and write it, for the tenant whose it is.
    #[error("a row for table {table:?} belongs to another tenant")]
    OtherTenant {
        /// The model's table.
        table: &'static str,
    },
    /// A write or a nested transaction inside this transaction was dropped before it ended, so that nobody knows
    /// what it did; the transaction was rolled back instead of committed.
    #[error("the transaction holds work that was cancelled half way, and was rolled back")]
    Poisoned,
    /// Raw SQL was to be run for a tenant, to which nobody can hold it.
    ///
    /// Nothing was sent. Where the SQL keeps to the tenant by itself, say so: `sql("..").unscoped()`.
    #[error("raw SQL cannot be held to a tenant")]
    RawInTenant,
    /// The same statement ran again and again in one scope that [refuses
    /// this](crate::Counted::refuse_repeats): the query of every row of a list. Read all of them with one.
    #[error(
        "the same statement on table {table:?} was asked for {times} times in one scope, at last at {location}"
    )]
    Repeated {
        /// The statement's table, or empty for raw SQL.
        table: &'static str,
        /// How often it was asked for.
        times: u32,
        /// The line that asked for it.
        location: &'static Location<'static>,
    },
    /// The row was changed or deleted since it was read: its version is another. Nothing was written.
    ///
    /// Read it again, and decide again.
    #[error("a row of table {table:?} was changed since it was read")]
    Stale {
        /// The model's table.
        table: &'static str,
    },
    /// Text that is no [name of a tenant](crate::TenantName).
    #[error("no name of a tenant: it has 1 to 63 of a-z, 0-9, - and _, a letter or digit first")]
    TenantName,
    /// As many [pools of tenants](crate::Tenants) are open as may be, and all of them are in use.
    #[error("the pools of {max_open} tenants are in use, and no more may be open")]
    TenantsBusy {
        /// How many may be open.
        max_open: usize,
    },
    /// The connection broke, or the server fell silent, while a write or a COMMIT was under way: nobody knows whether it
    /// happened.
    ///
    /// Repeat it only where a second run does no harm: it sets a value and does not add to one, or it stores a key of the
    /// application's own choice under a unique constraint, whose [`UniqueViolation`](Self::UniqueViolation) then says
    /// that the first run has happened.
    #[error("the connection was lost before the database confirmed the write")]
    Unconfirmed {
        /// The driver's error.
        source: sqlx::Error,
    },
    /// Another row has this value already.
    #[error("table {table:?} has a row with the same {}", columns.join(", "))]
    UniqueViolation {
        /// The model's table, or empty for raw SQL.
        table: &'static str,
        /// The columns that together must be unique; empty where neither the model nor the database knows them.
        columns: Vec<String>,
        /// The constraint's name, alike on every database: `user_name_key`, and `user_pkey` for the primary key.
        constraint: String,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A [router](crate::Router) has no database of this name.
    #[error("no database is named {name:?}")]
    UnknownDatabase {
        /// What was asked for.
        name: String,
    },
    /// A row was written, and what the database has of it could not be read back: a column that it fills does not fit
    /// its field, or the connection was lost meanwhile.
    ///
    /// The struct has the key and what the write stamped, so that it is the row that was written: to insert it again
    /// would double it. Where the whole write was undone instead, by a transaction of its own, the error is what the
    /// source of this one would be, [`Decode`](Self::Decode) or another.
    #[error("a row of table {table:?} was written, and could not be read back")]
    Unread {
        /// The model's table.
        table: &'static str,
        /// Why.
        source: Box<Self>,
    },
    /// This database, or this kind of executor, cannot do it.
    #[error("{dialect} cannot do this: {what}")]
    Unsupported {
        /// The database.
        dialect: Dialect,
        /// What was asked for, and what to do instead.
        what: &'static str,
    },
    /// A pool was used inside its own transaction, which holds the connection that this would wait for: it would wait
    /// for itself. Nothing was sent.
    ///
    /// ```no_run
    /// # use packetboat_orm::{DbPool, Model, ModelExt, Result, transaction};
    /// # #[derive(Model)] struct User { id: i64, name: String }
    /// # async fn f(db: &DbPool, mut ann: User) -> Result<()> {
    /// transaction(db, async |tx| ann.insert(db).await).await // wrong: `insert(tx)`
    /// # }
    /// ```
    #[error(
        "the pool was used inside its own transaction, which holds its connection; pass the transaction instead"
    )]
    WouldDeadlock,
}

impl Error {
    /// What a [hook](crate::Hooks) returns for a row that must not be written: [`Error::Invalid`].
    pub fn invalid(what: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Invalid {
            source: what.into(),
        }
    }

    /// This, of the reading back of what was written.
    pub(crate) fn unread(self, table: &'static str) -> Self {
        Self::Unread {
            table,
            source: Box::new(self),
        }
    }

    /// This, of a write that was undone since.
    pub(crate) fn undone(self) -> Self {
        match self {
            Self::Unread { source, .. } => *source,
            error => error,
        }
    }

    /// Whether this says that the row was changed since it was read: [`Error::Stale`].
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        matches!(self, Self::Stale { .. })
    }

    /// Whether running the whole transaction again may succeed: a deadlock, a serialization failure, a lock that
    /// took too long.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Whether this is the violation of a unique constraint that has this column among its own.
    ///
    /// ```
    /// # use packetboat_orm::Error;
    /// # fn handle(error: Error) -> &'static str {
    /// if error.is_unique("name") { "this name is taken" } else { "internal error" }
    /// # }
    /// ```
    #[must_use]
    pub fn is_unique(&self, column: &str) -> bool {
        matches!(self, Self::UniqueViolation { columns, .. } if columns.iter().any(|c| c == column))
    }

    /// The driver's own error, where there is one.
    #[must_use]
    pub const fn driver(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Busy { source, .. }
            | Self::CheckViolation { source, .. }
            | Self::Connection { source }
            | Self::Database { source, .. }
            | Self::ForeignKeyViolation { source, .. }
            | Self::NotNullViolation { source, .. }
            | Self::Unconfirmed { source }
            | Self::UniqueViolation { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether a connection was the problem, and not the statement: the database is unavailable.
    ///
    /// After [`Connection`](Self::Connection) the same may be tried again; after [`Unconfirmed`](Self::Unconfirmed) only
    /// what does no harm twice.
    #[must_use]
    pub const fn is_connection(&self) -> bool {
        matches!(self, Self::Connection { .. } | Self::Unconfirmed { .. })
    }
}

/// What is wrong with a value that was to be stored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// The driver could not encode it.
    #[error("the driver cannot encode it")]
    Driver(#[source] Arc<dyn StdError + Send + Sync>),
    /// The value does not serialize to JSON.
    #[error("it does not serialize to JSON")]
    Json(#[source] Arc<serde_json::Error>),
    /// A leap second, which no database stores.
    #[error("it is a leap second")]
    LeapSecond,
    /// NaN or an infinity, which the databases treat differently or not at all.
    #[error("it is not a finite number")]
    NotFinite,
    /// The character NUL, which PostgreSQL has not, and which ends a pattern on SQLite.
    #[error("it contains the character NUL, which PostgreSQL cannot store and SQLite cannot match")]
    Nul,
    /// Outside of what every database stores in this type.
    #[error("it is out of range")]
    OutOfRange,
    /// More characters (text) or bytes than the column's `size`; or a pattern of more bytes than SQLite takes.
    #[error("it is longer than {max}")]
    TooLong {
        /// The column's size, or that of a pattern.
        max: u32,
    },
    /// More digits after the point than the column's `scale`.
    #[error("it has more than {scale} digits after the point")]
    TooPrecise {
        /// The column's scale.
        scale: u32,
    },
}
