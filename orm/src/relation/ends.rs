//! Which columns have equal values where rows belong together.

use crate::expr::{Comparison, Node, Place, Term};
use crate::model::Model;
use crate::query::{Item, Join, Query};
use crate::table::{ColumnDef, Table};

/// The columns of a key, at most three.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns([Option<&'static ColumnDef>; 3]);

impl Columns {
    pub(super) const fn one(a: &'static ColumnDef) -> Self {
        Self([Some(a), None, None])
    }

    pub(super) const fn two(a: &'static ColumnDef, b: &'static ColumnDef) -> Self {
        Self([Some(a), Some(b), None])
    }

    pub(super) const fn three(
        a: &'static ColumnDef,
        b: &'static ColumnDef,
        c: &'static ColumnDef,
    ) -> Self {
        Self([Some(a), Some(b), Some(c)])
    }

    fn iter(self) -> impl Iterator<Item = &'static ColumnDef> {
        self.0.into_iter().flatten()
    }
}

/// Where the foreign key of a relation stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends {
    /// In the own table; it names the other's primary key.
    Own(Columns),
    /// In the other table; it names the own primary key.
    Other(Columns),
    /// Two of them in a table between: `by` names the own primary key, `to` the other's.
    Between {
        table: &'static Table,
        by: Columns,
        to: Columns,
    },
}

impl Ends {
    /// The columns of a row that say what it is related to.
    pub(super) fn own(self, table: &'static Table) -> Vec<&'static ColumnDef> {
        match self {
            Self::Own(own) => own.iter().collect(),
            Self::Other(_) | Self::Between { .. } => table.key_columns().collect(),
        }
    }

    /// The columns beside a related row, or in it, that have the same values.
    pub(super) fn other(self, table: &'static Table) -> Vec<&'static ColumnDef> {
        match self {
            Self::Own(_) => table.key_columns().collect(),
            Self::Other(by) | Self::Between { by, .. } => by.iter().collect(),
        }
    }

    pub(super) const fn is_between(self) -> bool {
        matches!(self, Self::Between { .. })
    }

    /// Puts the table between beside the related rows, where there is one.
    pub(super) fn join<C: Model>(self, query: &mut Query) {
        let Self::Between { table, to, .. } = self else {
            return;
        };
        let pairs = to.iter().zip(C::TABLE.key_columns()).map(|(to, key)| {
            let [to, key] = [to, key].map(|def| Term::Column(Place::of(def)));
            Node::compare(to, Comparison::Eq, key)
        });
        let Some(on) = pairs.reduce(Node::and) else {
            return;
        };
        let more = query.more();
        more.joins.push(Join {
            table,
            alias: "",
            is_left: false,
            on,
        });
        more.columns = Some(vec![Item::Table(C::TABLE, C::TABLE.name())]);
    }

    /// Reads beside the related rows those of the table between, if `whole`, and the key by which it leads to them.
    pub(super) fn read_between(self, query: &mut Query, whole: bool) {
        let Self::Between { table, by, .. } = self else {
            return;
        };
        let columns = query.more().columns.get_or_insert_default();
        if whole {
            columns.push(Item::Table(table, table.name()));
        }
        columns.extend(
            by.iter()
                .map(|def| Item::Term(Term::Column(Place::of(def)))),
        );
    }
}

/// The positions of these columns in their table.
pub(super) fn positions(table: &'static Table, columns: &[&'static ColumnDef]) -> Vec<usize> {
    let position = |column: &&'static ColumnDef| {
        let mut all = table.columns().iter();
        all.position(|other| other.name() == column.name())
    };
    columns.iter().filter_map(position).collect()
}
