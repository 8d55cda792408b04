//! Which models an expression is over, and which a query has: compared by the compiler.
//!
//! A query of `(User, Option<Post>)` has the model `User` in each row and `Post` in some. An expression names the models
//! that it reads: one, or several as [`Over`]. The markers say how each was found; they are inferred and never written.

use std::marker::PhantomData;

use crate::codec::Decode;
use crate::model::Model;
use crate::table::Table;

/// What can stand in a query as a table: a model, or another name for one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model, nor another name for one",
    note = "derive it: `#[derive(packetboat_orm::Model)]`"
)]
pub trait TableRef: Decode {
    /// The table.
    const TABLE: &'static Table;

    /// Its name in the query; empty where that is the table's own.
    const ALIAS: &'static str;
}

impl<M: Model> TableRef for M {
    const TABLE: &'static Table = M::TABLE;
    const ALIAS: &'static str = "";
}

/// A query that stands by itself: of one model, or of several side by side.
#[diagnostic::on_unimplemented(
    message = "this query cannot be run by itself",
    note = "a query with `correlate` stands inside of another: `exists(..)`, `is_in(..)`"
)]
pub trait Whole {}

/// What an expression is over that is more than one model's columns: a pair of these, or one of the wrappers below.
#[derive(Debug)]
pub struct Over<F>(PhantomData<fn() -> F>);

/// An aggregate over the rows of a group.
#[derive(Debug)]
pub struct Aggregated<F>(PhantomData<fn() -> F>);

/// A sub-select of `S` with a condition on the models of `F`, some of which belong to the query around it.
#[derive(Debug)]
pub struct Correlated<S, F>(PhantomData<fn() -> (S, F)>);

/// What a group of rows of `S` has: columns, and aggregates over them.
#[derive(Debug)]
pub struct Grouped<S>(PhantomData<fn() -> S>);

/// What a sub-select of `S` sees inside of a query of `O`.
#[derive(Debug)]
pub struct Within<O, S>(PhantomData<fn() -> (O, S)>);

/// The query itself: a condition that was made one on all of its models.
#[derive(Debug)]
pub struct All;

/// Found in a position, in each row.
#[derive(Debug)]
pub struct At<const N: usize>;

/// Found in a position, in some rows: the model is on the right of a left join.
#[derive(Debug)]
pub struct Maybe<const N: usize>;

/// Found in the sub-select itself, or in a group.
#[derive(Debug)]
pub struct In<I>(PhantomData<fn() -> I>);

/// Found in the query around a sub-select.
#[derive(Debug)]
pub struct Out<I>(PhantomData<fn() -> I>);

/// That the models of an expression are in a query of `S`, by the way `I`.
///
/// It is a trait of the models and not of the query, so that the compiler asks for nothing before it knows them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not in this query of `{S}`",
    label = "`{Self}` is not selected or joined here",
    note = "a query sees the columns of the models that it selects and joins; an aggregate stands in `having`, not in `filter`"
)]
pub trait Covered<S, I> {}

/// That they are so in each row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not in this query of `{S}`",
    label = "`{Self}` is not selected or joined here",
    note = "a query sees the columns of the models that it selects and joins"
)]
pub trait Certain<S, I> {}

/// That not all of them are so in each row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not in this query of `{S}`",
    label = "`{Self}` is not selected or joined here",
    note = "a query sees the columns of the models that it selects and joins"
)]
pub trait Doubtful<S, I> {}

// An expression over nothing: a count of all rows.
#[diagnostic::do_not_recommend]
impl<S> Covered<S, ()> for () {}
#[diagnostic::do_not_recommend]
impl<S> Certain<S, ()> for () {}

// A pair.
impl<S, A, B, I, J> Covered<S, (I, J)> for Over<(A, B)>
where
    A: Covered<S, I>,
    B: Covered<S, J>,
{
}
impl<S, A, B, I, J> Certain<S, (I, J)> for Over<(A, B)>
where
    A: Certain<S, I>,
    B: Certain<S, J>,
{
}
impl<S, A, B, I, J> Doubtful<S, (In<I>, Out<J>)> for Over<(A, B)>
where
    A: Certain<S, I>,
    B: Doubtful<S, J>,
{
}
impl<S, A, B, I, J> Doubtful<S, (Out<I>, In<J>)> for Over<(A, B)>
where
    A: Doubtful<S, I>,
    B: Certain<S, J>,
{
}
impl<S, A, B, I, J> Doubtful<S, (Out<I>, Out<J>)> for Over<(A, B)>
where
    A: Doubtful<S, I>,
    B: Doubtful<S, J>,
{
}

