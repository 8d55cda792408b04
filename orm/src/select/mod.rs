//! Reading: filter, order, limit; what each row is read into.

mod columns;
mod deleted;
mod join;
mod nested;
mod page;
mod project;
mod run;
mod seek;

pub use self::columns::{Columns, Sure, Unsure};
pub use self::join::On;
pub use self::nested::{Nested, exists};
pub use self::page::Page;
pub use self::project::{Fields, Projection};
pub(crate) use self::run::select;

use std::fmt;
use std::marker::PhantomData;

use crate::cover::{Covered, Grouped, TableRef};
use crate::expr::{Expr, Node};
use crate::filter::IntoFilter;
use crate::order::Order;
use crate::query::{Lock, Query};

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
///
/// `S` is what is selected from: a model, or several side by side after [`join`](Self::join) and
/// [`left_join`](Self::left_join), as `(User, Option<Post>)`. `T` is what each row is read into: the same, or what
/// [`columns`](Self::columns) and [`project`](Self::project) say.
#[must_use = "a query does nothing until it is run"]
pub struct Select<S, T = S> {
    query: Query,
    shape: PhantomData<fn() -> (S, T)>,
}

impl<M: TableRef> Select<M> {
    /// Called by the derive.
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self::from_query(Query::named(M::TABLE, M::ALIAS))
    }
}

impl<M: TableRef> Default for Select<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, T> Select<S, T> {
    pub(crate) const fn from_query(query: Query) -> Self {
        Self {
            query,
            shape: PhantomData,
        }
    }

    pub(crate) fn into_query(self) -> Query {
        self.query
    }

    /// Keeps the rows for which the condition holds, beside the conditions given before.
    pub fn filter<I>(mut self, condition: impl IntoFilter<S, I>) -> Self {
        self.query.narrow(condition.into_filter().node);
        self
    }

    /// Sorts by a column or expression, after those given before.
    pub fn order_by<F, I>(mut self, order: Order<F>) -> Self
    where
        F: Covered<Grouped<S>, I>,
    {
        self.query.order.push(order.sort);
        self
    }

    /// At most so many rows.
    pub fn limit(mut self, rows: u64) -> Self {
        self.query.limit = Some(rows);
        self
    }

    /// Without the first so many rows.
    pub fn offset(mut self, rows: u64) -> Self {
        self.query.offset = Some(rows);
        self
    }

    /// One row for all that have the same value in this column or expression, beside those given before.
    ///
    /// What is read is then what is grouped by, columns of a model whose key is, and aggregates; all else is
    /// [`Error::Unsupported`](crate::Error::Unsupported). Groups are sorted by the same. Only an expression with a value
    /// in it, as `user::city.coalesce("-")`, must be read to be sorted by.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result, count};
    /// # #[derive(Model)] struct User { id: i64, city: String, age: i32 }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let cities: Vec<(String, i64, Option<f64>)> = User::select()
    ///     .group_by(user::city)
    ///     .having(count().gt(10))
    ///     .columns((user::city, count(), user::age.avg()))
    ///     .all(db)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn group_by<F, V, I>(mut self, by: impl Into<Expr<F, V>>) -> Self
    where
        F: Covered<S, I>,
    {
        self.query.more().group.push(by.into().into_own_term());
        self
    }

    /// Keeps the groups for which the condition holds, beside the conditions given before.
    ///
    /// Aggregates may stand in it, columns that are grouped by, and columns that are read of a model whose key is. All
    /// else is [`Error::Unsupported`](crate::Error::Unsupported): what holds for single rows goes into
    /// [`filter`](Self::filter). Raw SQL is not looked at.
    pub fn having<I>(mut self, condition: impl IntoFilter<Grouped<S>, I>) -> Self {
        let node = condition.into_filter().node;
        let more = self.query.more();
        more.having = Node::join(more.having.take(), Some(node));
        self
    }

    /// Each row once, however often it is found.
    pub fn distinct(mut self) -> Self {
        self.query.more().distinct = true;
        self
    }

    /// Locks the rows until the transaction ends, so that nobody else changes or locks them; waits where somebody has.
    ///
    /// Outside of a transaction it locks nothing. Of a left join the first model's rows alone are locked on PostgreSQL.
    /// SQLite locks no rows: [`Error::Unsupported`](crate::Error::Unsupported); a transaction that writes has locked
    /// the whole database there already.
    pub fn for_update(mut self) -> Self {
        self.query.more().lock = Some(Lock::Wait);
        self
    }

    /// As [`for_update`](Self::for_update), without the rows that somebody else has locked. What a queue of jobs needs.
    ///
    /// MariaDB has it since 10.6.
    pub fn for_update_skip_locked(mut self) -> Self {
        self.query.more().lock = Some(Lock::SkipLocked);
        self
    }

    /// As [`for_update`](Self::for_update), but [`Error::Busy`](crate::Error::Busy) at once where somebody else has
    /// locked one of the rows.
    pub fn for_update_nowait(mut self) -> Self {
        self.query.more().lock = Some(Lock::NoWait);
        self
    }
}

impl<S, T> Clone for Select<S, T> {
    fn clone(&self) -> Self {
        Self::from_query(self.query.clone())
    }
}

impl<S, T> fmt::Debug for Select<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Select").field(&self.query).finish()
    }
}
