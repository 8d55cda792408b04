//! The database's tables: migrated at start, on whichever database the URL names.

use std::str::FromStr;

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

/// Brings the tables of the database at `url` up to date. Servers that start at once take turns.
///
/// # Errors
///
/// When the database cannot be reached, refuses, or holds tables of another program's making. On
/// MySQL, whose definitions cannot be undone, a migration that broke off is named from then on.
pub async fn migrate(url: &str) -> Result<(), MigrateError> {
    match url.split(':').next() {
        Some("postgres" | "postgresql") => {
            let mut connection = PgConnection::connect(url).await?;
            migrator!("postgres").run(&mut connection).await?;
            connection.close().await?;
        }
        Some("mysql" | "mariadb") => {
            let mut connection = MySqlConnection::connect(url).await?;
            migrator!("mysql").run(&mut connection).await?;
            connection.close().await?;
        }
        _ => {
            let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true);
            let mut connection = options.connect().await?;
            // sqlx's own lock does nothing on SQLite. A transaction that writes from the start is
            // one, and makes all of the migrations one step.
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            migrator!("sqlite").run(&mut *transaction).await?;
            transaction.commit().await?;
            connection.close().await?;
        }
    }
    Ok(())
}
