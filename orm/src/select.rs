//! Reading: filter, order, limit; one, all or a stream. And updating or deleting what a filter finds.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Executor, First};
use crate::filter::{Assignment, IntoFilter, Node, Order};
use crate::model::Model;
use crate::statement::{Kind, Statement};
use crate::stream::{Rows, rows};
use crate::table::{ColumnDef, Table};
use crate::tail::Tail;
use crate::value::{Bound, Value};
use crate::writer::Rendered;

type At = &'static Location<'static>;

/// The rows of a model that a filter finds, in an order, up to a limit.
///
/// A plain value without a database: a function can return it, and others narrow it further.
///
/// ```
/// # use packetboat_orm::{Executor, Model, ModelExt, Result, Select};
/// # #[derive(Model)] struct User { id: i64, name: String, is_vip: bool }
/// fn vips() -> Select<User> {
///     User::select().filter(user::is_vip.eq(true)).order_by(user::name.asc())
/// }
///
/// async fn first_vips(db: impl Executor) -> Result<Vec<User>> {
///     vips().limit(10).all(db).await
/// }
/// ```
#[must_use = "a query does nothing until it is run"]
pub struct Select<M> {
    filter: Option<Node>,
    order: Vec<Order<M>>,
    limit: Option<u64>,
    offset: Option<u64>,
}

impl<M> Select<M> {
    pub(crate) const fn new() -> Self {
        Self {
            filter: None,
            order: Vec::new(),
            limit: None,
            offset: None,
        }
    }

    /// Keeps the rows for which the condition holds, beside the conditions given before.
    pub fn filter(mut self, condition: impl IntoFilter<M>) -> Self {
        let node = condition.into_filter().node;
        self.filter = Some(match self.filter {
            Some(before) => before.and(node),
            None => node,
        });
        self
    }

    /// Sorts by a column, after those given before.
    pub fn order_by(mut self, order: Order<M>) -> Self {
        self.order.push(order);
        self
    }

    /// At most so many rows.
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Without the first so many rows.
    pub fn offset(mut self, rows: u64) -> Self {
        self.offset = Some(rows);
        self
    }
}

impl<M: Model> Select<M> {
    /// All rows.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when a column does not fit its field, and whatever the database refuses.
    #[track_caller]
    pub fn all<E: Executor>(self, mut db: E) -> impl Future<Output = Result<Vec<M>>> + Send {
        let at = Location::caller();
        async move {
            let (statement, values) = self.into_select(db.dialect(), at)?;
            db.all(&statement, values).await
        }
    }

    /// The first row.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none.
    #[track_caller]
    pub fn one<E: Executor>(self, db: E) -> impl Future<Output = Result<M>> + Send {
        let first = self.optional(db);
        async move {
            first.await?.ok_or(Error::NotFound {
                table: M::TABLE.name(),
            })
        }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn optional<E: Executor>(
        mut self,
        mut db: E,
    ) -> impl Future<Output = Result<Option<M>>> + Send {
        let at = Location::caller();
        self.limit = Some(self.limit.map_or(1, |limit| limit.min(1)));
        async move {
            let (statement, values) = self.into_select(db.dialect(), at)?;
            Ok(db.run(&statement, values, First(None)).await?.0.0)
        }
    }

    /// How many rows there are, within limit and offset.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn count<E: Executor>(self, mut db: E) -> impl Future<Output = Result<u64>> + Send {
        let at = Location::caller();
        async move {
            let rendered = self.tail().count(M::TABLE, db.dialect())?;
            let (statement, values) = statement(Kind::Select, M::TABLE, rendered, at);
            Ok(db.one::<(u64,)>(&statement, values).await?.0)
        }
    }

    /// Whether there is a row.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn exists<E: Executor>(self, mut db: E) -> impl Future<Output = Result<bool>> + Send {
        let at = Location::caller();
        async move {
            let rendered = self.tail().exists(M::TABLE, db.dialect())?;
            let (statement, values) = statement(Kind::Select, M::TABLE, rendered, at);
            Ok(db
                .run(&statement, values, First::<(i32,)>(None))
                .await?
                .0
                .0
                .is_some())
        }
    }

    /// The rows one by one, in bounded memory: the database waits while nobody takes any.
    ///
    /// The stream holds the executor until it is dropped. See [`Rows`].
    #[track_caller]
    pub fn stream<'e, E: Executor + 'e>(self, mut db: E) -> Rows<'e, M> {
        let at = Location::caller();
        rows(move |out| async move {
            let (statement, values) = self.into_select(db.dialect(), at)?;
            db.run(&statement, values, out).await.map(drop)
        })
    }

    /// Updates the columns in every row; says in how many.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] struct User { id: i64, name: String, is_vip: bool }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let changed = User::select().filter(user::name.eq("ann")).update([user::is_vip.set(true)], db).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with a limit, an offset or an order, which not every database has for updates, and
    /// without any assignment.
    #[track_caller]
    pub fn update<E: Executor>(
        self,
        assignments: impl IntoIterator<Item = Assignment<M>>,
        mut db: E,
    ) -> impl Future<Output = Result<u64>> + Send {
        let at = Location::caller();
        let assignments: Vec<(&'static ColumnDef, Value)> = assignments
            .into_iter()
            .map(|set| (set.column, set.value))
            .collect();
        async move {
            let rendered = self.tail().update(M::TABLE, assignments, db.dialect())?;
            let (statement, values) = statement(Kind::Update, M::TABLE, rendered, at);
            Ok(db.exec(&statement, values).await?.rows_affected)
        }
    }

    /// Deletes every row; says how many.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with a limit, an offset or an order, which not every database has for deletes.
    #[track_caller]
    pub fn delete<E: Executor>(self, mut db: E) -> impl Future<Output = Result<u64>> + Send {
        let at = Location::caller();
        async move {
            let rendered = self.tail().delete(M::TABLE, db.dialect())?;
            let (statement, values) = statement(Kind::Delete, M::TABLE, rendered, at);
            Ok(db.exec(&statement, values).await?.rows_affected)
        }
    }

    fn into_select(self, dialect: Dialect, at: At) -> Result<(Statement, Vec<Bound>)> {
        let head = M::TABLE.statements(dialect).select;
        Ok(statement(
            Kind::Select,
            M::TABLE,
            self.tail().select(head, dialect)?,
            at,
        ))
    }

    /// Leaves the model's type behind, so that what follows is compiled once and not for every model.
    fn tail(self) -> Tail {
        let order = self
            .order
            .iter()
            .map(|order| (order.column, order.descending))
            .collect();
        Tail {
            filter: self.filter,
            order,
            limit: self.limit,
            offset: self.offset,
        }
    }
}

impl<M> Clone for Select<M> {
    fn clone(&self) -> Self {
        Self {
            filter: self.filter.clone(),
            order: self.order.clone(),
            limit: self.limit,
            offset: self.offset,
        }
    }
}

impl<M> fmt::Debug for Select<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("filter", &self.filter)
            .field("order", &self.order)
            .field("limit", &self.limit)
            .field("offset", &self.offset)
            .finish()
    }
}

fn statement(
    kind: Kind,
    table: &'static Table,
    (sql, values): Rendered,
    at: At,
) -> (Statement, Vec<Bound>) {
    let statement = match sql {
        Cow::Borrowed(sql) => Statement::fixed(kind, table, sql, at),
        Cow::Owned(sql) => Statement::rendered(kind, Some(table), Arc::from(sql), at),
    };
    (statement, values)
}
