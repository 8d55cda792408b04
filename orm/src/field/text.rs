//! Text as a column.

use uuid::Uuid;

use crate::codec::{Sink, Source};
use crate::error::Result;
use crate::field::Field;
use crate::table::{ColumnDef, SqlType};

/// Compared byte by byte on every database, so `Ann`, `ann` and `Ann ` are three names.
///
/// As a key, the empty text is replaced by a random UUID in its usual form when the row is inserted.
impl Field for String {
    const TYPE: SqlType = SqlType::Text;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.text(column, self)
    }

    #[inline]
    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        row.text(index, column)
    }

    fn is_unset(&self) -> bool {
        self.is_empty()
    }

    fn generate() -> Option<Self> {
        Some(Uuid::new_v4().to_string())
    }
}
