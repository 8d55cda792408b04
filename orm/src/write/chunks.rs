//! Cuts many rows into statements, none of which is more than a server takes.

use std::ops::Range;

use crate::dialect::Dialect;
use crate::model::Model;
use crate::table::{ColumnDef, SqlType, Table};
use crate::value::asks_for_driver;
use crate::write::size::size;

/// Rows of one multi-row INSERT. Beyond this, a statement gets no faster, and its text only longer.
const ROWS_PER_STATEMENT: usize = 500;

/// The same on SQLite, where the way to the thread that writes is most of what a statement costs beside its rows.
const ROWS_PER_STATEMENT_OF_SQLITE: usize = 2_000;

/// Rows of one INSERT that takes them as arrays. Its text is always the same; this bounds what is sent at once.
const ROWS_PER_ARRAY: usize = 10_000;

/// Bytes of one INSERT, of more rows than one. MariaDB takes 16 MiB unless told otherwise and PostgreSQL 1 GiB; beyond
/// this, a statement only takes more memory.
const BYTES_PER_STATEMENT: usize = 8 << 20;

/// What becomes of that which the database fills in: keys and columns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Back {
    /// It is not asked for.
    Left,
    /// It is read back into the structs.
    Read,
}

/// How the rows go.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// As arrays, one for each column.
    pub(super) by_column: bool,
    pub(super) back: Back,
}

impl How {
    /// Whether the rows come back as they are stored.
    pub(super) const fn reads_back(self, table: &'static Table) -> bool {
        matches!(self.back, Back::Read) && table.reads_back()
    }

    /// Whether one statement can take more than one row.
    pub(super) fn is_many(self, table: &'static Table, unset: bool) -> bool {
        // What comes back comes in any order, and is matched with the rows by a key that is counted.
        if self.back == Back::Read && (unset || table.reads_back()) && !is_counted(table) {
            return false;
        }
        // SQL has no multi-row form of an INSERT that names no column, and no database chooses a key of several.
        !(unset && (table.inserted().is_empty() || table.key_positions().len() > 1))
    }
}

/// Whether the rows go to PostgreSQL as arrays, one for each column: in one statement whose text is always the same.
///
/// Not where a field goes past the primitives, to the driver's own arguments, which are values one by one. A NULL says
/// nothing of that; the first that is none does.
pub(super) fn goes_by_column<M: Model>(rows: &[M], dialect: Dialect) -> bool {
    let asks = |at| rows.iter().find_map(|row| asks_for_driver(row, at)) == Some(true);
    dialect == Dialect::Postgres && !(0..M::TABLE.columns().len()).any(asks)
}

/// Cuts the rows into statements: each with the keys given, or each with keys to be chosen.
pub(super) fn chunks<M: Model>(rows: &[M], dialect: Dialect, how: How) -> Vec<Range<usize>> {
    let most = if how.by_column {
        ROWS_PER_ARRAY
    } else {
        rows_per_statement(M::TABLE, dialect)
    };
    let long = long_columns(M::TABLE);
    let mut chunks = Vec::with_capacity(rows.len() / most + 1);
    let mut start = 0;
    for run in rows.chunk_by(|a, b| a.is_new() == b.is_new()) {
        let end = start + run.len();
        let most = if how.is_many(M::TABLE, run[0].is_new()) {
            most
        } else {
            1
        };
        while start < end {
            let next = end.min(start + most);
            let next = start + fitting(&rows[start..next], &long);
            chunks.push(start..next);
            start = next;
        }
    }
    chunks
}

/// How many rows one multi-row INSERT takes at most.
pub(super) fn rows_per_statement(table: &'static Table, dialect: Dialect) -> usize {
    let rows = match dialect {
        Dialect::MySql | Dialect::Postgres => ROWS_PER_STATEMENT,
        Dialect::Sqlite => ROWS_PER_STATEMENT_OF_SQLITE,
    };
    rows.min(dialect.max_params() / table.columns().len())
        .max(1)
}

/// The columns whose values may be of any size.
fn long_columns(table: &'static Table) -> Vec<usize> {
    let is_long =
        |column: &ColumnDef| matches!(column.ty(), SqlType::Bytes | SqlType::Json | SqlType::Text);
    let columns = table.columns().iter().enumerate();
    let long = columns.filter(|(_, column)| is_long(column));
    long.map(|(at, _)| at).collect()
}

/// How many of the rows one statement takes by their size: one at least.
fn fitting<M: Model>(rows: &[M], long: &[usize]) -> usize {
    if long.is_empty() {
        return rows.len();
    }
    let mut bytes = 0;
    let too_much = rows.iter().position(|row| {
        bytes += long.iter().map(|&at| size(row, at)).sum::<usize>();
        bytes > BYTES_PER_STATEMENT
    });
    too_much.map_or(rows.len(), |at| at.max(1))
}

/// Whether the key is an integer.
pub(super) fn is_counted(table: &'static Table) -> bool {
    let mut key = table.key_columns();
    matches!(
        (key.next().map(|column| column.ty()), key.next()),
        (Some(SqlType::I16 | SqlType::I32 | SqlType::I64), None)
    )
}

#[cfg(test)]
#[allow(
    unused_qualifications,
    reason = "what is derived names everything by its path"
)]
mod tests {
    use packetboat_orm_derive::Model;

    use super::*;

    #[derive(Debug, Model)]
    #[model(crate = crate)]
    struct Page {
        id: i64,
        text: String,
        image: Option<Vec<u8>>,
    }

    fn page(bytes: usize) -> Page {
        Page {
            id: 0,
            text: "t".repeat(bytes),
            image: None,
        }
    }

    #[test]
    fn a_statement_ends_by_its_rows_or_by_its_bytes() {
        let lengths = |rows: &[Page], by_column| -> Vec<usize> {
            let back = Back::Read;
            let chunks = chunks(rows, Dialect::Postgres, How { by_column, back });
            assert_eq!(
                chunks.iter().map(ExactSizeIterator::len).sum::<usize>(),
                rows.len()
            );
            chunks.into_iter().map(|chunk| chunk.len()).collect()
        };
        let small: Vec<Page> = (0..600).map(|_| page(10)).collect();
        assert_eq!(lengths(&small, false), [500, 100]);
        assert_eq!(lengths(&small, true), [600]);
        let mebibyte = || page((1 << 20) - 64);
        let mut large: Vec<Page> = (0..17).map(|_| mebibyte()).collect();
        assert_eq!(lengths(&large, true), [8, 8, 1]);
        large[3] = page(20 << 20);
        assert_eq!(lengths(&large, true), [3, 1, 8, 5]);
    }

    #[test]
    fn bytes_count_as_texts_do() {
        let mut pages = [page(5 << 20), page(0), page(0)];
        pages[1].image = Some(vec![0; 4 << 20]);
        let how = How {
            by_column: false,
            back: Back::Read,
        };
        assert_eq!(chunks(&pages, Dialect::MySql, how), [0..1, 1..3]);
    }
}
