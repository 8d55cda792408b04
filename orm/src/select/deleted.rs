//! Rows that are deleted and still there: seeing them, taking them back, deleting them for good.

use std::future::Future;
use std::panic::Location;

use crate::error::Result;
use crate::executor::Executor;
use crate::model::Model;
use crate::scope::Scope;
use crate::select::Select;
use crate::select::run::statement;
use crate::statement::Kind;

impl<S, T> Select<S, T> {
    /// With the rows of the selected model that are deleted (softly); those of joined models stay hidden.
    pub fn with_deleted(mut self) -> Self {
        self.query.scope = Scope::Whole;
        self
    }

    /// None but the rows of the selected model that are deleted (softly).
    pub fn only_deleted(mut self) -> Self {
        self.query.scope = Scope::Deleted;
        self
    }
}

impl<M: Model> Select<M> {
    /// Deletes every row for good; says how many. Those that are deleted softly are among them only where the query
    /// sees them:
    ///
    /// ```
    /// # use chrono::{DateTime, Utc};
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// #[derive(Model)]
    /// struct Note { id: i64, text: String, #[model(deleted)] deleted: Option<DateTime<Utc>> }
    ///
    /// async fn empty_the_bin(before: DateTime<Utc>, db: impl Executor) -> Result<u64> {
    ///     Note::select().only_deleted().filter(note::deleted.lt(before)).purge(db).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    #[track_caller]
    pub fn purge<E: Executor>(self, mut db: E) -> impl Future<Output = Result<u64>> + Send {
        let at = Location::caller();
        async move {
            let rendered = self.query.purge(db.dialect())?;
            let (statement, values) = statement(Kind::Delete, M::TABLE, rendered, at);
            Ok(db.exec(&statement, values).await?.rows_affected)
        }
    }

    /// Takes the soft delete of every row back that has one; says of how many.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) for a model without a column `deleted`, and as
    /// [`delete`](Self::delete).
    #[track_caller]
    pub fn restore<E: Executor>(self, mut db: E) -> impl Future<Output = Result<u64>> + Send {
        let at = Location::caller();
        async move {
            let rendered = self.query.restore(db.dialect())?;
            let (statement, values) = statement(Kind::Update, M::TABLE, rendered, at);
            Ok(db.exec(&statement, values).await?.rows_affected)
        }
    }
}
