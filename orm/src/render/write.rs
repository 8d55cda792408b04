//! UPDATE and DELETE of what a query finds.

use chrono::{DateTime, Utc};

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::expr::{Node, Term};
use crate::query::Query;
use crate::render::assign::in_order;
use crate::scope::Scope;
use crate::table::{ColumnDef, Table};
use crate::value::Value;
use crate::write::now;
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
        let is_kept = |column: &ColumnDef| {
            let kept = [self.table.tenant(), self.table.version()];
            kept.iter()
                .flatten()
                .any(|kept| kept.name() == column.name())
        };
        if assignments.iter().any(|(column, _)| is_kept(column)) {
            return Err(writer.unsupported(
                "an update that assigns the tenant or the version; statements look after these",
            ));
        }
        let is_stamped = |column: &&ColumnDef| {
            let mut assigned = assignments.iter();
            assigned.any(|(other, _)| other.name() == column.name())
        };
        let updated = self.table.updated().filter(|column| !is_stamped(column));
        let assignments = in_order(assignments, dialect)?;
        writer.push("UPDATE ");
        writer.name(self.table.name());
        writer.push(" SET ");
        writer.list(assignments, ", ", |writer, (column, term)| {
            writer.name(column.name());
            writer.push(" = ");
            writer.term(term)
        })?;
        writer.stamps(self.table, updated, now());
        let hidden = self.scope.condition(self.table, "");
        writer.filter(Node::join(hidden, self.filter))?;
        writer.finish()
    }

    /// The delete that the table has: a soft one where there is a column for it.
    pub(crate) fn delete(mut self, dialect: Dialect) -> Result<Rendered> {
        let Some(deleted) = self.table.deleted() else {
            return self.purge(dialect);
        };
        // What is deleted is not deleted again, whether or not the query sees it.
        if self.scope != Scope::Live {
            self.filter = Node::join(self.scope.condition(self.table, ""), self.filter);
            self.scope = Scope::Live;
        }
        let now = now();
        self.hide(deleted, Value::time(now, deleted), now, dialect)
    }

    /// What takes a soft delete back.
    pub(crate) fn restore(mut self, dialect: Dialect) -> Result<Rendered> {
        let Some(deleted) = self.table.deleted() else {
            return Err(Error::Unsupported {
                dialect,
                what: "restore of a model without a column for deletion: #[model(deleted)]",
            });
        };
        self.scope = Scope::Deleted;
        self.hide(deleted, Value::Null(deleted.ty()), now(), dialect)
    }

    fn hide(
        self,
        deleted: &'static ColumnDef,
        when: Value,
        now: DateTime<Utc>,
        dialect: Dialect,
    ) -> Result<Rendered> {
        self.check_writable(dialect)?;
        let mut writer = Writer::new(dialect, 128);
        writer.push("UPDATE ");
        writer.name(self.table.name());
        writer.push(" SET ");
        writer.name(deleted.name());
        writer.push(" = ");
        writer.value(when, deleted);
        writer.stamps(self.table, self.table.updated(), now);
        let seen = self.scope.condition(self.table, "");
        writer.filter(Node::join(seen, self.filter))?;
        writer.finish()
    }

    pub(crate) fn purge(self, dialect: Dialect) -> Result<Rendered> {
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

impl Writer {
    /// What every UPDATE sets beside what it was told: the time, and the number of the change.
    fn stamps(
        &mut self,
        table: &'static Table,
        updated: Option<&'static ColumnDef>,
        now: DateTime<Utc>,
    ) {
        if let Some(updated) = updated {
            self.push(", ");
            self.name(updated.name());
            self.push(" = ");
            self.value(Value::time(now, updated), updated);
        }
        if let Some(version) = table.version() {
            self.push(", ");
            self.name(version.name());
            self.push(" = ");
            self.name(version.name());
            self.push(" + 1");
        }
    }
}
