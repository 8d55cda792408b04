//! Many rows past sqlx: the connection goes to a thread that may block, and comes back with the rows collected.

use std::future::{Future, poll_fn};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;
use std::ops::ControlFlow;
use std::panic;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use tokio::runtime::Handle as Runtime;
use tokio::task::spawn_blocking;

use crate::driver::home::Home;
use crate::driver::sqlite::raw::{Fault, Handle, Interrupt, May, Query};
use crate::driver::sqlite::refuse;
use crate::driver::sqlite::values::Values;
use crate::error::{Error, Result};
use crate::executor::{Collect, Done};
use crate::statement::Statement;

/// Up to so many rows, what sqlx takes for each is less than the way to another thread and back.
const FEW: u64 = 32;

/// How many rows statements gave the last time, by a hash of their SQL. No more than a guess: a statement gives the same
/// rows whichever way it goes, and two that share a place only guess worse.
static SEEN: [AtomicU64; 256] = [const { AtomicU64::new(u64::MAX) }; 256];

/// What is known of the number of rows of a statement.
pub(super) struct Guess(&'static AtomicU64);

impl Guess {
    pub(super) fn of(statement: &Statement) -> Self {
        let mut hasher = DefaultHasher::new();
        statement.sql().hash(&mut hasher);
        // The remainder fits any integer.
        Self(&SEEN[(hasher.finish() % 256) as usize])
    }

    /// Whether they may be many: they were, or it is not known.
    pub(super) fn is_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) > FEW
    }

    pub(super) fn note(&self, rows: u64) {
        self.0.store(rows, Ordering::Relaxed);
    }
}

/// How it went past sqlx.
pub(super) enum Outcome<C> {
    /// Every row was collected: so many.
    Read(C, u64, Done),
    /// It is none for here, and nothing was done: the text is not one statement, it writes though it was said to read,
    /// or SQLite refuses it.
    Refused(Values, C),
}

/// Runs a statement on another thread.
///
/// The connection is locked on this one: it has just answered the pool, and its thread, not asleep yet, answers again at
/// once.
///
/// Dropped half way, a read is broken off, and the connection comes home by itself.
pub(super) async fn read<C: Collect>(
    home: &mut Home<Sqlite>,
    statement: &Statement,
    values: Values,
    out: C,
) -> Result<Outcome<C>> {
    let mut journey = home.send_away().await?;
    let interrupt = Arc::new(Interrupt::default());
    let may = if statement.kind().is_read() {
        May::Read
    } else {
        May::Write
    };
    let _guard = InterruptOnDrop(Arc::clone(&interrupt), may);
    let statement = statement.clone();
    let shore = Arc::new(AtomicBool::new(false));
    let crossing = Crossing(Arc::clone(&shore));
    let mut job = Box::pin(async move {
        // By reference: it goes home last, whatever happens here, a panic of the collector too.
        let connection = journey.connection();
        there(
            connection, &statement, may, values, out, &interrupt, crossing,
        )
        .await
    });
    let early = poll_fn(|context| match job.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if shore.load(Ordering::Relaxed) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    if let Some(outcome) = early.await {
        return outcome;
    }
    match spawn_blocking(move || Runtime::current().block_on(job)).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => panic::resume_unwind(payload),
            // The runtime shuts down, and did not begin it.
            Err(_) => Err(Error::Connection {
                source: sqlx::Error::WorkerCrashed,
            }),
        },
    }
}

/// Waits to be carried to a thread that may block: it is pending the first time that it is polled, and says so.
struct Crossing(Arc<AtomicBool>);

impl Future for Crossing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.swap(true, Ordering::Relaxed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Breaks a read off when the one who waits for it goes away; nothing afterwards.
struct InterruptOnDrop(Arc<Interrupt>, May);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.interrupt(self.1);
    }
}

/// Locks the connection, crosses over, and reads.
async fn there<C: Collect>(
    connection: &mut SqliteConnection,
    statement: &Statement,
    may: May,
    values: Values,
    out: C,
    interrupt: &Arc<Interrupt>,
    crossing: Crossing,
) -> Result<Outcome<C>> {
    let mut behind = Behind::default();
    let outcome = async {
        let sql = statement.sql().trim();
        let Some(mut handle) = lock(connection, interrupt, &mut behind).await? else {
            return Ok(Outcome::Read(out, 0, Done::default()));
        };
        crossing.await;
        if !statement.is_persistent() {
            return match handle.prepare(sql, may) {
                Some(query) => collect(query, statement, may, values, out, interrupt),
                None => Ok(Outcome::Refused(values, out)),
            };
        }
        // Found in sqlx's own cache of prepared statements, and brought into it by sqlx itself: so there is one cache,
        // with the size and the rules that the pool's owner gave it.
        if let Some(query) = handle.cached(sql, may) {
            return collect(query, statement, may, values, out, interrupt);
        }
        drop(handle);
        if connection.prepare(statement.sql_str()).await.is_err() {
            return Ok(Outcome::Refused(values, out));
        }
        let Some(mut handle) = lock(connection, interrupt, &mut behind).await? else {
            return Ok(Outcome::Read(out, 0, Done::default()));
        };
        match handle.cached(sql, may) {
            Some(query) => collect(query, statement, may, values, out, interrupt),
            None => Ok(Outcome::Refused(values, out)),
        }
    }
    .await;
    behind.wait_for(connection).await;
    outcome
}

