//! Which connections the transaction around this code holds, so that nobody waits for itself.
//!
//! A pool used inside its own transaction takes another connection, and where there is only one, or only one that
//! writes, that never comes: whoever waits for it holds it. `transaction` runs its closure in a frame, in which each
//! transaction that it begins is noted; a pool looks there before it waits. A transaction that was begun by hand, or a
//! task that the closure has spawned, is in no frame: there the time for getting a connection ends the wait.

use std::cell::RefCell;
use std::future::Future;
use std::sync::{Arc, Weak};

use sqlx::Pool;

use crate::dialect::Dialect;
use crate::driver::Driver;
use crate::error::{Error, Result};

tokio::task_local! {
    static HELD: RefCell<Vec<Held>>;
    static ENTERING: ();
}

/// Alive while a transaction holds its connection.
pub(super) type Token = Arc<()>;

struct Held {
    /// Where the options of its pool lie, which is how one sqlx pool is told from another.
    pool: usize,
    writes: bool,
    token: Weak<()>,
}

/// Runs the code of a transaction in a frame; inside another frame, in that one.
///
/// Boxed: a future that contains all that it runs grows with each layer around the database, transactions within
/// transactions most of all, and the compiler follows it only 128 layers deep.
pub(crate) async fn scope<T>(run: impl Future<Output = T>) -> T {
    let run = Box::pin(run);
    if HELD.try_with(|_| ()).is_ok() {
        run.await
    } else {
        HELD.scope(RefCell::default(), run).await
    }
}

/// Begins the transaction of a frame. One that its closure begins by itself may end up anywhere, also in a task that
/// ends it while the closure waits for its connection; so only this one is noted.
pub(crate) async fn entering<T>(enter: impl Future<Output = T>) -> T {
    ENTERING.scope((), enter).await
}

/// Notes a transaction that begins on a pool; `None` where it is not that of a frame.
pub(super) fn note<DB: Driver>(pool: &Pool<DB>, begin: &'static str) -> Option<Token> {
    ENTERING.try_with(|()| ()).ok()?;
    HELD.try_with(|held| {
        let token = Token::default();
        let mut held = held.borrow_mut();
        held.retain(|held| held.token.strong_count() > 0);
        held.push(Held {
            pool: identity(pool),
            writes: begin == DB::BEGIN,
            token: Arc::downgrade(&token),
        });
        token
    })
    .ok()
}

/// Refuses to wait for a connection of a pool, or for SQLite's one lock, that a transaction around this code holds.
pub(super) fn check<DB: Driver>(pool: &Pool<DB>, writes: bool) -> Result<()> {
    let waits_for_itself = |held: &Held| {
        let is_only = pool.options().get_max_connections() == 1;
        let is_locked = DB::DIALECT == Dialect::Sqlite && writes && held.writes;
        held.token.strong_count() > 0 && held.pool == identity(pool) && (is_only || is_locked)
    };
    let refused = HELD.try_with(|held| held.borrow().iter().any(waits_for_itself));
    if refused.unwrap_or(false) {
        return Err(Error::WouldDeadlock);
    }
    Ok(())
}

/// What tells one sqlx pool from another.
pub(super) fn identity<DB: Driver>(pool: &Pool<DB>) -> usize {
    Arc::as_ptr(&pool.connect_options()) as usize
}
