//! A value without a database: what a filter holds until it is run.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Params, Sink, Source, sealed};
use crate::error::{Error, Result, Unfit};
use crate::field::Field;
use crate::model::Model;
use crate::table::{ColumnDef, SqlType};
use crate::tenant::TenantId;
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
    /// Whatever the scope says in which the statement is run.
    Tenant,
    Text(String),
    U64(u64),
    /// A value that its own field refused; the error comes when the statement is run.
    Unfit(Unfit),
    Uuid(Uuid),
}

impl Value {
    /// The primitive that a field puts.
    pub(crate) fn of<T: Field>(column: &ColumnDef, value: &T) -> Self {
        let mut one = One::default();
        let outcome = value.put(column, &mut one);
        one.finish(outcome, T::TYPE)
    }

    /// The primitive that a row puts for the column in this position.
    pub(crate) fn of_column<M: Model>(row: &M, at: usize) -> Self {
        let mut one = One::default();
        let outcome = row.put_column(at, &mut one);
        one.finish(outcome, M::TABLE.columns()[at].ty())
    }

    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    /// Whether both are stored as the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::DateTime(a), Self::DateTime(b)) => a == b,
            // 1.0 and 1.00 are one number.
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            // By bits: a NaN must be refused and not taken for a change each time.
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::I16(a), Self::I16(b)) => a == b,
            (Self::I32(a), Self::I32(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::Json(a), Self::Json(b)) => a == b,
            (Self::NaiveDateTime(a), Self::NaiveDateTime(b)) => a == b,
            (Self::Null(_), Self::Null(_)) | (Self::Tenant, Self::Tenant) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::Uuid(a), Self::Uuid(b)) => a == b,
            _ => false,
        }
    }

    /// The value as one that a scope can be held to, which is nobody's where it is unset; `None` where no tenant is kept
    /// like that.
    pub(crate) fn to_tenant(&self) -> Option<TenantId> {
        let id = match self {
            Self::I16(id) => TenantId::Int((*id).into()),
            Self::I32(id) => TenantId::Int((*id).into()),
            Self::I64(id) => TenantId::Int(*id),
            Self::U64(id) => TenantId::Int(i64::try_from(*id).ok()?),
            Self::Text(id) => TenantId::Text(id.as_str().into()),
            Self::Uuid(id) => TenantId::Uuid(*id),
            _ => return None,
        };
        Some(id)
    }

    /// An instant, as its column keeps it.
    pub(crate) const fn time(at: DateTime<Utc>, column: &ColumnDef) -> Self {
        match column.ty() {
            SqlType::NaiveDateTime => Self::NaiveDateTime(at.naive_utc()),
            _ => Self::DateTime(at),
        }
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
            Self::Tenant => put_tenant(column, sink).map(drop),
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

impl From<TenantId> for Value {
    fn from(id: TenantId) -> Self {
        match id {
            TenantId::Int(id) => Self::I64(id),
            TenantId::Text(id) => Self::Text(id.as_ref().to_owned()),
            TenantId::Uuid(id) => Self::Uuid(id),
        }
    }
}

/// Writes the value that the scope says, and gives it back.
///
/// Without a scope, or with a value of another type than the column, nothing is written and nothing is sent: what
/// belongs to somebody is never read or written for anybody.
pub(crate) fn put_tenant<S: Sink>(column: &ColumnDef, sink: &mut S) -> Result<TenantId> {
    let none = || Error::NoTenant {
        table: column.table(),
    };
    let id = sink.tenant().cloned().ok_or_else(none)?;
    match (&id, column.ty()) {
        (TenantId::Int(id), SqlType::I16) => {
            sink.i16(column, i16::try_from(*id).map_err(|_| none())?)
        }
        (TenantId::Int(id), SqlType::I32) => {
            sink.i32(column, i32::try_from(*id).map_err(|_| none())?)
        }
        (TenantId::Int(id), SqlType::I64) => sink.i64(column, *id),
        (TenantId::Text(id), SqlType::Text) => sink.text(column, id),
        (TenantId::Uuid(id), SqlType::Uuid) => sink.uuid(column, *id),
        _ => Err(none()),
    }?;
    Ok(id)
}

/// Reads a value back into a field, as from a row of one column.
impl Source for Value {
    fn is_null(&self, _: usize, _: &ColumnDef) -> Result<bool> {
        Ok(self.is_null())
    }

    fn bool(&self, _: usize, column: &ColumnDef) -> Result<bool> {
        match self {
            Self::Bool(value) => Ok(*value),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn i64(&self, _: usize, column: &ColumnDef) -> Result<i64> {
        match self {
            Self::I16(value) => Ok((*value).into()),
            Self::I32(value) => Ok((*value).into()),
            Self::I64(value) => Ok(*value),
            Self::U64(value) => i64::try_from(*value).map_err(|error| column.misfit(error)),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn f32(&self, _: usize, column: &ColumnDef) -> Result<f32> {
        match self {
            Self::F32(value) => Ok(*value),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn f64(&self, _: usize, column: &ColumnDef) -> Result<f64> {
        match self {
            Self::F64(value) => Ok(*value),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn text(&self, _: usize, column: &ColumnDef) -> Result<String> {
        match self {
            Self::Text(value) => Ok(value.clone()),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn bytes(&self, _: usize, column: &ColumnDef) -> Result<Vec<u8>> {
        match self {
            Self::Bytes(value) => Ok(value.clone()),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn datetime(&self, _: usize, column: &ColumnDef) -> Result<DateTime<Utc>> {
        match self {
            Self::DateTime(value) => Ok(*value),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn naive_datetime(&self, _: usize, column: &ColumnDef) -> Result<NaiveDateTime> {
        match self {
            Self::NaiveDateTime(value) => Ok(*value),
            // The time that a statement stamps is UTC wherever it is kept without a zone.
            Self::DateTime(value) => Ok(value.naive_utc()),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn date(&self, _: usize, column: &ColumnDef) -> Result<NaiveDate> {
        match self {
            Self::Date(value) => Ok(*value),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn uuid(&self, _: usize, column: &ColumnDef) -> Result<Uuid> {
        match self {
            Self::Uuid(value) => Ok(*value),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn decimal(&self, _: usize, column: &ColumnDef) -> Result<Decimal> {
        match self {
            Self::Decimal(value) => Ok(*value),
            _ => Err(column.misfit(OTHER)),
        }
    }

    fn json(&self, _: usize, column: &ColumnDef) -> Result<String> {
        match self {
            Self::Json(value) => Ok(value.clone()),
            _ => Err(column.misfit(OTHER)),
        }
    }
}

const OTHER: &str = "a value of another type";

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
#[derive(Default)]
struct One {
    value: Option<Value>,
    /// Whether the field asked for the driver's own arguments.
    asks_for_driver: bool,
}

/// Whether a row puts the column in this position past the primitives; `None` where it puts NULL, which does not tell.
pub(crate) fn asks_for_driver<M: Model>(row: &M, at: usize) -> Option<bool> {
    let mut one = One::default();
    // Without the driver's arguments it may well refuse; that it asked is all that counts.
    let _ = row.put_column(at, &mut one);
    let is_null = matches!(one.value, Some(Value::Null(_)));
    (one.asks_for_driver || !is_null).then_some(one.asks_for_driver)
}

impl One {
    fn finish(self, outcome: Result<()>, ty: SqlType) -> Value {
        match outcome {
            Ok(()) => self.value.unwrap_or(Value::Null(ty)),
            Err(Error::Encode { reason, .. }) => Value::Unfit(reason),
            Err(other) => Value::Unfit(Unfit::Driver(std::sync::Arc::new(other))),
        }
    }
}

impl sealed::Sealed for One {}
impl sealed::Sealed for Value {}

macro_rules! take {
    ($($method:ident($ty:ty) => $make:expr;)+) => {$(
        fn $method(&mut self, _: &ColumnDef, value: $ty) -> Result<()> {
            self.value = Some($make(value));
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

    #[cfg(feature = "postgres")]
    fn as_postgres(&mut self) -> Option<&mut sqlx::postgres::PgArguments> {
        self.asks_for_driver = true;
        None
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
