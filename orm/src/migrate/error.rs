//! Why a migration was not made, or not applied.

use std::io;
use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use crate::dialect::Dialect;
use crate::schema::Report;

/// Why a migration was not made, or not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no migrations for this kind of database.
    #[error("there are no migrations for {dialect}")]
    Absent {
        /// Which kind.
        dialect: Dialect,
    },
    /// A file was changed after it was applied. Undo the change, and make another migration.
    #[error("{name} was changed after it was applied")]
    Changed {
        /// The migration.
        name: String,
    },
    /// The tables are there, but not as the models declare them, so nothing can be taken for applied.
    #[error("these tables cannot be adopted: {0}")]
    Differs(Report),
    /// A statement broke off half way, on MySQL, which cannot undo it. Nothing more is applied until somebody has looked
    /// whether the change is in the database, and has said so with
    /// [`mark_applied`](crate::migrate::Migrations::mark_applied) or
    /// [`mark_unapplied`](crate::migrate::Migrations::mark_unapplied).
    #[error(
        "{name} broke off half way: look whether its change is in the database, and mark it applied or unapplied"
    )]
    Dirty {
        /// The migration, which is one statement.
        name: String,
    },
    /// A migration's SQL was refused. It has changed nothing (on MySQL: if it is one statement), and may be corrected.
    #[error("{name} was refused by the database")]
    Failed {
        /// The migration.
        name: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A row refers to one that is not there, after the migrations. Nothing of them is kept.
    #[error("after the migrations, rows of table {table} refer to rows that are not there")]
    ForeignKeys {
        /// The table.
        table: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{path} cannot be used")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The list of applied migrations cannot be read or written.
    #[error("the list of applied migrations cannot be used")]
    Ledger(#[source] MigrateError),
    /// Another node has been migrating for longer than a minute.
    #[error("another node has been migrating for longer than a minute")]
    Locked,
    /// A migration was applied that is not among these: by a newer version of the program, or of another branch.
    #[error("migration {version} was applied, and is not among the migrations here")]
    Missing {
        /// Its number.
        version: i64,
    },
    /// A migration has no way back.
    #[error("{name} has no down file")]
    NoDown {
        /// The migration.
        name: String,
    },
    /// The database refused, or is not there.
    #[error(transparent)]
    Orm(#[from] crate::Error),
    /// What was asked for is not done without more being said. Nothing was written.
    #[error("no migration was made: {}", reasons.join("; "))]
    Refused {
        /// Why, each with what to do.
        reasons: Vec<String>,
    },
    /// `schema.json` is none.
    #[error("{path} does not describe a schema")]
    Snapshot {
        /// Which file.
        path: PathBuf,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// The migrations cannot be read.
    #[error("the migrations cannot be read")]
    Source(#[source] MigrateError),
}

/// The result of everything about migrations.
pub type Result<T, E = Error> = std::result::Result<T, E>;
