//! Relations: rows that belong together, loaded with one query per level.

mod declare;
mod ends;
mod index;
mod key;
mod kind;
mod load;
mod one_of;
mod top;
mod with;

pub use self::kind::{Kind, Many, Maybe, One, Through, WithThrough};
pub use self::load::{Append, Load, LoadAll};
pub(crate) use self::one_of::OneOf;
pub use self::with::With;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;

use crate::cover::{Covered, Grouped};
use crate::driver::keep;
use crate::error::Result;
use crate::executor::Executor;
use crate::expr::Node;
use crate::filter::IntoFilter;
use crate::model::Model;
use crate::order::Order;
use crate::query::Query;
use crate::relation::ends::{Ends, positions};
use crate::relation::one_of::Keys;
use crate::scope::Scope;
use crate::select::Select;
use crate::value::Value;

/// A relation of model `M` to model `C`: `user::posts`.
///
/// The derive makes one for each `belongs_to`, `has_one` and `has_many` on the struct. `K` says what it gives for each
/// row, [`One`], [`Maybe`] or [`Many`] of `C`; `N` is what is loaded onto these in turn.
///
/// ```
/// # use packetboat_orm::{Executor, Model, ModelExt, Result};
/// #[derive(Model)]
/// #[model(has_many(posts: Post))]
/// struct User { id: i64, name: String }
///
/// #[derive(Model)]
/// #[model(belongs_to(user: User), has_many(comments: Comment))]
/// struct Post { id: i64, user_id: i64, title: String }
///
/// #[derive(Model)]
/// #[model(belongs_to(post: Post))]
/// struct Comment { id: i64, post_id: i64, body: String }
///
/// # async fn f(db: impl Executor + Copy) -> Result<()> {
/// // Three queries, however many rows there are.
/// let users: Vec<(User, Vec<(Post, Vec<Comment>)>)> =
///     User::select().with(user::posts.with(post::comments)).all(db).await?;
///
/// // One, for rows that are there already: the user of each post.
/// let posts = Post::select().order_by(post::id.desc()).limit(10).all(db).await?;
/// let authors: Vec<User> = post::user.load(&posts, db).await?;
/// # Ok(()) }
/// ```
///
/// Nothing is loaded that the code does not ask for, and what was loaded shows in the types.
#[must_use = "a relation does nothing until it is loaded"]
pub struct Relation<M, C, K, N = ()> {
    ends: Ends,
    /// The related rows, whichever they are related to.
    query: Query,
    /// At most so many of them for each row.
    top: Option<u64>,
    nested: N,
    kind: Of<M, C, K>,
}

type Of<M, C, K> = PhantomData<fn() -> (M, C, K)>;

impl<M: Model, C: Model, K: Kind> Relation<M, C, K> {
    const fn new(ends: Ends) -> Self {
        Self {
            ends,
            query: Query::of(C::TABLE),
            top: None,
            nested: (),
            kind: PhantomData,
        }
    }

    /// The related rows of one row, as a query: `user::posts.of(&ann).count(&db)`.
    ///
    /// A limit of the relation is one of the query, in the order that the query has in the end.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] #[model(has_many(posts: Post))] struct User { id: i64, name: String }
    /// # #[derive(Model)] struct Post { id: i64, user_id: i64, title: String, is_public: bool }
    /// # async fn f(ann: User, db: impl Executor) -> Result<()> {
    /// let public = user::posts.of(&ann).filter(post::is_public.eq(true)).count(db).await?;
    /// # Ok(()) }
    /// ```
    pub fn of(self, row: &M) -> Select<K::Models<C>, C> {
        let mut query = self.query;
        self.ends.join::<C>(&mut query);
        let own = positions(M::TABLE, &self.ends.own(M::TABLE));
        let key: Vec<Value> = own.iter().map(|&at| Value::of_column(row, at)).collect();
        let keys = if key.iter().any(Value::is_null) {
            Keys::NONE
        } else {
            Keys::Values(key)
        };
        query.narrow(Node::OneOf(OneOf::new(self.ends.other(C::TABLE), keys)));
        if self.top.is_some() {
            query.limit = self.top;
            query.more().by_key = true;
        }
        Select::from_query(query)
    }
}

impl<M: Model, C: Model, K: Kind, N> Relation<M, C, K, N> {
    /// Only the related rows for which the condition holds. One that must be there may then be missing, and so becomes
    /// an `Option`.
    ///
    /// Through a table between, conditions on that table may stand here too.
    pub fn filter<I>(
        mut self,
        condition: impl IntoFilter<K::Models<C>, I>,
    ) -> Relation<M, C, K::Filtered, N> {
        self.query.narrow(condition.into_filter().node);
        self.into_kind()
    }

