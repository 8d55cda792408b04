//! What a statement binds, as the five kinds of values that SQLite keeps.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

use crate::codec::{Sink, sealed};
use crate::dialect::Dialect;
use crate::driver::sqlite::cell::Cell;
use crate::error::{Error, Result, Unfit};
use crate::table::{ColumnDef, SqlType};
use crate::unfit;
use crate::value::List;

/// From so many values on, a statement's texts and bytes lie in one piece of memory, and the statement goes past sqlx,
/// which would copy each of them twice. With fewer, the way to another thread and back takes longer than that.
const MANY: usize = 400;

/// A value, owned, so that it can go to another thread.
#[derive(Debug)]
enum Value {
    Blob(Vec<u8>),
    Integer(i64),
    Null,
    PackedBlob(Range<usize>),
    PackedText(Range<usize>),
    Real(f64),
    /// In the form that sqlx takes over without another allocation.
    Text(Arc<str>),
}

/// The values of a statement, for sqlx or for a run past it.
#[derive(Debug, Default)]
#[allow(unnameable_types, reason = "part of a sealed trait")]
pub struct Values {
    values: Vec<Value>,
    /// Where texts and bytes lie, if there are many.
    packed: Option<Vec<u8>>,
}

impl Values {
    /// Whether they are so many that copying them takes time.
    pub(super) const fn are_many(&self) -> bool {
        self.packed.is_some()
    }

    /// What each of them is.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.values.iter().map(|value| match value {
            Value::Blob(bytes) => Cell::Blob(bytes),
            Value::Integer(value) => Cell::Integer(*value),
            Value::Null => Cell::Null,
            Value::PackedBlob(place) => Cell::Blob(self.unpack(place)),
            Value::PackedText(place) => Cell::Text(self.unpack(place)),
            Value::Real(value) => Cell::Real(*value),
            Value::Text(text) => Cell::Text(text.as_bytes()),
        })
    }

    /// For sqlx, which takes texts and bytes over as they are.
    pub(super) fn into_arguments(mut self) -> SqliteArguments {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(self.values.len(), 0);
        for value in mem::take(&mut self.values) {
            let added = match value {
                Value::Blob(bytes) => arguments.add(bytes),
                Value::Integer(value) => arguments.add(value),
                Value::Null => arguments.add(None::<i64>),
                Value::PackedBlob(place) => arguments.add(self.unpack(&place).to_vec()),
                Value::PackedText(place) => {
                    let text = str::from_utf8(self.unpack(&place));
                    arguments.add(Arc::<str>::from(text.expect("packed as a whole text")))
                }
                Value::Real(value) => arguments.add(value),
                Value::Text(text) => arguments.add(text),
            };
            added.expect("these five are what sqlx itself encodes to");
        }
        arguments
    }

    fn unpack(&self, place: &Range<usize>) -> &[u8] {
        let packed = self.packed.as_deref().unwrap_or_default();
        &packed[place.clone()]
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.values.push(value);
        Ok(())
    }

    fn push_text(&mut self, text: &str) -> Result<()> {
        let value = match &mut self.packed {
            Some(packed) => Value::PackedText(pack(packed, text.as_bytes())),
            None => Value::Text(text.into()),
        };
        self.push(value)
    }

    fn push_blob(&mut self, bytes: &[u8]) -> Result<()> {
        let value = match &mut self.packed {
            Some(packed) => Value::PackedBlob(pack(packed, bytes)),
            None => Value::Blob(bytes.to_owned()),
        };
        self.push(value)
    }
}

/// Puts the bytes behind the others; says where they are.
fn pack(packed: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = packed.len();
    packed.extend_from_slice(bytes);
    start..packed.len()
}

/// How an instant is kept: text of one width, so that it sorts as time, in the form of SQLite's own date functions.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
/// The same without a zone.
const NAIVE: &str = "%Y-%m-%dT%H:%M:%S%.6f";
/// How a day is kept.
pub(super) const DAY: &str = "%Y-%m-%d";

impl sealed::Sealed for Values {}

impl Sink for Values {
    fn reserve(&mut self, additional: usize) {
        self.values.reserve(additional);
        if self.values.is_empty() && additional >= MANY {
            self.packed = Some(Vec::new());
        }
    }

    fn null(&mut self, _: &ColumnDef, _: SqlType) -> Result<()> {
        self.push(Value::Null)
    }

    fn bool(&mut self, _: &ColumnDef, value: bool) -> Result<()> {
        self.push(Value::Integer(value.into()))
    }

    fn i16(&mut self, _: &ColumnDef, value: i16) -> Result<()> {
        self.push(Value::Integer(value.into()))
    }

    fn i32(&mut self, _: &ColumnDef, value: i32) -> Result<()> {
        self.push(Value::Integer(value.into()))
    }

    fn i64(&mut self, _: &ColumnDef, value: i64) -> Result<()> {
        self.push(Value::Integer(value))
    }

    fn u64(&mut self, column: &ColumnDef, value: u64) -> Result<()> {
        self.push(Value::Integer(unfit::signed(column, value)?))
    }

    fn f32(&mut self, column: &ColumnDef, value: f32) -> Result<()> {
        self.f64(column, value.into())
    }

    fn f64(&mut self, column: &ColumnDef, value: f64) -> Result<()> {
        unfit::finite(column, value)?;
        self.push(Value::Real(value))
    }

    fn text(&mut self, column: &ColumnDef, value: &str) -> Result<()> {
        unfit::text_size(column, value)?;
        self.push_text(value)
    }

    fn bytes(&mut self, column: &ColumnDef, value: &[u8]) -> Result<()> {
        unfit::bytes_size(column, value)?;
        self.push_blob(value)
    }

    fn datetime(&mut self, column: &ColumnDef, value: DateTime<Utc>) -> Result<()> {
        let value = unfit::datetime(column, value)?;
        self.push_text(&value.format(INSTANT).to_string())
    }

    fn naive_datetime(&mut self, column: &ColumnDef, value: NaiveDateTime) -> Result<()> {
        let value = unfit::naive_datetime(column, value)?;
        self.push_text(&value.format(NAIVE).to_string())
    }

    fn date(&mut self, column: &ColumnDef, value: NaiveDate) -> Result<()> {
        let value = unfit::date(column, value)?;
        self.push_text(&value.format(DAY).to_string())
    }

    fn uuid(&mut self, _: &ColumnDef, value: Uuid) -> Result<()> {
        self.push_blob(value.as_bytes())
    }

    fn decimal(&mut self, column: &ColumnDef, value: Decimal) -> Result<()> {
        match column.scale() {
            Some(scale) => self.push(Value::Integer(unfit::scaled(column, value, scale)?)),
            // In one form, so that equal numbers are equal text.
            None => self.push_text(&value.normalize().to_string()),
        }
    }

    fn json(&mut self, _: &ColumnDef, value: &str) -> Result<()> {
        self.push_text(value)
    }

    fn list(&mut self, column: &ColumnDef, values: &List) -> Result<()> {
        let json = match values {
            List::Ints(values) => serde_json::to_string(values),
            List::Texts(values) => serde_json::to_string(values),
            List::Uuids(_) => {
                return Err(Error::Unsupported {
                    dialect: Dialect::Sqlite,
                    what: "many UUIDs as one value",
                });
            }
        };
        let json = json.map_err(|error| unfit::encode(column, Unfit::Json(Arc::new(error))))?;
        self.push_text(&json)
    }
}
