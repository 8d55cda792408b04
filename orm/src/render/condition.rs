//! Conditions.

use crate::dialect::Dialect;
use crate::error::{Result, Unfit};
use crate::expr::{Comparison, Node, Term};
use crate::query::Query;
use crate::render::pattern;
use crate::table::ColumnDef;
use crate::unfit;
use crate::value::Value;
use crate::writer::Writer;

impl Writer {
    pub(crate) fn condition(&mut self, node: Node) -> Result<()> {
        match node {
            Node::All(parts) => self.group(parts, " AND "),
            Node::Between(term, ends) => {
                self.check_ordered(term.def())?;
                self.check_scales(&term, &ends.0)?;
                self.check_scales(&term, &ends.1)?;
                self.term(term)?;
                self.push(" BETWEEN ");
                self.term(ends.0)?;
                self.push(" AND ");
                self.term(ends.1)
            }
            Node::Compare(left, comparison, right) => self.comparison(left, comparison, right),
            Node::Exists(query) => {
                self.push("EXISTS (");
                self.inner(*query)?;
                self.push(")");
                Ok(())
            }
            Node::Any(parts) if parts.is_empty() => {
                self.push("1 = 0");
                Ok(())
            }
            Node::Any(parts) => self.group(parts, " OR "),
            Node::In(_, values) if values.is_empty() => {
                self.push("1 = 0");
                Ok(())
            }
            Node::In(term, values) => {
                let def = term.def();
                self.term(term)?;
                self.push(" IN (");
                self.list(values, ", ", |this, value| {
                    this.value(value, def);
                    Ok(())
                })?;
                self.push(")");
                Ok(())
            }
            Node::InSelect(term, query) => self.in_select(term, *query),
            Node::Like(term, pattern) => self.like(term, pattern),
            Node::Not(inner) => {
                self.push("NOT (");
                self.condition(*inner)?;
                self.push(")");
                Ok(())
            }
            Node::Null(term) => {
                self.term(term)?;
                self.push(" IS NULL");
                Ok(())
            }
            Node::OneOf(keys) => {
                keys.write(self);
                Ok(())
            }
            Node::Raw(sql) => {
                self.push("(");
                self.raw(&sql)?;
                self.push(")");
                Ok(())
            }
        }
    }

    fn group(&mut self, parts: Vec<Node>, joint: &'static str) -> Result<()> {
        self.push("(");
        self.list(parts, joint, Self::condition)?;
        self.push(")");
        Ok(())
    }

    fn comparison(&mut self, left: Term, comparison: Comparison, right: Term) -> Result<()> {
        let operator = match comparison {
            Comparison::Eq => " = ",
            Comparison::Ge => " >= ",
            Comparison::Gt => " > ",
            Comparison::Le => " <= ",
            Comparison::Lt => " < ",
            Comparison::Ne => " <> ",
        };
        if !matches!(comparison, Comparison::Eq | Comparison::Ne) {
            self.check_ordered(left.def())?;
        }
        self.check_scales(&left, &right)?;
        self.term(left)?;
        self.push(operator);
        self.term(right)
    }

    fn like(&mut self, term: Term, pattern: Value) -> Result<()> {
        let Value::Text(pattern) = pattern else {
            return Err(self.unsupported("a pattern that is no text"));
        };
        if self.dialect() == Dialect::Sqlite && pattern.contains('\0') {
            // Its patterns end there: one that began with NUL and anything would match every text.
            return Err(unfit::encode(term.def(), Unfit::Nul));
        }
        let (operator, pattern, escape) = pattern::render(&pattern, self.dialect());
        if self.dialect() == Dialect::Sqlite && pattern.len() > pattern::SQLITE_MAX {
            let max = pattern::SQLITE_MAX as u32;
            return Err(unfit::encode(term.def(), Unfit::TooLong { max }));
        }
        self.term(term)?;
        self.push(operator);
        self.value(Value::Text(pattern), ColumnDef::UNNAMED);
        self.push(escape);
        Ok(())
    }

    fn in_select(&mut self, term: Term, mut query: Query) -> Result<()> {
        if let Some(selected) = query.only_term() {
            self.check_scales(&term, selected)?;
        }
        let has_null = query.leave_out_null();
        self.term(term)?;
        self.push(" IN (");
        self.members(query, has_null)?;
        self.push(")");
        Ok(())
    }
}
