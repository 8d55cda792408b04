//! Integers and floating point numbers as columns.

use crate::codec::{Sink, Source};
use crate::error::Result;
use crate::field::Field;
use crate::table::{ColumnDef, SqlType};

macro_rules! integers {
    ($($int:ty, $sql:ident, $method:ident $(as $wide:ty)?;)+) => {$(
        /// As a key, 0 is left to the database to choose.
        impl Field for $int {
            const TYPE: SqlType = SqlType::$sql;

            fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
                sink.$method(column, *self $(as $wide)?)
            }

            #[inline]
            fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
                Self::try_from(row.i64(index, column)?).map_err(|out_of_range| column.misfit(out_of_range))
            }

            fn is_unset(&self) -> bool {
                *self == 0
            }

            fn from_last_id(id: i64) -> Option<Self> {
                Self::try_from(id).ok()
            }
        }
    )+};
}

// The unsigned ones are stored signed and wider, since only MySQL has unsigned columns.
integers! {
    i16, I16, i16;
    i32, I32, i32;
    i64, I64, i64;
    u32, I64, i64 as i64;
    u64, I64, u64;
}

macro_rules! floats {
    ($($float:ident, $sql:ident;)+) => {$(
        /// Finite numbers only: NaN and the infinities are refused before anything is sent.
        impl Field for $float {
            const TYPE: SqlType = SqlType::$sql;

            fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
                sink.$float(column, *self)
            }

            #[inline]
            fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
                row.$float(index, column)
            }
        }
    )+};
}

floats! {
    f32, F32;
    f64, F64;
}
