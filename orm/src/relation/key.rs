//! The key of a row in one form, so that rows of two models can be matched.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Sink, Source, sealed};
use crate::error::Result;
use crate::model::Model;
use crate::table::{ColumnDef, SqlType};
use crate::unfit;
use crate::value::List;

/// The key that a row has, or that it refers to: the columns that were written last.
///
/// An integer alone, which most keys are, stays one. Everything else becomes bytes, equal where the values are.
#[derive(Default)]
pub(super) struct Key {
    pub(super) int: i64,
    pub(super) bytes: Vec<u8>,
    /// Whether one of them is NULL, which refers to nothing.
    pub(super) null: bool,
    /// Whether it is always one integer, so that nobody asks for bytes.
    is_int: bool,
}

impl Key {
    /// Keys of these columns.
    pub(super) fn new(columns: &[&'static ColumnDef]) -> Self {
        let is_int = match columns {
            [only] => matches!(only.ty(), SqlType::I16 | SqlType::I32 | SqlType::I64),
            _ => false,
        };
        Self {
            is_int,
            ..Self::default()
        }
    }

    pub(super) const fn is_int(&self) -> bool {
        self.is_int
    }

    /// Takes the key of a row.
    pub(super) fn of<M: Model>(&mut self, row: &M, columns: &[usize]) -> Result<()> {
        self.clear();
        columns.iter().try_for_each(|&at| row.put_column(at, self))
    }

    /// Takes the key that stands in a row's columns from `at` on.
    pub(super) fn read<R: Source>(
        &mut self,
        row: &R,
        at: usize,
        columns: &[&'static ColumnDef],
    ) -> Result<()> {
        self.clear();
        for (index, &column) in columns.iter().enumerate() {
            let index = at + index;
            if row.is_null(index, column)? {
                self.null(column, column.ty())?;
                continue;
            }
            match column.ty() {
                SqlType::Bool => self.bool(column, row.bool(index, column)?),
                SqlType::Bytes => self.bytes(column, &row.bytes(index, column)?),
                SqlType::Date => self.date(column, row.date(index, column)?),
                SqlType::DateTime => self.datetime(column, row.datetime(index, column)?),
                SqlType::Decimal => self.decimal(column, row.decimal(index, column)?),
                SqlType::F32 => self.f32(column, row.f32(index, column)?),
                SqlType::F64 => self.f64(column, row.f64(index, column)?),
                SqlType::I16 | SqlType::I32 | SqlType::I64 => {
                    self.i64(column, row.i64(index, column)?)
                }
                SqlType::Json => self.json(column, &row.json(index, column)?),
                SqlType::NaiveDateTime => {
                    self.naive_datetime(column, row.naive_datetime(index, column)?)
                }
                SqlType::Text => self.text(column, &row.text(index, column)?),
                SqlType::Uuid => self.uuid(column, row.uuid(index, column)?),
            }?;
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.null = false;
    }

    fn fixed<const N: usize>(&mut self, value: [u8; N]) -> Result<()> {
        self.bytes.extend(value);
        Ok(())
    }

    /// With its length before it, so that `("a", "bc")` is not `("ab", "c")`.
    fn sized(&mut self, value: &[u8]) -> Result<()> {
        self.bytes.extend(value.len().to_le_bytes());
        self.bytes.extend(value);
        Ok(())
    }
}

impl sealed::Sealed for Key {}

impl Sink for Key {
    fn reserve(&mut self, _: usize) {}

    fn null(&mut self, _: &ColumnDef, _: SqlType) -> Result<()> {
        self.null = true;
        Ok(())
    }

    fn bool(&mut self, column: &ColumnDef, value: bool) -> Result<()> {
        self.i64(column, value.into())
    }

    fn i16(&mut self, column: &ColumnDef, value: i16) -> Result<()> {
        self.i64(column, value.into())
    }

    fn i32(&mut self, column: &ColumnDef, value: i32) -> Result<()> {
        self.i64(column, value.into())
    }

    fn i64(&mut self, _: &ColumnDef, value: i64) -> Result<()> {
        self.int = value;
        if self.is_int {
            return Ok(());
        }
        self.fixed(value.to_le_bytes())
    }

    fn u64(&mut self, column: &ColumnDef, value: u64) -> Result<()> {
        self.i64(column, unfit::signed(column, value)?)
    }

    fn f32(&mut self, column: &ColumnDef, value: f32) -> Result<()> {
        self.f64(column, value.into())
    }

    fn f64(&mut self, _: &ColumnDef, value: f64) -> Result<()> {
        // The two zeros are equal.
        self.fixed((value + 0.0).to_le_bytes())
    }

    fn text(&mut self, _: &ColumnDef, value: &str) -> Result<()> {
        self.sized(value.as_bytes())
    }

    fn bytes(&mut self, _: &ColumnDef, value: &[u8]) -> Result<()> {
        self.sized(value)
    }

    fn datetime(&mut self, column: &ColumnDef, value: DateTime<Utc>) -> Result<()> {
        self.naive_datetime(column, value.naive_utc())
    }

    fn naive_datetime(&mut self, column: &ColumnDef, value: NaiveDateTime) -> Result<()> {
        let value = unfit::naive_datetime(column, value)?;
        self.fixed(value.and_utc().timestamp_micros().to_le_bytes())
    }

    fn date(&mut self, _: &ColumnDef, value: NaiveDate) -> Result<()> {
        self.fixed(value.to_epoch_days().to_le_bytes())
    }

    fn uuid(&mut self, _: &ColumnDef, value: Uuid) -> Result<()> {
        self.fixed(value.into_bytes())
    }

    fn decimal(&mut self, _: &ColumnDef, value: Decimal) -> Result<()> {
        self.fixed(value.normalize().serialize())
    }

    fn json(&mut self, _: &ColumnDef, value: &str) -> Result<()> {
        self.sized(value.as_bytes())
    }

    fn list(&mut self, _: &ColumnDef, _: &List) -> Result<()> {
        // No field puts one.
        Ok(())
    }
}
