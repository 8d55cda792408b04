//! What ends a query: ORDER BY, LIMIT, OFFSET, FOR UPDATE.

use crate::dialect::Dialect;
use crate::error::Result;
use crate::query::{Lock, Sort};
use crate::table::{ColumnDef, SqlType};
use crate::value::Value;
use crate::writer::Writer;

impl Writer {
    /// ORDER BY, with NULL as the smallest of all; `at` are the positions by which some are named, `optional` the tables
    /// that may be missing in a row.
    pub(super) fn order(
        &mut self,
        order: Vec<Sort>,
        at: &[Option<u32>],
        optional: &[&'static str],
    ) -> Result<()> {
        if order.is_empty() {
            return Ok(());
        }
        self.push(" ORDER BY ");
        let at = at.iter().copied().chain(std::iter::repeat(None));
        self.list(order.into_iter().zip(at), ", ", |this, (sort, at)| {
            this.check_ordered(sort.term.def())?;
            let may_be_null = sort.term.may_be_null(optional);
            match at {
                Some(position) => this.number(position),
                None => this.term(sort.term)?,
            }
            this.push(match (sort.descending, this.dialect(), may_be_null) {
                // Elsewhere NULL is the smallest of all; make it so here.
                (false, Dialect::Postgres, true) => " ASC NULLS FIRST",
                (true, Dialect::Postgres, true) => " DESC NULLS LAST",
                (false, ..) => " ASC",
                (true, ..) => " DESC",
            });
            Ok(())
        })
    }

    /// LIMIT and OFFSET, bound and not printed, so that paging does not fill the cache of prepared statements.
    pub(super) fn cut(&mut self, limit: Option<u64>, offset: Option<u64>) {
        match limit {
            Some(rows) => {
                self.push(" LIMIT ");
                self.rows(rows);
            }
            // These two know OFFSET only after LIMIT.
            None if offset.is_some() && self.dialect() != Dialect::Postgres => {
                self.push(" LIMIT 9223372036854775807");
            }
            None => {}
        }
        if let Some(rows) = offset {
            self.push(" OFFSET ");
            self.rows(rows);
        }
    }

    /// A number of rows, bound.
    pub(super) fn rows(&mut self, rows: u64) {
        self.value(Value::I64(clamp(rows)), COUNT);
    }

    pub(super) fn lock(&mut self, lock: Lock, table: &'static str, optional: &[&'static str]) {
        self.push(" FOR UPDATE");
        // PostgreSQL locks nothing that may be missing.
        if self.dialect() == Dialect::Postgres && !optional.is_empty() {
            self.push(" OF ");
            self.name(table);
        }
        self.push(match lock {
            Lock::NoWait => " NOWAIT",
            Lock::SkipLocked => " SKIP LOCKED",
            Lock::Wait => "",
        });
    }
}

/// The column of a number of rows.
const COUNT: &ColumnDef = &ColumnDef::new("", "LIMIT", SqlType::I64, false);

/// No table has more rows than this.
fn clamp(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
