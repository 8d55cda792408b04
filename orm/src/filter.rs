//! WHERE as a value.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use crate::field::Field;
use crate::sql::Sql;
use crate::table::ColumnDef;
use crate::value::{IntoValue, Value};

/// A column of model `M` whose field is a `T`: `user::name`.
///
/// The derive makes one for each field. The methods make conditions, orders and assignments out of it; none of them
/// knows a database.
pub struct Column<M, T> {
    def: &'static ColumnDef,
    model: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Column<M, T> {
    /// Called by the derive.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(def: &'static ColumnDef) -> Self {
        Self {
            def,
            model: PhantomData,
        }
    }

    /// The column's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.def.name()
    }

    /// What the model says about the column.
    #[must_use]
    pub const fn def(self) -> &'static ColumnDef {
        self.def
    }

    /// Smallest first; NULL before everything.
    pub const fn asc(self) -> Order<M> {
        Order {
            column: self.def,
            descending: false,
            model: PhantomData,
        }
    }

    /// Largest first; NULL after everything.
    pub const fn desc(self) -> Order<M> {
        Order {
            column: self.def,
            descending: true,
            model: PhantomData,
        }
    }
}

impl<M, T: Field> Column<M, T> {
    /// `column = value`; for `None`, `column IS NULL`.
    pub fn eq(self, value: impl IntoValue<T>) -> Filter<M> {
        self.compare(Comparison::Eq, &value.into_value())
    }

    /// `column <> value`; for `None`, `column IS NOT NULL`. A row with NULL is not found by `ne` of a value.
    pub fn ne(self, value: impl IntoValue<T>) -> Filter<M> {
        self.compare(Comparison::Ne, &value.into_value())
    }

    /// `column > value`.
    pub fn gt(self, value: impl IntoValue<T>) -> Filter<M> {
        self.compare(Comparison::Gt, &value.into_value())
    }

    /// `column >= value`.
    pub fn ge(self, value: impl IntoValue<T>) -> Filter<M> {
        self.compare(Comparison::Ge, &value.into_value())
    }

    /// `column < value`.
    pub fn lt(self, value: impl IntoValue<T>) -> Filter<M> {
        self.compare(Comparison::Lt, &value.into_value())
    }

    /// `column <= value`.
    pub fn le(self, value: impl IntoValue<T>) -> Filter<M> {
        self.compare(Comparison::Le, &value.into_value())
    }

    /// `column IN (values)`; of no values, no row. `None` among them is NULL, as in [`eq`](Self::eq).
    pub fn is_in<V: IntoValue<T>>(self, values: impl IntoIterator<Item = V>) -> Filter<M> {
        let values = values
            .into_iter()
            .map(|value| Value::of(self.def, &value.into_value()));
        let (nulls, values): (Vec<_>, Vec<_>) = values.partition(Value::is_null);
        let found = Node::In(self.def, values);
        // Inside of IN, NULL finds nothing, and its negation nothing at all.
        if nulls.is_empty() {
            Filter::new(found)
        } else {
            Filter::new(Node::Null(self.def).or(found))
        }
    }

    /// Assigns a value in [`Select::update`](crate::Select::update).
    pub fn set(self, value: impl IntoValue<T>) -> Assignment<M> {
        Assignment {
            column: self.def,
            value: Value::of(self.def, &value.into_value()),
            model: PhantomData,
        }
    }

    fn compare(self, comparison: Comparison, value: &T) -> Filter<M> {
        Filter::new(Node::Compare(
            self.def,
            comparison,
            Value::of(self.def, value),
        ))
    }
}

impl<M, T> Column<M, Option<T>> {
    /// `column IS NULL`.
    pub fn is_null(self) -> Filter<M> {
        Filter::new(Node::Null(self.def))
    }

    /// `column IS NOT NULL`.
    pub fn is_not_null(self) -> Filter<M> {
        !self.is_null()
    }
}

impl<M, T> Clone for Column<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T> Copy for Column<M, T> {}

