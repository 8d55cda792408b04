//! A transaction that owns its connection, savepoints, what a cancellation does.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::Pool;

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::driver::lease::Lease;
use crate::driver::{Driver, Harm, acquire, bind, frame};
use crate::error::{Error, Result};
use crate::executor::{Collect, Done, Executor, Finish};
use crate::statement::{Kind, Statement};

/// A transaction: [`begin`](crate::begin) or [`transaction`](crate::transaction) makes one, [`Finish`] ends it.
///
/// It owns its connection, so it can move into a task. Dropped without an end, or cancelled at any await, it is undone:
/// the connection is rolled back (SQLite) or closed, and never goes back to its pool inside a transaction.
///
/// [`enter`](Executor::enter) begins a nested one, a savepoint. It takes the connection over until it ends. If it is
/// dropped without an end, nobody knows what it did, so the outer one can no longer be committed.
pub struct Tx<DB: Driver> {
    session: Session<DB>,
}

impl<DB: Driver> Tx<DB> {
    /// Takes a connection of the pool and begins.
    pub(crate) async fn begin(pool: &Pool<DB>, begin: &'static str) -> Result<Self> {
        let lease = acquire(pool, begin == DB::BEGIN).await?;
        Self::begin_on(lease.with_token(frame::note(pool, begin)), begin).await
    }

    /// Begins on a connection of a pool.
    pub(super) async fn begin_on(lease: Lease<DB>, begin: &'static str) -> Result<Self> {
        Session::new(lease).enter(begin).await
    }
}

impl<DB: Driver> Executor for Tx<DB> {
    type Tx = Self;

    fn dialect(&self) -> Dialect {
        DB::DIALECT
    }

    async fn enter(&mut self) -> Result<Self> {
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

impl<DB: Driver> Finish for Tx<DB> {
    async fn commit(mut self) -> Result<()> {
        self.session.commit().await
    }

    async fn rollback(mut self) -> Result<()> {
        self.session.rollback().await
    }
}

impl<DB: Driver> fmt::Debug for Tx<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("depth", &self.session.depth)
            .finish_non_exhaustive()
    }
}

/// Where a nested transaction gives the connection back to the one around it.
///
/// A plain mutex: it is held to move a value in or out, never across an await.
type Slot<DB> = Arc<Mutex<Option<Returned<DB>>>>;

/// A connection that comes back, and in which state.
struct Returned<DB: Driver> {
    lease: Lease<DB>,
    harm: Harm,
    poisoned: bool,
}

fn lock<DB: Driver>(slot: &Slot<DB>) -> MutexGuard<'_, Option<Returned<DB>>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection and how deep in transactions it is: 0 is none, 1 is BEGIN, more are savepoints.
pub(super) struct Session<DB: Driver> {
    /// `None` while a nested transaction has it, and once this one has ended.
    lease: Option<Lease<DB>>,
    depth: u32,
    /// Where the connection goes when this ends; `None` for the pool.
    home: Option<Slot<DB>>,
    /// Where the connection comes back from a nested transaction.
    lent: Option<Slot<DB>>,
    /// What errors did to the transaction on the server.
    harm: Harm,
    /// Whether something here was cancelled half way, so that committing could keep a half of it.
    poisoned: bool,
    /// The kind of the statement under way; still there when its future was dropped.
    under_way: Option<Kind>,
    /// Whether a read was dropped half way: it has changed nothing, but may have failed unseen.
    unsure: bool,
}

impl<DB: Driver> Session<DB> {
    pub(super) const fn new(lease: Lease<DB>) -> Self {
        Self {
            lease: Some(lease),
            depth: 0,
            home: None,
            lent: None,
            harm: Harm::None,
            poisoned: false,
            under_way: None,
            unsure: false,
        }
    }

