//! What is refused on every database, because it would mean different things, or fail on some.

use crate::dialect::Dialect;
use crate::error::Result;
use crate::expr::{Place, Term};
use crate::query::{Item, More, Query, Sort};
use crate::table::{ColumnDef, SqlType, Table};
use crate::writer::Writer;

impl Writer {
    /// Refuses to compare or add decimals that SQLite keeps as integers of different scales.
    pub(crate) fn check_scales(&self, left: &Term, right: &Term) -> Result<()> {
        let (left, right) = (left.def(), right.def());
        let differ = self.dialect() == Dialect::Sqlite
            && left.ty() == SqlType::Decimal
            && right.ty() == SqlType::Decimal
            && left.scale() != right.scale();
        if differ {
            Err(self.unsupported("comparing or adding decimals of different scales"))
        } else {
            Ok(())
        }
    }

    /// Refuses to count with decimals that SQLite keeps as text.
    pub(super) fn check_number(&self, term: &Term) -> Result<()> {
        let def = term.def();
        let is_text_decimal = self.dialect() == Dialect::Sqlite
            && def.ty() == SqlType::Decimal
            && def.scale().is_none();
        if is_text_decimal {
            return Err(self.unsupported(
                "arithmetic on a decimal kept as text; give the field a scale: #[model(scale = 2)]",
            ));
        }
        Ok(())
    }

    /// Refuses MIN and MAX of what one of the databases does not compare.
    pub(super) fn check_extreme(&self, def: &ColumnDef) -> Result<()> {
        match def.ty() {
            SqlType::Bool | SqlType::Bytes | SqlType::Json | SqlType::Uuid => {
                Err(self.unsupported("the least or greatest of truth values, bytes, UUIDs or JSON"))
            }
            _ => self.check_ordered(def),
        }
    }

    /// Refuses a column beside an aggregate that is not the same in all rows of the group: some databases would take
    /// the value of any row.
    pub(super) fn check_groups(&self, query: &Query, more: &More) -> Result<()> {
        let is_aggregate = |item: &Item| matches!(item, Item::Term(term) if term.is_aggregate());
        let is_grouped = !more.group.is_empty()
            || more.having.is_some()
            || more.columns.iter().flatten().any(is_aggregate)
            || query.order.iter().any(|sort| sort.term.is_aggregate());
        if !is_grouped {
            return Ok(());
        }
        let items = query.items();
        let is_fixed = items.iter().all(|item| match item {
            Item::Rank(..) => false,
            Item::Table(table, name) => more.has_key(table, name),
            Item::Term(term) => query.fixes(more, term),
        });
        let is_sorted = |sort: &Sort| query.fixes(more, &sort.term);
        if !is_fixed || !query.order.iter().all(is_sorted) {
            return Err(self.unsupported(
                "reading or sorting by a column that is neither in group_by, nor of a model whose key is, nor in an \
                 aggregate; or sorting groups by an expression with a value that is not read",
            ));
        }
        let mut is_known = true;
        if let Some(having) = &more.having {
            having.visit(&mut |place| is_known = is_known && query.knows(more, place));
        }
        if is_known {
            Ok(())
        } else {
            // MySQL knows no other column there. SQLite would take the value of any row.
            Err(self.unsupported(
                "having on a column that is neither in group_by nor in an aggregate, nor read and of a model whose key \
                 is in group_by; filter takes conditions on single rows",
            ))
        }
    }

    /// Refuses to sort different rows by what is not read: one of them may stand for several.
    pub(super) fn check_distinct(&self, query: &Query, more: &More) -> Result<()> {
        if !more.distinct {
            return Ok(());
        }
        let items = query.items();
        let is_read = |term: &Term| {
            items.iter().any(|item| match item {
                Item::Rank(..) => false,
                Item::Table(_, name) => {
                    matches!(term, Term::Column(place) if place.table() == *name)
                }
                Item::Term(read) => read.is_same(term),
            })
        };
        if query.order.iter().all(|sort| is_read(&sort.term)) {
            Ok(())
        } else {
            Err(self.unsupported("sorting distinct rows by what is not read"))
        }
    }
}

impl Query {
    /// Whether the term has one value in each group, and a database sees that.
    fn fixes(&self, more: &More, term: &Term) -> bool {
        let mut all = true;
        term.visit(&mut |place| all = all && self.fixes_column(more, place));
        // One that binds a value is named by its position among what is read.
        let is_named = || {
            let items = self.items();
            let mut read = items.iter();
            read.any(|item| matches!(item, Item::Term(read) if read.is_same(term)))
        };
        let mut group = more.group.iter();
        all || group.any(|grouped| grouped.is_same(term)) && (!term.binds() || is_named())
    }

    /// Whether a condition on groups may read the column, on every database.
    fn knows(&self, more: &More, place: &Place) -> bool {
        let is_read = |item: &Item| match item {
            Item::Rank(..) => false,
            Item::Table(_, name) => *name == place.table(),
            Item::Term(term) => matches!(term, Term::Column(read) if read.is(place)),
        };
        more.groups(place) || self.fixes_column(more, place) && self.items().iter().any(is_read)
    }

    fn fixes_column(&self, more: &More, place: &Place) -> bool {
        more.groups(place)
            || self
                .tables()
                .any(|(table, name)| name == place.table() && more.has_key(table, name))
    }
}

impl More {
    /// Whether a column is grouped by.
    fn groups(&self, place: &Place) -> bool {
        let is_it = |grouped: &Term| matches!(grouped, Term::Column(other) if other.is(place));
        self.group.iter().any(is_it)
    }

    /// Whether the whole key of a table is among what is grouped by.
    fn has_key(&self, table: &Table, name: &str) -> bool {
        table.key_columns().all(|def| {
            self.group.iter().any(|grouped| {
                matches!(grouped, Term::Column(place)
                    if place.table() == name && place.def.name() == def.name())
            })
        })
    }
}
