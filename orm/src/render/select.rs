//! SELECT: a whole query, a count of its rows, whether there is one, and queries inside of others.

use std::borrow::Cow;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::expr::Node;
use crate::query::{Item, More, Query};
use crate::render::position::{positioned, positions};
use crate::scope::Scope;
use crate::table::Table;
use crate::writer::{Rendered, Writer};

/// What stands between SELECT and FROM.
#[derive(Clone, Copy, PartialEq)]
enum List {
    /// What is read.
    Items,
    /// The same with a name for each, as a table inside of FROM needs them.
    Named,
    /// A number, since only the row matters.
    One,
    /// The number of rows.
    Count,
}

impl Query {
    pub(crate) fn select(self, dialect: Dialect) -> Result<Rendered> {
        // An aggregate makes one group of all rows, wherever it stands, and is checked there.
        let is_grouped = self.order.iter().any(|sort| sort.term.is_aggregate());
        if is_grouped || self.more.is_some() || !self.alias.is_empty() {
            let mut writer = Writer::new(dialect, 256);
            writer.query(self, List::Items)?;
            return writer.finish();
        }
        let head = self.table.statements(dialect).select;
        let hidden = self.scope.condition(self.table, "");
        if hidden.is_none() && self.filter.is_none() && self.is_whole() {
            return Ok(Rendered {
                sql: Cow::Borrowed(head),
                values: Vec::new(),
                raw: false,
            });
        }
        let mut writer = Writer::new(dialect, head.len() + 96);
        writer.push(head);
        writer.filter(Node::join(hidden, self.filter))?;
        writer.order(self.order, &[], &[])?;
        writer.cut(self.limit, self.offset);
        writer.finish()
    }

    /// What a query reads but for its last column, of those rows in which that one, their rank, is at most `rows`; in
    /// the order of their rank.
    pub(crate) fn ranked(self, rows: u64, dialect: Dialect) -> Result<Rendered> {
        let width: usize = self
            .items()
            .iter()
            .map(|item| match item {
                Item::Table(table, _) => table.columns().len(),
                Item::Rank(..) | Item::Term(_) => 1,
            })
            .sum();
        let mut writer = Writer::new(dialect, 320);
        writer.push("SELECT ");
        writer.list(1..width, ", ", |writer, at| {
            writer.push("c");
            writer.integer(at as i64);
            Ok(())
        })?;
        writer.push(" FROM (");
        writer.query(self, List::Named)?;
        writer.push(") AS ranked WHERE c");
        writer.integer(width as i64);
        writer.push(" <= ");
        writer.rows(rows);
        writer.push(" ORDER BY c");
        writer.integer(width as i64);
        writer.finish()
    }

    pub(crate) fn count(mut self, dialect: Dialect) -> Result<Rendered> {
        let mut writer = Writer::new(dialect, 96);
        self.unsort();
        if self.is_of_groups() || self.is_cut() {
            let list = if self.is_of_groups() {
                List::Named
            } else {
                List::One
            };
            writer.push("SELECT COUNT(*) FROM (");
            writer.query(self, list)?;
            writer.push(") AS counted");
        } else {
            writer.query(self, List::Count)?;
        }
        writer.finish()
    }

    pub(crate) fn exists(mut self, dialect: Dialect) -> Result<Rendered> {
        let mut writer = Writer::new(dialect, 96);
        self.unsort();
        self.limit = Some(self.limit.map_or(1, |limit| limit.min(1)));
        if self.is_of_groups() {
            writer.push("SELECT 1 FROM (");
            writer.query(self, List::Named)?;
            writer.push(") AS counted");
        } else {
            writer.query(self, List::One)?;
        }
        writer.finish()
    }

    /// Takes away what is nothing to a count: the order, and the lock.
    fn unsort(&mut self) {
        self.order = Vec::new();
        if let Some(more) = &mut self.more {
            more.lock = None;
            more.by_key = false;
        }
    }
}

impl Writer {
    /// A query inside of another.
    pub(super) fn inner(&mut self, query: Query) -> Result<()> {
        let is_qualified = std::mem::replace(&mut self.is_qualified, true);
        self.query(query, List::Items)?;
        self.is_qualified = is_qualified;
        Ok(())
    }

    /// A query as the members of a list; without NULL where it still has such.
    pub(super) fn members(&mut self, query: Query, has_null: bool) -> Result<()> {
        // MariaDB and MySQL cut no rows in such a query, but in a table inside of it.
        let is_mysql = self.dialect() == Dialect::MySql;
        if !query.is_cut() || !(is_mysql || has_null) {
            return self.inner(query);
        }
        if is_mysql && query.more.as_ref().is_some_and(|more| more.is_correlated) {
            return Err(self.unsupported(
                "a limit in a query with `correlate` inside of is_in; ask with exists",
            ));
        }
        let is_qualified = std::mem::replace(&mut self.is_qualified, true);
        self.push("SELECT c1 FROM (");
        self.query(query, List::Named)?;
        self.push(") AS inside");
        if has_null {
            self.push(" WHERE c1 IS NOT NULL");
        }
        self.is_qualified = is_qualified;
        Ok(())
    }

