//! WHERE as a value.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use crate::cover::{Covered, Over, TableRef};
use crate::expr::Node;
use crate::sql::Sql;

/// A condition on the rows of model `F`; combine with `&`, `|` and `!`.
///
/// A condition on several models, such as `post::author.eq(user::id)`, is a `Filter<Over<(Post, User)>>`. Two conditions
/// on one model each are combined with [`and`](Self::and) and [`or`](Self::or). To keep conditions of different kinds in
/// one place, make each a condition on the whole query: `let all: Filter<(User, Post)> = condition.into_filter();`.
#[must_use = "a condition does nothing until a query uses it"]
pub struct Filter<F> {
    pub(crate) node: Node,
    models: PhantomData<fn() -> F>,
}

impl<F> Filter<F> {
    pub(crate) const fn new(node: Node) -> Self {
        Self {
            node,
            models: PhantomData,
        }
    }

    /// Both conditions, whichever models they are on.
    pub fn and<R: Condition>(self, right: R) -> Filter<Over<(F, R::Models)>> {
        Filter::new(self.node.and(right.into_node()))
    }

    /// Either condition, whichever models they are on.
    pub fn or<R: Condition>(self, right: R) -> Filter<Over<(F, R::Models)>> {
        Filter::new(self.node.or(right.into_node()))
    }
}

impl<F> Clone for Filter<F> {
    fn clone(&self) -> Self {
        Self::new(self.node.clone())
    }
}

impl<F> fmt::Debug for Filter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.node).finish()
    }
}

/// What can stand as a condition in a query of `S`: conditions on its models, and a piece of raw [`Sql`].
#[diagnostic::on_unimplemented(
    message = "this is not a condition on `{S}`",
    label = "not a condition on `{S}`",
    note = "a condition is made from the columns of the models that are selected or joined"
)]
pub trait IntoFilter<S, I> {
    /// The condition.
    fn into_filter(self) -> Filter<S>;
}

impl<S, F: Covered<S, I>, I> IntoFilter<S, I> for Filter<F> {
    fn into_filter(self) -> Filter<S> {
        Filter::new(self.node)
    }
}

impl<S> IntoFilter<S, ()> for Sql {
    fn into_filter(self) -> Filter<S> {
        Filter::new(Node::Raw(self))
    }
}

/// Any condition, with the models that it is on.
pub trait Condition: Sized {
    /// The models.
    type Models;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn into_node(self) -> Node;
}

impl<F> Condition for Filter<F> {
    type Models = F;

    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn into_node(self) -> Node {
        self.node
    }
}

impl Condition for Sql {
    type Models = ();

    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn into_node(self) -> Node {
        Node::Raw(self)
    }
}

/// A condition that `&` and `|` put beside one on model `M`.
#[diagnostic::on_unimplemented(
    message = "`&` and `|` join conditions on one model, and this is not one on `{M}`",
    label = "not a condition on `{M}`",
    note = "write `left.and(right)` or `left.or(right)` where the models differ"
)]
pub trait Beside<M>: Condition {
    /// The models of both.
    type Both;
}

impl<M: TableRef> Beside<M> for Filter<M> {
    type Both = M;
}

impl<M: TableRef> Beside<M> for Sql {
    type Both = M;
}

impl<M: TableRef, F> Beside<M> for Filter<Over<F>> {
    type Both = Over<(M, Over<F>)>;
}

impl<F, R: Condition> Beside<Over<F>> for R {
    type Both = Over<(Over<F>, R::Models)>;
}

impl<F, R: Beside<F>> BitAnd<R> for Filter<F> {
    type Output = Filter<R::Both>;

    fn bitand(self, right: R) -> Self::Output {
        Filter::new(self.node.and(right.into_node()))
    }
}

impl<F, R: Beside<F>> BitOr<R> for Filter<F> {
    type Output = Filter<R::Both>;

    fn bitor(self, right: R) -> Self::Output {
        Filter::new(self.node.or(right.into_node()))
    }
}

impl<F> Not for Filter<F> {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(self.node.not())
    }
}
