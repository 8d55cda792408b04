//! A table as data: its columns, keys and fixed statements, written by the derive.

use crate::constraint::{Check, ForeignKey, Index};
use crate::dialect::Dialect;

/// The type of a column, apart from how each database spells it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SqlType {
    /// `bool`.
    Bool,
    /// A sequence of bytes.
    Bytes,
    /// A day.
    Date,
    /// An instant, in microseconds.
    DateTime,
    /// A decimal number, exact.
    Decimal,
    /// 4-byte floating point.
    F32,
    /// 8-byte floating point.
    F64,
    /// 2-byte integer.
    I16,
    /// 4-byte integer.
    I32,
    /// 8-byte integer.
    I64,
    /// A document.
    Json,
    /// A day and a time of an unstated zone, in microseconds.
    NaiveDateTime,
    /// Text, compared byte by byte.
    Text,
    /// 16 bytes.
    Uuid,
}

/// The value of a column in rows that do not name it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum DefaultValue {
    /// A truth value.
    Bool(bool),
    /// A floating point number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// The time of the insert.
    Now,
    /// A text.
    Text(&'static str),
}

/// One column of a model, as the derive describes it.
#[derive(Clone, Debug)]
pub struct ColumnDef {
    table: &'static str,
    name: &'static str,
    ty: SqlType,
    nullable: bool,
    key: bool,
    default: Option<DefaultValue>,
    size: Option<u32>,
    scale: Option<u32>,
    indexed: bool,
    was: Option<&'static str>,
    generated: Option<&'static str>,
}

impl ColumnDef {
    /// What stands for the column of a value that has none: one bound to, or read from, raw SQL.
    pub const UNNAMED: &'static Self = &Self::new("", "?", SqlType::Text, true);

    /// A column that has nothing special.
    #[must_use]
    pub const fn new(table: &'static str, name: &'static str, ty: SqlType, nullable: bool) -> Self {
        Self {
            table,
            name,
            ty,
            nullable,
            key: false,
            default: None,
            size: None,
            scale: None,
            indexed: false,
            was: None,
            generated: None,
        }
    }

    /// A column of this type, which takes NULL or not. Called by the derive.
    #[doc(hidden)]
    #[must_use]
    pub const fn of(table: &'static str, name: &'static str, kind: (SqlType, bool)) -> Self {
        Self::new(table, name, kind.0, kind.1)
    }

    /// This column as the primary key.
    #[must_use]
    pub const fn with_key(mut self) -> Self {
        self.key = true;
        self.indexed = true;
        self
    }

    /// This column as part of a unique constraint.
    #[must_use]
    pub const fn with_unique(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// This column as part of an index or a foreign key.
    #[must_use]
    pub const fn with_index(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// This column with the name that it had before.
    #[must_use]
    pub const fn with_was(mut self, was: &'static str) -> Self {
        self.was = Some(was);
        self
    }

    /// This column with a value for rows that do not name it.
    #[must_use]
    pub const fn with_default(mut self, value: DefaultValue) -> Self {
        self.default = Some(value);
        self
    }

    /// This column with a longest value, in characters (text) or bytes.
    #[must_use]
    pub const fn with_size(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    /// This decimal column with a fixed number of digits after the point.
    #[must_use]
    pub const fn with_scale(mut self, scale: u32) -> Self {
        self.scale = Some(scale);
        self
    }

    /// This column as one that the database fills: with its default or by a trigger, or where there is an expression
    /// with the value of that.
    #[must_use]
    pub const fn with_generated(mut self, expression: &'static str) -> Self {
        self.generated = Some(expression);
        self
    }

    /// The table's name.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.table
    }

    /// The column's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The column's type.
    #[must_use]
    pub const fn ty(&self) -> SqlType {
        self.ty
    }

    /// Whether NULL may stand in it.
    #[must_use]
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether it is the primary key.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        self.key
    }

    /// Whether an index stands on it, so that it needs a bounded type on MySQL.
    #[must_use]
    pub const fn is_indexed(&self) -> bool {
        self.indexed
    }

    /// The value in rows that do not name the column.
    #[must_use]
    pub const fn default(&self) -> Option<DefaultValue> {
        self.default
    }

    /// Whether the database fills it, so that no statement writes it, and each write reads it back.
    #[must_use]
    pub const fn is_generated(&self) -> bool {
        self.generated.is_some()
    }

    /// The expression that the database computes it from.
    #[must_use]
    pub const fn computed(&self) -> Option<&'static str> {
        match self.generated {
            Some(expression) if !expression.is_empty() => Some(expression),
            _ => None,
        }
    }

