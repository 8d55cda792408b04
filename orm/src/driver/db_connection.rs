//! A connection whose database was chosen at run time.

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
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use crate::driver::Connection;
use crate::driver::DbTx;
#[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
use crate::driver::pool::nothing;
use crate::driver::pool::{Txs, each};
use crate::error::Result;
use crate::executor::{Collect, Done, Executor};
use crate::statement::Statement;

/// A connection of a [`DbPool`](crate::DbPool), held for several statements by a [`UnitOfWork`](crate::UnitOfWork).
#[derive(Debug)]
pub struct DbConnection(Connections);

#[derive(Debug)]
enum Connections {
    #[cfg(feature = "mysql")]
    MySql(Connection<sqlx::MySql>),
    #[cfg(feature = "postgres")]
    Postgres(Connection<sqlx::Postgres>),
    #[cfg(feature = "sqlite")]
    Sqlite(Connection<sqlx::Sqlite>),
    #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
    None(Infallible),
}

#[cfg(feature = "mysql")]
impl From<Connection<sqlx::MySql>> for DbConnection {
    fn from(connection: Connection<sqlx::MySql>) -> Self {
        Self(Connections::MySql(connection))
    }
}

#[cfg(feature = "postgres")]
impl From<Connection<sqlx::Postgres>> for DbConnection {
    fn from(connection: Connection<sqlx::Postgres>) -> Self {
        Self(Connections::Postgres(connection))
    }
}

#[cfg(feature = "sqlite")]
impl From<Connection<sqlx::Sqlite>> for DbConnection {
    fn from(connection: Connection<sqlx::Sqlite>) -> Self {
        Self(Connections::Sqlite(connection))
    }
}

impl Executor for DbConnection {
    type Tx = DbTx;

    fn dialect(&self) -> Dialect {
        each!(Connections(&self.0), connection => connection.dialect())
    }

    async fn enter(&mut self) -> Result<DbTx> {
        each!(Connections(&mut self.0), connection => wrap connection.enter().await).map(DbTx::from)
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        each!(Connections(&mut self.0), connection => connection.run(statement, params, out).await)
    }
}
