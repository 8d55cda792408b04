//! A query as a value, without the types of its models: what is written from it is compiled once, not for every model.

use std::borrow::Cow;

use crate::expr::{Node, Place, Term};
use crate::scope::Scope;
use crate::table::{ColumnDef, Table};

/// Everything that a [`Select`](crate::Select) was told.
#[derive(Clone)]
pub(crate) struct Query {
    pub(crate) table: &'static Table,
    /// The table's name in the query; empty for its own.
    pub(crate) alias: &'static str,
    pub(crate) filter: Option<Node>,
    pub(crate) order: Vec<Sort>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) scope: Scope,
    /// What most queries do not have.
    pub(crate) more: Option<Box<More>>,
}

/// The parts of a query beyond a table, a condition, an order and a limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    pub(crate) joins: Vec<Join>,
    /// What is read; of all tables all columns, where nothing is said.
    pub(crate) columns: Option<Vec<Item>>,
    pub(crate) group: Vec<Term>,
    pub(crate) having: Option<Node>,
    pub(crate) distinct: bool,
    pub(crate) lock: Option<Lock>,
    /// Whether the condition reads tables of a query around this one.
    pub(crate) is_correlated: bool,
    /// Whether the rows are sorted by their key where no order is given.
    pub(crate) by_key: bool,
}

/// A table beside the first, and which rows of it.
#[derive(Clone)]
pub(crate) struct Join {
    pub(crate) table: &'static Table,
    pub(crate) alias: &'static str,
    pub(crate) is_left: bool,
    pub(crate) on: Node,
}

impl Join {
    /// The table's name in the query.
    pub(crate) const fn name(&self) -> &'static str {
        if self.alias.is_empty() {
            self.table.name()
        } else {
            self.alias
        }
    }
}

/// One thing that is read.
#[derive(Clone)]
pub(crate) enum Item {
    /// The number of the row among those with the same values in some columns, counted from 1 in an order.
    Rank(Vec<Place>, Vec<Sort>),
    /// Every column of a table, by the name that it has in the query.
    Table(&'static Table, &'static str),
    Term(Term),
}

/// What to sort by.
#[derive(Clone, Debug)]
pub(crate) struct Sort {
    pub(crate) term: Term,
    pub(crate) descending: bool,
}

impl Sort {
    /// By a column of a table, smallest first; an empty alias is the table's own name.
    pub(crate) const fn ascending(def: &'static ColumnDef, alias: &'static str) -> Self {
        Self {
            term: Term::Column(Place { def, alias }),
            descending: false,
        }
    }
}

/// How rows are locked that are read to be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lock {
    NoWait,
    SkipLocked,
    Wait,
}

impl Query {
    pub(crate) const fn of(table: &'static Table) -> Self {
        Self::named(table, "")
    }

    /// Of a table under another name; an empty one is its own.
    pub(crate) const fn named(table: &'static Table, alias: &'static str) -> Self {
        Self {
            table,
            alias,
            filter: None,
            order: Vec::new(),
            limit: None,
            offset: None,
            scope: Scope::DEFAULT,
            more: None,
        }
    }

    /// The first table's name in the query.
    pub(crate) const fn name(&self) -> &'static str {
        if self.alias.is_empty() {
            self.table.name()
        } else {
            self.alias
        }
    }

    /// Narrows it by a condition, beside those given before.
    pub(crate) fn narrow(&mut self, condition: Node) {
        self.filter = Node::join(self.filter.take(), Some(condition));
    }

    /// The parts that most queries do not have, made when first asked for.
    pub(crate) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(crate) fn joins(&self) -> &[Join] {
        self.more.as_ref().map_or(&[], |more| &more.joins)
    }

    /// The names of the tables that may be missing in a row.
    pub(crate) fn optional(&self) -> Vec<&'static str> {
        let left = self.joins().iter().filter(|join| join.is_left);
        left.map(Join::name).collect()
    }

    /// The tables, and their names in the query.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&'static Table, &'static str)> {
        let joined = self.joins().iter().map(|join| (join.table, join.name()));
        std::iter::once((self.table, self.name())).chain(joined)
    }

    /// What is read.
    pub(crate) fn items(&self) -> Cow<'_, [Item]> {
        match self.more.as_ref().and_then(|more| more.columns.as_ref()) {
            Some(items) => Cow::Borrowed(items),
            None => Cow::Owned(
                self.tables()
                    .map(|(table, name)| Item::Table(table, name))
                    .collect(),
            ),
        }
    }

    /// What is read, where that is one value.
    pub(crate) fn only_term(&self) -> Option<&Term> {
        match self.more.as_ref()?.columns.as_deref()? {
            [Item::Term(term)] => Some(term),
            _ => None,
        }
    }

    /// Leaves out the rows in which the one value that is read is NULL. Says whether that is still to be done, since
    /// it must not change which rows a limit leaves.
    pub(crate) fn leave_out_null(&mut self) -> bool {
        let Some(term) = self.only_term() else {
            return false;
        };
        if !term.may_be_null(&self.optional()) {
            return false;
        }
        if self.is_cut() {
            return true;
        }
        let is_aggregate = term.is_aggregate();
        let is_there = Node::Null(term.clone()).not();
        if is_aggregate {
            let more = self.more();
            more.having = Node::join(more.having.take(), Some(is_there));
        } else {
            self.narrow(is_there);
        }
        false
    }

    /// Sorts by the first table's key where that was asked for and no order is given.
    pub(crate) fn sort_by_key(&mut self) {
        let by_key = self.more.as_ref().is_some_and(|more| more.by_key);
        if by_key && self.order.is_empty() && !self.is_of_groups() {
            let alias = self.alias;
            let key = self.table.key_columns();
            self.order = key.map(|def| Sort::ascending(def, alias)).collect();
        }
    }

    /// Whether a row of it may stand for several of its tables.
    pub(crate) fn is_of_groups(&self) -> bool {
        let is_aggregate = |item: &Item| matches!(item, Item::Term(term) if term.is_aggregate());
        self.more.as_ref().is_some_and(|more| {
            more.distinct
                || more.having.is_some()
                || !more.group.is_empty()
                || more.columns.iter().flatten().any(is_aggregate)
        })
    }

    /// Whether it is an aggregate over all rows, which is one row.
    pub(crate) fn is_one_row(&self) -> bool {
        let is_grouped = |more: &More| !more.group.is_empty() || more.distinct;
        self.is_of_groups() && !self.more.as_deref().is_some_and(is_grouped)
    }

    /// Whether it leaves out rows by their number.
    pub(crate) const fn is_cut(&self) -> bool {
        self.limit.is_some() || self.offset.is_some()
    }

    /// Whether nothing cuts or sorts the rows.
    pub(crate) const fn is_whole(&self) -> bool {
        self.order.is_empty() && !self.is_cut()
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Query");
        out.field("table", &self.table.name())
            .field("filter", &self.filter)
            .field("order", &self.order)
            .field("limit", &self.limit)
            .field("offset", &self.offset);
        if let Some(more) = &self.more {
            out.field("more", more);
        }
        out.finish()
    }
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Join")
            .field("table", &self.name())
            .field("is_left", &self.is_left)
            .field("on", &self.on)
            .finish()
    }
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rank(per, order) => write!(f, "Rank({per:?}, {order:?})"),
            Self::Table(_, name) => write!(f, "Table({name})"),
            Self::Term(term) => term.fmt(f),
        }
    }
}
