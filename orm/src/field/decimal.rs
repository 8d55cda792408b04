//! Exact decimal numbers as columns.

use rust_decimal::Decimal;

use crate::codec::{Sink, Source};
use crate::error::Result;
use crate::field::Field;
use crate::table::{ColumnDef, SqlType};

/// With `#[model(scale = 2)]`, a number of that many digits after the point and of at most 18 digits in all: one with
/// more of either is refused, never rounded. SQLite keeps it as an integer.
///
/// Without a scale, any number; but SQLite, which has no such type, keeps it as text, where `10 < 9`. So ordering by
/// it, and comparing it for more than equality, is [`Error::Unsupported`](crate::Error::Unsupported) there.
impl Field for Decimal {
    const TYPE: SqlType = SqlType::Decimal;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.decimal(column, *self)
    }

    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        row.decimal(index, column)
    }
}