/// Whether the connection's own thread has not yet taken it back from the lock before.
///
/// Then the question for it stays in that thread's queue. With as many as the queue holds, which is 50 by default, the
/// next who locks would wait for a place in the queue, and the thread for the lock that he has already.
#[derive(Default)]
struct Behind(bool);

impl Behind {
    /// Waits until the thread has done all that it was asked. One that is gone is found out by whoever comes next.
    async fn wait_for(self, connection: &mut SqliteConnection) {
        if self.0 {
            let _ = connection.ping().await;
        }
    }
}

/// Locks sqlx's thread out of the connection; `None` if nobody waits for the read any more.
async fn lock<'c>(
    connection: &'c mut SqliteConnection,
    interrupt: &Arc<Interrupt>,
    behind: &mut Behind,
) -> Result<Option<Handle<'c>>> {
    let mut asked = pin!(connection.lock_handle());
    let mut is_first = true;
    let lock = poll_fn(|context| {
        let lock = asked.as_mut().poll(context);
        // Where the thread has it, it has to be asked first.
        behind.0 |= mem::take(&mut is_first) && lock.is_ready();
        lock
    });
    let lock = lock.await.map_err(|source| Error::Connection { source })?;
    Ok(Handle::new(lock, Arc::clone(interrupt)))
}

fn collect<C: Collect>(
    query: Query<'_>,
    statement: &Statement,
    may: May,
    values: Values,
    mut out: C,
    interrupt: &Interrupt,
) -> Result<Outcome<C>> {
    let refused = |fault: Fault| refuse(sqlx::Error::Database(Box::new(fault)), statement);
    // Bound, it lives no longer than the values.
    let mut query = query;
    query.bind(&values).map_err(refused)?;
    let (mut rows, mut is_wanted) = (0, true);
    if interrupt.has_come() {
        return Ok(Outcome::Read(out, rows, Done::default()));
    }
    loop {
        is_wanted = is_wanted && !interrupt.has_come() && ready(&mut out).is_continue();
        // A write runs to its end, whatever becomes of its rows.
        if !is_wanted && may == May::Read {
            break;
        }
        match query.step() {
            Ok(Some(row)) => {
                rows += 1;
                is_wanted = is_wanted && out.row(&row)?.is_continue();
            }
            Ok(None) => break,
            // Another connection to a cache that they share: sqlx knows how to wait for it.
            Err(fault) if rows == 0 && fault.is_shared_cache_lock() => {
                drop(query);
                return Ok(Outcome::Refused(values, out));
            }
            Err(fault) => return Err(refused(fault)),
        }
    }
    let mut done = Done::default();
    if may == May::Write {
        (done.rows_affected, done.last_insert_id) = query.changes();
    }
    Ok(Outcome::Read(out, rows, done))
}

/// Waits until the collector has room. One that takes every row at once has it.
fn ready(out: &mut impl Collect) -> ControlFlow<()> {
    let at_once = pin!(out.ready()).poll(&mut Context::from_waker(Waker::noop()));
    match at_once {
        Poll::Ready(flow) => flow,
        // By itself: this thread is inside of the runtime's own already, which takes no second.
        Poll::Pending => futures_executor::block_on(out.ready()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn locks_in_a_row_never_fill_the_threads_queue() {
        let connection = SqliteConnection::connect("sqlite::memory:").await;
        let mut connection = connection.expect("a database in memory");
        let interrupt = Arc::new(Interrupt::default());
        // Let go at once, the lock is free again before the thread comes to wait for it.
        let all = async {
            for _ in 0..1_000 {
                let mut behind = Behind::default();
                let handle = lock(&mut connection, &interrupt, &mut behind).await;
                drop(handle.expect("a connection"));
                behind.wait_for(&mut connection).await;
            }
        };
        timeout(Duration::from_secs(20), all)
            .await
            .expect("no wait without end");
    }
}