    fn query(&mut self, mut query: Query, list: List) -> Result<()> {
        query.sort_by_key();
        self.check(&query)?;
        let (name, optional) = (query.name(), query.optional());
        let items = query.items().into_owned();
        let mut more = query.more.take().map_or_else(More::default, |more| *more);
        let group = positioned(more.group.drain(..), &items);
        let order: Vec<Option<u32>> = query
            .order
            .iter()
            .map(|sort| positions(&items, &sort.term).first().copied())
            .collect();
        let is_qualified = self.is_qualified;
        self.is_qualified = is_qualified || !more.joins.is_empty();
        self.push(if more.distinct {
            "SELECT DISTINCT "
        } else {
            "SELECT "
        });
        self.items(items, list)?;
        let filter = self.from(&query, &mut more)?;
        self.filter(Node::join(filter, query.filter))?;
        if !group.is_empty() {
            self.push(" GROUP BY ");
            self.list(group, ", ", Self::grouped)?;
        }
        if let Some(having) = more.having {
            self.push(" HAVING ");
            self.condition(having)?;
        }
        self.order(query.order, &order, &optional)?;
        self.cut(query.limit, query.offset);
        if let Some(lock) = more.lock {
            self.lock(lock, name, &optional);
        }
        self.is_qualified = is_qualified;
        Ok(())
    }

    fn items(&mut self, items: Vec<Item>, list: List) -> Result<()> {
        match list {
            List::Count => self.push("COUNT(*)"),
            List::One => self.push("1"),
            List::Items | List::Named => {
                let mut count = 0;
                let mut end = |this: &mut Self| {
                    count += 1;
                    if list == List::Named {
                        this.push(" AS c");
                        this.number(count);
                    }
                };
                self.list(items, ", ", |this, item| match item {
                    Item::Rank(per, order) => {
                        this.push("ROW_NUMBER() OVER (PARTITION BY ");
                        this.list(per, ", ", |this, place| {
                            this.place(&place);
                            Ok(())
                        })?;
                        this.order(order, &[], &[])?;
                        this.push(")");
                        end(this);
                        Ok(())
                    }
                    Item::Table(table, name) => this.list(table.columns(), ", ", |this, column| {
                        if this.is_qualified {
                            this.name(name);
                            this.push(".");
                        }
                        this.name(column.name());
                        end(this);
                        Ok(())
                    }),
                    Item::Term(term) => {
                        this.term(term)?;
                        end(this);
                        Ok(())
                    }
                })?;
            }
        }
        Ok(())
    }

    /// A table, and its name in the query where that is another.
    fn table(&mut self, table: &'static Table, alias: &'static str) {
        self.name(table.name());
        if !alias.is_empty() {
            self.push(" AS ");
            self.name(alias);
        }
    }

    /// FROM and its joins; returns the conditions of the tables that belong into WHERE.
    fn from(&mut self, query: &Query, more: &mut More) -> Result<Option<Node>> {
        self.push(" FROM ");
        self.table(query.table, query.alias);
        let mut filter = query.scope.condition(query.table, query.alias);
        for join in std::mem::take(&mut more.joins) {
            self.push(if join.is_left {
                " LEFT JOIN "
            } else {
                " INNER JOIN "
            });
            self.table(join.table, join.alias);
            self.push(" ON ");
            // What a query says of deleted rows, it says of its first table's.
            let hidden = Scope::DEFAULT.condition(join.table, join.alias);
            if join.is_left {
                // Hidden rows are as if they were not there.
                let on = Node::join(Some(join.on), hidden);
                on.map_or(Ok(()), |on| self.condition(on))?;
            } else {
                self.condition(join.on)?;
                filter = Node::join(filter, hidden);
            }
        }
        Ok(filter)
    }

    pub(super) fn filter(&mut self, filter: Option<Node>) -> Result<()> {
        let Some(filter) = filter else { return Ok(()) };
        self.push(" WHERE ");
        self.condition(filter)
    }

    fn check(&self, query: &Query) -> Result<()> {
        let plain = More::default();
        let more = query.more.as_deref().unwrap_or(&plain);
        for (at, (_, name)) in query.tables().enumerate() {
            if query.tables().skip(at + 1).any(|(_, other)| other == name) {
                return Err(self.unsupported(
                    "the same table twice under one name; give one of them another by an alias",
                ));
            }
        }
        self.check_groups(query, more)?;
        self.check_distinct(query, more)?;
        match more.lock {
            Some(_) if self.dialect() == Dialect::Sqlite => Err(self.unsupported(
                "locking rows; a transaction that writes locks the whole database, so begin one",
            )),
            Some(_) if query.is_of_groups() => {
                Err(self.unsupported("locking rows that stand for several"))
            }
            _ => Ok(()),
        }
    }
}