    /// The related rows of each row in this order, after what was given before. Without any, they come as the database
    /// likes.
    pub fn order_by<F, I>(mut self, order: Order<F>) -> Self
    where
        F: Covered<Grouped<K::Models<C>>, I>,
    {
        self.query.order.push(order.sort);
        self
    }

    /// At most so many related rows for each row: the first in their order, or by their key where none was given.
    ///
    /// The database numbers them (`ROW_NUMBER() OVER (PARTITION BY ..)`) and sends no others.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] #[model(has_many(posts: Post))] struct User { id: i64, name: String }
    /// # #[derive(Model)] struct Post { id: i64, user_id: i64, title: String }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let latest = user::posts.order_by(post::id.desc()).limit(3);
    /// let users: Vec<(User, Vec<Post>)> = User::select().with(latest).all(db).await?;
    /// # Ok(()) }
    /// ```
    pub fn limit(mut self, rows: u64) -> Relation<M, C, K::Filtered, N> {
        self.top = Some(rows);
        self.into_kind()
    }

    /// With the related rows that are deleted (softly); those of a table between stay hidden.
    pub fn with_deleted(mut self) -> Self {
        self.query.scope = Scope::Whole;
        self
    }

    /// Loads a relation of the related rows onto them.
    pub fn with<L: Load<C>>(self, relation: L) -> Relation<M, C, K, N::Longer>
    where
        N: Append<L>,
    {
        Relation {
            ends: self.ends,
            query: self.query,
            top: self.top,
            nested: self.nested.append(relation),
            kind: PhantomData,
        }
    }

    /// Loads the related rows of rows that are there already: one entry for each row, in the order of the rows.
    ///
    /// It is one query for all of them, or none where none refers to anything. It is more only for more keys than a
    /// statement can bind, and only where they are bound one by one: on MySQL, keys of several columns, and those that
    /// are neither integers nor texts (nor, on PostgreSQL, UUIDs).
    ///
    /// # Errors
    ///
    /// [`Error::MissingRelated`](crate::Error::MissingRelated) where a row refers to one that is not there;
    /// [`Error::Decode`](crate::Error::Decode), and whatever the database refuses.
    #[track_caller]
    pub fn load<'a, E: Executor + 'a>(
        &'a self,
        rows: &'a [M],
        mut db: E,
    ) -> impl Future<Output = Result<Vec<<Self as Load<M>>::Out>>> + Send + 'a
    where
        Self: Load<M>,
    {
        let at = Location::caller();
        keep::scope(async move { self.load_onto(rows, &mut db, at).await })
    }

    fn into_kind<T: Kind>(self) -> Relation<M, C, T, N> {
        Relation {
            ends: self.ends,
            query: self.query,
            top: self.top,
            nested: self.nested,
            kind: PhantomData,
        }
    }
}

impl<M: Model, C: Model, N> Relation<M, C, One, N> {
    /// `None` for rows whose related row is not there, and no error.
    pub fn optional(self) -> Relation<M, C, Maybe, N> {
        self.into_kind()
    }
}

impl<M: Model, C: Model, T: Model, N> Relation<M, C, Through<T>, N> {
    /// Each related row with the row of the table between that leads to it.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// #[derive(Model)]
    /// #[model(has_many(groups: Group, through = Membership))]
    /// struct User { id: i64, name: String }
    ///
    /// #[derive(Model)]
    /// struct Group { id: i64, title: String }
    ///
    /// #[derive(Model)]
    /// struct Membership { id: i64, user_id: i64, group_id: i64, is_owner: bool }
    ///
    /// # async fn f(db: impl Executor + Copy) -> Result<()> {
    /// let owners: Vec<(User, Vec<Group>)> =
    ///     User::select().with(user::groups.filter(membership::is_owner.eq(true))).all(db).await?;
    ///
    /// let members: Vec<(User, Vec<(Group, Membership)>)> =
    ///     User::select().with(user::groups.with_through()).all(db).await?;
    /// # Ok(()) }
    /// ```
    pub fn with_through(self) -> Relation<M, C, WithThrough<T>, N> {
        self.into_kind()
    }
}

impl<M, C, K, N: Clone> Clone for Relation<M, C, K, N> {
    fn clone(&self) -> Self {
        Self {
            ends: self.ends,
            query: self.query.clone(),
            top: self.top,
            nested: self.nested.clone(),
            kind: PhantomData,
        }
    }
}

impl<M, C, K, N: fmt::Debug> fmt::Debug for Relation<M, C, K, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relation")
            .field("ends", &self.ends)
            .field("query", &self.query)
            .field("top", &self.top)
            .field("nested", &self.nested)
            .finish_non_exhaustive()
    }
}
