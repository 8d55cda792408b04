//! A fresh database for one test, removed afterwards.

use std::sync::atomic::{AtomicU64, Ordering};

use movie::messages::Secret;
use sqlx::migrate::MigrateDatabase;

use super::skip;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MySql,
    Postgres,
    Sqlite,
}

/// A database that exists for one test.
#[derive(Debug)]
pub struct Database {
    pub kind: Kind,
    /// What the server is told; on SQLite nothing, since it makes its own file.
    pub url: Option<Secret>,
}

impl Database {
    /// A new one; `None` when there is no server of this kind, which is said.
    pub async fn fresh(kind: Kind) -> Option<Self> {
        let variable = match kind {
            Kind::Sqlite => return Some(Self { kind, url: None }),
            Kind::Postgres => "PACKETBOAT_POSTGRES_URL",
            Kind::MySql => "PACKETBOAT_MYSQL_URL",
        };
        let Ok(admin) = std::env::var(variable) else {
            skip(&format!("{variable} is not set"));
            return None;
        };
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let url = with_database(&admin, &format!("movie_{}_{count}", std::process::id()));
        match kind {
            Kind::Postgres => sqlx::Postgres::create_database(&url).await.unwrap(),
            _ => sqlx::MySql::create_database(&url).await.unwrap(),
        }
        Some(Self {
            kind,
            url: Some(Secret(url)),
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(url) = self.url.take() else { return };
        let kind = self.kind;
        // A test's runtime is busy ending the test, so the database goes on a thread of its own.
        let gone = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                match kind {
                    Kind::Postgres => sqlx::Postgres::force_drop_database(&url.0).await,
                    _ => sqlx::MySql::drop_database(&url.0).await,
                }
            })
        });
        if let Ok(Err(error)) = gone.join() {
            eprintln!("the test's database was not removed: {error}");
        }
    }
}

/// The URL with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, String::new()), |(base, query)| {
            (base, format!("?{query}"))
        });
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..]
        .find('/')
        .map_or(base.len(), |at| authority + at);
    format!("{}/{name}{query}", &base[..end])
}

#[test]
fn database_of_a_url_is_replaced() {
    let with = |url| with_database(url, "x");
    assert_eq!(with("postgres://u:p@h:1/postgres"), "postgres://u:p@h:1/x");
    assert_eq!(with("mysql://u@h"), "mysql://u@h/x");
    assert_eq!(
        with("postgres:///a?host=/tmp/s"),
        "postgres:///x?host=/tmp/s"
    );
}
