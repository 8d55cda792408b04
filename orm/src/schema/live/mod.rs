//! The tables that a database has, read from its catalogue.

mod mysql;
mod postgres;
mod sqlite;

pub(super) use self::sqlite::affinity;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::executor::Executor;
use crate::schema::shape::Named;

/// A table as the database describes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) key: Vec<String>,
    /// With the name that the database has; empty where it tells none.
    pub(super) uniques: Vec<Named>,
    pub(super) indexes: Vec<Named>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) checks: Checks,
}

/// A column as the database describes it.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// In the database's words, such that two spellings of one type are the same.
    pub(super) ty: String,
    pub(super) nullable: bool,
    pub(super) default: Option<String>,
    pub(super) collation: Option<String>,
}

/// A foreign key as the database describes it.
#[derive(Clone, Debug, Default)]
pub(super) struct ForeignKey {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) table: String,
    /// The columns of the other table; empty where they are not told, which means its key.
    pub(super) keys: Vec<String>,
    /// In the words of SQL: `CASCADE`, `SET NULL`, `RESTRICT`, `NO ACTION`.
    pub(super) on_delete: String,
}

/// What is known of a table's conditions.
#[derive(Clone, Debug)]
pub(super) enum Checks {
    /// Each with its name and its text.
    Listed(Vec<(String, String)>),
    /// The text of the whole table, in which they stand.
    Within(String),
}

impl Default for Checks {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// Every table of the database, or of the schema that the connection is in.
pub(super) async fn tables(db: &mut impl Executor) -> Result<Vec<Table>> {
    match db.dialect() {
        Dialect::MySql => mysql::tables(db).await,
        Dialect::Postgres => postgres::tables(db).await,
        Dialect::Sqlite => sqlite::tables(db).await,
    }
}

/// The table of this name, made where it is not there yet: rows of a catalogue come sorted by table.
fn table<'t>(tables: &'t mut Vec<Table>, name: &str) -> &'t mut Table {
    let at = tables.iter().position(|table| table.name == name);
    let at = at.unwrap_or_else(|| {
        tables.push(Table {
            name: name.to_owned(),
            ..Table::default()
        });
        tables.len() - 1
    });
    &mut tables[at]
}

/// The index of this name.
fn index<'i>(indexes: &'i mut Vec<Named>, name: &str) -> &'i mut Named {
    let at = indexes.iter().position(|index| index.name == name);
    let at = at.unwrap_or_else(|| {
        indexes.push(Named {
            name: name.to_owned(),
            columns: Vec::new(),
        });
        indexes.len() - 1
    });
    &mut indexes[at]
}
