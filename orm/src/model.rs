//! A model: table, columns, key.

use std::future::{Future, ready};

use crate::codec::{Decode, Sink, Source};
use crate::error::Result;
use crate::executor::Executor;
use crate::field::Field;
use crate::table::Table;

/// A plain struct that is a row of a table.
///
/// Derive it; [`ModelExt`](crate::ModelExt) has what one does with it. See [`derive@crate::Model`] for the attributes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    note = "derive it: `#[derive(packetboat_orm::Model)]`"
)]
pub trait Model: Decode + Sync {
    /// The primary key.
    type Key: Key;

    /// The table, its columns and its fixed statements.
    const TABLE: &'static Table;

    /// This row's key.
    ///
    /// By value, since a key of several columns stands in several fields.
    fn key(&self) -> Self::Key;

    /// Sets the key, once it is chosen.
    fn set_key(&mut self, key: Self::Key);

    /// Whether the key is not chosen yet: 0, `""`, nil, `None`.
    fn is_new(&self) -> bool;

    /// Writes the one column in this position of [`TABLE`](Self::TABLE)'s columns; nothing where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) for a value that cannot be stored.
    fn put_column<S: Sink>(&self, at: usize, sink: &mut S) -> Result<()>;

    /// Sets the column in this position, if it is one that statements look after (version, times, tenant).
    #[doc(hidden)]
    fn set_column<R: Source>(&mut self, _at: usize, _row: &R, _index: usize) -> Result<()> {
        Ok(())
    }

    /// Whether there are [`Hooks`](crate::Hooks); the methods below hand on to them.
    #[doc(hidden)]
    const HOOKS: bool = false;

    #[doc(hidden)]
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    #[doc(hidden)]
    fn before_save<E: Executor>(&mut self, _tx: &mut E) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    #[doc(hidden)]
    fn after_save<E: Executor>(&mut self, _tx: &mut E) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    #[doc(hidden)]
    fn before_delete<E: Executor>(
        &mut self,
        _tx: &mut E,
    ) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
}

/// The primary key of a model: any [`Field`], or for a key of several columns a tuple of up to four.
pub trait Key: Clone + Send + Sync + 'static {
    /// Whether it is not chosen yet. A tuple always is: no database chooses one.
    fn is_unset(&self) -> bool;

    /// A new key, where the application chooses it and not the database.
    fn generate() -> Option<Self>;

    /// The key that the database chose.
    fn from_last_id(id: i64) -> Option<Self>;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) where it cannot be stored.
    fn put<S: Sink>(&self, table: &'static Table, sink: &mut S) -> Result<()>;

    /// Reads it from the columns that start at `at`.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) where what stands there does not fit.
    fn get<R: Source>(row: &R, at: usize, table: &'static Table) -> Result<Self>;
}

impl<F: Field + Clone> Key for F {
    fn is_unset(&self) -> bool {
        Field::is_unset(self)
    }

    fn generate() -> Option<Self> {
        <Self as Field>::generate()
    }

    fn from_last_id(id: i64) -> Option<Self> {
        <Self as Field>::from_last_id(id)
    }

    fn put<S: Sink>(&self, table: &'static Table, sink: &mut S) -> Result<()> {
        Field::put(self, table.key(), sink)
    }

    fn get<R: Source>(row: &R, at: usize, table: &'static Table) -> Result<Self> {
        Field::get(row, at, table.key())
    }
}

macro_rules! tuples {
    ($($($part:ident $index:tt),+;)+) => {$(
        impl<$($part: Field + Clone),+> Key for ($($part,)+) {
            fn is_unset(&self) -> bool {
                false
            }

            fn generate() -> Option<Self> {
                None
            }

            fn from_last_id(_: i64) -> Option<Self> {
                None
            }

            fn put<S: Sink>(&self, table: &'static Table, sink: &mut S) -> Result<()> {
                $(self.$index.put(table.key_column($index), sink)?;)+
                Ok(())
            }

            fn get<R: Source>(row: &R, at: usize, table: &'static Table) -> Result<Self> {
                Ok(($($part::get(row, at + $index, table.key_column($index))?,)+))
            }
        }
    )+};
}

tuples! {
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
}
