//! Days and instants as columns.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use crate::codec::{Sink, Source};
use crate::error::Result;
use crate::field::Field;
use crate::table::{ColumnDef, SqlType};

macro_rules! times {
    ($($(#[$doc:meta])+ $time:ty, $sql:ident, $method:ident;)+) => {$(
        $(#[$doc])+
        impl Field for $time {
            const TYPE: SqlType = SqlType::$sql;

            fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
                sink.$method(column, *self)
            }

            fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
                row.$method(index, column)
            }
        }
    )+};
}

times! {
    /// Years 1 to 9999, in microseconds: what is finer is cut off when it is stored or compared.
    DateTime<Utc>, DateTime, datetime;
    /// Years 1 to 9999, in microseconds: what is finer is cut off when it is stored or compared.
    NaiveDateTime, NaiveDateTime, naive_datetime;
    /// Years 1 to 9999.
    NaiveDate, Date, date;
}
