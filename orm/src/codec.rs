//! Where values are written to and read from.
//!
//! The methods of [`Sink`] and [`Source`] are the primitives that every database has. A model is written once against
//! them, and so it holds for every database: no signature of an application names one.
//!
//! PostgreSQL and MySQL have types beside these, and so a way to their drivers' own arguments and rows. SQLite has not:
//! its five kinds of values are all here, and its rows may come past the driver.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::error::Result;
use crate::table::{ColumnDef, SqlType};
use crate::tenant::TenantId;
use crate::value::List;

/// Keeps the two traits to the implementations in this crate, so that a primitive can be added to them.
pub(crate) mod sealed {
    /// Only this crate implements what has this bound.
    #[allow(unnameable_types, reason = "this is what seals")]
    pub trait Sealed {}
}

/// Where the values of a statement are written to: a driver's arguments, or a filter's values.
///
/// Sealed. Each method takes the column for which the value is meant, for its limits and for the error.
///
/// # Errors
///
/// Every method returns [`Error::Encode`](crate::Error::Encode) for a value that this database cannot store as it is.
pub trait Sink: sealed::Sealed {
    /// Announces how many values follow.
    fn reserve(&mut self, additional: usize);
    /// NULL of a type.
    fn null(&mut self, column: &ColumnDef, ty: SqlType) -> Result<()>;
    /// A truth value.
    fn bool(&mut self, column: &ColumnDef, value: bool) -> Result<()>;
    /// A 2-byte integer.
    fn i16(&mut self, column: &ColumnDef, value: i16) -> Result<()>;
    /// A 4-byte integer.
    fn i32(&mut self, column: &ColumnDef, value: i32) -> Result<()>;
    /// An 8-byte integer.
    fn i64(&mut self, column: &ColumnDef, value: i64) -> Result<()>;
    /// An unsigned integer; out of range above `i64::MAX`.
    fn u64(&mut self, column: &ColumnDef, value: u64) -> Result<()>;
    /// A finite 4-byte number.
    fn f32(&mut self, column: &ColumnDef, value: f32) -> Result<()>;
    /// A finite 8-byte number.
    fn f64(&mut self, column: &ColumnDef, value: f64) -> Result<()>;
    /// A text.
    fn text(&mut self, column: &ColumnDef, value: &str) -> Result<()>;
    /// Bytes.
    fn bytes(&mut self, column: &ColumnDef, value: &[u8]) -> Result<()>;
    /// An instant; anything below a microsecond is cut off.
    fn datetime(&mut self, column: &ColumnDef, value: DateTime<Utc>) -> Result<()>;
    /// A day and a time; anything below a microsecond is cut off.
    fn naive_datetime(&mut self, column: &ColumnDef, value: NaiveDateTime) -> Result<()>;
    /// A day.
    fn date(&mut self, column: &ColumnDef, value: NaiveDate) -> Result<()>;
    /// A UUID.
    fn uuid(&mut self, column: &ColumnDef, value: Uuid) -> Result<()>;
    /// A decimal number.
    fn decimal(&mut self, column: &ColumnDef, value: Decimal) -> Result<()>;
    /// A JSON document, serialized.
    fn json(&mut self, column: &ColumnDef, value: &str) -> Result<()>;
    /// Many values as one. Not on MySQL, where no statement has a place for it.
    #[doc(hidden)]
    fn list(&mut self, column: &ColumnDef, values: &List) -> Result<()>;
    /// Announces that values follow row by row, so many in each, and that each column of them is bound as one value.
    /// On PostgreSQL only.
    #[doc(hidden)]
    fn by_column(&mut self, _columns: usize) {}

    /// To whom everything belongs that is written here; `None` where no scope says so.
    #[doc(hidden)]
    fn tenant(&self) -> Option<&TenantId> {
        None
    }

    /// The driver's own arguments, for types that PostgreSQL alone has; `None` elsewhere.
    #[cfg(feature = "postgres")]
    fn as_postgres(&mut self) -> Option<&mut sqlx::postgres::PgArguments> {
        None
    }
    /// The driver's own arguments, for types that MySQL alone has; `None` elsewhere.
    #[cfg(feature = "mysql")]
    fn as_mysql(&mut self) -> Option<&mut sqlx::mysql::MySqlArguments> {
        None
    }
}

