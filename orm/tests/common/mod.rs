//! The databases that a test runs on: SQLite in a temporary folder, and the servers that the environment names.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by tests that use parts of it"
)]

use packetboat_orm::{DbPool, Driver};
use sqlx::Pool;

/// A pool of one connection to a SQLite file, and the folder that it is in.
#[cfg(feature = "sqlite")]
pub async fn sqlite() -> (tempfile::TempDir, sqlx::SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("test.db"))
        .create_if_missing(true);
    let pool = sqlx::sqlite::SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await;
    (folder, pool.unwrap())
}

/// The URL of a server, or `None` after saying that it is missing.
///
/// # Panics
///
/// If it is missing and `PACKETBOAT_TESTS` is `required`.
pub fn url(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok();
    if url.is_none() {
        let required = std::env::var("PACKETBOAT_TESTS").is_ok_and(|value| value == "required");
        assert!(
            !required,
            "{variable} is not set, and PACKETBOAT_TESTS=required"
        );
        eprintln!("skipped: {variable} is not set");
    }
    url
}

/// A pool of one connection, through a [`proxy`].
#[cfg(feature = "postgres")]
pub async fn postgres() -> Option<sqlx::PgPool> {
    let options: sqlx::postgres::PgConnectOptions =
        url("PACKETBOAT_POSTGRES_URL")?.parse().unwrap();
    let port = proxy(options.get_host().to_owned(), options.get_port()).await;
    let options = options.host("127.0.0.1").port(port);
    Some(
        sqlx::postgres::PgPoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .unwrap(),
    )
}

/// A pool of one connection, through a [`proxy`].
#[cfg(feature = "mysql")]
pub async fn mysql() -> Option<sqlx::MySqlPool> {
    let options: sqlx::mysql::MySqlConnectOptions = url("PACKETBOAT_MYSQL_URL")?.parse().unwrap();
    let port = proxy(options.get_host().to_owned(), options.get_port()).await;
    let options = options.host("127.0.0.1").port(port);
    Some(
        sqlx::mysql::MySqlPoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .unwrap(),
    )
}

/// Passes bytes on to a server, by a task of this runtime.
///
/// A server on the same machine may answer before the client looks, and then an await is no place to be cancelled. With
/// a task in between, and one thread for both, whoever asks has to wait.
async fn proxy(host: String, port: u16) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let host = host.clone();
            tokio::spawn(async move {
                let Ok(mut server) = tokio::net::TcpStream::connect((host, port)).await else {
                    return;
                };
                let _ = client.set_nodelay(true);
                let _ = server.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    local
}

/// Runs a test, generic over the database, on each that there is.
#[macro_export]
macro_rules! on_each_database {
    ($($name:ident;)+) => {$(
        mod $name {
            #[cfg(feature = "sqlite")]
            #[tokio::test]
            async fn sqlite() {
                let (_folder, pool) = $crate::common::sqlite().await;
                super::cases::$name(&pool).await;
            }

            #[cfg(feature = "postgres")]
            #[tokio::test]
            async fn postgres() {
                let Some(pool) = $crate::common::postgres().await else { return };
                super::cases::$name(&pool).await;
            }

            #[cfg(feature = "mysql")]
            #[tokio::test]
            async fn mysql() {
                let Some(pool) = $crate::common::mysql().await else { return };
                super::cases::$name(&pool).await;
            }
        }
    )+};
}

/// The same pool as one chosen at run time.
pub fn erased<DB: Driver>(pool: &Pool<DB>) -> DbPool
where
    DbPool: From<Pool<DB>>,
{
    DbPool::from(pool.clone())
}
