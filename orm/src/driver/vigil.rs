//! A server that says nothing is asked on another connection, and given up when it does not answer there either.

#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    allow(dead_code, reason = "SQLite is no server")
)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use sqlx::{ConnectOptions as _, Connection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::driver::Driver;
use crate::error::{Error, Result};

/// What a pool over a server knows of that server. Clones share it.
///
/// A statement has no deadline of its own: it may take as long as it needs. A network that is cut, though, does not say
/// so, and TCP finds out after many minutes. So after some silence this asks the server something that it answers at
/// once, and on a fresh connection, since the old one may be the trouble: it connects. While that works, the statement
/// is only slow.
pub(super) struct Vigil<DB: Driver>(Arc<Inner<DB>>);

struct Inner<DB: Driver> {
    options: <DB::Connection as Connection>::Options,
    /// How long a server may be silent before it is asked.
    silence: Duration,
    /// How long it may take to answer then.
    answer: Duration,
    /// When it last answered. Held while it is asked, so that many silent statements ask once.
    answered: Mutex<Option<Instant>>,
    /// From when on connections are good, in microseconds after `began`; 0 when all are.
    good_since: AtomicU64,
    began: Instant,
}

impl<DB: Driver> Clone for Vigil<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Driver> Vigil<DB> {
    /// Gives a server up after `patience` without a word from it.
    pub(super) fn new(
        options: <DB::Connection as Connection>::Options,
        patience: Duration,
    ) -> Self {
        // Connecting takes several round trips and a look at the password.
        let silence = patience * 2 / 5;
        Self(Arc::new(Inner {
            options,
            silence,
            answer: patience - silence,
            answered: Mutex::new(None),
            good_since: AtomicU64::new(0),
            began: Instant::now(),
        }))
    }

    /// Waits for what is under way on a connection, for as long as the server is there.
    pub(super) async fn over<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(outcome) = timeout(self.0.silence, &mut work).await {
                return outcome;
            }
            let answers = std::pin::pin!(self.answers());
            match select(work.as_mut(), answers).await {
                Either::Left((outcome, _)) => return outcome,
                Either::Right((true, _)) => {}
                Either::Right((false, _)) => {
                    let silent = io::Error::new(io::ErrorKind::TimedOut, "the server is silent");
                    return Err(Error::Connection {
                        source: sqlx::Error::Io(silent),
                    });
                }
            }
        }
    }

    /// Whether the server answers, within the time it has for that.
    async fn answers(&self) -> bool {
        let ask = async {
            let mut answered = self.0.answered.lock().await;
            if answered.is_some_and(|at| at.elapsed() < self.0.silence) {
                return true;
            }
            match self.0.options.connect().await {
                // Not to be waited for: dropping it closes it as well.
                Ok(connection) => drop(connection),
                // It has no room, or is starting: that is an answer.
                Err(sqlx::Error::Database(_)) => {}
                Err(_) => return false,
            }
            *answered = Some(Instant::now());
            true
        };
        timeout(self.0.answer, ask).await.unwrap_or(false)
    }

    /// The server takes no writes any more, so another one does; or its tables have changed below statements that were
    /// prepared. Every connection made until now is to be left.
    pub(super) fn leave(&self) {
        let now = self.0.began.elapsed().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.0.good_since.fetch_max(now, Ordering::Relaxed);
    }

    /// Whether an idle connection of this age can be used: it is not to be left, and answers.
    ///
    /// The pool's own test has no deadline, and waits on a connection that is cut for as long as its caller does.
    pub(super) async fn accepts(&self, connection: &mut DB::Connection, age: Duration) -> bool {
        let made = self.0.began.elapsed().saturating_sub(age).as_micros();
        if made < u128::from(self.0.good_since.load(Ordering::Relaxed)) {
            return false;
        }
        matches!(timeout(PING_TIME, connection.ping()).await, Ok(Ok(())))
    }
}

/// How long an idle connection may take to answer before another one is made instead.
pub(super) const PING_TIME: Duration = Duration::from_millis(500);
