//! A Rust type that can be a column.

mod decimal;
mod json;
mod number;
mod text;
mod time;

pub use self::json::Json;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Decode, Params, Sink, Source};
use crate::error::{Error, Result};
use crate::table::{ColumnDef, SqlType};
use crate::unfit;

/// A Rust type that can be a column, on every database.
///
/// Implemented for `bool`, `i16`, `i32`, `i64`, `u32`, `u64`, `f32`, `f64`, `String`, `Vec<u8>`, chrono's
/// `DateTime<Utc>`, `NaiveDate` and `NaiveDateTime`, `Uuid`, `Decimal`, [`Json<T>`](Json), and `Option` of these.
/// `#[derive(Field)]` makes one of a newtype around a field, or of an enum without data.
///
/// By hand, put the value into one that is a field already:
///
/// ```
/// use packetboat_orm::{ColumnDef, Field, Result, Sink, Source, SqlType};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Even(i64);
///
/// impl Field for Even {
///     const TYPE: SqlType = SqlType::I64;
///
///     fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
///         self.0.put(column, sink)
///     }
///
///     fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
///         let number = i64::get(row, index, column)?;
///         if number % 2 == 0 { Ok(Self(number)) } else { Err(column.misfit("an odd number")) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a column",
    label = "not a column type",
    note = "derive `Field` for a newtype or an enum without data, or keep the value as `Json<{Self}>`"
)]
pub trait Field: Sized + Send + Sync + 'static {
    /// The column's type.
    const TYPE: SqlType;
    /// Whether NULL is one of the values.
    const NULLABLE: bool = false;
    /// Both, for the derive, which so names each type once.
    #[doc(hidden)]
    const KIND: (SqlType, bool) = (Self::TYPE, Self::NULLABLE);

    /// Writes the value.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] where it cannot be stored.
    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()>;

    /// Reads the value in position `index` of the row.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] where what stands there does not fit.
    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self>;

    /// Whether this value, as a key, means "not chosen yet": 0, `""`, the nil UUID, `None`.
    fn is_unset(&self) -> bool {
        false
    }

    /// A new value for an unset key, where the application chooses it and not the database.
    fn generate() -> Option<Self> {
        None
    }

    /// The key that the database chose.
    fn from_last_id(_: i64) -> Option<Self> {
        None
    }
}

impl ColumnDef {
    /// The error for a value of this column that does not fit its field, for a [`Field::get`] written by hand.
    #[must_use]
    pub fn misfit(&self, what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        unfit::decode(self, what)
    }
}

impl Field for bool {
    const TYPE: SqlType = SqlType::Bool;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.bool(column, *self)
    }

    #[inline]
    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        row.bool(index, column)
    }
}

impl Field for Vec<u8> {
    const TYPE: SqlType = SqlType::Bytes;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.bytes(column, self)
    }

    #[inline]
    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        row.bytes(index, column)
    }
}

/// As a key, the nil UUID is replaced by a random one (version 4) when the row is inserted.
impl Field for Uuid {
    const TYPE: SqlType = SqlType::Uuid;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.uuid(column, *self)
    }

    #[inline]
    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        row.uuid(index, column)
    }

    fn is_unset(&self) -> bool {
        self.is_nil()
    }

    fn generate() -> Option<Self> {
        Some(Self::new_v4())
    }
}

impl<T: Field> Field for Option<T> {
    const TYPE: SqlType = T::TYPE;
    const NULLABLE: bool = true;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        match self {
            Some(value) => value.put(column, sink),
            None => sink.null(column, T::TYPE),
        }
    }

    #[inline]
    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        if row.is_null(index, column)? {
            Ok(None)
        } else {
            T::get(row, index, column).map(Some)
        }
    }

    fn is_unset(&self) -> bool {
        self.as_ref().is_none_or(T::is_unset)
    }

    fn generate() -> Option<Self> {
        T::generate().map(Some)
    }

    fn from_last_id(id: i64) -> Option<Self> {
        T::from_last_id(id).map(Some)
    }
}

/// Reads a field that stands alone, or in a tuple.
macro_rules! decode {
    ($($field:ty;)+) => {$(
        impl Decode for $field {
            const WIDTH: usize = 1;

            fn decode<R: Source>(row: &R, at: usize) -> Result<Self> {
                Field::get(row, at, ColumnDef::UNNAMED)
            }
        }
    )+};
}

decode! {
    bool;
    i16;
    i32;
    i64;
    u32;
    u64;
    f32;
    f64;
    String;
    Vec<u8>;
    DateTime<Utc>;
    NaiveDate;
    NaiveDateTime;
    Uuid;
    Decimal;
}

macro_rules! tuples {
    ($($width:literal: $($field:ident $index:tt),+;)+) => {$(
        /// Binds the values in order.
        impl<$($field: Field),+> Params for ($($field,)+) {
            fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
                sink.reserve($width);
                $(self.$index.put(ColumnDef::UNNAMED, sink)?;)+
                Ok(())
            }
        }
    )+};
}

tuples! {
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
    7: A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}
