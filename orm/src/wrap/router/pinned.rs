//! What stays on one database of a router: a transaction, or a connection that is held.

use std::fmt;
use std::sync::Arc;

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Collect, Done, Executor, Finish};
use crate::statement::Statement;
use crate::wrap::router::{Rules, WRITER};

/// A transaction of a [`Routed`](crate::Routed). A statement whose table a rule has in another database is refused with
/// [`Error::Unsupported`]: begin that transaction [`using`](crate::Using::using) the other one.
pub struct Pinned<T> {
    inner: T,
    index: usize,
    /// `None` where the database was chosen by its name, whatever the rules say.
    rules: Option<Arc<Rules>>,
}

impl<T> Pinned<T> {
    pub(super) const fn new(inner: T, index: usize, rules: Option<Arc<Rules>>) -> Self {
        Self {
            inner,
            index,
            rules,
        }
    }

    /// Whether this database is where the statement belongs.
    fn has(&self, statement: &Statement) -> Result<bool> {
        let Some(rules) = &self.rules else {
            return Ok(true);
        };
        if rules.home(statement)? != self.index {
            return Ok(false);
        }
        if !statement.kind().is_read() {
            return Ok(true);
        }
        Ok(match rules.read(statement)? {
            // What a reader has, the writer has too.
            Some(index) if rules.is_reader(index) => self.index == WRITER,
            Some(index) => self.index == index,
            None => true,
        })
    }
}

impl<T: Executor> Executor for Pinned<T> {
    type Tx = Pinned<T::Tx>;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        let inner = self.inner.enter().await?;
        Ok(Pinned::new(inner, self.index, self.rules.clone()))
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        if !self.has(statement)? {
            return Err(Error::Unsupported {
                dialect: self.dialect(),
                what: "a statement of another database in this transaction; begin it `using` that one",
            });
        }
        self.inner.run(statement, params, out).await
    }
}

impl<T: Finish> Finish for Pinned<T> {
    async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.inner.rollback().await
    }
}

impl<T: fmt::Debug> fmt::Debug for Pinned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
