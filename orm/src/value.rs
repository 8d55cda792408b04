//! A value without a database: what a filter holds until it is run.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Params, Sink, sealed};
use crate::error::{Error, Result, Unfit};
use crate::field::Field;
use crate::model::Model;
use crate::table::{ColumnDef, SqlType};
use crate::unfit;

/// One primitive, owned.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bool(bool),
    Bytes(Vec<u8>),
    Date(NaiveDate),
    DateTime(DateTime<Utc>),
    Decimal(Decimal),
    F32(f32),
    F64(f64),
    I16(i16),
    I32(i32),
    I64(i64),
    Json(String),
    /// Many keys as one value, where the database takes that.
    List(List),
    NaiveDateTime(NaiveDateTime),
    Null(SqlType),
    Text(String),
    U64(u64),
    /// A value that its own field refused; the error comes when the statement is run.
    Unfit(Unfit),
    Uuid(Uuid),
}

impl Value {
    /// The primitive that a field puts.
    pub(crate) fn of<T: Field>(column: &ColumnDef, value: &T) -> Self {
        let mut one = One(None);
        let outcome = value.put(column, &mut one);
        one.finish(outcome, T::TYPE)
    }

    /// The primitive that a row puts for the column in this position.
    pub(crate) fn of_column<M: Model>(row: &M, at: usize) -> Self {
        let mut one = One(None);
        let outcome = row.put_column(at, &mut one);
        one.finish(outcome, M::TABLE.columns()[at].ty())
    }

    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        match self {
            Self::Bool(value) => sink.bool(column, *value),
            Self::Bytes(value) => sink.bytes(column, value),
            Self::Date(value) => sink.date(column, *value),
            Self::DateTime(value) => sink.datetime(column, *value),
            Self::Decimal(value) => sink.decimal(column, *value),
            Self::F32(value) => sink.f32(column, *value),
            Self::F64(value) => sink.f64(column, *value),
            Self::I16(value) => sink.i16(column, *value),
            Self::I32(value) => sink.i32(column, *value),
            Self::I64(value) => sink.i64(column, *value),
            Self::Json(value) => sink.json(column, value),
            Self::List(list) => sink.list(column, list),
            Self::NaiveDateTime(value) => sink.naive_datetime(column, *value),
            Self::Null(ty) => sink.null(column, *ty),
            Self::Text(value) => sink.text(column, value),
            Self::U64(value) => sink.u64(column, *value),
            Self::Unfit(reason) => Err(unfit::encode(column, reason.clone())),
            Self::Uuid(value) => sink.uuid(column, *value),
        }
    }
}

/// Many values that are bound as one: an array on PostgreSQL, a JSON text on SQLite.
#[derive(Clone, Debug)]
#[doc(hidden)]
#[allow(unnameable_types, reason = "part of a sealed trait")]
pub enum List {
    /// Integers, of whatever width the column has.
    Ints(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
    /// UUIDs; not on SQLite, whose JSON has no bytes.
    Uuids(Vec<Uuid>),
}

impl List {
    /// The values as a list, or as they are where they are of several types or of one that has no list.
    pub(crate) fn of(values: Vec<Value>) -> std::result::Result<Self, Vec<Value>> {
        let is_all = |of: fn(&Value) -> bool| values.iter().all(of);
        if is_all(|value| matches!(value, Value::Text(_))) {
            let texts = values.into_iter().filter_map(|value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            });
            Ok(Self::Texts(texts.collect()))
        } else if is_all(|value| matches!(value, Value::Uuid(_))) {
            let uuids = values.into_iter().filter_map(|value| match value {
                Value::Uuid(uuid) => Some(uuid),
                _ => None,
            });
            Ok(Self::Uuids(uuids.collect()))
        } else {
            Err(values)
        }
    }
}

/// A value and the column for which it is meant.
pub(crate) type Bound = (Value, &'static ColumnDef);

impl Params for Vec<Bound> {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        sink.reserve(self.len());
        self.iter()
            .try_for_each(|(value, column)| value.put(column, sink))
    }
}

/// Takes one value. What databases refuse is found later, when it is bound for one.
struct One(Option<Value>);

impl One {
    fn finish(self, outcome: Result<()>, ty: SqlType) -> Value {
        match outcome {
            Ok(()) => self.0.unwrap_or(Value::Null(ty)),
            Err(Error::Encode { reason, .. }) => Value::Unfit(reason),
            Err(other) => Value::Unfit(Unfit::Driver(std::sync::Arc::new(other))),
        }
    }
}

impl sealed::Sealed for One {}

macro_rules! take {
    ($($method:ident($ty:ty) => $make:expr;)+) => {$(
        fn $method(&mut self, _: &ColumnDef, value: $ty) -> Result<()> {
            self.0 = Some($make(value));
            Ok(())
        }
    )+};
}

impl Sink for One {
    fn reserve(&mut self, _: usize) {}

    take! {
        bool(bool) => Value::Bool;
        bytes(&[u8]) => |value: &[u8]| Value::Bytes(value.to_owned());
        date(NaiveDate) => Value::Date;
        datetime(DateTime<Utc>) => Value::DateTime;
        decimal(Decimal) => Value::Decimal;
        f32(f32) => Value::F32;
        f64(f64) => Value::F64;
        i16(i16) => Value::I16;
        i32(i32) => Value::I32;
        i64(i64) => Value::I64;
        json(&str) => |value: &str| Value::Json(value.to_owned());
        list(&List) => |list: &List| Value::List(list.clone());
        naive_datetime(NaiveDateTime) => Value::NaiveDateTime;
        null(SqlType) => Value::Null;
        text(&str) => |value: &str| Value::Text(value.to_owned());
        u64(u64) => Value::U64;
        uuid(Uuid) => Value::Uuid;
    }
}

/// What may be compared with, or assigned to, a column whose field is `T`: a `T`, a `&T`, what `T` borrows (`&str`),
/// and for `Option<T>` a plain `T`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{T}` cannot be compared with `{Self}`",
    label = "expected `{T}`"
)]
pub trait IntoValue<T>: Sized {
    /// The value as the field's own type.
    fn into_value(self) -> T;
}

impl<T> IntoValue<T> for T {
    fn into_value(self) -> T {
        self
    }
}

impl<T: Clone> IntoValue<T> for &T {
    fn into_value(self) -> T {
        self.clone()
    }
}

impl<T> IntoValue<Option<T>> for T {
    fn into_value(self) -> Option<T> {
        Some(self)
    }
}

impl<T: Clone> IntoValue<Option<T>> for &T {
    fn into_value(self) -> Option<T> {
        Some(self.clone())
    }
}

macro_rules! borrowed {
    ($($slice:ty => $owned:ty;)+) => {$(
        impl IntoValue<$owned> for &$slice {
            fn into_value(self) -> $owned {
                self.to_owned()
            }
        }

        impl IntoValue<Option<$owned>> for &$slice {
            fn into_value(self) -> Option<$owned> {
                Some(self.to_owned())
            }
        }
    )+};
}

borrowed! {
    str => String;
    [u8] => Vec<u8>;
}
