//! A query and the relations to load onto its rows.

use std::fmt;
use std::future::Future;
use std::panic::Location;

use crate::cover::{Covered, Grouped};
use crate::driver::keep;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::filter::IntoFilter;
use crate::model::Model;
use crate::order::Order;
use crate::relation::load::{Append, Load, LoadAll};
use crate::select::{Select, select};

/// The rows of a model, and what is loaded onto them: `User::select().with(user::posts)`.
///
/// It is one query for the rows, and one for each relation at each level, whatever the number of rows. A level without
/// rows needs none.
///
/// # Which state they see
///
/// Outside of a transaction each query sees what is there when it runs: a post that was written after the users were
/// read is loaded too, and an author that was deleted is missing ([`Error::MissingRelated`]).
///
/// Inside a transaction they all see one state: on SQLite in any, on MySQL in any of its default level, on PostgreSQL in
/// one that begins with `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`:
///
/// ```
/// # use packetboat_orm::{DbPool, Error, Finish, Model, ModelExt, Result, begin, sql};
/// # #[derive(Model)] #[model(has_many(posts: Post))] struct User { id: i64, name: String }
/// # #[derive(Model)] struct Post { id: i64, user_id: i64, title: String }
/// # async fn f(db: &DbPool) -> Result<()> {
/// let mut tx = begin(db).await?;
/// sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").exec(&mut tx).await?; // PostgreSQL alone
/// let users: Vec<(User, Vec<Post>)> = User::select().with(user::posts).all(&mut tx).await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
#[must_use = "a query does nothing until it is run"]
pub struct With<M, L> {
    select: Select<M>,
    relations: L,
}

impl<M: Model> Select<M> {
    /// Loads a relation onto every row; may be repeated, up to eight.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] #[model(belongs_to(author: User), belongs_to(editor: User), has_many(comments: Comment))]
    /// # struct Post { id: i64, author_id: i64, editor_id: Option<i64>, title: String }
    /// # #[derive(Model)] struct User { id: i64, name: String }
    /// # #[derive(Model)] struct Comment { id: i64, post_id: i64, is_hidden: bool }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let posts: Vec<(Post, User, Option<User>, Vec<Comment>)> = Post::select()
    ///     .with(post::author)
    ///     .with(post::editor)
    ///     .with(post::comments.filter(comment::is_hidden.eq(false)).order_by(comment::id.asc()))
    ///     .all(db)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn with<L: Load<M>>(self, relation: L) -> With<M, (L,)> {
        With {
            select: self,
            relations: (relation,),
        }
    }
}

impl<M: Model, L> With<M, L> {
    /// As [`Select::filter`].
    pub fn filter<I>(mut self, condition: impl IntoFilter<M, I>) -> Self {
        self.select = self.select.filter(condition);
        self
    }

    /// As [`Select::order_by`].
    pub fn order_by<F, I>(mut self, order: Order<F>) -> Self
    where
        F: Covered<Grouped<M>, I>,
    {
        self.select = self.select.order_by(order);
        self
    }

    /// As [`Select::limit`].
    pub fn limit(mut self, rows: u64) -> Self {
        self.select = self.select.limit(rows);
        self
    }

    /// As [`Select::offset`].
    pub fn offset(mut self, rows: u64) -> Self {
        self.select = self.select.offset(rows);
        self
    }

    /// Loads one more relation onto every row.
    pub fn with<R: Load<M>>(self, relation: R) -> With<M, L::Longer>
    where
        L: Append<R>,
    {
        With {
            select: self.select,
            relations: self.relations.append(relation),
        }
    }
}

impl<M: Model, L: LoadAll<M>> With<M, L> {
    /// All rows, each with what was loaded onto it.
    ///
    /// # Errors
    ///
    /// [`Error::MissingRelated`] where a row refers to one that is not there; [`Error::Decode`] when a column does not
    /// fit its field, and whatever the database refuses.
    #[track_caller]
    pub fn all<E: Executor>(self, mut db: E) -> impl Future<Output = Result<Vec<L::Row>>> + Send {
        let at = Location::caller();
        keep::scope(async move {
            let (statement, values) = select(self.select.into_query(), db.dialect(), at)?;
            let rows = db.all(&statement, values).await?;
            self.relations.load_all(rows, &mut db, at).await
        })
    }

    /// The first row, with what was loaded onto it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none; else as [`all`](Self::all).
    #[track_caller]
    pub fn one<E: Executor>(self, db: E) -> impl Future<Output = Result<L::Row>> + Send {
        let first = self.optional(db);
        async move {
            first.await?.ok_or(Error::NotFound {
                table: M::TABLE.name(),
            })
        }
    }

    /// The first row, if there is one, with what was loaded onto it.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn optional<E: Executor>(
        self,
        db: E,
    ) -> impl Future<Output = Result<Option<L::Row>>> + Send {
        let mut query = self.select.into_query();
        query.limit = Some(query.limit.map_or(1, |limit| limit.min(1)));
        let first = Self {
            select: Select::from_query(query),
            relations: self.relations,
        };
        let all = first.all(db);
        async move { Ok(all.await?.pop()) }
    }
}

impl<M, L: Clone> Clone for With<M, L> {
    fn clone(&self) -> Self {
        Self {
            select: self.select.clone(),
            relations: self.relations.clone(),
        }
    }
}

impl<M, L: fmt::Debug> fmt::Debug for With<M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("With")
            .field("select", &self.select)
            .field("relations", &self.relations)
            .finish()
    }
}
