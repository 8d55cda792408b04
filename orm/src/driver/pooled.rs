//! Pools: what a connection can be taken out of for longer than a statement, and what can be closed.

#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(
        unused_variables,
        reason = "without any database there is nothing to take out"
    )
)]

use std::future::Future;

use sqlx::Pool;

use crate::codec::sealed;
#[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
use crate::driver::pool::nothing;
use crate::driver::pool::{Pools, each};
#[cfg(feature = "sqlite")]
use crate::driver::wait::busy;
use crate::driver::{Connection, DbConnection, DbPool, Driver};
use crate::error::Result;
use crate::executor::Executor;
use crate::shared::Shared;
#[cfg(feature = "sqlite")]
use crate::sqlite;

/// A pool of connections, or a wrapper of this crate around one. Sealed.
///
/// [`UnitOfWork`](crate::UnitOfWork) holds one of its connections, and [`Tenants`](crate::Tenants) opens and closes many.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a pool of connections",
    note = "a sqlx pool is one, `DbPool`, `sqlite::Pool`, and this crate's wrappers around one"
)]
pub trait Pooled: Shared + sealed::Sealed {
    /// A connection that is held.
    type Connection: Executor;

    /// Takes a connection that can do this at least, and says what it can.
    #[doc(hidden)]
    fn hold(
        &self,
        access: Access,
    ) -> impl Future<Output = Result<(Self::Connection, Access)>> + Send;

    /// What a connection must be able to do for a read to see what it may expect now.
    #[doc(hidden)]
    fn to_read(&self) -> Access {
        Access::Read
    }

    /// Closes every connection, once each has come back.
    #[doc(hidden)]
    fn close_all(&self) -> impl Future<Output = ()> + Send;
}

/// What a connection is taken for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[doc(hidden)]
#[allow(unnameable_types, reason = "part of a sealed trait")]
pub enum Access {
    /// Reads of what was so a while ago.
    ReadLate,
    Read,
    Write,
}

impl<P: Pooled> Pooled for &P {
    type Connection = P::Connection;

    fn hold(
        &self,
        access: Access,
    ) -> impl Future<Output = Result<(Self::Connection, Access)>> + Send {
        P::hold(self, access)
    }

    fn to_read(&self) -> Access {
        P::to_read(self)
    }

    fn close_all(&self) -> impl Future<Output = ()> + Send {
        P::close_all(self)
    }
}

impl<P: sealed::Sealed> sealed::Sealed for &P {}

impl<DB: Driver> Pooled for Pool<DB> {
    type Connection = Connection<DB>;

    async fn hold(&self, _: Access) -> Result<(Self::Connection, Access)> {
        Ok((Connection::acquire(self).await?, Access::Write))
    }

    async fn close_all(&self) {
        self.close().await;
    }
}

impl<DB: Driver> sealed::Sealed for Pool<DB> {}

/// A reader, until a write asks for the writer.
#[cfg(feature = "sqlite")]
impl Pooled for sqlite::Pool {
    type Connection = Connection<sqlx::Sqlite>;

    async fn hold(&self, access: Access) -> Result<(Self::Connection, Access)> {
        let pool = match access {
            Access::ReadLate | Access::Read => self.readers(),
            Access::Write => self.writer(),
        };
        // Not shortened by the wait for it, as it is for a statement: the connection is held for many.
        let connection = Connection::acquire(pool).await.map_err(busy)?;
        Ok((connection, access))
    }

    async fn close_all(&self) {
        self.close().await;
    }
}

#[cfg(feature = "sqlite")]
impl sealed::Sealed for sqlite::Pool {}

impl Pooled for DbPool {
    type Connection = DbConnection;

    async fn hold(&self, access: Access) -> Result<(Self::Connection, Access)> {
        each!(Pools(self.pools()), pool => {
            let (connection, access) = pool.hold(access).await?;
            Ok((DbConnection::from(connection), access))
        })
    }

    async fn close_all(&self) {
        self.close().await;
    }
}

impl sealed::Sealed for DbPool {}
