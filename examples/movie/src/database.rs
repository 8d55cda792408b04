//! The database: opened by URL, its tables brought up to date at start.

use std::path::Path;

use packetboat_orm::migrate::{self, Migrations, Models};
use packetboat_orm::{self as orm, DbPool, include_migrations};

use crate::models::{Claim, DownloadRecord, KeptSession, Movie, Notice, User};

/// The SQLite file, in the server's folder.
pub const SQLITE_FILE: &str = "movie.db";

/// Why a database cannot be used. The URL is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// It cannot be reached, or the URL is none.
    #[error("the database cannot be opened")]
    Open(#[from] orm::Error),
    /// Its tables could not be brought up to date.
    #[error("the database's tables cannot be migrated")]
    Migrate(#[from] migrate::Error),
}

/// Everything that is a table.
pub fn models() -> Models {
    Models::new()
        .add::<User>()
        .add::<Movie>()
        .add::<Notice>()
        .add::<DownloadRecord>()
        .add::<KeptSession>()
        .add::<Claim>()
}

/// The migrations that the program has in itself.
pub fn migrations() -> Migrations {
    models().embedded(include_migrations!("migrations"))
}

/// Opens the SQLite file at `path`, which is made when it is missing, and migrates it.
///
/// # Errors
///
/// As [`open_url`].
pub async fn open_file(path: &Path) -> Result<DbPool, DatabaseError> {
    migrated(orm::sqlite::open(path).await?.into()).await
}

/// Opens the database at `url` and migrates it. Servers that start at once take turns.
///
/// # Errors
///
/// When the database cannot be reached, refuses, or holds tables of another program's making. On
/// MySQL, whose definitions cannot be undone, a migration that broke off is named from then on.
pub async fn open_url(url: &str) -> Result<DbPool, DatabaseError> {
    migrated(DbPool::connect(url).await?).await
}

async fn migrated(db: DbPool) -> Result<DbPool, DatabaseError> {
    let migrations = migrations();
    // Tables that were made out of the models alone come along.
    migrations.adopt(&db).await?;
    migrations.up(&db).await?;
    Ok(db)
}
