//! How many rows a relation leads to, and so what loading it gives.

use std::marker::PhantomData;

use crate::codec::Source;
use crate::constraint::References;
use crate::error::Result;
use crate::model::Model;

/// What a relation gives for each row: a `Vec`, one, or an `Option`. Sealed.
pub trait Kind: sealed::Sealed + Send + Sync + 'static {
    /// What loading gives for each row.
    type Out<R: Send + 'static>: Send + 'static;

    /// The kind of the relation once a filter may leave rows out.
    type Filtered: Kind;

    /// The models that conditions on the related rows may be on.
    type Models<C: Model>;

    /// What is read beside each related row.
    #[doc(hidden)]
    type Beside: Send + 'static;

    /// How many columns that takes.
    #[doc(hidden)]
    const WIDTH: usize = 0;

    /// The related row, and what was read beside it.
    #[doc(hidden)]
    type Row<R: Send + 'static>: Send + 'static;

    #[doc(hidden)]
    fn beside<S: Source>(row: &S, at: usize) -> Result<Self::Beside>;

    #[doc(hidden)]
    fn join<R: Send + 'static>(row: R, beside: Self::Beside) -> Self::Row<R>;

    /// Gives each of the `parents` its rows, in the order in which they came; `None` where one lacks the row that it
    /// must have.
    #[doc(hidden)]
    fn place<R: Send + 'static>(
        rows: impl Iterator<Item = (usize, Self::Row<R>)>,
        of: &[usize],
        parents: usize,
    ) -> Option<Vec<Self::Out<R>>>;
}

mod sealed {
    /// Only this crate implements what has this bound.
    #[allow(unnameable_types, reason = "this is what seals")]
    pub trait Sealed {}
}

/// Any number of rows, as a `Vec`.
#[derive(Clone, Copy, Debug)]
pub enum Many {}

/// At most one row, as an `Option`.
#[derive(Clone, Copy, Debug)]
pub enum Maybe {}

/// Exactly one row.
#[derive(Clone, Copy, Debug)]
pub enum One {}

/// Any number of rows that rows of `T` lead to.
#[derive(Clone, Copy, Debug)]
pub struct Through<T>(PhantomData<fn() -> T>);

/// Any number of rows, each with the row of `T` that leads to it.
#[derive(Clone, Copy, Debug)]
pub struct WithThrough<T>(PhantomData<fn() -> T>);

impl sealed::Sealed for Many {}
impl sealed::Sealed for Maybe {}
impl sealed::Sealed for One {}
impl<T> sealed::Sealed for Through<T> {}
impl<T> sealed::Sealed for WithThrough<T> {}

/// The kinds that read nothing beside the related row.
macro_rules! alone {
    () => {
        type Beside = ();
        type Row<R: Send + 'static> = R;

        fn beside<S: Source>(_: &S, _: usize) -> Result<()> {
            Ok(())
        }

        fn join<R: Send + 'static>(row: R, (): ()) -> R {
            row
        }
    };
}

/// The kinds that give a `Vec` of the related rows.
macro_rules! many {
    () => {
        type Out<R: Send + 'static> = Vec<R>;
        type Filtered = Self;

        alone!();

        fn place<R: Send + 'static>(
            rows: impl Iterator<Item = (usize, R)>,
            of: &[usize],
            parents: usize,
        ) -> Option<Vec<Vec<R>>> {
            Some(groups(rows, of, parents))
        }
    };
}

impl Kind for Many {
    type Models<C: Model> = C;

    many!();
}

impl<T: Model> Kind for Through<T> {
    type Models<C: Model> = (C, T);

    many!();
}

impl<T: Model> Kind for WithThrough<T> {
    type Models<C: Model> = (C, T);

    type Out<R: Send + 'static> = Vec<(R, T)>;
    type Filtered = Self;
    type Beside = T;
    type Row<R: Send + 'static> = (R, T);

    const WIDTH: usize = T::WIDTH;

    fn beside<S: Source>(row: &S, at: usize) -> Result<T> {
        T::decode(row, at)
    }

    fn join<R: Send + 'static>(row: R, beside: T) -> (R, T) {
        (row, beside)
    }

    fn place<R: Send + 'static>(
        rows: impl Iterator<Item = (usize, (R, T))>,
        of: &[usize],
        parents: usize,
    ) -> Option<Vec<Vec<(R, T)>>> {
        Some(groups(rows, of, parents))
    }
}

impl Kind for Maybe {
    type Models<C: Model> = C;
    type Out<R: Send + 'static> = Option<R>;
    type Filtered = Self;

    alone!();

    fn place<R: Send + 'static>(
        rows: impl Iterator<Item = (usize, R)>,
        _: &[usize],
        parents: usize,
    ) -> Option<Vec<Option<R>>> {
        Some(firsts(rows, parents))
    }
}

impl Kind for One {
    type Models<C: Model> = C;
    type Out<R: Send + 'static> = R;
    type Filtered = Maybe;

    alone!();

    fn place<R: Send + 'static>(
        rows: impl Iterator<Item = (usize, R)>,
        _: &[usize],
        parents: usize,
    ) -> Option<Vec<R>> {
        firsts(rows, parents).into_iter().collect()
    }
}

fn groups<R>(rows: impl Iterator<Item = (usize, R)>, of: &[usize], parents: usize) -> Vec<Vec<R>> {
    // Counted first, so that each group is allocated once and is no larger than it must be.
    let mut sizes = vec![0; parents];
    for &parent in of {
        sizes[parent] += 1;
    }
    let mut groups: Vec<Vec<R>> = sizes.into_iter().map(Vec::with_capacity).collect();
    for (parent, row) in rows {
        groups[parent].push(row);
    }
    groups
}

fn firsts<R>(rows: impl Iterator<Item = (usize, R)>, parents: usize) -> Vec<Option<R>> {
    let mut firsts: Vec<Option<R>> = (0..parents).map(|_| None).collect();
    for (parent, row) in rows {
        firsts[parent].get_or_insert(row);
    }
    firsts
}

/// Foreign keys of several columns, of which some may be NULL.
macro_rules! partly_null {
    ($(<$($part:ident),+> $foreign:ty => $key:ty;)+) => {$(
        impl<$($part),+> References<$key> for $foreign {
            type Kind = Maybe;
        }
    )+};
}

partly_null! {
    <A, B> (A, Option<B>) => (A, B);
    <A, B> (Option<A>, B) => (A, B);
    <A, B> (Option<A>, Option<B>) => (A, B);
    <A, B, C> (A, B, Option<C>) => (A, B, C);
    <A, B, C> (A, Option<B>, C) => (A, B, C);
    <A, B, C> (Option<A>, B, C) => (A, B, C);
    <A, B, C> (A, Option<B>, Option<C>) => (A, B, C);
    <A, B, C> (Option<A>, B, Option<C>) => (A, B, C);
    <A, B, C> (Option<A>, Option<B>, C) => (A, B, C);
    <A, B, C> (Option<A>, Option<B>, Option<C>) => (A, B, C);
}