impl<M, T> fmt::Debug for Column<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({}.{})", self.def.table(), self.def.name())
    }
}

/// A condition on the rows of model `M`; combine with `&`, `|` and `!`.
#[must_use = "a condition does nothing until a query uses it"]
pub struct Filter<M> {
    pub(crate) node: Node,
    model: PhantomData<fn() -> M>,
}

impl<M> Filter<M> {
    pub(crate) const fn new(node: Node) -> Self {
        Self {
            node,
            model: PhantomData,
        }
    }
}

impl<M> Clone for Filter<M> {
    fn clone(&self) -> Self {
        Self::new(self.node.clone())
    }
}

impl<M> fmt::Debug for Filter<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.node).finish()
    }
}

/// What can stand as a condition on model `M`: its own filters, and a piece of raw [`Sql`].
#[diagnostic::on_unimplemented(
    message = "this is not a condition on `{M}`",
    label = "not a condition on `{M}`",
    note = "a condition is made from the columns of the model that is selected"
)]
pub trait IntoFilter<M> {
    /// The condition.
    fn into_filter(self) -> Filter<M>;
}

impl<M> IntoFilter<M> for Filter<M> {
    fn into_filter(self) -> Self {
        self
    }
}

impl<M> IntoFilter<M> for Sql {
    fn into_filter(self) -> Filter<M> {
        Filter::new(Node::Raw(self))
    }
}

impl<M, R: IntoFilter<M>> BitAnd<R> for Filter<M> {
    type Output = Self;

    fn bitand(self, right: R) -> Self {
        Self::new(self.node.and(right.into_filter().node))
    }
}

impl<M, R: IntoFilter<M>> BitOr<R> for Filter<M> {
    type Output = Self;

    fn bitor(self, right: R) -> Self {
        Self::new(self.node.or(right.into_filter().node))
    }
}

impl<M> Not for Filter<M> {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(match self.node {
            Node::Not(inner) => *inner,
            node => Node::Not(Box::new(node)),
        })
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Comparison {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Ne,
}

/// The tree of a condition. `All` and `Any` are flat, so a long chain is not a deep tree.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(&'static ColumnDef, Comparison, Value),
    In(&'static ColumnDef, Vec<Value>),
    Not(Box<Self>),
    Null(&'static ColumnDef),
    Raw(Sql),
}

impl Node {
    pub(crate) fn and(self, right: Self) -> Self {
        match (self, right) {
            (Self::All(mut parts), Self::All(more)) => {
                parts.extend(more);
                Self::All(parts)
            }
            (Self::All(mut parts), right) => {
                parts.push(right);
                Self::All(parts)
            }
            (left, right) => Self::All(vec![left, right]),
        }
    }

    fn or(self, right: Self) -> Self {
        match (self, right) {
            (Self::Any(mut parts), Self::Any(more)) => {
                parts.extend(more);
                Self::Any(parts)
            }
            (Self::Any(mut parts), right) => {
                parts.push(right);
                Self::Any(parts)
            }
            (left, right) => Self::Any(vec![left, right]),
        }
    }
}

/// A column to sort by: `user::id.desc()`.
#[must_use = "an order does nothing until a query uses it"]
pub struct Order<M> {
    pub(crate) column: &'static ColumnDef,
    pub(crate) descending: bool,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for Order<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Order<M> {}

impl<M> fmt::Debug for Order<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { "desc" } else { "asc" };
        write!(
            f,
            "Order({}.{} {direction})",
            self.column.table(),
            self.column.name()
        )
    }
}

/// A column and its new value: `user::is_vip.set(true)`.
#[must_use = "an assignment does nothing until an update uses it"]
pub struct Assignment<M> {
    pub(crate) column: &'static ColumnDef,
    pub(crate) value: Value,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for Assignment<M> {
    fn clone(&self) -> Self {
        Self {
            column: self.column,
            value: self.value.clone(),
            model: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Assignment<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Assignment({}.{})",
            self.column.table(),
            self.column.name()
        )
    }
}
