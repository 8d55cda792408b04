//! The keys of rows in one form, so that rows of two models can be matched.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Sink, Source, sealed};
use crate::error::Result;
use crate::model::Model;
use crate::relation::one_of::Keys;
use crate::table::{ColumnDef, SqlType};
use crate::unfit;
use crate::value::{List, Value};

/// The key that a row has, or that it refers to: the columns that were written last.
///
/// An integer alone, which most keys are, stays one. Everything else becomes bytes, equal where the values are.
#[derive(Default)]
pub(super) struct Key {
    int: i64,
    bytes: Vec<u8>,
    /// Whether one of them is NULL, which refers to nothing.
    null: bool,
}

impl Key {
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

/// Which rows have a key.
pub(super) struct Index {
    first: First,
    /// For each row, the next one with the same key; empty while all keys differ.
    next: Vec<Option<usize>>,
    key: Key,
    /// The key looked up last, and what was found: rows that belong together often stand together.
    last: Option<(i64, Option<usize>)>,
}

/// The row that has a key, or one of them.
enum First {
    Bytes(HashMap<Box<[u8]>, usize>),
    Ints(HashMap<i64, usize>),
}

impl Index {
    /// The index of the rows by these columns, and their keys.
    pub(super) fn of<M: Model>(rows: &[M], columns: &[usize]) -> Result<(Self, Keys)> {
        let mut this = Self {
            first: First::Bytes(HashMap::new()),
            next: Vec::new(),
            key: Key::default(),
            last: None,
        };
        let is_int = |ty| matches!(ty, SqlType::I16 | SqlType::I32 | SqlType::I64);
        let keys = match *columns {
            [only] if is_int(M::TABLE.columns()[only].ty()) => {
                Keys::Ints(this.add_ints(rows, only)?)
            }
            _ => Keys::Values(this.add_values(rows, columns)?),
        };
        Ok((this, keys))
    }

    fn add_ints<M: Model>(&mut self, rows: &[M], column: usize) -> Result<Vec<i64>> {
        let mut first = HashMap::with_capacity(rows.len());
        let mut keys = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            self.key.of(row, &[column])?;
            if self.key.null {
                continue;
            }
            match first.entry(self.key.int) {
                std::collections::hash_map::Entry::Vacant(entry) => {
                    keys.push(self.key.int);
                    entry.insert(at);
                }
                std::collections::hash_map::Entry::Occupied(entry) => {
                    chain(&mut self.next, rows.len(), *entry.get(), at);
                }
            }
        }
        self.first = First::Ints(first);
        Ok(keys)
    }

    fn add_values<M: Model>(&mut self, rows: &[M], columns: &[usize]) -> Result<Vec<Value>> {
        let mut first = HashMap::with_capacity(rows.len());
        let mut keys = Vec::with_capacity(rows.len() * columns.len());
        for (at, row) in rows.iter().enumerate() {
            self.key.of(row, columns)?;
            if self.key.null {
                continue;
            }
            match first.get(self.key.bytes.as_slice()) {
                None => {
                    for &column in columns {
                        keys.push(Value::of_column(row, column));
                    }
                    first.insert(Box::from(self.key.bytes.as_slice()), at);
                }
                Some(&before) => chain(&mut self.next, rows.len(), before, at),
            }
        }
        self.first = First::Bytes(first);
        Ok(keys)
    }

    /// The rows whose key these columns of another row refer to.
    pub(super) fn of_row<M: Model>(&mut self, row: &M, columns: &[usize]) -> Result<Option<usize>> {
        self.key.of(row, columns)?;
        Ok(self.found())
    }

    /// The first of the rows whose key stands in the columns from `at` on.
    pub(super) fn of_source<R: Source>(
        &mut self,
        row: &R,
        at: usize,
        columns: &[&'static ColumnDef],
    ) -> Result<Option<usize>> {
        self.key.read(row, at, columns)?;
        Ok(self.found())
    }

    /// The next row with the same key.
    pub(super) fn next(&self, row: usize) -> Option<usize> {
        self.next.get(row).copied().flatten()
    }

    fn found(&mut self) -> Option<usize> {
        if self.key.null {
            return None;
        }
        match &self.first {
            First::Bytes(first) => first.get(self.key.bytes.as_slice()).copied(),
            First::Ints(first) => match self.last {
                Some((key, found)) if key == self.key.int => found,
                _ => {
                    let found = first.get(&self.key.int).copied();
                    self.last = Some((self.key.int, found));
                    found
                }
            },
        }
    }
}

/// Puts row `at` behind row `before`, which has the same key.
fn chain(next: &mut Vec<Option<usize>>, rows: usize, before: usize, at: usize) {
    if next.is_empty() {
        next.resize(rows, None);
    }
    next[at] = next[before].replace(at);
}
