//! A pool whose database is chosen at run time.

#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(
        unused_variables,
        clippy::needless_pass_by_value,
        clippy::unused_async,
        reason = "without any database there is nothing to forward to"
    )
)]

#[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
use std::convert::Infallible;

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::driver::DbOptions;
#[cfg(any(feature = "mysql", feature = "postgres"))]
use crate::driver::Driver as _;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use crate::driver::Tx;
#[cfg(any(feature = "mysql", feature = "postgres"))]
use crate::driver::server::ServerPool;
use crate::error::{Error, Result};
use crate::executor::{Collect, Done, Executor, Finish};
use crate::shared::Shared;
#[cfg(feature = "sqlite")]
use crate::sqlite;
use crate::statement::Statement;

/// A pool whose database is chosen at run time, by its URL. Cheap to clone; pass it as `&db`.
///
/// Every field type works on it, as on the pools that it holds.
#[derive(Clone, Debug)]
pub struct DbPool(pub(super) Pools);

#[derive(Clone, Debug)]
pub(super) enum Pools {
    #[cfg(feature = "mysql")]
    MySql(ServerPool<sqlx::MySql>),
    #[cfg(feature = "postgres")]
    Postgres(ServerPool<sqlx::Postgres>),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Pool),
    #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
    None(Infallible),
}

/// A transaction of a [`DbPool`].
#[derive(Debug)]
pub struct DbTx(Txs);

#[derive(Debug)]
pub(super) enum Txs {
    #[cfg(feature = "mysql")]
    MySql(Tx<sqlx::MySql>),
    #[cfg(feature = "postgres")]
    Postgres(Tx<sqlx::Postgres>),
    #[cfg(feature = "sqlite")]
    Sqlite(Tx<sqlx::Sqlite>),
    #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
    None(Infallible),
}

/// What to do with a pool of no database, of which there is none.
#[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
pub(super) fn nothing<T>(never: impl std::borrow::Borrow<Infallible>) -> T {
    match *never.borrow() {}
}

/// The same for whichever database it is.
macro_rules! each {
    ($of:ident($value:expr), $one:ident => $same:expr) => {
        match $value {
            #[cfg(feature = "mysql")]
            $of::MySql($one) => $same,
            #[cfg(feature = "postgres")]
            $of::Postgres($one) => $same,
            #[cfg(feature = "sqlite")]
            $of::Sqlite($one) => $same,
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            $of::None(never) => nothing(never),
        }
    };
    ($of:ident($value:expr), $one:ident => wrap $same:expr) => {
        match $value {
            #[cfg(feature = "mysql")]
            $of::MySql($one) => $same.map(Txs::MySql),
            #[cfg(feature = "postgres")]
            $of::Postgres($one) => $same.map(Txs::Postgres),
            #[cfg(feature = "sqlite")]
            $of::Sqlite($one) => $same.map(Txs::Sqlite),
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            $of::None(never) => nothing::<Result<Txs>>(never),
        }
    };
}

pub(super) use each;