    /// The longest value, in characters (text) or bytes.
    ///
    /// Text and bytes in an index have 255 where nothing is said: MySQL indexes nothing unbounded, and a length that
    /// holds on one database alone would be a trap.
    #[must_use]
    pub const fn size(&self) -> Option<u32> {
        match (self.size, self.ty) {
            (Some(size), _) => Some(size),
            (None, SqlType::Text | SqlType::Bytes) if self.indexed => Some(255),
            (None, _) => None,
        }
    }

    /// The name that the column had before, for the next migration.
    #[must_use]
    pub const fn was(&self) -> Option<&'static str> {
        self.was
    }

    /// The number of digits after the point of a decimal.
    #[must_use]
    pub const fn scale(&self) -> Option<u32> {
        self.scale
    }
}

/// Columns whose values together must differ between any two rows.
#[derive(Clone, Copy, Debug)]
pub struct Unique {
    name: &'static str,
    columns: &'static [&'static str],
}

impl Unique {
    /// A constraint and its columns.
    #[must_use]
    pub const fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns }
    }

    /// The constraint's name.
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

/// The statements of a model that never change, rendered by the derive at compile time.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Statements {
    /// `SELECT .. FROM t`.
    pub select: &'static str,
    /// `SELECT .. FROM t WHERE key = ?`.
    pub find: &'static str,
    /// `INSERT` without the key, which the database chooses; with RETURNING where that is how to learn it.
    pub insert: &'static str,
    /// `INSERT` with the key first.
    pub insert_with_key: &'static str,
    /// `INSERT` of many rows without the key, up to the first row.
    pub insert_rows: &'static str,
    /// What follows the last row; with RETURNING.
    pub insert_rows_end: &'static str,
    /// `INSERT` of many rows with the key first, up to the first row.
    pub insert_rows_with_key: &'static str,
    /// What follows the last row.
    pub insert_rows_with_key_end: &'static str,
    /// `INSERT .. ON CONFLICT (key) DO UPDATE`, the key first; empty where the database has no such thing, or where one
    /// statement does not say it all.
    pub upsert: &'static str,
    /// `UPDATE t SET .. WHERE key = ?`.
    pub update: &'static str,
    /// `DELETE FROM t WHERE key = ?`, or the UPDATE that is a soft delete.
    pub delete: &'static str,
    /// `DELETE FROM t WHERE key = ?`.
    pub purge: &'static str,
    /// The UPDATE that takes a soft delete back; empty where there is none.
    pub restore: &'static str,
}

/// Which columns, by position, every statement looks after.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Roles {
    /// The time of the insert.
    pub created: Option<usize>,
    /// The time of a soft delete.
    pub deleted: Option<usize>,
    /// To whom the row belongs.
    pub tenant: Option<usize>,
    /// The time of the last write.
    pub updated: Option<usize>,
    /// How often the row was changed.
    pub version: Option<usize>,
}

impl Roles {
    /// No column has one.
    pub const NONE: Self = Self {
        created: None,
        deleted: None,
        tenant: None,
        updated: None,
        version: None,
    };

    /// Whether no column has one.
    pub(crate) const fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                created: None,
                deleted: None,
                tenant: None,
                updated: None,
                version: None,
            }
        )
    }
}

/// A table of a model, with everything about it that is known at compile time.
#[derive(Debug)]
pub struct Table {
    name: &'static str,
    columns: &'static [ColumnDef],
    key: &'static [usize],
    inserted: &'static [usize],
    updated: &'static [usize],
    roles: Roles,
    uniques: &'static [Unique],
    indexes: &'static [Index],
    foreign_keys: &'static [ForeignKey],
    checks: &'static [Check],
    was: Option<&'static str>,
    sqlite: Statements,
    postgres: Statements,
    mysql: Statements,
}