/// Where the values of a row are read from.
///
/// Sealed. `index` counts the columns of the statement from 0.
///
/// # Errors
///
/// Every method returns [`Error::Decode`](crate::Error::Decode) for a value of another type, for one out of range, for
/// NULL, and for an index outside of the row. None panics, whatever the database holds.
pub trait Source: sealed::Sealed {
    /// Whether the value is NULL.
    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool>;
    /// A truth value.
    fn bool(&self, index: usize, column: &ColumnDef) -> Result<bool>;
    /// An integer, of whatever width the column has.
    fn i64(&self, index: usize, column: &ColumnDef) -> Result<i64>;
    /// A 4-byte number.
    fn f32(&self, index: usize, column: &ColumnDef) -> Result<f32>;
    /// An 8-byte number.
    fn f64(&self, index: usize, column: &ColumnDef) -> Result<f64>;
    /// A text.
    fn text(&self, index: usize, column: &ColumnDef) -> Result<String>;
    /// Bytes.
    fn bytes(&self, index: usize, column: &ColumnDef) -> Result<Vec<u8>>;
    /// An instant.
    fn datetime(&self, index: usize, column: &ColumnDef) -> Result<DateTime<Utc>>;
    /// A day and a time.
    fn naive_datetime(&self, index: usize, column: &ColumnDef) -> Result<NaiveDateTime>;
    /// A day.
    fn date(&self, index: usize, column: &ColumnDef) -> Result<NaiveDate>;
    /// A UUID.
    fn uuid(&self, index: usize, column: &ColumnDef) -> Result<Uuid>;
    /// A decimal number.
    fn decimal(&self, index: usize, column: &ColumnDef) -> Result<Decimal>;
    /// A JSON document, serialized.
    fn json(&self, index: usize, column: &ColumnDef) -> Result<String>;

    /// The driver's own row, for types that PostgreSQL alone has; `None` elsewhere.
    #[cfg(feature = "postgres")]
    fn as_postgres(&self) -> Option<&sqlx::postgres::PgRow> {
        None
    }
    /// The driver's own row, for types that MySQL alone has; `None` elsewhere.
    #[cfg(feature = "mysql")]
    fn as_mysql(&self) -> Option<&sqlx::mysql::MySqlRow> {
        None
    }
}

/// What a statement binds: a model's fields, a filter's values, a tuple.
pub trait Params: Send + Sync {
    /// Writes the values in the order of the statement's placeholders.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) for a value that cannot be stored.
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()>;
}

/// A statement without values.
impl Params for () {
    fn bind<S: Sink>(&self, _: &mut S) -> Result<()> {
        Ok(())
    }
}

impl<P: Params + ?Sized> Params for &P {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        (**self).bind(sink)
    }
}

/// What can be read from a row: a field, a model, and tuples of these side by side.
///
/// `Option<Post>` is `None` where every column of the post is NULL, which is how a left join says that there is none.
///
/// `#[derive(Model)]` and `#[derive(Field)]` implement it. A [`Field`](crate::Field) written by hand has it in three
/// lines: `WIDTH` 1, and [`Field::get`](crate::Field::get) with [`ColumnDef::UNNAMED`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a row",
    note = "derive `Model` or `Field` for it, or read a tuple of such: `(i64, String)`"
)]
pub trait Decode: Sized + Send + 'static {
    /// How many columns it takes, so that another value can follow in the same row.
    const WIDTH: usize;

    /// Whether it knows the columns that it reads, by name and scale, as a model does. A single value does not, and is
    /// told by the query.
    const NAMED: bool = false;

    /// Reads it from the columns that start at `at`.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) for a value that does not fit its field.
    fn decode<R: Source>(row: &R, at: usize) -> Result<Self>;
}

impl<T: Decode> Decode for Option<T> {
    const WIDTH: usize = T::WIDTH;
    const NAMED: bool = T::NAMED;

    #[inline]
    fn decode<R: Source>(row: &R, at: usize) -> Result<Self> {
        for index in at..at + T::WIDTH {
            if !row.is_null(index, ColumnDef::UNNAMED)? {
                return T::decode(row, at).map(Some);
            }
        }
        Ok(None)
    }
}

macro_rules! tuples {
    ($($($part:ident),+;)+) => {$(
        /// Reads the parts of the row in order.
        impl<$($part: Decode),+> Decode for ($($part,)+) {
            const WIDTH: usize = 0 $(+ $part::WIDTH)+;
            const NAMED: bool = true $(&& $part::NAMED)+;

            #[inline]
            fn decode<R: Source>(row: &R, at: usize) -> Result<Self> {
                let mut next = at;
                let mut skip = |width| {
                    next += width;
                    next - width
                };
                Ok(($($part::decode(row, skip($part::WIDTH))?,)+))
            }
        }
    )+};
}

tuples! {
    A;
    A, B;
    A, B, C;
    A, B, C, D;
    A, B, C, D, E;
    A, B, C, D, E, F;
    A, B, C, D, E, F, G;
    A, B, C, D, E, F, G, H;
}
