//! A pool over a server, which may be cut off, restarted, or replaced by another.

use sqlx::Pool;
use sqlx::pool::PoolOptions;

use crate::codec::{Params, sealed};
use crate::dialect::Dialect;
use crate::driver::lease::Lease;
use crate::driver::options::{ACQUIRE_TIME, CONNECTIONS};
use crate::driver::vigil::Vigil;
use crate::driver::{
    Access, Connection, DbOptions, Driver, Pooled, Tx, acquire, bind, frame, keep, refusal,
};
use crate::error::Result;
use crate::executor::{Collect, Done, Executor};
use crate::shared::Shared;
use crate::statement::Statement;

/// sqlx's pool, and what this crate adds to one that it has opened itself.
pub(super) struct ServerPool<DB: Driver> {
    pool: Pool<DB>,
    /// `None` for a pool that was made with sqlx, which keeps the times it was made with.
    vigil: Option<Vigil<DB>>,
}

impl<DB: Driver> ServerPool<DB> {
    pub(super) async fn open(options: &DbOptions) -> Result<Self> {
        let connect: <DB::Connection as sqlx::Connection>::Options =
            options.url.parse().map_err(refusal::connection)?;
        let vigil = Vigil::new(connect.clone(), options.silence_timeout);
        let test = vigil.clone();
        let pool = PoolOptions::new()
            .max_connections(options.max_connections.unwrap_or(CONNECTIONS))
            .acquire_timeout(options.acquire_timeout.unwrap_or(ACQUIRE_TIME))
            .test_before_acquire(false)
            .before_acquire(move |connection, met| {
                let test = test.clone();
                Box::pin(async move { Ok(test.accepts(connection, met.age).await) })
            });
        let pool = pool
            .connect_with(connect)
            .await
            .map_err(refusal::connection)?;
        Ok(Self {
            pool,
            vigil: Some(vigil),
        })
    }

    /// sqlx's own pool.
    pub(super) const fn sqlx(&self) -> &Pool<DB> {
        &self.pool
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn acquire(&self, writes: bool) -> Result<Lease<DB>> {
        let lease = acquire(&self.pool, writes).await?;
        Ok(lease.with_vigil(self.vigil.as_ref()))
    }

    pub(super) async fn begin(&self, begin: &'static str) -> Result<Tx<DB>> {
        let lease = self.acquire(begin == DB::BEGIN).await?;
        Tx::begin_on(lease.with_token(frame::note(&self.pool, begin)), begin).await
    }
}

impl<DB: Driver> From<Pool<DB>> for ServerPool<DB> {
    fn from(pool: Pool<DB>) -> Self {
        Self { pool, vigil: None }
    }
}

impl<DB: Driver> Clone for ServerPool<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            vigil: self.vigil.clone(),
        }
    }
}

impl<DB: Driver> std::fmt::Debug for ServerPool<DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pool.fmt(f)
    }
}

impl<DB: Driver> Executor for ServerPool<DB> {
    type Tx = Tx<DB>;

    fn dialect(&self) -> Dialect {
        DB::DIALECT
    }

    async fn enter(&mut self) -> Result<Tx<DB>> {
        self.begin(DB::BEGIN).await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let values = bind::<DB>(&params)?;
        let acquire = self.acquire(!statement.kind().is_read());
        keep::run(&self.pool, acquire, statement, values, out).await
    }
}

impl<DB: Driver> Shared for ServerPool<DB> {}

impl<DB: Driver> Pooled for ServerPool<DB> {
    type Connection = Connection<DB>;

    async fn hold(&self, _: Access) -> Result<(Self::Connection, Access)> {
        Ok((Connection::on(self.acquire(true).await?), Access::Write))
    }

    async fn close_all(&self) {
        self.close().await;
    }
}

impl<DB: Driver> sealed::Sealed for ServerPool<DB> {}
