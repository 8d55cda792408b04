//! A trace event for each statement.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::codec::Params;
use crate::count_rows::CountRows;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Collect, Done, Executor, Finish};
use crate::shared::Shared;
use crate::statement::{Kind, Statement};

/// Tells [`tracing`] of each statement: what, where, how many rows, how long.
///
/// ```
/// use packetboat_orm::{DbPool, Model, ModelExt, Result, Traced};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// type Db = Traced<DbPool>;
///
/// async fn open(url: &str) -> Result<Db> {
///     Ok(Traced::new(DbPool::connect(url).await?))
/// }
///
/// async fn count(db: &Db) -> Result<u64> {
///     User::select().count(db).await
/// }
/// ```
///
/// The events have the target `packetboat_orm::statement` and these fields:
///
/// | field | what |
/// | --- | --- |
/// | `sql` | the text, in which values are placeholders |
/// | `fingerprint` | the same for statements that differ only in their values, and in how many: [`Statement::fingerprint`] |
/// | `kind`, `table` | [`Statement::kind`], and the model's table |
/// | `location` | the line of the program that asked |
/// | `rows` | how many were read or written |
/// | `elapsed` | from asking for a connection to the last row |
/// | `outcome` | `ok`, `failed` or `cancelled` (the future was dropped) |
/// | `error` | the [`Error`] in its own words, without the driver's |
///
/// An event is at DEBUG, or at WARN when the statement was slow: longer than 200 ms, where [`slow`](Self::slow) says
/// nothing else. BEGIN, COMMIT and ROLLBACK have events too, since they are where one waits for connections, locks and
/// disks.
///
/// No event holds a bound value: they are not in the SQL, and what a driver says of them is left out.
#[derive(Clone, Copy, Debug)]
pub struct Traced<E> {
    inner: E,
    slow: Duration,
}

/// Longer than anything that a person should wait for while several such statements run for one click.
const SLOW: Duration = Duration::from_millis(200);

impl<E> Traced<E> {
    /// Around an executor.
    pub const fn new(inner: E) -> Self {
        Self { inner, slow: SLOW }
    }

    /// From which time on a statement is warned of; 200 ms where nothing is said.
    #[must_use]
    pub const fn slow(mut self, slow: Duration) -> Self {
        self.slow = slow;
        self
    }

    /// What is wrapped.
    pub const fn inner(&self) -> &E {
        &self.inner
    }

    /// The same around another executor.
    pub(super) const fn around<F>(&self, inner: F) -> Traced<F> {
        Traced {
            inner,
            slow: self.slow,
        }
    }

    fn watch<'s>(&self, subject: Subject<'s>) -> Watch<'s> {
        Watch {
            subject,
            begun: Instant::now(),
            slow: self.slow,
            told: false,
        }
    }
}

impl<E: Executor> Executor for Traced<E> {
    type Tx = Traced<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        let watch = self.watch(Subject::Control("BEGIN"));
        let tx = watch.end(self.inner.enter().await, |_| None)?;
        Ok(self.around(tx))
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let watch = self.watch(Subject::Statement(statement));
        // In a box: the compiler follows futures in futures only so deep, and wrappers stand on wrappers.
        let outcome = Box::pin(self.inner.run(statement, params, CountRows::new(out))).await;
        let is_read = statement.kind().is_read();
        let (counted, done) = watch.end(outcome, |(counted, done)| {
            // A write may hand out rows too, and SQLite says of a read what the last write did.
            let written = if is_read { 0 } else { done.rows_affected };
            Some(counted.rows.max(written))
        })?;
        Ok((counted.out, done))
    }
}

impl<E: Finish> Finish for Traced<E> {
    async fn commit(self) -> Result<()> {
        let watch = self.watch(Subject::Control("COMMIT"));
        watch.end(self.inner.commit().await, |()| None)
    }

    async fn rollback(self) -> Result<()> {
        let watch = self.watch(Subject::Control("ROLLBACK"));
        watch.end(self.inner.rollback().await, |()| None)
    }
}

impl<E: Shared> Shared for Traced<E> {}

/// What an event is about.
#[derive(Clone, Copy)]
enum Subject<'s> {
    /// One of those that a transaction sends by itself.
    Control(&'static str),
    Statement(&'s Statement),
}

impl Subject<'_> {
    fn sql(&self) -> &str {
        match self {
            Self::Control(sql) => sql,
            Self::Statement(statement) => statement.sql(),
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Control(_) => Kind::Transaction,
            Self::Statement(statement) => statement.kind(),
        }
    }

    fn table(&self) -> Option<&'static str> {
        match self {
            Self::Control(_) => None,
            Self::Statement(statement) => statement.table().map(|table| table.name()),
        }
    }

    const fn location(&self) -> Option<&'static Location<'static>> {
        match self {
            Self::Control(_) => None,
            Self::Statement(statement) => Some(statement.location()),
        }
    }

    /// As text: logs are read by programs to which a number this large is not exact.
    fn fingerprint(&self) -> Option<String> {
        match self {
            Self::Control(_) => None,
            Self::Statement(statement) => Some(format!("{:016x}", statement.fingerprint())),
        }
    }
}

/// A statement under way; dropped before its end, it was cancelled.
struct Watch<'s> {
    subject: Subject<'s>,
    begun: Instant,
    slow: Duration,
    told: bool,
}

impl Watch<'_> {
    fn end<T>(mut self, outcome: Result<T>, rows: impl FnOnce(&T) -> Option<u64>) -> Result<T> {
        match &outcome {
            Ok(value) => self.tell("ok", rows(value), None),
            Err(error) => self.tell("failed", None, Some(error)),
        }
        outcome
    }

    fn tell(&mut self, outcome: &'static str, rows: Option<u64>, error: Option<&Error>) {
        self.told = true;
        let elapsed = self.begun.elapsed();
        macro_rules! event {
            ($level:ident, $what:literal) => {
                tracing::event!(
                    target: "packetboat_orm::statement",
                    tracing::Level::$level,
                    sql = self.subject.sql(),
                    fingerprint = self.subject.fingerprint(),
                    kind = ?self.subject.kind(),
                    table = self.subject.table(),
                    location = self.subject.location().map(tracing::field::display),
                    rows,
                    elapsed = ?elapsed,
                    outcome,
                    // Its Display alone: a driver's message may quote the values that it refuses.
                    error = error.map(tracing::field::display),
                    $what
                )
            };
        }
        if elapsed >= self.slow {
            event!(WARN, "slow statement");
        } else {
            event!(DEBUG, "statement");
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.tell("cancelled", None, None);
        }
    }
}
