//! One connection for the queries of one read, so that none of them asks its pool again.
//!
//! A relation is a query for each level. A pool asks a connection whether it still lives whenever it gives it out and
//! whenever it takes it back, which costs about as much as a small query. So what loads relations runs in a scope, in
//! which a pool leaves the connection of one query for the next. The statements stay what they are, and so does
//! everything around the pool: it is the pool that looks here.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;

use sqlx::Pool;

use crate::driver::lease::Lease;
use crate::driver::{Driver, frame};
use crate::error::Result;
use crate::executor::{Collect, Done};
use crate::statement::Statement;

tokio::task_local! {
    static KEPT: RefCell<Option<Box<dyn Any + Send>>>;
}

/// A connection, and whose it is.
struct Kept<DB: Driver> {
    pool: usize,
    lease: Lease<DB>,
}

/// Runs a read of several queries. What it has kept goes back to its pool when it ends, or is dropped.
pub(crate) async fn scope<T>(read: impl Future<Output = T>) -> T {
    if KEPT.try_with(|_| ()).is_ok() {
        read.await
    } else {
        KEPT.scope(RefCell::default(), read).await
    }
}

/// Runs a statement on the connection that the one before has left, else on one that is acquired, and leaves it in turn.
pub(super) async fn run<DB: Driver, C: Collect>(
    pool: &Pool<DB>,
    acquire: impl Future<Output = Result<Lease<DB>>>,
    statement: &Statement,
    values: DB::Values,
    out: C,
) -> Result<(C, Done)> {
    let mut lease = match take(pool) {
        Some(lease) => lease,
        None => acquire.await?,
    };
    let outcome = lease.run(statement, values, out).await;
    leave(pool, lease);
    outcome
}

/// The connection that the query before has left, if it is one of this pool.
fn take<DB: Driver>(pool: &Pool<DB>) -> Option<Lease<DB>> {
    let is_ours = |kept: &Kept<DB>| kept.pool == frame::identity(pool);
    let taken = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.as_ref()?.downcast_ref().is_some_and(is_ours) {
            kept.take()?.downcast::<Kept<DB>>().ok()
        } else {
            None
        }
    });
    Some(taken.ok()??.lease)
}

/// Leaves a connection for the next query; outside of a scope it goes back to its pool, and so does one that is not as
/// it came from there.
fn leave<DB: Driver>(pool: &Pool<DB>, lease: Lease<DB>) {
    if !lease.is_plain() {
        return;
    }
    let kept = Kept {
        pool: frame::identity(pool),
        lease,
    };
    let before = KEPT.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        slot.replace(Box::new(kept))
    });
    // Not while the slot is borrowed: it goes back to its pool, which may run other code.
    drop(before);
}
