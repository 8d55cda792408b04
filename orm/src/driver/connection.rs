//! One connection for several statements, and transactions on it.

use std::fmt;

use sqlx::Pool;
use sqlx::pool::PoolConnection;

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::driver::lease::Lease;
use crate::driver::tx::{Session, Tx};
use crate::driver::{Driver, acquire};
use crate::error::Result;
use crate::executor::{Collect, Done, Executor};
use crate::statement::Statement;

/// A connection held for several statements, which can also enter transactions.
///
/// sqlx's own `PoolConnection` runs statements, but a transaction owns its connection, and a borrowed one cannot be
/// moved into it. This one lends its connection, and gets it back when the transaction ends. If the transaction is
/// cancelled instead, the connection is gone, and everything here returns [`Error::Poisoned`](crate::Error::Poisoned).
pub struct Connection<DB: Driver> {
    session: Session<DB>,
}

impl<DB: Driver> Connection<DB> {
    /// Takes a connection of the pool.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`](crate::Error::Connection) when there is none.
    pub async fn acquire(pool: &Pool<DB>) -> Result<Self> {
        acquire(pool, true).await.map(Self::on)
    }

    /// A connection of a pool.
    pub(super) const fn on(lease: Lease<DB>) -> Self {
        Self {
            session: Session::new(lease),
        }
    }
}

impl<DB: Driver> From<PoolConnection<DB>> for Connection<DB> {
    fn from(connection: PoolConnection<DB>) -> Self {
        Self::on(Lease::new(connection))
    }
}

impl<DB: Driver> Executor for Connection<DB> {
    type Tx = Tx<DB>;

    fn dialect(&self) -> Dialect {
        DB::DIALECT
    }

    async fn enter(&mut self) -> Result<Tx<DB>> {
        self.session.enter(DB::BEGIN).await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        self.session.run(statement, params, out).await
    }
}

impl<DB: Driver> fmt::Debug for Connection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
