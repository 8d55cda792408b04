//! How large a value is on its way to a server.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Sink, sealed};
use crate::error::Result;
use crate::model::Model;
use crate::table::{ColumnDef, SqlType};
use crate::value::List;

/// The bytes of a row's value for the column in this position, more or less: what is no text, and has no bytes, counts
/// for 16, and so does what goes past the primitives.
pub(super) fn size<M: Model>(row: &M, at: usize) -> usize {
    let mut size = Size(FIXED);
    // What the field refuses here, it refuses again when it is bound.
    let _ = row.put_column(at, &mut size);
    size.0
}

const FIXED: usize = 16;

/// Takes one value for its size.
struct Size(usize);

impl sealed::Sealed for Size {}

macro_rules! fixed {
    ($($method:ident($ty:ty);)+) => {$(
        fn $method(&mut self, _: &ColumnDef, _: $ty) -> Result<()> {
            Ok(())
        }
    )+};
}

impl Sink for Size {
    fn reserve(&mut self, _: usize) {}

    fixed! {
        bool(bool);
        date(NaiveDate);
        datetime(DateTime<Utc>);
        decimal(Decimal);
        f32(f32);
        f64(f64);
        i16(i16);
        i32(i32);
        i64(i64);
        list(&List);
        naive_datetime(NaiveDateTime);
        null(SqlType);
        u64(u64);
        uuid(Uuid);
    }

    fn text(&mut self, _: &ColumnDef, value: &str) -> Result<()> {
        self.0 += value.len();
        Ok(())
    }

    fn bytes(&mut self, _: &ColumnDef, value: &[u8]) -> Result<()> {
        self.0 += value.len();
        Ok(())
    }

    fn json(&mut self, _: &ColumnDef, value: &str) -> Result<()> {
        self.0 += value.len();
        Ok(())
    }
}
