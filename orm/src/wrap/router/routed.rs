//! The executor of one scope over the databases of a router.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Collect, Done, Executor};
use crate::shared::Shared;
use crate::statement::Statement;
use crate::wrap::keep::lend;
use crate::wrap::router::pinned::Pinned;
use crate::wrap::router::{Inner, Rules, WRITER};

/// The databases of a [`Router`](crate::Router) in one scope; clones are the same scope.
///
/// [`Using`](crate::Using) chooses a database by hand.
pub struct Routed<E> {
    pub(super) router: Arc<Inner<E>>,
    pub(super) scope: Arc<Scope>,
    choice: Choice,
}

/// What a scope has done.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// A bit for each database that was written to.
    written: AtomicU64,
    /// One more than the index of the database that was last asked; 0 where none was.
    served: AtomicUsize,
}

impl Scope {
    /// Noted before the statement is sent: one that fails, or is dropped, may have written all the same.
    pub(super) fn write(&self, database: usize) {
        self.written.fetch_or(1 << database, Ordering::Relaxed);
    }

    fn has_written(&self, database: usize) -> bool {
        self.written.load(Ordering::Relaxed) & (1 << database) != 0
    }

    /// Noted once it has answered.
    pub(super) fn serve(&self, database: usize) {
        self.served.store(database + 1, Ordering::Relaxed);
    }
}

/// Who chooses the database.
#[derive(Clone, Debug)]
enum Choice {
    Named(usize),
    Rules,
    Unknown(Arc<str>),
}

/// Where a statement goes.
enum Route {
    /// To the readers by turns, beginning with this one.
    Read(Option<usize>),
    To(usize),
}

impl<E> Routed<E> {
    pub(super) fn new(router: Arc<Inner<E>>) -> Self {
        Self {
            router,
            scope: Arc::default(),
            choice: Choice::Rules,
        }
    }

    pub(in crate::wrap) fn by_name(&self, name: &str) -> Self {
        let choice = match self.router.rules.index(name) {
            Ok(index) => Choice::Named(index),
            Err(_) => Choice::Unknown(name.into()),
        };
        Self {
            choice,
            ..self.clone()
        }
    }

    pub(in crate::wrap) fn in_new_scope(&self) -> Self {
        Self {
            scope: Arc::default(),
            ..self.clone()
        }
    }

    pub(in crate::wrap) fn has_written(&self) -> bool {
        self.scope.has_written(WRITER)
    }

    pub(in crate::wrap) fn note_written(&self) {
        self.scope.write(WRITER);
    }

    pub(in crate::wrap) fn served(&self) -> Option<&'static str> {
        let index = self.scope.served.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.router.rules.names[index])
    }

    /// The database of a transaction, or of a connection, and the rules that hold on it.
    pub(super) fn pin(&self) -> Result<(usize, Option<Arc<Rules>>)> {
        match &self.choice {
            Choice::Named(index) => Ok((*index, None)),
            Choice::Rules => Ok((WRITER, Some(Arc::clone(&self.router.rules)))),
            Choice::Unknown(name) => Err(unknown(name)),
        }
    }

    /// Whether it may read what was so a while ago, from a reader.
    pub(super) fn may_read_late(&self) -> bool {
        matches!(self.choice, Choice::Rules) && !self.has_written()
    }

    fn route(&self, statement: &Statement) -> Result<Route> {
        let rules = &self.router.rules;
        let home = match &self.choice {
            Choice::Named(index) => *index,
            Choice::Rules => rules.home(statement)?,
            Choice::Unknown(name) => return Err(unknown(name)),
        };
        if !statement.kind().is_read() {
            self.scope.write(home);
            return Ok(Route::To(home));
        }
        if let Choice::Named(index) = self.choice {
            return Ok(Route::To(index));
        }
        Ok(match rules.read(statement)? {
            Some(index) if !rules.is_reader(index) => Route::To(index),
            // The readers have what the writer has, and have it late.
            _ if home != WRITER || self.scope.has_written(WRITER) => Route::To(home),
            first => Route::Read(first),
        })
    }
}

impl<E: Shared> Routed<E> {
    /// Runs a read on a reader, on the next where that fails before its first row, and at last on the writer.
    async fn read<C: Collect>(
        &self,
        first: Option<usize>,
        statement: &Statement,
        params: impl Params,
        mut out: C,
    ) -> Result<(C, Done)> {
        let router = &*self.router;
        for (index, database) in router.readers(first) {
            if !database.may_try(router.leave_out) {
                continue;
            }
            let (lent, kept) = lend(out);
            let mut reader = database.executor.clone();
            let error = match reader.run(statement, &params, lent).await {
                Ok((lent, done)) => {
                    database.note(true, router.leave_out);
                    self.scope.serve(index);
                    return Ok((lent.into_inner(), done));
                }
                Err(error) => error,
            };
            database.note(!error.is_connection(), router.leave_out);
            match kept.take() {
                Some(back) if error.is_connection() || error.is_transient() => out = back,
                _ => return Err(error),
            }
        }
        let mut writer = router.databases[WRITER].executor.clone();
        let ran = writer.run(statement, params, out).await?;
        self.scope.serve(WRITER);
        Ok(ran)
    }
}

fn unknown(name: &str) -> Error {
    Error::UnknownDatabase {
        name: name.to_owned(),
    }
}

impl<E: Shared> Executor for Routed<E> {
    type Tx = Pinned<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.router.databases[WRITER].executor.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        let (index, rules) = self.pin()?;
        let mut database = self.router.databases[index].executor.clone();
        let tx = database.enter().await?;
        self.scope.write(index);
        self.scope.serve(index);
        Ok(Pinned::new(tx, index, rules))
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        match self.route(statement)? {
            // In boxes, both: a future of futures, one for each wrapper, is only followed so deep by the compiler.
            Route::Read(first) => Box::pin(self.read(first, statement, params, out)).await,
            Route::To(index) => {
                let mut database = self.router.databases[index].executor.clone();
                let ran = Box::pin(database.run(statement, params, out)).await?;
                self.scope.serve(index);
                Ok(ran)
            }
        }
    }
}

impl<E: Shared> Shared for Routed<E> {}

/// The same scope.
impl<E> Clone for Routed<E> {
    fn clone(&self) -> Self {
        Self {
            router: Arc::clone(&self.router),
            scope: Arc::clone(&self.scope),
            choice: self.choice.clone(),
        }
    }
}

impl<E> fmt::Debug for Routed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed")
            .field("databases", &self.router.rules.names)
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}
