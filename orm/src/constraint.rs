//! What a table promises beside its columns: indexes, foreign keys, checks.

use crate::dialect::Dialect;
use crate::model::Model;
use crate::relation::{Kind, Maybe, One};
use crate::table::Table;

/// Columns by which rows are found fast.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    name: &'static str,
    columns: &'static [&'static str],
}

impl Index {
    /// An index and its columns.
    #[must_use]
    pub const fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns }
    }

    /// The index's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The columns' names.
    #[must_use]
    pub const fn columns(&self) -> &'static [&'static str] {
        self.columns
    }
}

/// What becomes of a row when the row that it refers to is deleted.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, PartialEq, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnDelete {
    /// It is deleted too.
    Cascade,
    /// The delete is refused.
    #[default]
    Restrict,
    /// Its column becomes NULL.
    SetNull,
}

/// A column that holds the key of a row of another table, or of the same.
#[derive(Clone, Copy, Debug)]
pub struct ForeignKey {
    name: &'static str,
    column: &'static str,
    // A function, since two tables may refer to each other, and a constant cannot hold itself.
    table: fn() -> &'static Table,
    on_delete: OnDelete,
}

impl ForeignKey {
    /// A constraint by which a column of type `F` refers to rows of `M`.
    #[must_use]
    pub const fn new<M: Model, F: References<M::Key>>(
        name: &'static str,
        column: &'static str,
        on_delete: OnDelete,
    ) -> Self {
        Self {
            name,
            column,
            table: table_of::<M>,
            on_delete,
        }
    }

    /// The constraint's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The column that refers.
    #[must_use]
    pub const fn column(&self) -> &'static str {
        self.column
    }

    /// The table that it refers to, by its primary key.
    #[must_use]
    pub fn table(&self) -> &'static Table {
        (self.table)()
    }

    /// What becomes of the row when the one that it refers to is deleted.
    #[must_use]
    pub const fn on_delete(&self) -> OnDelete {
        self.on_delete
    }
}

const fn table_of<M: Model>() -> &'static Table {
    M::TABLE
}

/// A field that can hold a key of type `K`: `K` itself, or `Option<K>`.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot refer to a key of type `{K}`",
    label = "expected `{K}` or `Option<{K}>`"
)]
pub trait References<K> {
    /// What a relation by this field gives: one row, or perhaps one.
    type Kind: Kind;
}

impl<K> References<K> for K {
    type Kind = One;
}

impl<K> References<K> for Option<K> {
    type Kind = Maybe;
}

/// A condition that every row fulfils.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    mysql: &'static str,
}

impl Check {
    /// A condition, as each database is to read it. An empty one is not checked there.
    #[must_use]
    pub const fn new(
        name: &'static str,
        sqlite: &'static str,
        postgres: &'static str,
        mysql: &'static str,
    ) -> Self {
        Self {
            name,
            sqlite,
            postgres,
            mysql,
        }
    }

    /// The constraint's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The condition in the SQL of a database; empty where it is not checked.
    #[must_use]
    pub const fn condition(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::MySql => self.mysql,
            Dialect::Postgres => self.postgres,
            Dialect::Sqlite => self.sqlite,
        }
    }
}
