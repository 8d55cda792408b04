//! A pooled connection that never goes back to its pool inside a transaction, nor keeps a place there when it is lost.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::driver::home::Home;
use crate::driver::vigil::Vigil;
use crate::driver::{Driver, frame};
use crate::error::{Error, Result};
use crate::executor::{Collect, Done};
use crate::statement::Statement;

/// How long a rollback in the background may take before the connection is closed instead.
const ROLLBACK_TIME: Duration = Duration::from_secs(5);

/// How long a connection that goes back to its pool may take to show that it is of use.
const RETURN_TIME: Duration = Duration::from_secs(1);

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
    cleaning_up: bool,
    /// Whether it is known to be of no use any more.
    lost: bool,
    /// Whether the transaction on it was begun to read only, so that being refused to write says nothing of the server.
    reads_only: bool,
    /// Who asks the server after a silence; `None` on SQLite, and on a pool that was made with sqlx.
    vigil: Option<Vigil<DB>>,
    /// What gives the connection its usual settings back.
    restore: Option<Statement>,
    /// Says, as long as it lives, that a transaction holds this connection.
    token: Option<frame::Token>,
}

impl<DB: Driver> Lease<DB> {
    pub(super) const fn new(connection: PoolConnection<DB>) -> Self {
        Self::at(Home::new(connection))
    }

    const fn at(home: Home<DB>) -> Self {
        Self {
            home,
            owes: false,
            cleaning_up: false,
            lost: false,
            reads_only: false,
            vigil: None,
            restore: None,
            token: None,
        }
    }

    /// This one, whose server is asked after a silence.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(super) fn with_vigil(mut self, vigil: Option<&Vigil<DB>>) -> Self {
        self.vigil = vigil.cloned();
        self
    }

    /// This one, noted as held by a transaction.
    pub(super) fn with_token(mut self, token: Option<frame::Token>) -> Self {
        self.token = token;
        self
    }

    /// This one in an unusual setting: what puts it back is run before the next one gets the connection.
    #[cfg(feature = "sqlite")]
    pub(super) fn with_restore(mut self, restore: Statement) -> Self {
        self.restore = Some(restore);
        self
    }

    /// Before this BEGIN.
    pub(super) fn arm(&mut self, begin: &'static str) {
        self.home.armed = true;
        self.reads_only = begin == DB::BEGIN_READ && DB::BEGIN_READ != DB::BEGIN;
    }

    /// The server has said that no transaction is open.
    pub(super) fn disarm(&mut self) {
        self.home.armed = false;
        self.reads_only = false;
        self.token = None;
    }

    /// Whether the connection can be used no more, since a statement on it was dropped.
    pub(super) const fn is_broken(&self) -> bool {
        self.owes && !DB::SURVIVES_CANCEL
    }

    /// Whether the connection is as its pool gave it out.
    pub(super) const fn is_plain(&self) -> bool {
        !self.lost
            && !self.owes
            && !self.home.armed
            && self.restore.is_none()
            && self.token.is_none()
    }

    /// Whether the connection is known to be of no use any more; closing it is all that is left to do.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Runs a statement.
    ///
    /// In a box, as everything that is deep: an async function carries what it awaits, and so does each one above it, on
    /// the stack and through the compiler, which follows futures in futures only so far.
    pub(super) fn run<'a, C: Collect>(
        &'a mut self,
        statement: &'a Statement,
        values: DB::Values,
        out: C,
    ) -> BoxFuture<'a, Result<(C, Done)>> {
        Box::pin(async move {
            let run = DB::run_at_home(&mut self.home, &mut self.owes, statement, values, out);
            let outcome = match &self.vigil {
                Some(vigil) => vigil.over(run).await,
                None => run.await,
            };
            self.owes = false;
            outcome.map_err(|error| self.noted(error, statement.kind().is_read()))
        })
    }

    /// Whether the database has rolled back the transaction by itself; what cannot be asked is lost.
    /// In a box as [`run`](Self::run).
    pub(super) fn is_rolled_back(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            match self.home.get().await {
                Ok(connection) => DB::is_rolled_back(connection).await,
                Err(_) => true,
            }
        })
    }

    /// Runs a statement of transaction control. In a box as [`run`](Self::run).
    pub(super) fn control(&mut self, statement: Statement) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let connection = self.home.get().await?;
            self.owes = true;
            let run = DB::control(connection, statement);
            let outcome = match &self.vigil {
                Some(vigil) => vigil.over(run).await,
                None => run.await,
            };
            self.owes = false;
            outcome.map_err(|error| self.noted(error, true))
        })
    }

    /// Notes what an error says of the connection, and tells whether anything can have been changed.
    fn noted(&mut self, error: Error, reads: bool) -> Error {
        match error {
            Error::Connection { source } | Error::Unconfirmed { source } => {
                self.lost = true;
                // What a transaction has not committed is undone by the server.
                if self.home.armed || reads {
                    Error::Connection { source }
                } else {
                    Error::Unconfirmed { source }
                }
            }
            Error::Database { source, .. }
                if DB::is_outdated(&source)
                    || (!self.reads_only && DB::takes_no_writes(&source)) =>
            {
                self.lost = true;
                if let Some(vigil) = &self.vigil {
                    vigil.leave();
                }
                Error::Connection { source }
            }
            error => error,
        }
    }

    /// Gives the connection back to its pool, or gives it up.
    ///
    /// The pool first waits for an answer on it, without a deadline and in the connection's place: in a network that was
    /// cut at that moment, it would keep the place for many minutes after the network is back.
    fn give_back(&mut self) {
        // SQLite answers, and has no time to give away: there the connection goes with its home.
        if !DB::ROLLS_BACK_WHEN_LEFT
            && let Ok(runtime) = Handle::try_current()
            && let Some(mut connection) = self.home.take()
        {
            runtime.spawn(timeout(RETURN_TIME, connection.return_to_pool()));
        }
    }

    /// Waits for whatever is under way on the connection, undoes it, and puts the settings back.
    async fn clean_up(mut self) {
        if self.home.armed {
            let rollback = self.control(Statement::control("ROLLBACK", None));
            match timeout(ROLLBACK_TIME, rollback).await {
                Ok(Ok(())) => self.disarm(),
                // There was nothing to undo: BEGIN itself had failed.
                Ok(Err(error)) if error.driver().is_some_and(DB::says_no_transaction) => {
                    self.disarm();
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        if let Some(restore) = self.restore.take() {
            self.lost |= self.control(restore).await.is_err();
        }
    }
}

impl<DB: Driver> Drop for Lease<DB> {
    fn drop(&mut self) {
        if self.lost || self.is_broken() {
            self.home.close();
            return;
        }
        if !self.home.armed && self.restore.is_none() {
            self.give_back();
            return;
        }
        if DB::ROLLS_BACK_WHEN_LEFT
            && !self.cleaning_up
            && let Ok(runtime) = Handle::try_current()
        {
            let mut lease = Self::at(self.home.leave());
            lease.cleaning_up = true;
            lease.restore = self.restore.take();
            runtime.spawn(lease.clean_up());
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
