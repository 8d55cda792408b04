//! What a statement binds, as the five kinds of values that SQLite keeps.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

use crate::codec::{Sink, sealed};
use crate::dialect::Dialect;
use crate::error::{Error, Result, Unfit};
use crate::table::{ColumnDef, SqlType};
use crate::unfit;
use crate::value::List;

/// A value, owned, so that it can go to another thread.
#[derive(Debug)]
pub(super) enum Value {
    Blob(Vec<u8>),
    Integer(i64),
    Null,
    Real(f64),
    /// In the form that sqlx takes over without another allocation.
    Text(Arc<str>),
}

/// The values of a statement, for sqlx or for a read past it.
#[derive(Debug, Default)]
#[allow(unnameable_types, reason = "part of a sealed trait")]
pub struct Values(Vec<Value>);

impl Values {
    pub(super) fn as_slice(&self) -> &[Value] {
        &self.0
    }

    /// For sqlx, which takes texts and bytes over as they are.
    pub(super) fn into_arguments(self) -> SqliteArguments {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(self.0.len(), 0);
        for value in self.0 {
            let added = match value {
                Value::Blob(bytes) => arguments.add(bytes),
                Value::Integer(value) => arguments.add(value),
                Value::Null => arguments.add(None::<i64>),
                Value::Real(value) => arguments.add(value),
                Value::Text(text) => arguments.add(text),
            };
            added.expect("these five are what sqlx itself encodes to");
        }
        arguments
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.0.push(value);
        Ok(())
    }
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
        self.0.reserve(additional);
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
        self.push(Value::Text(value.into()))
    }

    fn bytes(&mut self, column: &ColumnDef, value: &[u8]) -> Result<()> {
        unfit::bytes_size(column, value)?;
        self.push(Value::Blob(value.to_owned()))
    }

    fn datetime(&mut self, column: &ColumnDef, value: DateTime<Utc>) -> Result<()> {
        let value = unfit::datetime(column, value)?;
        self.push(Value::Text(value.format(INSTANT).to_string().into()))
    }

    fn naive_datetime(&mut self, column: &ColumnDef, value: NaiveDateTime) -> Result<()> {
        let value = unfit::naive_datetime(column, value)?;
        self.push(Value::Text(value.format(NAIVE).to_string().into()))
    }

    fn date(&mut self, column: &ColumnDef, value: NaiveDate) -> Result<()> {
        let value = unfit::date(column, value)?;
        self.push(Value::Text(value.format(DAY).to_string().into()))
    }

    fn uuid(&mut self, _: &ColumnDef, value: Uuid) -> Result<()> {
        self.push(Value::Blob(value.as_bytes().to_vec()))
    }

    fn decimal(&mut self, column: &ColumnDef, value: Decimal) -> Result<()> {
        self.push(match column.scale() {
            Some(scale) => Value::Integer(unfit::scaled(column, value, scale)?),
            // In one form, so that equal numbers are equal text.
            None => Value::Text(value.normalize().to_string().into()),
        })
    }

    fn json(&mut self, _: &ColumnDef, value: &str) -> Result<()> {
        self.push(Value::Text(value.into()))
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
        self.push(Value::Text(json.into()))
    }
}