impl Table {
    /// Called by the derive, which says with the methods below what else there is.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        name: &'static str,
        columns: &'static [ColumnDef],
        key: &'static [usize],
        sqlite: Statements,
        postgres: Statements,
        mysql: Statements,
    ) -> Self {
        Self {
            name,
            columns,
            key,
            inserted: &[],
            updated: &[],
            roles: Roles::NONE,
            uniques: &[],
            indexes: &[],
            foreign_keys: &[],
            checks: &[],
            was: None,
            sqlite,
            postgres,
            mysql,
        }
    }

    /// This table with unique constraints.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_uniques(mut self, uniques: &'static [Unique]) -> Self {
        self.uniques = uniques;
        self
    }

    /// This table with indexes.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_indexes(mut self, indexes: &'static [Index]) -> Self {
        self.indexes = indexes;
        self
    }

    /// This table with foreign keys.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_foreign_keys(mut self, foreign_keys: &'static [ForeignKey]) -> Self {
        self.foreign_keys = foreign_keys;
        self
    }

    /// This table with conditions that every row fulfils.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_checks(mut self, checks: &'static [Check]) -> Self {
        self.checks = checks;
        self
    }

    /// This table with the name that it had before.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_was(mut self, was: &'static str) -> Self {
        self.was = Some(was);
        self
    }

    /// This table with the positions of the columns that an INSERT writes beside the key, and that an UPDATE sets.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_written(
        mut self,
        inserted: &'static [usize],
        updated: &'static [usize],
    ) -> Self {
        self.inserted = inserted;
        self.updated = updated;
        self
    }

    /// This table with columns that every statement looks after.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// The table's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The columns, in the order of the struct's fields.
    #[must_use]
    pub const fn columns(&self) -> &'static [ColumnDef] {
        self.columns
    }

    /// The columns of the primary key, in the order of the struct's fields.
    pub fn key_columns(&self) -> impl ExactSizeIterator<Item = &'static ColumnDef> + Clone + use<> {
        let columns = self.columns;
        self.key.iter().map(move |&at| &columns[at])
    }

    /// The first column of the primary key, which has no other where its type is a field.
    pub(crate) const fn key(&self) -> &'static ColumnDef {
        self.key_column(0)
    }

    /// A column of the primary key.
    pub(crate) const fn key_column(&self, part: usize) -> &'static ColumnDef {
        &self.columns[self.key[part]]
    }

    /// Whether a constraint is that of the primary key.
    pub(crate) fn is_key_constraint(&self, constraint: &str) -> bool {
        constraint
            .strip_prefix(self.name)
            .is_some_and(|rest| rest == "_pkey")
    }

    /// The positions of the primary key's columns.
    pub(crate) const fn key_positions(&self) -> &'static [usize] {
        self.key
    }

    /// The positions of the columns that an INSERT writes beside the key.
    pub(crate) const fn inserted(&self) -> &'static [usize] {
        self.inserted
    }

    /// The positions of the columns that an UPDATE sets to what the struct holds.
    pub(crate) const fn updated_columns(&self) -> &'static [usize] {
        self.updated
    }

    /// Which columns have a role.
    pub(crate) const fn roles(&self) -> &Roles {
        &self.roles
    }

    /// Whether a column is filled by the database, so that each write reads the row back.
    pub(crate) const fn reads_back(&self) -> bool {
        let mut at = 0;
        while at < self.columns.len() {
            if self.columns[at].is_generated() {
                return true;
            }
            at += 1;
        }
        false
    }

    /// The column that counts the row's changes.
    #[must_use]
    pub const fn version(&self) -> Option<&'static ColumnDef> {
        self.column(self.roles.version)
    }

    /// The column with the time of the insert.
    #[must_use]
    pub const fn created(&self) -> Option<&'static ColumnDef> {
        self.column(self.roles.created)
    }

    /// The column with the time of the last write.
    #[must_use]
    pub const fn updated(&self) -> Option<&'static ColumnDef> {
        self.column(self.roles.updated)
    }

    /// The column with the time of a soft delete, NULL in rows that are not deleted.
    #[must_use]
    pub const fn deleted(&self) -> Option<&'static ColumnDef> {
        self.column(self.roles.deleted)
    }

    /// The column that says to which tenant the row belongs.
    #[must_use]
    pub const fn tenant(&self) -> Option<&'static ColumnDef> {
        self.column(self.roles.tenant)
    }

    const fn column(&self, at: Option<usize>) -> Option<&'static ColumnDef> {
        match at {
            Some(at) => Some(&self.columns[at]),
            None => None,
        }
    }

    /// The unique constraints, the primary key aside.
    #[must_use]
    pub const fn uniques(&self) -> &'static [Unique] {
        self.uniques
    }

    /// The indexes, those of keys and unique constraints aside.
    #[must_use]
    pub const fn indexes(&self) -> &'static [Index] {
        self.indexes
    }

    /// The foreign keys.
    #[must_use]
    pub const fn foreign_keys(&self) -> &'static [ForeignKey] {
        self.foreign_keys
    }

    /// The conditions that every row fulfils.
    #[must_use]
    pub const fn checks(&self) -> &'static [Check] {
        self.checks
    }

    /// The name that the table had before, for the next migration.
    #[must_use]
    pub const fn was(&self) -> Option<&'static str> {
        self.was
    }

    pub(crate) const fn statements(&self, dialect: Dialect) -> &Statements {
        match dialect {
            Dialect::MySql => &self.mysql,
            Dialect::Postgres => &self.postgres,
            Dialect::Sqlite => &self.sqlite,
        }
    }
}
