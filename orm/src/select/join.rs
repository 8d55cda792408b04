//! Models side by side.

use std::marker::PhantomData;

use crate::cover::{Append, Covered, TableRef};
use crate::expr::Node;
use crate::filter::Condition;
use crate::query::Join;
use crate::select::Select;

/// A model, and which of its rows belong beside those of a query: `Post::on(post::author.eq(user::id))`.
#[must_use = "it does nothing until a query joins it"]
#[derive(Debug)]
pub struct On<N, F> {
    node: Node,
    of: PhantomData<fn() -> (N, F)>,
}

impl<N, F> On<N, F> {
    /// Called by the derive.
    #[doc(hidden)]
    pub fn new<C: Condition<Models = F>>(condition: C) -> Self {
        Self {
            node: condition.into_node(),
            of: PhantomData,
        }
    }
}

impl<S> Select<S> {
    /// Puts beside each row those of another model for which the condition holds; a row without any is left out.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] struct User { id: i64, name: String }
    /// # #[derive(Model)] struct Post { id: i64, author: i64, title: String }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let written: Vec<(User, Post)> = User::select()
    ///     .join(Post::on(post::author.eq(user::id)))
    ///     .filter(post::title.starts_with("On "))
    ///     .order_by(user::name.asc())
    ///     .all(db)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn join<N, F, I>(self, other: On<N, F>) -> Select<S::With>
    where
        N: TableRef,
        S: Append<N>,
        F: Covered<S::With, I>,
    {
        self.beside::<N, _>(other.node, false)
    }

    /// As [`join`](Self::join), but a row without any stays, with `None` beside it.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] struct User { id: i64, name: String }
    /// # #[derive(Model)] struct Post { id: i64, author: i64, title: String }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let all: Vec<(User, Option<Post>)> =
    ///     User::select().left_join(Post::on(post::author.eq(user::id))).all(db).await?;
    /// # Ok(()) }
    /// ```
    pub fn left_join<N, F, I>(self, other: On<N, F>) -> Select<S::With>
    where
        N: TableRef,
        S: Append<Option<N>>,
        F: Covered<S::With, I>,
    {
        self.beside::<N, _>(other.node, true)
    }

    fn beside<N: TableRef, W>(self, on: Node, is_left: bool) -> Select<W> {
        let mut query = self.into_query();
        query.more().joins.push(Join {
            table: N::TABLE,
            alias: N::ALIAS,
            is_left,
            on,
        });
        Select::from_query(query)
    }
}
