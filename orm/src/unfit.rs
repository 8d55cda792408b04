//! Values that fit no database, found before anything is sent.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};
use rust_decimal::Decimal;

use crate::dialect::Dialect;
use crate::error::{Error, Result, Unfit};
use crate::table::ColumnDef;
use crate::value::Value;

/// The error for a value that its column cannot hold.
pub(crate) fn encode(column: &ColumnDef, reason: Unfit) -> Error {
    Error::Encode {
        table: column.table(),
        column: column.name(),
        reason,
    }
}

/// The error for a value that its field cannot hold.
pub(crate) fn decode(
    column: &ColumnDef,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Decode {
        table: column.table(),
        column: column.name(),
        source: source.into(),
    }
}

/// MySQL stores neither NaN nor infinities, SQLite makes NULL of NaN; so none is taken anywhere.
pub(crate) fn finite(column: &ColumnDef, value: f64) -> Result<()> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(encode(column, Unfit::NotFinite))
    }
}

/// The drivers bind signed integers.
pub(crate) fn signed(column: &ColumnDef, value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| encode(column, Unfit::OutOfRange))
}

/// A text within its column's size, which a server outside of strict mode would cut in silence.
pub(crate) fn text_size(column: &ColumnDef, value: &str) -> Result<()> {
    match column.size() {
        // The number of characters is never more than that of bytes, and counting them is the slower question.
        Some(max) if value.len() > max as usize && value.chars().count() > max as usize => {
            Err(encode(column, Unfit::TooLong { max }))
        }
        _ => Ok(()),
    }
}

/// Bytes within their column's size.
pub(crate) fn bytes_size(column: &ColumnDef, value: &[u8]) -> Result<()> {
    match column.size() {
        Some(max) if value.len() > max as usize => Err(encode(column, Unfit::TooLong { max })),
        _ => Ok(()),
    }
}

/// Whether the database can store the value in the column, as far as a sort value of another database may not be.
pub(crate) fn check(column: &ColumnDef, value: &Value, dialect: Dialect) -> Result<()> {
    match value {
        Value::Bytes(value) => bytes_size(column, value),
        Value::Date(value) => date(column, *value).map(drop),
        Value::DateTime(value) => datetime(column, *value).map(drop),
        Value::Decimal(value) => match column.scale() {
            Some(scale) => scaled(column, *value, scale).map(drop),
            None => Ok(()),
        },
        Value::NaiveDateTime(value) => naive_datetime(column, *value).map(drop),
        Value::Text(value) if dialect == Dialect::Postgres && value.contains('\0') => {
            Err(encode(column, Unfit::Nul))
        }
        Value::Text(value) => text_size(column, value),
        _ => Ok(()),
    }
}

/// A day in the years 1 to 9999, which is what all databases store and what four digits can sort.
pub(crate) fn date(column: &ColumnDef, value: NaiveDate) -> Result<NaiveDate> {
    if (1..=9999).contains(&value.year()) {
        Ok(value)
    } else {
        Err(encode(column, Unfit::OutOfRange))
    }
}

/// A day and time in those years, cut to microseconds.
pub(crate) fn naive_datetime(column: &ColumnDef, value: NaiveDateTime) -> Result<NaiveDateTime> {
    date(column, value.date())?;
    let nanos = value.nanosecond();
    if nanos >= 1_000_000_000 {
        return Err(encode(column, Unfit::LeapSecond));
    }
    value
        .with_nanosecond(nanos / 1000 * 1000)
        .ok_or_else(|| encode(column, Unfit::OutOfRange))
}

/// An instant in those years, cut to microseconds.
pub(crate) fn datetime(column: &ColumnDef, value: DateTime<Utc>) -> Result<DateTime<Utc>> {
    naive_datetime(column, value.naive_utc()).map(|cut| cut.and_utc())
}

/// The digits of a decimal as an integer of the column's scale, exact or not at all.
pub(crate) fn scaled(column: &ColumnDef, value: Decimal, scale: u32) -> Result<i64> {
    digits(value, scale).map_err(|reason| encode(column, reason))
}

/// The digits of a decimal as an integer of a scale, exact or not at all.
pub(crate) fn digits(value: Decimal, scale: u32) -> Result<i64, Unfit> {
    let value = value.normalize();
    if value.scale() > scale {
        return Err(Unfit::TooPrecise { scale });
    }
    let factor = 10_i128
        .checked_pow(scale - value.scale())
        .ok_or(Unfit::OutOfRange)?;
    let digits = value
        .mantissa()
        .checked_mul(factor)
        .ok_or(Unfit::OutOfRange)?;
    i64::try_from(digits).map_err(|_| Unfit::OutOfRange)
}

/// A decimal that is an integer, as an integer.
#[cfg(feature = "postgres")]
pub(crate) fn whole(column: &ColumnDef, value: Decimal) -> Result<i64> {
    let value = value.normalize();
    match i64::try_from(value.mantissa()) {
        Ok(whole) if value.scale() == 0 => Ok(whole),
        _ => Err(decode(column, "a number that is no integer of 8 bytes")),
    }
}

/// A decimal that fits its column: whatever one database would refuse, all refuse.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn decimal(column: &ColumnDef, value: Decimal) -> Result<Decimal> {
    if let Some(scale) = column.scale() {
        scaled(column, value, scale)?;
    }
    Ok(value)
}