// A sub-select, which sees its own models and those of the query around it.
impl<S, P, F: Covered<Within<S, P>, I>, I> Covered<S, Out<I>> for Over<Correlated<P, F>> {}
impl<O, S, F: TableRef + Covered<S, I>, I> Covered<Within<O, S>, In<I>> for F {}
impl<O, S, F: TableRef + Covered<O, I>, I> Covered<Within<O, S>, Out<I>> for F {}
// Conditions of the sub-select's own.
impl<P, G, F: TableRef + Covered<P, I>, I> Covered<Correlated<P, G>, In<I>> for F {}
impl<P, G, F: TableRef + Certain<P, I>, I> Certain<Correlated<P, G>, In<I>> for F {}

// A group.
impl<S, F: TableRef + Covered<S, I>, I> Covered<Grouped<S>, In<I>> for F {}
impl<S, F: Covered<S, I>, I> Covered<Grouped<S>, Out<I>> for Over<Aggregated<F>> {}
impl<S, F: TableRef + Certain<S, I>, I> Certain<Grouped<S>, In<I>> for F {}
impl<S, F: Covered<S, I>, I> Certain<Grouped<S>, Out<I>> for Over<Aggregated<F>> {}
impl<S, F: TableRef + Doubtful<S, I>, I> Doubtful<Grouped<S>, In<I>> for F {}

// One model.
impl<M: TableRef> Whole for M {}
impl<M: TableRef> Covered<M, At<0>> for M {}
impl<M: TableRef> Certain<M, At<0>> for M {}

// Several models.
macro_rules! position {
    ($at:literal, ($($all:ident),+), ($($before:ident)*) $one:ident ($($after:ident)*)) => {
        impl<$($all),+> Covered<($($all,)+), At<$at>> for $one {}
        impl<$($all),+> Certain<($($all,)+), At<$at>> for $one {}
        impl<$($all),+> Covered<($($before,)* Option<$one>, $($after,)*), Maybe<$at>> for $one {}
        impl<$($all),+> Doubtful<($($before,)* Option<$one>, $($after,)*), Maybe<$at>> for $one {}
    };
}

macro_rules! several {
    ($($all:ident)+: $($positions:tt)+) => {
        impl<$($all),+> Whole for ($($all,)+) {}
        #[diagnostic::do_not_recommend]
        impl<$($all),+> Covered<Self, All> for ($($all,)+) {}
        several!(@ ($($all),+) $($positions)+);
    };
    (@ $all:tt $($at:literal $before:tt $one:ident $after:tt;)+) => {
        $(position!($at, $all, $before $one $after);)+
    };
}

several!(A B: 0 () A (B); 1 (A) B (););
several!(A B C: 0 () A (B C); 1 (A) B (C); 2 (A B) C (););
several!(A B C D: 0 () A (B C D); 1 (A) B (C D); 2 (A B) C (D); 3 (A B C) D (););
several!(A B C D E:
    0 () A (B C D E); 1 (A) B (C D E); 2 (A B) C (D E); 3 (A B C) D (E); 4 (A B C D) E (););
several!(A B C D E F:
    0 () A (B C D E F); 1 (A) B (C D E F); 2 (A B) C (D E F); 3 (A B C) D (E F); 4 (A B C D) E (F);
    5 (A B C D E) F (););

/// The models of a query with one more beside them.
pub trait Append<N> {
    /// All of them.
    type With;
}

impl<M: TableRef, N> Append<N> for M {
    type With = (M, N);
}

macro_rules! append {
    ($($next:ident: $($all:ident),+;)+) => {$(
        impl<$($all,)+ $next> Append<$next> for ($($all,)+) {
            type With = ($($all,)+ $next);
        }
    )+};
}

append! {
    C: A, B;
    D: A, B, C;
    E: A, B, C, D;
    F: A, B, C, D, E;
}

/// Another name for the table of `M`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not another name for `{M}`")]
pub trait AliasOf<M> {}
