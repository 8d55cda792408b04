//! ORDER BY as a value.

use std::fmt;
use std::marker::PhantomData;

use crate::expr::Term;
use crate::query::Sort;

/// A column or expression to sort by: `user::id.desc()`.
#[must_use = "an order does nothing until a query uses it"]
pub struct Order<F> {
    pub(crate) sort: Sort,
    models: PhantomData<fn() -> F>,
}

impl<F> Order<F> {
    pub(crate) const fn new(term: Term, descending: bool) -> Self {
        Self {
            sort: Sort { term, descending },
            models: PhantomData,
        }
    }
}

impl<F> Clone for Order<F> {
    fn clone(&self) -> Self {
        Self {
            sort: self.sort.clone(),
            models: PhantomData,
        }
    }
}

impl<F> fmt::Debug for Order<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.sort.descending { "desc" } else { "asc" };
        write!(f, "Order({:?} {direction})", self.sort.term)
    }
}
