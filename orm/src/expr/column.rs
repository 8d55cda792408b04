//! A column as a value: `user::name`.

use std::fmt;
use std::marker::PhantomData;

use crate::cover::{AliasOf, Covered, TableRef};
use crate::expr::{Operand, Place, Term};
use crate::field::Field;
use crate::model::Model;
use crate::table::ColumnDef;

/// A column of model `M` whose field is a `T`: `user::name`.
///
/// The derive makes one for each field. The methods make conditions, orders, expressions and assignments out of it; none
/// of them knows a database.
pub struct Column<M, T> {
    place: Place,
    model: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Column<M, T> {
    /// Called by the derive.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(def: &'static ColumnDef) -> Self {
        Self {
            place: Place::of(def),
            model: PhantomData,
        }
    }

    /// The column in this position of the model. Called by the derive.
    #[doc(hidden)]
    #[must_use]
    pub const fn at(position: usize) -> Self
    where
        M: Model,
    {
        Self::new(&M::TABLE.columns()[position])
    }

    /// The column's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.place.def.name()
    }

    /// What the model says about the column.
    #[must_use]
    pub const fn def(self) -> &'static ColumnDef {
        self.place.def
    }

    pub(crate) const fn into_own_term(self) -> Term {
        Term::Column(self.place)
    }
}

impl<M: Model, T> Column<M, T> {
    /// This column of the same table under another name, for a query in which the table stands twice.
    #[must_use]
    pub const fn of<A>(self) -> Column<A, T>
    where
        A: TableRef + AliasOf<M>,
    {
        Column {
            place: Place {
                def: self.place.def,
                alias: A::ALIAS,
            },
            model: PhantomData,
        }
    }
}

impl<M, T: Field> Column<M, T> {
    /// Assigns a value, or an expression on the row's own columns, in [`Select::update`](crate::Select::update):
    /// `user::coins.set(user::coins - 3)`.
    ///
    /// An expression reads the row as it was before the update. MySQL assigns one column after the other: what reads a
    /// column is put before what sets it, and columns that read each other in a circle are refused there
    /// ([`Error::Unsupported`](crate::Error::Unsupported)).
    ///
    /// What an expression makes out of range, PostgreSQL and MySQL refuse. SQLite keeps integers of any column in 8
    /// bytes: there the row cannot be read any more ([`Error::Decode`](crate::Error::Decode)), until it is mended.
    pub fn set<K, I, V>(self, value: V) -> Assignment<M>
    where
        V: Operand<T, K>,
        V::Models: Covered<M, I>,
    {
        Assignment {
            column: self.place.def,
            term: value.into_term(self.place.def),
            model: PhantomData,
        }
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
        write!(
            f,
            "Column({}.{})",
            self.place.table(),
            self.place.def.name()
        )
    }
}

/// A column and its new value: `user::is_vip.set(true)`.
#[must_use = "an assignment does nothing until an update uses it"]
pub struct Assignment<M> {
    pub(crate) column: &'static ColumnDef,
    pub(crate) term: Term,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for Assignment<M> {
    fn clone(&self) -> Self {
        Self {
            column: self.column,
            term: self.term.clone(),
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
