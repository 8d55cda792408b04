//! A fresh database for a test, on each kind of server, removed afterwards.

use std::env;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use sqlx::{Connection, MySqlConnection, PgConnection};
use tempfile::TempDir;
use tokio::runtime;

/// The kinds of server that the orm speaks to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Server {
    /// MySQL or MariaDB, at `PACKETBOAT_MYSQL_URL`.
    MySql,
    /// PostgreSQL, at `PACKETBOAT_POSTGRES_URL`.
    Postgres,
    /// A file in a temporary folder.
    Sqlite,
}

impl Server {
    /// The variable with the URL of a server on which databases may be created, which `tests/run` starts.
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::MySql => Some("PACKETBOAT_MYSQL_URL"),
            Self::Postgres => Some("PACKETBOAT_POSTGRES_URL"),
            Self::Sqlite => None,
        }
    }
}

/// An empty database of a test's own. Dropping it removes it, also when the test has failed.
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
        server: Server,
        admin_url: String,
        name: String,
    },
}

impl Database {
    /// Creates a database, or returns `None` where no server of this kind is there to run on.
    ///
    /// # Panics
    ///
    /// When the server cannot be reached, and when it is missing though `PACKETBOAT_TESTS=required` says that every
    /// server is there: a test that was left out must not look like one that passed.
    pub async fn fresh(server: Server) -> Option<Self> {
        let Some(variable) = server.variable() else {
            return Some(Self::in_folder());
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
        let name = unique_name();
        let create = match server {
            Server::MySql => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
            Server::Postgres | Server::Sqlite => format!("CREATE DATABASE {name}"),
        };
        administer(server, &admin_url, create)
            .await
            .expect("the server creates a database");
        let url = replace_database(&admin_url, &name);
        Some(Self {
            url,
            home: Home::Server {
                server,
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
            Home::Server { server, name, .. } => write!(f, "Database({server:?} {name})"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Home::Server {
            server,
            admin_url,
            name,
        } = &self.home
        else {
            return;
        };
        let server = *server;
        let admin_url = admin_url.clone();
        let remove = match server {
            // A test that failed may have left connections open.
            Server::Postgres => format!("DROP DATABASE {name} WITH (FORCE)"),
            Server::MySql | Server::Sqlite => {
                format!("SET STATEMENT lock_wait_timeout = 1 FOR DROP DATABASE {name}")
            }
        };
        // The runtime that drops this cannot wait, so another one does, on a thread of its own. A failure is only
        // told: the server goes away with everything that it holds.
        let removed = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(administer(server, &admin_url, remove))
        });
        match removed.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("{self:?} was not removed: {error}"),
            Err(_) => eprintln!("{self:?} was not removed"),
        }
    }
}

/// Runs one statement on a connection of its own.
async fn administer(server: Server, admin_url: &str, statement: String) -> Result<(), sqlx::Error> {
    // A name cannot be bound. The statement is made above of nothing but our own words, and a test process is short.
    let statement: &'static str = statement.leak();
    match server {
        Server::MySql => {
            let mut connection = MySqlConnection::connect(admin_url).await?;
            sqlx::raw_sql(statement).execute(&mut connection).await?;
            connection.close().await
        }
        Server::Postgres => {
            let mut connection = PgConnection::connect(admin_url).await?;
            sqlx::raw_sql(statement).execute(&mut connection).await?;
            connection.close().await
        }
        Server::Sqlite => Ok(()),
    }
}

/// A name that no other test has, in this process or beside it.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("packetboat_{}_{count}", std::process::id())
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

    #[tokio::test]
    async fn a_database_goes_away_with_its_value_on_postgres() {
        let Some(database) = Database::fresh(Server::Postgres).await else {
            return;
        };
        let url = database.url().to_owned();
        let open = PgConnection::connect(&url)
            .await
            .expect("the fresh database answers");
        drop(database);
        drop(open);
        let error = PgConnection::connect(&url).await.expect_err("it is gone");
        assert!(error.to_string().contains("does not exist"), "{error}");
    }

    #[tokio::test]
    async fn a_database_goes_away_with_its_value_on_mysql() {
        let Some(database) = Database::fresh(Server::MySql).await else {
            return;
        };
        let url = database.url().to_owned();
        let open = MySqlConnection::connect(&url)
            .await
            .expect("the fresh database answers");
        drop(database);
        drop(open);
        let error = MySqlConnection::connect(&url)
            .await
            .expect_err("it is gone");
        assert!(error.to_string().contains("Unknown database"), "{error}");
    }
}
