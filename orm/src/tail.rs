//! What follows the head of a statement: WHERE, ORDER BY, LIMIT. Compiled once, and not for every model.

use std::borrow::Cow;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::filter::Node;
use crate::table::{ColumnDef, SqlType, Table};
use crate::value::Value;
use crate::writer::{Rendered, Writer};

/// A query without the type of its model.
pub(crate) struct Tail {
    pub(crate) filter: Option<Node>,
    pub(crate) order: Vec<(&'static ColumnDef, bool)>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
}

impl Tail {
    pub(crate) fn select(self, head: &'static str, dialect: Dialect) -> Result<Rendered> {
        if self.filter.is_none() && self.is_whole() {
            return Ok((Cow::Borrowed(head), Vec::new()));
        }
        let mut writer = Writer::new(dialect, head.len() + 96);
        writer.push(head);
        self.write(&mut writer, dialect)?;
        writer.finish()
    }

    pub(crate) fn count(self, table: &'static Table, dialect: Dialect) -> Result<Rendered> {
        let mut writer = Writer::new(dialect, 96);
        if self.limit.is_none() && self.offset.is_none() {
            writer.push("SELECT COUNT(*) FROM ");
            writer.name(table.name());
            // The order is nothing to a count.
            Self {
                order: Vec::new(),
                ..self
            }
            .write(&mut writer, dialect)?;
        } else {
            writer.push("SELECT COUNT(*) FROM (SELECT 1 FROM ");
            writer.name(table.name());
            self.write(&mut writer, dialect)?;
            writer.push(") AS counted");
        }
        writer.finish()
    }

    pub(crate) fn exists(self, table: &'static Table, dialect: Dialect) -> Result<Rendered> {
        let mut writer = Writer::new(dialect, 96);
        writer.push("SELECT 1 FROM ");
        writer.name(table.name());
        let limit = Some(self.limit.map_or(1, |limit| limit.min(1)));
        Self {
            order: Vec::new(),
            limit,
            ..self
        }
        .write(&mut writer, dialect)?;
        writer.finish()
    }

    pub(crate) fn update(
        self,
        table: &'static Table,
        assignments: Vec<(&'static ColumnDef, Value)>,
        dialect: Dialect,
    ) -> Result<Rendered> {
        self.check_whole(dialect)?;
        if assignments.is_empty() {
            return Err(Error::Unsupported {
                dialect,
                what: "an update that assigns nothing",
            });
        }
        let mut writer = Writer::new(dialect, 128);
        writer.push("UPDATE ");
        writer.name(table.name());
        writer.push(" SET ");
        for (position, (column, value)) in assignments.into_iter().enumerate() {
            if position > 0 {
                writer.push(", ");
            }
            writer.name(column.name());
            writer.push(" = ");
            writer.value(value, column);
        }
        self.write(&mut writer, dialect)?;
        writer.finish()
    }

    pub(crate) fn delete(self, table: &'static Table, dialect: Dialect) -> Result<Rendered> {
        self.check_whole(dialect)?;
        let mut writer = Writer::new(dialect, 96);
        writer.push("DELETE FROM ");
        writer.name(table.name());
        self.write(&mut writer, dialect)?;
        writer.finish()
    }

    fn write(self, writer: &mut Writer, dialect: Dialect) -> Result<()> {
        if let Some(node) = self.filter {
            writer.push(" WHERE ");
            writer.condition(node)?;
        }
        for (position, (column, descending)) in self.order.into_iter().enumerate() {
            writer.check_ordered(column)?;
            writer.push(if position == 0 { " ORDER BY " } else { ", " });
            writer.name(column.name());
            writer.push(match (descending, dialect, column.is_nullable()) {
                // Elsewhere NULL is the smallest of all; make it so here.
                (false, Dialect::Postgres, true) => " ASC NULLS FIRST",
                (true, Dialect::Postgres, true) => " DESC NULLS LAST",
                (false, ..) => " ASC",
                (true, ..) => " DESC",
            });
        }
        // Bound and not printed, so that paging does not fill the cache of prepared statements.
        match self.limit {
            Some(rows) => {
                writer.push(" LIMIT ");
                writer.value(Value::I64(clamp(rows)), COUNT);
            }
            // These two know OFFSET only after LIMIT.
            None if self.offset.is_some() && dialect != Dialect::Postgres => {
                writer.push(" LIMIT 9223372036854775807");
            }
            None => {}
        }
        if let Some(rows) = self.offset {
            writer.push(" OFFSET ");
            writer.value(Value::I64(clamp(rows)), COUNT);
        }
        Ok(())
    }

    const fn is_whole(&self) -> bool {
        self.order.is_empty() && self.limit.is_none() && self.offset.is_none()
    }

    const fn check_whole(&self, dialect: Dialect) -> Result<()> {
        if self.is_whole() {
            return Ok(());
        }
        Err(Error::Unsupported {
            dialect,
            what: "an update or delete with limit, offset or order; select the keys first",
        })
    }
}

/// The column of a number of rows.
const COUNT: &ColumnDef = &ColumnDef::new("", "LIMIT", SqlType::I64, false);

/// No table has more rows than this.
fn clamp(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
