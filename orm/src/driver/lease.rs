//! A pooled connection that never goes back to its pool inside a transaction.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::driver::Driver;
use crate::driver::home::Home;
use crate::error::Result;
use crate::executor::{Collect, Done};
use crate::statement::Statement;

/// How long a rollback in the background may take before the connection is closed instead.
const ROLLBACK_TIME: Duration = Duration::from_secs(5);

/// A connection on loan from its pool.
///
/// [`arm`](Self::arm) it before BEGIN is sent, and not when BEGIN has answered: a future dropped in between would
/// leave the server in a transaction that nobody here knows of. Dropped while armed, the connection is cleaned before
/// it goes back, or closed.
pub(super) struct Lease<DB: Driver> {
    home: Home<DB>,
    /// Whether the connection owes an answer; still set when the future of the statement was dropped.
    owes: bool,
    /// Whether this is the attempt to clean up, so that there is no second one.
    rolling_back: bool,
}

impl<DB: Driver> Lease<DB> {
    pub(super) const fn new(connection: PoolConnection<DB>) -> Self {
        Self {
            home: Home::new(connection),
            owes: false,
            rolling_back: false,
        }
    }

    pub(super) const fn arm(&mut self) {
        self.home.armed = true;
    }

    /// The server has said that no transaction is open.
    pub(super) const fn disarm(&mut self) {
        self.home.armed = false;
    }

    /// Whether the connection can be used no more, since a statement on it was dropped.
    pub(super) const fn is_broken(&self) -> bool {
        self.owes && !DB::SURVIVES_CANCEL
    }

    pub(super) async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        values: DB::Values,
        out: C,
    ) -> Result<(C, Done)> {
        let outcome = DB::run_at_home(&mut self.home, &mut self.owes, statement, values, out).await;
        self.owes = false;
        outcome
    }

    pub(super) async fn control(&mut self, statement: Statement) -> Result<()> {
        let connection = self.home.get().await?;
        self.owes = true;
        let outcome = DB::control(connection, statement).await;
        self.owes = false;
        outcome
    }

    /// Waits for whatever is under way on the connection, and undoes it.
    async fn roll_back(mut self) {
        let rollback = self.control(Statement::control("ROLLBACK", None));
        match timeout(ROLLBACK_TIME, rollback).await {
            Ok(Ok(())) => self.disarm(),
            // There was nothing to undo: BEGIN itself had failed.
            Ok(Err(error)) if error.driver().is_some_and(DB::says_no_transaction) => self.disarm(),
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

impl<DB: Driver> Drop for Lease<DB> {
    fn drop(&mut self) {
        if self.is_broken() {
            self.home.close();
            return;
        }
        if !self.home.armed {
            return;
        }
        if DB::ROLLS_BACK_WHEN_LEFT
            && !self.rolling_back
            && let Ok(runtime) = Handle::try_current()
        {
            let lease = Self {
                home: self.home.leave(),
                owes: false,
                rolling_back: true,
            };
            runtime.spawn(lease.roll_back());
            return;
        }
        self.home.close();
    }
}

/// A pooled connection that is only borrowed, for the time of a statement.
///
/// Dropped while it owes an answer, its statement was cancelled; a connection that does not survive that is closed when
/// its owner lets go of it.
pub(super) struct Watch<'a, DB: Driver> {
    connection: &'a mut PoolConnection<DB>,
    owes: bool,
}

impl<'a, DB: Driver> Watch<'a, DB> {
    pub(super) const fn new(connection: &'a mut PoolConnection<DB>) -> Self {
        Self {
            connection,
            owes: false,
        }
    }

    /// The connection, and where it is to be noted that it owes an answer.
    pub(super) fn parts(&mut self) -> (&mut DB::Connection, &mut bool) {
        (self.connection, &mut self.owes)
    }
}

impl<DB: Driver> Drop for Watch<'_, DB> {
    fn drop(&mut self) {
        if self.owes && !DB::SURVIVES_CANCEL {
            self.connection.close_on_drop();
        }
    }
}
