//! What a row of SQLite gives, whichever way it came: five kinds of values, and what can be made of each.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::codec::{Source, sealed};
use crate::driver::sqlite::raw;
use crate::driver::sqlite::values::DAY;
use crate::error::{Error, Result};
use crate::table::ColumnDef;

/// A value as SQLite keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'r> {
    Blob(&'r [u8]),
    Integer(i64),
    Null,
    Real(f64),
    /// Not necessarily UTF-8: SQLite does not look.
    Text(&'r [u8]),
}

impl Cell<'_> {
    /// The error for a value of another kind.
    #[cold]
    fn instead_of(self, expected: &str, column: &ColumnDef) -> Error {
        let kind = match self {
            Self::Blob(_) => "BLOB",
            Self::Integer(_) => "INTEGER",
            Self::Null => return column.misfit(sqlx::error::UnexpectedNullError),
            Self::Real(_) => "REAL",
            Self::Text(_) => "TEXT",
        };
        column.misfit(format!("{kind} instead of {expected}"))
    }
}

/// A row of such values.
trait Cells: sealed::Sealed {
    /// The value in a column.
    fn cell(&self, index: usize, column: &ColumnDef) -> Result<Cell<'_>>;

    /// Whether it is NULL.
    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool>;

    /// The value if it is an integer.
    fn integer(&self, index: usize) -> Option<i64> {
        match self.cell(index, ColumnDef::UNNAMED) {
            Ok(Cell::Integer(value)) => Some(value),
            _ => None,
        }
    }

    /// The value if it is a text.
    fn text(&self, index: usize) -> Option<&[u8]> {
        match self.cell(index, ColumnDef::UNNAMED) {
            Ok(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The error for a value that is not of the kind that was expected.
    #[cold]
    fn other_than(&self, expected: &str, index: usize, column: &ColumnDef) -> Error {
        match self.cell(index, column) {
            Ok(other) => other.instead_of(expected, column),
            Err(error) => error,
        }
    }

    #[inline]
    fn str(&self, index: usize, column: &ColumnDef) -> Result<&str> {
        match Cells::text(self, index) {
            Some(text) => str::from_utf8(text).map_err(|error| column.misfit(error)),
            None => Err(self.other_than("TEXT", index, column)),
        }
    }

    fn slice(&self, index: usize, column: &ColumnDef) -> Result<&[u8]> {
        match self.cell(index, column)? {
            Cell::Blob(bytes) | Cell::Text(bytes) => Ok(bytes),
            other => Err(other.instead_of("BLOB", column)),
        }
    }
}

impl sealed::Sealed for raw::Row<'_> {}

impl Cells for raw::Row<'_> {
    fn cell(&self, index: usize, column: &ColumnDef) -> Result<Cell<'_>> {
        self.cell(index).ok_or_else(|| no_such(index, column))
    }

    #[inline]
    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        match self.is_null(index) {
            Some(is_null) => Ok(is_null),
            None => Err(no_such(index, column)),
        }
    }

    #[inline]
    fn integer(&self, index: usize) -> Option<i64> {
        self.integer(index)
    }

    #[inline]
    fn text(&self, index: usize) -> Option<&[u8]> {
        self.text(index)
    }
}

#[cold]
fn no_such(index: usize, column: &ColumnDef) -> Error {
    column.misfit(format!(
        "the row has no column {index}, or there is no memory for it"
    ))
}

impl sealed::Sealed for SqliteRow {}

impl Cells for SqliteRow {
    fn cell(&self, index: usize, column: &ColumnDef) -> Result<Cell<'_>> {
        let value = self
            .try_get_raw(index)
            .map_err(|error| column.misfit(error))?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.type_info();
        match kind.name() {
            "INTEGER" => Decode::<Sqlite>::decode(value).map(Cell::Integer),
            "REAL" => Decode::<Sqlite>::decode(value).map(Cell::Real),
            "TEXT" => Decode::<Sqlite>::decode(value).map(Cell::Text),
            _ => Decode::<Sqlite>::decode(value).map(Cell::Blob),
        }
        .map_err(|error| column.misfit(error))
    }

    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        let value = self
            .try_get_raw(index)
            .map_err(|error| column.misfit(error))?;
        Ok(value.is_null())
    }
}

impl<R: Cells> Source for R {
    #[inline]
    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        Cells::is_null(self, index, column)
    }

    fn bool(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        match self.i64(index, column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(column.misfit("a number that is no truth value")),
        }
    }

    #[inline]
    fn i64(&self, index: usize, column: &ColumnDef) -> Result<i64> {
        match self.integer(index) {
            Some(value) => Ok(value),
            None => Err(self.other_than("INTEGER", index, column)),
        }
    }

    fn f32(&self, index: usize, column: &ColumnDef) -> Result<f32> {
        let wide = self.f64(index, column)?;
        // What was stored from an f32 comes back exactly. What is made of such has 8 bytes here, and is rounded as a
        // database of 4 bytes does.
        #[allow(clippy::cast_possible_truncation, reason = "checked on the next line")]
        let narrow = wide as f32;
        if narrow.is_finite() == wide.is_finite() {
            Ok(narrow)
        } else {
            Err(column.misfit("a number too large for f32"))
        }
    }

    fn f64(&self, index: usize, column: &ColumnDef) -> Result<f64> {
        match self.cell(index, column)? {
            Cell::Real(value) => Ok(value),
            other => Err(other.instead_of("REAL", column)),
        }
    }

    #[inline]
    fn text(&self, index: usize, column: &ColumnDef) -> Result<String> {
        match self.str(index, column) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(error),
        }
    }

    fn bytes(&self, index: usize, column: &ColumnDef) -> Result<Vec<u8>> {
        self.slice(index, column).map(<[u8]>::to_vec)
    }

    fn datetime(&self, index: usize, column: &ColumnDef) -> Result<DateTime<Utc>> {
        let text = self.str(index, column)?;
        // Ours, any other offset, and the form of SQLite's CURRENT_TIMESTAMP, which is UTC.
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(time.to_utc());
        }
        naive(text)
            .map(|time| time.and_utc())
            .map_err(|error| column.misfit(error))
    }

    fn naive_datetime(&self, index: usize, column: &ColumnDef) -> Result<NaiveDateTime> {
        naive(self.str(index, column)?).map_err(|error| column.misfit(error))
    }

    fn date(&self, index: usize, column: &ColumnDef) -> Result<NaiveDate> {
        NaiveDate::parse_from_str(self.str(index, column)?, DAY)
            .map_err(|error| column.misfit(error))
    }

    fn uuid(&self, index: usize, column: &ColumnDef) -> Result<Uuid> {
        Uuid::from_slice(self.slice(index, column)?).map_err(|error| column.misfit(error))
    }

    fn decimal(&self, index: usize, column: &ColumnDef) -> Result<Decimal> {
        match column.scale() {
            Some(scale) => {
                let digits = i128::from(self.i64(index, column)?);
                Decimal::try_from_i128_with_scale(digits, scale)
                    .map_err(|error| column.misfit(error))
            }
            None => self
                .str(index, column)?
                .parse()
                .map_err(|error: rust_decimal::Error| column.misfit(error)),
        }
    }

    fn json(&self, index: usize, column: &ColumnDef) -> Result<String> {
        Source::text(self, index, column)
    }
}

fn naive(text: &str) -> chrono::ParseResult<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
}
