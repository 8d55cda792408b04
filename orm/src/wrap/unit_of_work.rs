//! One connection for the statements of a piece of work.

use std::fmt;

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::driver::{Access, Pooled};
use crate::error::Result;
use crate::executor::{Collect, Done, Executor};
use crate::statement::Statement;

/// Holds one connection of a pool from the first statement on, until it is dropped or [`release`](Self::release)d.
///
/// Each statement on a pool asks for a connection and gives it back. A request that sends many saves that here, and
/// work that needs the connection itself (a temporary table, an advisory lock) finds it again.
///
/// ```
/// use packetboat_orm::{DbPool, Model, ModelExt, Result, UnitOfWork, transaction};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// async fn sign_up(pool: &DbPool, name: &str) -> Result<u64> {
///     let mut db = UnitOfWork::new(pool);
///     if User::select().filter(user::name.eq(name)).exists(&mut db).await? {
///         return Ok(0);
///     }
///     // On the same connection.
///     transaction(&mut db, async |tx| User { id: 0, name: name.to_owned() }.insert(tx).await).await?;
///     User::select().count(&mut db).await
/// }
/// ```
///
/// On a [`sqlite::Pool`](crate::DbPool) and on a [`Routed`](crate::Routed) it begins with a connection that reads, and
/// changes it for one of the writer at the first write or transaction: do not hold it while waiting for something else,
/// since others may be waiting for the writer. It leaves the reader of a `Routed` too when a clone of that scope has
/// written.
///
/// # Cancel safety
///
/// A statement that is dropped leaves nothing behind for the next user of the connection. Where it, or a transaction
/// that was dropped, has cost the connection, everything here returns [`Error::Poisoned`](crate::Error::Poisoned) until
/// [`release`](Self::release): a new connection would not have what the old one held.
pub struct UnitOfWork<P: Pooled> {
    pool: P,
    held: Option<(P::Connection, Access)>,
}

impl<P: Pooled> UnitOfWork<P> {
    /// Over a pool, of which it takes nothing yet.
    pub const fn new(pool: P) -> Self {
        Self { pool, held: None }
    }

    /// Gives the connection back. The next statement takes another.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// Whether a connection is held.
    #[must_use]
    pub const fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    async fn hold(&mut self, access: Access) -> Result<&mut P::Connection> {
        let can = self.held.as_ref().map(|(_, can)| *can);
        if can.is_none_or(|can| can < access) {
            // First, since a pool may have no other.
            self.held = None;
            self.held = Some(self.pool.hold(access).await?);
        }
        let (connection, _) = self.held.as_mut().expect("it was taken above");
        Ok(connection)
    }
}

impl<P: Pooled> Executor for UnitOfWork<P> {
    type Tx = <P::Connection as Executor>::Tx;

    fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        self.hold(Access::Write).await?.enter().await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let access = if statement.kind().is_read() {
            // Asked each time: another hand in the same scope may have written meanwhile.
            self.pool.to_read()
        } else {
            Access::Write
        };
        let connection = self.hold(access).await?;
        connection.run(statement, params, out).await
    }
}

impl<P: Pooled> fmt::Debug for UnitOfWork<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitOfWork")
            .field("is_holding", &self.is_holding())
            .finish_non_exhaustive()
    }
}
