//! A model: table, columns, key.

use crate::codec::{Decode, Params, Sink, Source};
use crate::error::Result;
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

    /// Writes the key.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) for a value that cannot be stored.
    fn put_key<S: Sink>(&self, sink: &mut S) -> Result<()>;

    /// Writes every column but the key, in the order of the fields.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) for a value that cannot be stored.
    fn put<S: Sink>(&self, sink: &mut S) -> Result<()>;

    /// Writes the one column in this position of [`TABLE`](Self::TABLE)'s columns; nothing where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) for a value that cannot be stored.
    fn put_column<S: Sink>(&self, at: usize, sink: &mut S) -> Result<()>;
}

/// The primary key of a model: any [`Field`].
pub trait Key: Clone + Send + Sync + 'static {
    /// Whether it is not chosen yet.
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

/// Which of a row's values a statement binds, and in which order.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// INSERT without a key.
    Rest,
    /// INSERT with the key first.
    KeyThenRest,
    /// UPDATE, whose key stands last.
    RestThenKey,
}

/// The values of rows of a model.
pub(crate) struct Rows<'a, M>(pub(crate) &'a [M], pub(crate) Part);

impl<M: Model> Params for Rows<'_, M> {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        sink.reserve(self.0.len() * M::TABLE.columns().len());
        for row in self.0 {
            match self.1 {
                Part::Rest => row.put(sink)?,
                Part::KeyThenRest => {
                    row.put_key(sink)?;
                    row.put(sink)?;
                }
                Part::RestThenKey => {
                    row.put(sink)?;
                    row.put_key(sink)?;
                }
            }
        }
        Ok(())
    }
}

/// The key of a row.
pub(crate) struct OwnKey<'a, M>(pub(crate) &'a M);

impl<M: Model> Params for OwnKey<'_, M> {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        self.0.put_key(sink)
    }
}

/// The value of a key.
pub(crate) struct KeyOf<'a, M: Model>(pub(crate) &'a M::Key);

impl<M: Model> Params for KeyOf<'_, M> {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        self.0.put(M::TABLE, sink)
    }
}

/// A key alone in a row: what RETURNING gives back.
pub(crate) struct ReturnedKey<M: Model>(pub(crate) M::Key);

impl<M: Model> Decode for ReturnedKey<M> {
    const WIDTH: usize = 1;

    fn decode<R: Source>(row: &R, at: usize) -> Result<Self> {
        M::Key::get(row, at, M::TABLE).map(Self)
    }
}
