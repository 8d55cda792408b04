//! Expressions on columns: what can be compared, sorted by, assigned, read and counted.

mod aggregate;
mod column;
mod compare;
mod node;
mod number;
mod operand;
mod term;
mod text;

pub use self::aggregate::count;
pub use self::column::{Assignment, Column};
pub use self::number::{Factor, Numeric};
pub use self::operand::{Members, Near, Operand, Plain, Row, Same, Scalar};
pub use self::text::Textual;

pub(crate) use self::node::{Comparison, Node};
pub(crate) use self::term::{Aggregate, Arithmetic, Function, Place, Term};

use std::fmt;
use std::marker::PhantomData;

/// A value of type `T` in each row, made of columns of `F`: `user::age + 1`, `user::name.lower()`, `post::id.count()`.
///
/// It has the methods of a [`Column`], but for [`set`](Column::set).
#[must_use = "an expression does nothing until a query uses it"]
pub struct Expr<F, T> {
    pub(crate) term: Term,
    of: PhantomData<fn() -> (F, T)>,
}

impl<F, T> Expr<F, T> {
    pub(crate) const fn new(term: Term) -> Self {
        Self {
            term,
            of: PhantomData,
        }
    }

    pub(crate) fn into_own_term(self) -> Term {
        self.term
    }
}

impl<F, T> Clone for Expr<F, T> {
    fn clone(&self) -> Self {
        Self::new(self.term.clone())
    }
}

impl<F, T> fmt::Debug for Expr<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.term).finish()
    }
}

impl<F, T> From<Column<F, T>> for Expr<F, T> {
    fn from(column: Column<F, T>) -> Self {
        Self::new(column.into_own_term())
    }
}
