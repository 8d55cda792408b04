//! A query inside of another.

use crate::cover::{Correlated, Over, Whole};
use crate::expr::Node;
use crate::filter::{Condition, Filter};
use crate::select::Select;

/// A query that can stand inside of another, and the models that it needs there.
#[diagnostic::on_unimplemented(message = "a query of `{Self}` cannot stand inside of another")]
pub trait Nested {
    /// The models of the query around it that it reads.
    type Needs;
}

impl<S: Whole> Nested for S {
    type Needs = ();
}

impl<S, F> Nested for Correlated<S, F> {
    type Needs = Over<Self>;
}

impl<S: Whole, T> Select<S, T> {
    /// Keeps the rows for which a condition holds that may read models of the query around this one. The query can then
    /// only stand inside of another, in [`exists`] or `is_in`.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result, exists};
    /// # #[derive(Model)] struct User { id: i64, name: String }
    /// # #[derive(Model)] struct Post { id: i64, author: i64, title: String }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let theirs = Post::select().correlate(post::author.eq(user::id));
    /// let silent: Vec<User> = User::select().filter(!exists(theirs)).all(db).await?;
    /// # Ok(()) }
    /// ```
    pub fn correlate<C: Condition>(self, condition: C) -> Select<Correlated<S, C::Models>, T> {
        let mut query = self.into_query();
        query.narrow(condition.into_node());
        query.more().is_correlated = true;
        Select::from_query(query)
    }
}

/// That the query finds a row; `!exists(..)` that it finds none.
pub fn exists<S: Nested, T>(query: Select<S, T>) -> Filter<Over<((), S::Needs)>> {
    Filter::new(Node::Exists(Box::new(query.into_query())))
}