impl DbPool {
    /// Opens the pool of `sqlite:PATH`, `postgres://..`, `postgresql://..`, `mysql://..` or `mariadb://..`.
    ///
    /// SQLite gets the profile of `sqlite::open`, the file being created where there is none. A server gets up to 10
    /// connections, and every call on it ends within 3 seconds when it cannot be reached; [`DbOptions`] says more of the
    /// times, and changes them. A pool that was made with sqlx and converted with `DbPool::from` keeps sqlx's own.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for a URL that cannot be read, or whose database is not among this crate's features;
    /// [`Error::Connection`] when the server does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(DbOptions::from_url(url)?).await
    }

    pub(super) async fn connect_with(options: DbOptions) -> Result<Self> {
        let scheme = options.url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                let mut sqlite = sqlite::Options::from_url(&options.url)?;
                if let Some(readers) = options.max_connections {
                    sqlite = sqlite.readers(readers);
                }
                if let Some(time) = options.acquire_timeout {
                    sqlite = sqlite.busy_timeout(time);
                }
                sqlite.open().await.map(Self::from)
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let pool = ServerPool::open(&options).await?;
                Ok(Self(Pools::Postgres(pool)))
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                let pool = ServerPool::open(&options).await?;
                Ok(Self(Pools::MySql(pool)))
            }
            // The URL itself is not repeated: it may hold a password.
            scheme => Err(Error::Configuration {
                reason: format!("no database for URLs that begin with {scheme:?} is compiled in"),
            }),
        }
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    ///
    /// As [`Executor::enter`].
    pub async fn begin(&self) -> Result<DbTx> {
        let mut this = self;
        this.enter().await
    }

    /// Begins a transaction that only reads: it sees one state of the database, and on SQLite leaves the writer free.
    ///
    /// # Errors
    ///
    /// As [`Executor::enter`]. The database refuses a write in it; SQLite does so on the readers of `sqlite::open`, and not on a
    /// pool that was made with sqlx, or in memory.
    pub async fn begin_read(&self) -> Result<DbTx> {
        match &self.0 {
            #[cfg(feature = "mysql")]
            Pools::MySql(pool) => pool
                .begin(sqlx::MySql::BEGIN_READ)
                .await
                .map(Txs::MySql)
                .map(DbTx),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => pool
                .begin(sqlx::Postgres::BEGIN_READ)
                .await
                .map(Txs::Postgres)
                .map(DbTx),
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(pool) => pool.begin_read().await.map(Txs::Sqlite).map(DbTx),
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            Pools::None(never) => nothing(never),
        }
    }

    /// The pool itself.
    pub(super) const fn pools(&self) -> &Pools {
        &self.0
    }

    /// Closes every connection, once each has come back.
    pub async fn close(&self) {
        let () = each!(Pools(&self.0), pool => pool.close().await);
    }
}

/// A reference is as good as a clone, which is the count of a reference too.
impl From<&Self> for DbPool {
    fn from(pool: &Self) -> Self {
        pool.clone()
    }
}

macro_rules! from_reference {
    ($($feature:literal: $pool:ty;)+) => {$(
        #[cfg(feature = $feature)]
        impl From<&$pool> for DbPool {
            fn from(pool: &$pool) -> Self {
                Self::from(pool.clone())
            }
        }
    )+};
}

from_reference! {
    "mysql": sqlx::MySqlPool;
    "postgres": sqlx::PgPool;
    "sqlite": sqlite::Pool;
    "sqlite": sqlx::SqlitePool;
}

#[cfg(feature = "sqlite")]
impl From<sqlite::Pool> for DbPool {
    fn from(pool: sqlite::Pool) -> Self {
        Self(Pools::Sqlite(pool))
    }
}

#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for DbPool {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self(Pools::Sqlite(pool.into()))
    }
}

#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for DbPool {
    fn from(pool: sqlx::PgPool) -> Self {
        Self(Pools::Postgres(pool.into()))
    }
}

#[cfg(feature = "mysql")]
impl From<sqlx::MySqlPool> for DbPool {
    fn from(pool: sqlx::MySqlPool) -> Self {
        Self(Pools::MySql(pool.into()))
    }
}

/// Each statement takes a connection of the pool for itself.
impl Executor for DbPool {
    type Tx = DbTx;

    fn dialect(&self) -> Dialect {
        each!(Pools(&self.0), pool => pool.dialect())
    }

    async fn enter(&mut self) -> Result<DbTx> {
        each!(Pools(&mut self.0), pool => wrap pool.enter().await).map(DbTx)
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        each!(Pools(&mut self.0), pool => pool.run(statement, params, out).await)
    }
}

impl Shared for DbPool {}

impl From<Txs> for DbTx {
    fn from(tx: Txs) -> Self {
        Self(tx)
    }
}

impl Executor for DbTx {
    type Tx = Self;

    fn dialect(&self) -> Dialect {
        each!(Txs(&self.0), tx => tx.dialect())
    }

    async fn enter(&mut self) -> Result<Self> {
        each!(Txs(&mut self.0), tx => wrap tx.enter().await).map(Self)
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        each!(Txs(&mut self.0), tx => tx.run(statement, params, out).await)
    }
}

impl Finish for DbTx {
    async fn commit(self) -> Result<()> {
        each!(Txs(self.0), tx => tx.commit().await)
    }

    async fn rollback(self) -> Result<()> {
        each!(Txs(self.0), tx => tx.rollback().await)
    }
}
