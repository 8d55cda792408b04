//! What one table has and another has not.

use crate::dialect::Dialect;
use crate::schema::shape::{Check, Column, ForeignKey, Named, Table};

/// The way from one table to another of the same name.
pub(super) struct Delta<'a> {
    pub(super) from: &'a Table,
    pub(super) to: &'a Table,
    pub(super) dropped_columns: Vec<&'a Column>,
    pub(super) added_columns: Vec<&'a Column>,
    /// Columns whose definition this database spells otherwise.
    pub(super) changed_columns: Vec<(&'a Column, &'a Column)>,
    pub(super) uniques: Parts<'a, Named>,
    pub(super) indexes: Parts<'a, Named>,
    pub(super) foreign_keys: Parts<'a, ForeignKey>,
    pub(super) checks: Parts<'a, Check>,
}

/// What goes, what comes, and what only changes its name.
pub(super) struct Parts<'a, T> {
    pub(super) dropped: Vec<&'a T>,
    pub(super) added: Vec<&'a T>,
    pub(super) renamed: Vec<(&'a T, &'a T)>,
}

impl<T> Parts<'_, T> {
    pub(super) const fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.added.is_empty() && self.renamed.is_empty()
    }
}

impl<'a> Delta<'a> {
    pub(super) fn new(dialect: Dialect, from: &'a Table, to: &'a Table) -> Self {
        let changed =
            |old: &Column, new: &Column| dialect.definition(old) != dialect.definition(new);
        Self {
            from,
            to,
            dropped_columns: from
                .columns
                .iter()
                .filter(|column| to.column(&column.name).is_none())
                .collect(),
            added_columns: to
                .columns
                .iter()
                .filter(|column| from.column(&column.name).is_none())
                .collect(),
            changed_columns: to
                .columns
                .iter()
                .filter_map(|new| Some((from.column(&new.name)?, new)))
                .filter(|(old, new)| changed(old, new))
                .collect(),
            uniques: named(&from.uniques, &to.uniques),
            indexes: named(&from.indexes, &to.indexes),
            foreign_keys: parts(
                &from.foreign_keys.iter().collect::<Vec<_>>(),
                &to.foreign_keys.iter().collect::<Vec<_>>(),
                PartialEq::eq,
                |_, _| false,
            ),
            checks: parts(
                &checked(&from.checks, dialect),
                &checked(&to.checks, dialect),
                |old, new| old.name == new.name && old.condition(dialect) == new.condition(dialect),
                |_, _| false,
            ),
        }
    }

    /// Whether this database has nothing to do.
    pub(super) const fn is_empty(&self) -> bool {
        self.dropped_columns.is_empty()
            && self.added_columns.is_empty()
            && self.changed_columns.is_empty()
            && self.uniques.is_empty()
            && self.indexes.is_empty()
            && self.foreign_keys.is_empty()
            && self.checks.is_empty()
    }
}

/// The conditions that this database checks.
fn checked(checks: &[Check], dialect: Dialect) -> Vec<&Check> {
    checks
        .iter()
        .filter(|check| !check.condition(dialect).is_empty())
        .collect()
}

fn named<'a>(from: &'a [Named], to: &'a [Named]) -> Parts<'a, Named> {
    parts(
        &from.iter().collect::<Vec<_>>(),
        &to.iter().collect::<Vec<_>>(),
        PartialEq::eq,
        |old, new| old.columns == new.columns,
    )
}

fn parts<'a, T>(
    from: &[&'a T],
    to: &[&'a T],
    is_same: impl Fn(&T, &T) -> bool,
    is_renamed: impl Fn(&T, &T) -> bool,
) -> Parts<'a, T> {
    let is_in = |one: &T, many: &[&T]| many.iter().any(|other| is_same(other, one));
    let mut added: Vec<&T> = to.iter().copied().filter(|new| !is_in(new, from)).collect();
    let mut dropped: Vec<&T> = from.iter().copied().filter(|old| !is_in(old, to)).collect();
    let mut renamed = Vec::new();
    dropped.retain(
        |old| match added.iter().position(|new| is_renamed(old, new)) {
            Some(at) => {
                renamed.push((*old, added.remove(at)));
                false
            }
            None => true,
        },
    );
    Parts {
        dropped,
        added,
        renamed,
    }
}
