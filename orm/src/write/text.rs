//! The SQL of a write that is rendered when it runs. Takes nothing but names of columns and the program's own text.

use std::sync::Arc;

use crate::dialect::Dialect;
use crate::statement::{Kind, Statement};
use crate::table::{ColumnDef, Table};
use crate::write::one::At;
use crate::writer::placeholder;

/// Writes SQL, and counts the values that it will bind.
pub(super) struct Text {
    dialect: Dialect,
    sql: String,
    marks: usize,
}

impl Text {
    pub(super) const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            sql: String::new(),
            marks: 0,
        }
    }

    pub(super) fn push(&mut self, keyword: &'static str) -> &mut Self {
        self.sql.push_str(keyword);
        self
    }

    pub(super) fn name(&mut self, name: &'static str) -> &mut Self {
        let quote = self.dialect.quote();
        self.sql.push(quote);
        self.sql.push_str(name);
        self.sql.push(quote);
        self
    }

    /// The place of the next value.
    pub(super) fn mark(&mut self) -> &mut Self {
        self.marks += 1;
        placeholder(&mut self.sql, self.dialect, self.marks);
        self
    }

    /// The columns, as `each` writes one, with a text between them.
    pub(super) fn list<'c>(
        &mut self,
        columns: impl Iterator<Item = &'c ColumnDef>,
        between: &'static str,
        mut each: impl FnMut(&mut Self, &'c ColumnDef),
    ) -> &mut Self {
        for (at, column) in columns.enumerate() {
            if at > 0 {
                self.push(between);
            }
            each(self, column);
        }
        self
    }

    /// The columns' names.
    pub(super) fn names<'c>(&mut self, columns: impl Iterator<Item = &'c ColumnDef>) -> &mut Self {
        self.list(columns, ", ", |text, column| {
            text.name(column.name());
        })
    }

    /// `a = ?` for each column.
    pub(super) fn equal<'c>(
        &mut self,
        columns: impl Iterator<Item = &'c ColumnDef>,
        between: &'static str,
    ) -> &mut Self {
        self.list(columns, between, |text, column| {
            text.name(column.name()).push(" = ").mark();
        })
    }

    /// ` RETURNING` every column, where the database has it for the statement.
    pub(super) fn returning(&mut self, table: &'static Table) -> &mut Self {
        self.push(" RETURNING ").names(table.columns().iter())
    }

    pub(super) fn into_statement(self, kind: Kind, table: &'static Table, at: At) -> Statement {
        Statement::rendered(kind, Some(table), Arc::from(self.sql), at)
    }
}
