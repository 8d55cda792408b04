//! UPDATE and DELETE of what a query finds.

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::expr::{Node, Term};
use crate::query::Query;
use crate::table::ColumnDef;
use crate::writer::{Rendered, Writer};

impl Query {
    pub(crate) fn update(
        self,
        assignments: Vec<(&'static ColumnDef, Term)>,
        dialect: Dialect,
    ) -> Result<Rendered> {
        self.check_writable(dialect)?;
        let mut writer = Writer::new(dialect, 128);
        if assignments.is_empty() {
            return Err(writer.unsupported("an update that assigns nothing"));
        }
        writer.push("UPDATE ");
        writer.name(self.table.name());
        writer.push(" SET ");
        writer.list(assignments, ", ", |writer, (column, term)| {
            writer.name(column.name());
            writer.push(" = ");
            writer.term(term)
        })?;
        let hidden = self.scope.condition(self.table, "");
        writer.filter(Node::join(hidden, self.filter))?;
        writer.finish()
    }

    pub(crate) fn delete(self, dialect: Dialect) -> Result<Rendered> {
        self.check_writable(dialect)?;
        let mut writer = Writer::new(dialect, 96);
        writer.push("DELETE FROM ");
        writer.name(self.table.name());
        let hidden = self.scope.condition(self.table, "");
        writer.filter(Node::join(hidden, self.filter))?;
        writer.finish()
    }

    const fn check_writable(&self, dialect: Dialect) -> Result<()> {
        if self.is_whole() && self.more.is_none() {
            return Ok(());
        }
        Err(Error::Unsupported {
            dialect,
            what: "an update or delete with more than a filter (a limit, an order, a group); select the keys first",
        })
    }
}
