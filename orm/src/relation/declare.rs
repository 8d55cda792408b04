//! What the derive makes relations of: columns of the types that refer to each other.

use crate::constraint::References;
use crate::expr::Column;
use crate::model::Model;
use crate::relation::Relation;
use crate::relation::ends::{Columns, Ends};
use crate::relation::kind::{Kind, Through};

/// Called by the derive.
#[doc(hidden)]
impl<M: Model, C: Model, K: Kind> Relation<M, C, K> {
    pub const fn belongs_to<A>(a: Column<M, A>) -> Self
    where
        A: References<C::Key>,
    {
        Self::new(Ends::Own(Columns::one(a.def())))
    }

    pub const fn belongs_to_2<A, B>(a: Column<M, A>, b: Column<M, B>) -> Self
    where
        (A, B): References<C::Key>,
    {
        Self::new(Ends::Own(Columns::two(a.def(), b.def())))
    }

    pub const fn belongs_to_3<A, B, D>(a: Column<M, A>, b: Column<M, B>, d: Column<M, D>) -> Self
    where
        (A, B, D): References<C::Key>,
    {
        Self::new(Ends::Own(Columns::three(a.def(), b.def(), d.def())))
    }

    pub const fn has<A>(a: Column<C, A>) -> Self
    where
        A: References<M::Key>,
    {
        Self::new(Ends::Other(Columns::one(a.def())))
    }

    pub const fn has_2<A, B>(a: Column<C, A>, b: Column<C, B>) -> Self
    where
        (A, B): References<M::Key>,
    {
        Self::new(Ends::Other(Columns::two(a.def(), b.def())))
    }

    pub const fn has_3<A, B, D>(a: Column<C, A>, b: Column<C, B>, d: Column<C, D>) -> Self
    where
        (A, B, D): References<M::Key>,
    {
        Self::new(Ends::Other(Columns::three(a.def(), b.def(), d.def())))
    }
}

/// Called by the derive: `through` names the own key, `to` then the other's.
#[doc(hidden)]
impl<M: Model, C: Model, T: Model> Relation<M, C, Through<T>> {
    pub const fn through<A>(a: Column<T, A>) -> Self
    where
        A: References<M::Key>,
    {
        Self::by(Columns::one(a.def()))
    }

    pub const fn through_2<A, B>(a: Column<T, A>, b: Column<T, B>) -> Self
    where
        (A, B): References<M::Key>,
    {
        Self::by(Columns::two(a.def(), b.def()))
    }

    pub const fn through_3<A, B, D>(a: Column<T, A>, b: Column<T, B>, d: Column<T, D>) -> Self
    where
        (A, B, D): References<M::Key>,
    {
        Self::by(Columns::three(a.def(), b.def(), d.def()))
    }

    pub const fn to<A>(self, a: Column<T, A>) -> Self
    where
        A: References<C::Key>,
    {
        self.and_to(Columns::one(a.def()))
    }

    pub const fn to_2<A, B>(self, a: Column<T, A>, b: Column<T, B>) -> Self
    where
        (A, B): References<C::Key>,
    {
        self.and_to(Columns::two(a.def(), b.def()))
    }

    pub const fn to_3<A, B, D>(self, a: Column<T, A>, b: Column<T, B>, d: Column<T, D>) -> Self
    where
        (A, B, D): References<C::Key>,
    {
        self.and_to(Columns::three(a.def(), b.def(), d.def()))
    }

    const fn by(by: Columns) -> Self {
        // Nothing refers to the other model until `to` has said by what.
        Self::new(Ends::Other(by))
    }

    const fn and_to(mut self, to: Columns) -> Self {
        if let Ends::Other(by) = self.ends {
            self.ends = Ends::Between {
                table: T::TABLE,
                by,
                to,
            };
        }
        self
    }
}
