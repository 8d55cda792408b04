//! A table as owned data: what the models declare, and what `schema.json` keeps of it.

use serde::{Deserialize, Serialize};

use crate::constraint::OnDelete;
use crate::dialect::Dialect;
use crate::table::{self, ColumnDef, DefaultValue, SqlType};

/// A table, apart from how a database spells it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// The columns of the primary key.
    pub(crate) key: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) uniques: Vec<Named>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) indexes: Vec<Named>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) foreign_keys: Vec<ForeignKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) checks: Vec<Check>,
    /// The name that the table had before; no part of the table itself.
    #[serde(skip)]
    pub(crate) was: Option<String>,
}

/// A column, apart from how a database spells it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) ty: SqlType,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) nullable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Default>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scale: Option<u32>,
    /// The expression that the database computes it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) computed: Option<String>,
    /// The name that the column had before; no part of the column itself.
    #[serde(skip)]
    pub(crate) was: Option<String>,
}

/// A column's DEFAULT.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Default {
    Bool(bool),
    Float(f64),
    Int(i64),
    Now,
    Text(String),
}

/// A unique constraint or an index.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
}

/// A column that refers to the key of a table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) column: String,
    pub(crate) table: String,
    /// The column of that table's key.
    pub(crate) key: String,
    pub(crate) on_delete: OnDelete,
}

/// A condition, as each database is to read it; empty where it is not checked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) sqlite: String,
    pub(crate) postgres: String,
    pub(crate) mysql: String,
}

impl Check {
    pub(crate) fn condition(&self, dialect: Dialect) -> &str {
        match dialect {
            Dialect::MySql => &self.mysql,
            Dialect::Postgres => &self.postgres,
            Dialect::Sqlite => &self.sqlite,
        }
    }
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn is_key(&self, column: &str) -> bool {
        self.key.iter().any(|name| name == column)
    }

    /// The column that the database numbers: an integer that is the whole key, and no other table's.
    pub(crate) fn numbered(&self) -> Option<&Column> {
        let [only] = self.key.as_slice() else {
            return None;
        };
        let column = self.column(only)?;
        let is_integer = matches!(column.ty, SqlType::I16 | SqlType::I32 | SqlType::I64);
        let refers = self.foreign_keys.iter().any(|key| key.column == *only);
        (is_integer && !refers).then_some(column)
    }

    /// The unique constraints and indexes that begin with this column, the key aside.
    pub(crate) fn leads_index(&self, column: &str) -> bool {
        self.uniques
            .iter()
            .chain(&self.indexes)
            .any(|index| index.columns.first().is_some_and(|first| first == column))
            || self.key.first().is_some_and(|first| first == column)
    }
}

impl From<&'static table::Table> for Table {
    fn from(table: &'static table::Table) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            name: table.name().to_owned(),
            columns: table.columns().iter().map(Column::from).collect(),
            key: table
                .key_columns()
                .map(|column| column.name().to_owned())
                .collect(),
            uniques: table
                .uniques()
                .iter()
                .map(|unique| Named {
                    name: unique.name().to_owned(),
                    columns: owned(unique.columns()),
                })
                .collect(),
            indexes: table
                .indexes()
                .iter()
                .map(|index| Named {
                    name: index.name().to_owned(),
                    columns: owned(index.columns()),
                })
                .collect(),
            foreign_keys: table
                .foreign_keys()
                .iter()
                .map(|key| ForeignKey {
                    name: key.name().to_owned(),
                    column: key.column().to_owned(),
                    table: key.table().name().to_owned(),
                    key: key.table().key().name().to_owned(),
                    on_delete: key.on_delete(),
                })
                .collect(),
            checks: table
                .checks()
                .iter()
                .map(|check| Check {
                    name: check.name().to_owned(),
                    sqlite: check.condition(Dialect::Sqlite).to_owned(),
                    postgres: check.condition(Dialect::Postgres).to_owned(),
                    mysql: check.condition(Dialect::MySql).to_owned(),
                })
                .collect(),
            was: table.was().map(str::to_owned),
        }
    }
}

impl From<&'static ColumnDef> for Column {
    fn from(column: &'static ColumnDef) -> Self {
        Self {
            name: column.name().to_owned(),
            ty: column.ty(),
            // A key is never NULL, though an `Option` may stand for one that is not chosen yet.
            // Of what is computed only SQL knows whether it is, and MariaDB takes no NOT NULL there.
            nullable: (column.is_nullable() && !column.is_key()) || column.computed().is_some(),
            default: column.default().map(|value| match value {
                DefaultValue::Bool(value) => Default::Bool(value),
                DefaultValue::Float(value) => Default::Float(value),
                DefaultValue::Int(value) => Default::Int(value),
                DefaultValue::Now => Default::Now,
                DefaultValue::Text(value) => Default::Text(value.to_owned()),
            }),
            size: column.size(),
            scale: column.scale(),
            computed: column.computed().map(str::to_owned),
            was: column.was().map(str::to_owned),
        }
    }
}
