//! A fresh database for a test, on each kind of server, removed afterwards.

#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    allow(
        unused,
        clippy::unused_async,
        reason = "without a server there is nothing to create a database on"
    )
)]

use std::env;
use std::fmt;
use std::thread;

#[cfg(any(feature = "mysql", feature = "postgres"))]
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::runtime;
use uuid::Uuid;

use crate::dialect::Dialect;
use crate::driver::DbPool;
#[cfg(any(feature = "mysql", feature = "postgres"))]
use crate::driver::connection_error;
use crate::error::{Error, Result};

/// An empty database of a test's own. Dropping it removes it, also when the test has failed.
///
/// ```
/// use packetboat_orm::test::Database;
/// use packetboat_orm::{Dialect, Model, ModelExt};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> packetboat_orm::Result<()> {
/// // SQLite needs no server. On PostgreSQL it is `None` where `PACKETBOAT_POSTGRES_URL` is not set.
/// let Some(database) = Database::fresh(Dialect::Sqlite).await else { return Ok(()) };
/// let db = database.pool().await?;
/// User::create_table(&db).await?;
/// assert_eq!(User::select().count(&db).await?, 0);
/// # Ok(()) }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
pub struct Database {
    url: String,
    home: Home,
}

/// Where a database lives, and so how it is removed.
enum Home {
    Folder {
        _folder: TempDir,
    },
    Server {
        dialect: Dialect,
        admin_url: String,
        name: String,
    },
}

impl Database {
    /// Creates a database, or returns `None` where there is no server of this kind to run on.
    ///
    /// SQLite's is a file in a temporary folder. A server is the one at `PACKETBOAT_POSTGRES_URL` or
    /// `PACKETBOAT_MYSQL_URL`, on which the account of the URL may create databases.
    ///
    /// # Panics
    ///
    /// When the server cannot be reached, and when it is missing though `PACKETBOAT_TESTS=required` says that every
    /// server is there: a test that was left out must not look like one that passed.
    pub async fn fresh(dialect: Dialect) -> Option<Self> {
        let variable = match dialect {
            Dialect::MySql => "PACKETBOAT_MYSQL_URL",
            Dialect::Postgres => "PACKETBOAT_POSTGRES_URL",
            Dialect::Sqlite => return Some(Self::in_folder()),
        };
        let Ok(admin_url) = env::var(variable) else {
            let required = env::var("PACKETBOAT_TESTS").is_ok_and(|value| value == "required");
            assert!(
                !required,
                "{variable} is not set, and PACKETBOAT_TESTS=required"
            );
            eprintln!("left out: {variable} is not set");
            return None;
        };
        Some(
            Self::on(dialect, admin_url)
                .await
                .expect("the server creates a database"),
        )
    }

    /// Creates a database on the server at a URL, whose account may create databases. For SQLite the URL is not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`] when the server does not answer, or refuses; [`Error::Configuration`] where its kind is not
    /// among this crate's features.
    pub async fn on(dialect: Dialect, admin_url: impl Into<String>) -> Result<Self> {
        let admin_url = admin_url.into();
        let name = unique_name();
        let create = match dialect {
            Dialect::MySql => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
            Dialect::Postgres => format!("CREATE DATABASE {name}"),
            Dialect::Sqlite => return Ok(Self::in_folder()),
        };
        administer(dialect, &admin_url, create).await?;
        Ok(Self {
            url: replace_database(&admin_url, &name),
            home: Home::Server {
                dialect,
                admin_url,
                name,
            },
        })
    }

    fn in_folder() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("test.db").display()
        );
        Self {
            url,
            home: Home::Folder { _folder: folder },
        }
    }

    /// A pool over this database.
    ///
    /// # Errors
    ///
    /// As [`DbPool::connect`].
    pub async fn pool(&self) -> Result<DbPool> {
        DbPool::connect(&self.url).await
    }

    /// The URL of this database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Says which database, without the password that is in the URL.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.home {
            Home::Folder { .. } => f.write_str("Database(sqlite)"),
            Home::Server { dialect, name, .. } => write!(f, "Database({dialect} {name})"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Home::Server {
            dialect,
            admin_url,
            name,
        } = &self.home
        else {
            return;
        };
        let dialect = *dialect;
        let admin_url = admin_url.clone();
        let remove = match dialect {
            // A test that failed may have left connections open.
            Dialect::Postgres => format!("DROP DATABASE {name} WITH (FORCE)"),
            Dialect::MySql | Dialect::Sqlite => {
                format!("/*M! SET STATEMENT lock_wait_timeout = 1 FOR */ DROP DATABASE {name}")
            }
        };
        // The runtime that drops this cannot wait, so another one does, on a thread of its own. A failure is only told.
        let removed = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Error::Connection {
                    source: error.into(),
                })?;
            runtime.block_on(administer(dialect, &admin_url, remove))
        });
        match removed.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("{self:?} was not removed: {error}"),
            Err(_) => eprintln!("{self:?} was not removed"),
        }
    }
}

