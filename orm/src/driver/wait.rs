//! One deadline over both waits of SQLite: for a connection, and for the lock.

use std::time::{Duration, Instant};

use sqlx::{Sqlite, SqlitePool};

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::driver::lease::Lease;
use crate::driver::{Tx, acquire, bind, frame, keep};
use crate::error::{Error, Result};
use crate::executor::{Collect, Done};
use crate::statement::Statement;

/// A wait for the connection that is too short to be counted: setting the time for the lock costs a little.
const UNCOUNTED: Duration = Duration::from_millis(100);

/// Runs a statement on a connection of the pool.
pub(crate) async fn run_within<C: Collect>(
    pool: &SqlitePool,
    limit: Option<Duration>,
    statement: &Statement,
    params: impl Params,
    out: C,
) -> Result<(C, Done)> {
    let values = bind::<Sqlite>(&params)?;
    let acquire = acquire_within(pool, limit, !statement.kind().is_read());
    keep::run(pool, acquire, statement, values, out).await
}

impl Tx<Sqlite> {
    /// Takes a connection of the pool and begins.
    pub(crate) async fn begin_within(
        pool: &SqlitePool,
        begin: &'static str,
        limit: Option<Duration>,
    ) -> Result<Self> {
        let writes = begin == <Sqlite as crate::driver::Driver>::BEGIN;
        let lease = acquire_within(pool, limit, writes).await?;
        Self::begin_on(lease.with_token(frame::note(pool, begin)), begin).await
    }
}

/// Takes a connection, on which what is left of the limit is the time for the lock.
///
/// A deadline of our own around the statement would not do: the thread of the connection would go on waiting for the
/// lock, and then write, after its caller has been told that it did not.
async fn acquire_within(
    pool: &SqlitePool,
    limit: Option<Duration>,
    writes: bool,
) -> Result<Lease<Sqlite>> {
    let Some(limit) = limit else {
        return acquire(pool, writes).await;
    };
    let began = Instant::now();
    let lease = acquire(pool, writes).await.map_err(busy)?;
    let waited = began.elapsed();
    if waited < UNCOUNTED {
        return Ok(lease);
    }
    // Before it is shortened, since this may be dropped while that is under way.
    let mut lease = lease.with_restore(Statement::busy_timeout(millis(limit)));
    let left = limit.saturating_sub(waited);
    lease.control(Statement::busy_timeout(millis(left))).await?;
    Ok(lease)
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// There is no server that could be away: whoever waits for a connection waits for another's statement.
pub(super) fn busy(error: Error) -> Error {
    match error {
        Error::Connection {
            source: source @ sqlx::Error::PoolTimedOut,
        } => Error::Busy {
            dialect: Dialect::Sqlite,
            source,
        },
        error => error,
    }
}