    pub(super) async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let values = bind::<DB>(&params)?;
        self.settle()?;
        self.check_usable()?;
        let in_transaction = self.depth > 0;
        if DB::SCHEMA_COMMITS && in_transaction && statement.kind() == Kind::Schema {
            return Err(Error::Unsupported {
                dialect: DB::DIALECT,
                what: "a change of tables in a transaction, which it would commit half way",
            });
        }
        let lease = self.lease.as_mut().ok_or(Error::NestedOpen)?;
        self.under_way = in_transaction.then_some(statement.kind());
        let outcome = lease.run(statement, values, out).await;
        if let (true, Err(error)) = (in_transaction, &outcome)
            && error.driver().map(DB::harm) == Some(Harm::None)
            && lease.is_rolled_back().await
        {
            self.harm = Harm::Transaction;
        }
        self.under_way = None;
        if let (true, Err(error)) = (in_transaction, &outcome) {
            self.note(error);
        }
        outcome
    }

    /// Begins a transaction, or a savepoint in one, and lends the connection to it.
    pub(super) async fn enter(&mut self, begin: &'static str) -> Result<Tx<DB>> {
        self.settle()?;
        self.check_usable()?;
        let mut lease = self.lease.take().ok_or(Error::NestedOpen)?;
        // Before the first byte of BEGIN: from here on, dropping anything leaves a connection to be cleaned.
        if self.depth == 0 {
            lease.arm(begin);
        }
        let slot = Slot::default();
        self.lent = Some(Arc::clone(&slot));
        let depth = self.depth + 1;
        let mut nested = Self::new(lease);
        nested.depth = depth;
        nested.home = Some(slot);
        let statement = match depth {
            1 => Statement::control(begin, None),
            depth => Statement::control("SAVEPOINT", Some(depth)),
        };
        if let Err(error) = nested.control(statement).await {
            nested.note(&error);
            if depth == 1 && matches!(error, Error::Busy { .. }) {
                // Refused, and so not begun: the connection is as good as before.
                nested.give_back(Harm::None, false);
            }
            return Err(error);
        }
        Ok(Tx { session: nested })
    }

    async fn commit(&mut self) -> Result<()> {
        self.settle()?;
        let is_broken = self.lease.as_ref().is_some_and(Lease::is_broken);
        if self.unsure && self.harm == Harm::None && !is_broken {
            // PostgreSQL answers the COMMIT of a failed transaction with a ROLLBACK, and calls it a success. A read
            // that was dropped may have failed so; this asks.
            if let Err(error) = self.control(Statement::control("SELECT 1", None)).await {
                self.note(&error);
            }
        }
        if self.harm != Harm::None || self.poisoned || is_broken {
            let verdict = if self.poisoned || is_broken {
                Error::Poisoned
            } else {
                Error::Aborted
            };
            // The verdict is what counts; a rollback that fails closes the connection.
            let _ = self.rollback().await;
            return Err(verdict);
        }
        let statement = match self.depth {
            1 => Statement::control("COMMIT", None),
            depth => Statement::control("RELEASE SAVEPOINT", Some(depth)),
        };
        if let Err(error) = self.control(statement).await {
            self.note(&error);
            return Err(match error {
                // The one statement of a transaction whose answer says what is kept.
                Error::Connection { source } if self.depth == 1 => Error::Unconfirmed { source },
                error => error,
            });
        }
        self.give_back(Harm::None, false);
        Ok(())
    }

    async fn rollback(&mut self) -> Result<()> {
        self.settle()?;
        if self.lease.as_ref().is_some_and(Lease::is_broken) {
            // Closing it is the rollback; at a savepoint, that is for the outermost to do.
            self.give_back_broken();
            return Ok(());
        }
        if self.depth == 1 && self.lease.as_ref().is_some_and(Lease::is_lost) {
            // The server undoes it when it learns of that. Asking it to would be waiting for the next silence.
            self.lease = None;
            return Ok(());
        }
        if self.depth == 1 {
            match self.control(Statement::control("ROLLBACK", None)).await {
                Ok(()) => {}
                // The server has done it already.
                Err(error) if error.driver().is_some_and(DB::says_no_transaction) => {}
                Err(error) => return Err(error),
            }
            self.give_back(Harm::None, false);
            return Ok(());
        }
        if self.harm == Harm::Transaction {
            // No savepoint is left to roll back to, and the outer transaction must learn that it is gone too.
            self.give_back(Harm::Transaction, false);
            return Ok(());
        }
        for verb in ["ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT"] {
            if let Err(error) = self
                .control(Statement::control(verb, Some(self.depth)))
                .await
            {
                self.note(&error);
                return Err(error);
            }
        }
        self.give_back(Harm::None, false);
        Ok(())
    }

    async fn control(&mut self, statement: Statement) -> Result<()> {
        self.lease
            .as_mut()
            .ok_or(Error::NestedOpen)?
            .control(statement)
            .await
    }

    /// Takes the connection back from a nested transaction that has ended, and notes what was dropped half way.
    fn settle(&mut self) -> Result<()> {
        if let Some(slot) = &self.lent {
            let returned = lock(slot).take();
            match returned {
                Some(returned) => {
                    self.lease = Some(returned.lease);
                    self.harm = self.harm.max(returned.harm);
                    self.poisoned |= returned.poisoned;
                    self.lent = None;
                }
                None if Arc::strong_count(slot) > 1 => return Err(Error::NestedOpen),
                // It was dropped at depth 1, and its connection with it.
                None => return Err(Error::Poisoned),
            }
        }
        match self.under_way.take() {
            None => {}
            Some(kind) if kind.is_read() => self.unsure = true,
            Some(_) => self.poisoned = true,
        }
        Ok(())
    }

    fn check_usable(&self) -> Result<()> {
        match self.harm {
            _ if self.lease.as_ref().is_some_and(Lease::is_broken) => Err(Error::Poisoned),
            Harm::None => Ok(()),
            Harm::Level | Harm::Transaction => Err(Error::Aborted),
        }
    }

    fn note(&mut self, error: &Error) {
        if let Some(error) = error.driver() {
            self.harm = self.harm.max(DB::harm(error));
        }
    }

    /// Ends this session with a connection that can be used no more.
    fn give_back_broken(&mut self) {
        if self.depth > 1 {
            self.give_back(Harm::Transaction, true);
        } else {
            self.lease = None;
        }
    }

    /// Ends this session: the connection goes to the one around it, or to the pool.
    fn give_back(&mut self, harm: Harm, poisoned: bool) {
        let Some(mut lease) = self.lease.take() else {
            return;
        };
        if self.depth == 1 {
            lease.disarm();
        }
        if let Some(home) = self.home.take() {
            *lock(&home) = Some(Returned {
                lease,
                harm,
                poisoned,
            });
        }
    }
}

impl<DB: Driver> Drop for Session<DB> {
    fn drop(&mut self) {
        // A savepoint that was left open: the connection goes back, but what it holds is not to be kept. At depth 1
        // the lease is dropped armed, which undoes everything.
        if self.depth > 1 {
            // It may lie where a nested one has left it. Whatever else is to be said, it is poisoned.
            let _ = self.settle();
            self.give_back(self.harm, true);
        }
    }
}
