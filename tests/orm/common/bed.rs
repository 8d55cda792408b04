//! What a test stands on: a fresh database and a pool over it.

use std::future::Future;
use std::sync::Arc;

use packetboat_orm::test::Database;
use packetboat_orm::{DbPool, Dialect, Error, Executor, Finish, Pooled, Result, sqlite};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{MySqlPool, PgPool, SqlitePool};

/// Connections of a pool: enough for a test that needs two at once.
const CONNECTIONS: u32 = 4;

/// A database of a test's own, with a pool over it. Clones share both.
pub(crate) trait Bed: Clone + Send + Sync + 'static {
    /// The pool's transactions. Named here, so that it is known not to borrow from the pool, which is what lets a
    /// closure that takes one run in a task.
    type Tx: Executor<Tx = Self::Tx> + Finish + 'static;

    /// The pool.
    type Pool: Pooled + Executor<Tx = Self::Tx> + 'static;

    /// Creates a database on such a server and connects to it; `None` where the server is not there.
    async fn make(server: Dialect) -> Option<Self>;

    /// A database of its own on the same server.
    async fn another(&self) -> Self {
        let another = Self::make(self.server()).await;
        another.expect("one more, where there was a first")
    }

    /// The pool, as one passes it: `&pool`.
    fn db(&self) -> impl Executor<Tx = Self::Tx> + Copy;

    /// The pool by value, for a wrapper.
    fn pool(&self) -> Self::Pool;

    /// Another pool of the same kind.
    fn connect(url: String) -> impl Future<Output = Result<Self::Pool>> + Send + 'static;

    /// Another pool over the same database, of one connection, which shows what another process would see.
    async fn other(&self) -> DbPool {
        DbPool::connect(self.url()).await.expect("a second pool")
    }

    /// What it runs on.
    fn server(&self) -> Dialect;

    /// The database's URL.
    fn url(&self) -> &str;
}

fn opening(source: sqlx::Error) -> Error {
    Error::Connection { source }
}

macro_rules! beds {
    ($($(#[$doc:meta])* $bed:ident($pool:ty): $connect:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $bed {
            // Dropped first, so that nobody is connected to the database when it is removed.
            pool: $pool,
            database: Arc<Database>,
            server: Dialect,
        }

        impl Bed for $bed {
            type Tx = <$pool as Executor>::Tx;
            type Pool = $pool;

            async fn make(server: Dialect) -> Option<Self> {
                let database = Arc::new(Database::fresh(server).await?);
                let pool = Self::connect(database.url().to_owned())
                    .await
                    .expect("a pool over a fresh database");
                Some(Self { pool, database, server })
            }

            fn db(&self) -> impl Executor<Tx = Self::Tx> + Copy {
                &self.pool
            }

            fn pool(&self) -> $pool {
                self.pool.clone()
            }

            #[allow(clippy::manual_async_fn, reason = "as the trait has it")]
            fn connect(url: String) -> impl Future<Output = Result<$pool>> + Send + 'static {
                async move {
                    let connect = $connect;
                    connect(url).await
                }
            }

            fn server(&self) -> Dialect {
                self.server
            }

            fn url(&self) -> &str {
                self.database.url()
            }
        }
    )+};
}

beds! {
    /// sqlx's pool over SQLite.
    Sqlite(SqlitePool): async |url: String| {
        SqlitePoolOptions::new().max_connections(CONNECTIONS).connect(&url).await.map_err(opening)
    };
    /// sqlx's pool over PostgreSQL.
    Postgres(PgPool): async |url: String| {
        PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await.map_err(opening)
    };
    /// sqlx's pool over MariaDB.
    MySql(MySqlPool): async |url: String| {
        MySqlPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await.map_err(opening)
    };
    /// A SQLite file with one writer and several readers.
    SqliteFile(sqlite::Pool): async |url: String| {
        let path = url.trim_start_matches("sqlite://").trim_end_matches("?mode=rwc").to_owned();
        sqlite::open(path).await
    };
    /// The pool chosen by a URL, over any of them: one type, so that the tests are compiled once for it.
    ByUrl(DbPool): async |url: String| DbPool::connect(&url).await;
}