#[cfg(any(feature = "mysql", feature = "postgres"))]
macro_rules! run {
    ($Connection:ty, $url:expr, $statement:expr) => {{
        let run = async {
            let mut connection = <$Connection>::connect($url).await?;
            sqlx::raw_sql($statement).execute(&mut connection).await?;
            connection.close().await
        };
        run.await.map_err(connection_error)
    }};
}

/// Runs one statement on a connection of its own.
async fn administer(dialect: Dialect, admin_url: &str, statement: String) -> Result<()> {
    // A name cannot be bound. The statement is made above of nothing but our own words, and a test process is short.
    let statement: &'static str = statement.leak();
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => run!(sqlx::MySqlConnection, admin_url, statement),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => run!(sqlx::PgConnection, admin_url, statement),
        #[allow(unreachable_patterns, reason = "reachable with fewer features")]
        dialect => Err(Error::Configuration {
            reason: format!("{dialect} is not compiled in"),
        }),
    }
}

/// A name that no other test has: in this process, beside it, in another container on the same server, or in a run that
/// was killed and has left its databases behind.
fn unique_name() -> String {
    format!("packetboat_{}", Uuid::new_v4().simple())
}

/// The URL with another database in its path, whatever options follow.
fn replace_database(url: &str, name: &str) -> String {
    let (base, options) = url
        .split_once('?')
        .map_or((url, None), |(base, options)| (base, Some(options)));
    let host = base.find("://").map_or(0, |at| at + 3);
    let end = base[host..].find('/').map_or(base.len(), |at| host + at);
    let base = &base[..end];
    options.map_or_else(
        || format!("{base}/{name}"),
        |options| format!("{base}/{name}?{options}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        for (url, replaced) in [
            (
                "postgres://a:b@127.0.0.1:5/postgres",
                "postgres://a:b@127.0.0.1:5/x",
            ),
            ("mysql://a@127.0.0.1:5", "mysql://a@127.0.0.1:5/x"),
            (
                "mysql://a@localhost/mysql?socket=/run/my/sock",
                "mysql://a@localhost/x?socket=/run/my/sock",
            ),
        ] {
            assert_eq!(replace_database(url, "x"), replaced);
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_file_goes_away_with_its_value() {
        let database = Database::fresh(Dialect::Sqlite).await.expect("a folder");
        let pool = database.pool().await.expect("a pool");
        let path = database
            .url()
            .trim_start_matches("sqlite://")
            .trim_end_matches("?mode=rwc")
            .to_owned();
        assert!(std::path::Path::new(&path).is_file());
        pool.close().await;
        drop(database);
        assert!(!std::path::Path::new(&path).exists());
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn a_database_goes_away_with_its_value_on_postgres() {
        let Some(database) = Database::fresh(Dialect::Postgres).await else {
            return;
        };
        let url = database.url().to_owned();
        let open = sqlx::PgConnection::connect(&url)
            .await
            .expect("the fresh database answers");
        drop(database);
        drop(open);
        let error = sqlx::PgConnection::connect(&url)
            .await
            .expect_err("it is gone");
        assert!(error.to_string().contains("does not exist"), "{error}");
    }

    #[cfg(feature = "mysql")]
    #[tokio::test]
    async fn a_database_goes_away_with_its_value_on_mysql() {
        let Some(database) = Database::fresh(Dialect::MySql).await else {
            return;
        };
        let url = database.url().to_owned();
        let open = sqlx::MySqlConnection::connect(&url)
            .await
            .expect("the fresh database answers");
        drop(database);
        drop(open);
        let error = sqlx::MySqlConnection::connect(&url)
            .await
            .expect_err("it is gone");
        assert!(error.to_string().contains("Unknown database"), "{error}");
    }
}
