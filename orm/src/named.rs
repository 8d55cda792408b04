//! Rows whose columns are told what they hold.
//!
//! A model knows its columns. A single value does not: its scale, where it is a decimal, and the name for an error come
//! from the query.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Decode, Source, sealed};
use crate::error::Result;
use crate::executor::{Collect, Demand, First};
use crate::query::{Item, Query};
use crate::stream::Channel;
use crate::table::ColumnDef;

/// What each column of a query holds, in order.
pub(crate) type Names = Arc<[&'static ColumnDef]>;

/// What the columns of a query hold, where a `T` does not know it by itself.
pub(crate) fn names<T: Decode>(query: &Query) -> Option<Names> {
    if T::NAMED { None } else { Some(of(query)) }
}

fn of(query: &Query) -> Names {
    let items = query.items();
    let mut names = Vec::with_capacity(items.len());
    for item in items.iter() {
        match item {
            Item::Rank(..) => names.push(ColumnDef::UNNAMED),
            Item::Table(table, _) => names.extend(table.columns()),
            Item::Term(term) => names.push(term.def()),
        }
    }
    names.into()
}

/// A collector of values, none of which knows its column.
pub(crate) trait Gather: Collect {
    /// The value of a row.
    type Item: Decode;
}

impl<T: Decode> Gather for Vec<T> {
    type Item = T;
}

impl<T: Decode> Gather for First<T> {
    type Item = T;
}

impl<T: Decode> Gather for Channel<T> {
    type Item = T;
}

/// A collector that is told what the columns hold.
pub(crate) struct Named<C>(pub(crate) C, pub(crate) Option<Names>);

impl<C: Gather> Collect for Named<C> {
    fn ready(&mut self) -> impl Future<Output = ControlFlow<()>> + Send {
        self.0.ready()
    }

    fn demand(&self) -> Demand {
        self.0.demand()
    }

    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        // Known at compile time: where a model is read, nothing stands between it and the row.
        if C::Item::NAMED {
            return self.0.row(row);
        }
        let names = self.1.as_deref().unwrap_or_default();
        self.0.row(&NamedRow { row, names })
    }
}

/// A row with names for what asks without one.
struct NamedRow<'a, R> {
    row: &'a R,
    names: &'a [&'static ColumnDef],
}

impl<R: Source> NamedRow<'_, R> {
    fn name<'c>(&self, index: usize, column: &'c ColumnDef) -> &'c ColumnDef {
        match self.names.get(index) {
            Some(name) if column.table().is_empty() => name,
            _ => column,
        }
    }
}

impl<R: Source> sealed::Sealed for NamedRow<'_, R> {}

macro_rules! forward {
    ($($method:ident -> $ty:ty;)+) => {$(
        fn $method(&self, index: usize, column: &ColumnDef) -> Result<$ty> {
            self.row.$method(index, self.name(index, column))
        }
    )+};
}

impl<R: Source> Source for NamedRow<'_, R> {
    forward! {
        is_null -> bool;
        bool -> bool;
        i64 -> i64;
        f32 -> f32;
        f64 -> f64;
        text -> String;
        bytes -> Vec<u8>;
        datetime -> DateTime<Utc>;
        naive_datetime -> NaiveDateTime;
        date -> NaiveDate;
        uuid -> Uuid;
        decimal -> Decimal;
        json -> String;
    }

    #[cfg(feature = "postgres")]
    fn as_postgres(&self) -> Option<&sqlx::postgres::PgRow> {
        self.row.as_postgres()
    }

    #[cfg(feature = "mysql")]
    fn as_mysql(&self) -> Option<&sqlx::mysql::MySqlRow> {
        self.row.as_mysql()
    }
}
