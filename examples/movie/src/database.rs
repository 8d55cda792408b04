//! The database: opened by URL, its tables brought up to date at start.

use std::path::Path;
use std::str::FromStr;

use packetboat_orm::{self as orm, DbPool, Dialect, Executor};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, MySqlConnection, PgConnection, SqlSafeStr};

/// The migrations of one folder, oldest first.
macro_rules! migrations {
    ($folder:literal: $($file:literal)*) => {{
        let mut version = 0;
        Migrator::with_migrations(vec![$({
            version += 1;
            let sql = include_str!(concat!("../migrations/", $folder, "/", $file, ".sql"));
            Migration::new(version, $file.into(), MigrationType::Simple, sql.into_sql_str(), false)
        }),*])
    }};
}

/// The same files in each folder, so that a table cannot be forgotten on one database.
macro_rules! migrator {
    ($folder:literal) => {
        migrations!($folder:
            "0001_user"
            "0002_movie"
            "0003_notice"
            "0004_download_record"
            "0005_session"
            "0006_claim"
        )
    };
}

/// Why a database cannot be used. The URL is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// It cannot be reached, or the URL is none.
    #[error("the database cannot be opened")]
    Open(#[from] orm::Error),
    /// Its tables could not be brought up to date.
    #[error("the database's tables cannot be migrated")]
    Migrate(#[from] MigrateError),
}

/// Opens the SQLite file at `path`, which is made when it is missing, and migrates it.
///
/// # Errors
///
/// As [`open_url`].
pub async fn open_file(path: &Path) -> Result<DbPool, DatabaseError> {
    let db = orm::sqlite::open(path).await?;
    migrate_sqlite(SqliteConnectOptions::new().filename(path)).await?;
    Ok(db.into())
}

/// Opens the database at `url` and migrates it. Servers that start at once take turns.
///
/// # Errors
///
/// When the database cannot be reached, refuses, or holds tables of another program's making. On
/// MySQL, whose definitions cannot be undone, a migration that broke off is named from then on.
pub async fn open_url(url: &str) -> Result<DbPool, DatabaseError> {
    let db = DbPool::connect(url).await?;
    match db.dialect() {
        Dialect::Postgres => {
            let mut connection = PgConnection::connect(url)
                .await
                .map_err(MigrateError::from)?;
            migrator!("postgres").run(&mut connection).await?;
        }
        Dialect::MySql => {
            let mut connection = MySqlConnection::connect(url)
                .await
                .map_err(MigrateError::from)?;
            migrator!("mysql").run(&mut connection).await?;
        }
        Dialect::Sqlite => {
            let options = SqliteConnectOptions::from_str(url).map_err(MigrateError::from)?;
            migrate_sqlite(options).await?;
        }
    }
    Ok(db)
}

async fn migrate_sqlite(options: SqliteConnectOptions) -> Result<(), MigrateError> {
    let mut connection = options.foreign_keys(true).connect().await?;
    // sqlx's own lock does nothing on SQLite. A transaction that writes from the start is one, and
    // makes all of the migrations one step.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    migrator!("sqlite").run(&mut *transaction).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}
