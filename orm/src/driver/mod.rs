//! The only rooms that know sqlx: three databases, and what is alike on them.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

mod connection;
mod db_connection;
pub(crate) mod frame;
#[cfg_attr(
    not(feature = "sqlite"),
    allow(
        dead_code,
        reason = "only SQLite's connections are away while they read"
    )
)]
mod home;
pub(crate) mod keep;
mod lease;
mod migrate;
mod options;
mod pool;
mod pooled;
mod refusal;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod run;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod server;
mod tx;
mod vigil;
#[cfg(feature = "sqlite")]
mod wait;

#[cfg(any(
    feature = "sqlite",
    all(feature = "test", any(feature = "mysql", feature = "postgres"))
))]
pub(crate) use self::refusal::connection as connection_error;
#[cfg(feature = "sqlite")]
pub(crate) use self::wait::run_within;

pub(crate) use self::migrate::{Act, Failure};

pub use self::connection::Connection;
pub use self::db_connection::DbConnection;
pub use self::options::DbOptions;
pub use self::pool::{DbPool, DbTx};
pub(crate) use self::pooled::Access;
pub use self::pooled::Pooled;
pub use self::tx::Tx;

use std::future::{Future, ready};

use futures_util::future::BoxFuture;
use sqlx::{Database, Pool};

use crate::codec::{Params, Sink, Source, sealed};
use crate::dialect::Dialect;
use crate::driver::home::Home;
use crate::driver::lease::Lease;
use crate::error::Result;
use crate::executor::{Collect, Done, Executor};
use crate::shared::Shared;
use crate::statement::Statement;

/// A database that sqlx has a driver for and that this crate knows. Sealed.
pub trait Driver: Database<Row: Source> + sealed::Sealed {
    /// What the values of a statement are bound to.
    #[doc(hidden)]
    type Values: Sink + Default + Send;

    /// Its SQL.
    #[doc(hidden)]
    const DIALECT: Dialect;

    /// What begins a transaction that may write.
    #[doc(hidden)]
    const BEGIN: &'static str;

    /// What begins a transaction that only reads.
    #[doc(hidden)]
    const BEGIN_READ: &'static str;

    /// Whether a statement that changes tables commits the transaction that it stands in.
    #[doc(hidden)]
    const SCHEMA_COMMITS: bool;

    /// Whether a connection that was left in a transaction is rolled back, or closed.
    #[doc(hidden)]
    const ROLLS_BACK_WHEN_LEFT: bool;

    /// Whether a connection is of use after a statement on it was dropped while it owed an answer.
    #[doc(hidden)]
    const SURVIVES_CANCEL: bool;

    /// Runs a statement whose values are bound. `owes` is set while the connection owes an answer, and not while the
    /// collector is waited for between two rows.
    #[doc(hidden)]
    fn run<C: Collect>(
        connection: &mut Self::Connection,
        owes: &mut bool,
        statement: &Statement,
        values: Self::Values,
        out: C,
    ) -> impl Future<Output = Result<(C, Done)>> + Send;

    /// The same on a connection of a pool, which may be carried elsewhere meanwhile.
    #[doc(hidden)]
    fn run_at_home<C: Collect>(
        home: &mut Home<Self>,
        owes: &mut bool,
        statement: &Statement,
        values: Self::Values,
        out: C,
    ) -> impl Future<Output = Result<(C, Done)>> + Send {
        async move { Self::run(home.get().await?, owes, statement, values, out).await }
    }

    /// Runs a statement of transaction control.
    #[doc(hidden)]
    fn control(
        connection: &mut Self::Connection,
        statement: Statement,
    ) -> impl Future<Output = Result<()>> + Send;

    /// What an error does to the transaction that it happened in.
    #[doc(hidden)]
    fn harm(error: &sqlx::Error) -> Harm;

    /// Whether the database has rolled back the transaction by itself, where its error does not tell. Asked after an
    /// error that says that the statement alone has failed.
    #[doc(hidden)]
    fn is_rolled_back(_: &mut Self::Connection) -> impl Future<Output = bool> + Send {
        ready(false)
    }

    /// Whether this connection is of no use any more, and each that is as old.
    #[doc(hidden)]
    fn is_outdated(_: &sqlx::Error) -> bool {
        false
    }

    /// Whether the server refused since it takes no writes, so that another server now does.
    #[doc(hidden)]
    fn takes_no_writes(_: &sqlx::Error) -> bool {
        false
    }

    /// Whether the answer to a ROLLBACK was that there is nothing to roll back.
    #[doc(hidden)]
    fn says_no_transaction(error: &sqlx::Error) -> bool;
}

/// What an error did to a transaction on the server.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[doc(hidden)]
#[allow(unnameable_types, reason = "part of a sealed trait")]
pub enum Harm {
    /// Nothing: the statement alone failed.
    None,
    /// A rollback to a savepoint mends it.
    Level,
    /// The whole transaction is gone.
    Transaction,
}

/// Binds the values; whatever cannot be stored is refused here, before a connection is even asked for.
fn bind<DB: Driver>(params: &impl Params) -> Result<DB::Values> {
    let mut values = DB::Values::default();
    params.bind(&mut values)?;
    Ok(values)
}

/// Each statement takes a connection of the pool for itself.
impl<DB: Driver> Executor for Pool<DB> {
    type Tx = Tx<DB>;

    fn dialect(&self) -> Dialect {
        DB::DIALECT
    }

    async fn enter(&mut self) -> Result<Tx<DB>> {
        Tx::begin(self, DB::BEGIN).await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let values = bind::<DB>(&params)?;
        let acquire = acquire(self, !statement.kind().is_read());
        keep::run(self, acquire, statement, values, out).await
    }
}

/// Takes a connection of the pool, for a statement or a transaction that may write, or that reads.
async fn acquire<DB: Driver>(pool: &Pool<DB>, writes: bool) -> Result<Lease<DB>> {
    frame::check(pool, writes)?;
    // What sqlx does here is large: it may have to open a connection. Whoever waits for a statement would carry it.
    let acquire: BoxFuture<'_, _> = Box::pin(pool.acquire());
    match acquire.await {
        Ok(connection) => Ok(Lease::new(connection)),
        Err(error) => Err(refusal::connection(error)),
    }
}

impl<DB: Driver> Shared for Pool<DB> {}
