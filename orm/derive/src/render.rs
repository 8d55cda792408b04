//! The fixed statements of a model, in the SQL of each database.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attributes::Role;

/// What differs between the databases here.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Dialect {
    MySql,
    Postgres,
    Sqlite,
}

impl Dialect {
    fn name(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{name}`"),
            Self::Postgres | Self::Sqlite => format!("\"{name}\""),
        }
    }
}

/// A table as names: its columns in the order of the fields.
pub(crate) struct Names<'a> {
    pub(crate) table: &'a str,
    pub(crate) columns: Vec<Name<'a>>,
}

/// A column as far as statements care.
pub(crate) struct Name<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_key: bool,
    pub(crate) is_generated: bool,
    pub(crate) role: Option<Role>,
}

impl Name<'_> {
    /// Whether an INSERT writes it beside the key.
    pub(crate) const fn is_inserted(&self) -> bool {
        !self.is_key && !self.is_generated
    }

    /// Whether an UPDATE sets it to what the struct holds.
    pub(crate) const fn is_updated(&self) -> bool {
        self.is_inserted() && matches!(self.role, None | Some(Role::Updated))
    }
}

/// An expression of type `Statements`.
pub(crate) fn statements(names: &Names<'_>, dialect: Dialect, krate: &TokenStream) -> TokenStream {
    let renderer = Renderer { names, dialect };
    let select = renderer.select();
    let find = renderer.find();
    let insert = renderer.insert();
    let insert_with_key = renderer.insert_with_key();
    let (insert_rows, insert_rows_end) = renderer.insert_rows();
    let (insert_rows_with_key, insert_rows_with_key_end) = renderer.insert_rows_with_key();
    let upsert = renderer.upsert();
    let update = renderer.update();
    let delete = renderer.delete();
    let purge = renderer.purge();
    let restore = renderer.restore();
    quote! {
        #krate::derived::Statements {
            select: #select,
            find: #find,
            insert: #insert,
            insert_with_key: #insert_with_key,
            insert_rows: #insert_rows,
            insert_rows_end: #insert_rows_end,
            insert_rows_with_key: #insert_rows_with_key,
            insert_rows_with_key_end: #insert_rows_with_key_end,
            upsert: #upsert,
            update: #update,
            delete: #delete,
            purge: #purge,
            restore: #restore,
        }
    }
}

/// Counts the values of a statement.
struct Marks {
    dialect: Dialect,
    number: usize,
}

impl Marks {
    /// The mark of the next value.
    fn next(&mut self) -> String {
        self.number += 1;
        match self.dialect {
            Dialect::Postgres => format!("${}", self.number),
            Dialect::MySql | Dialect::Sqlite => "?".to_owned(),
        }
    }
}

struct Renderer<'a> {
    names: &'a Names<'a>,
    dialect: Dialect,
}

impl Renderer<'_> {
    const fn marks(&self) -> Marks {
        Marks {
            dialect: self.dialect,
            number: 0,
        }
    }

    fn table(&self) -> String {
        self.dialect.name(self.names.table)
    }

    /// The columns for which it holds.
    fn columns(&self, holds: impl Fn(&Name<'_>) -> bool) -> Vec<String> {
        let columns = self.names.columns.iter().filter(|column| holds(column));
        columns
            .map(|column| self.dialect.name(column.name))
            .collect()
    }

    fn role(&self, role: Role) -> Option<String> {
        self.columns(|column| column.role == Some(role)).pop()
    }

    fn key(&self) -> Vec<String> {
        self.columns(|column| column.is_key)
    }

    fn inserted(&self) -> Vec<String> {
        self.columns(|column| column.is_inserted())
    }

    fn key_and_inserted(&self) -> Vec<String> {
        [self.key(), self.inserted()].concat()
    }

    fn all(&self) -> String {
        self.columns(|_| true).join(", ")
    }

    fn has_role(&self) -> bool {
        self.names
            .columns
            .iter()
            .any(|column| column.role.is_some())
    }

    fn is_generated(&self) -> bool {
        self.names.columns.iter().any(|column| column.is_generated)
    }

    /// What comes back from an INSERT: every column where the database fills some, else what is given.
    fn returning(&self, otherwise: &str) -> String {
        let all = self.all();
        let columns = if self.is_generated() { &all } else { otherwise };
        match self.dialect {
            _ if columns.is_empty() => String::new(),
            // MariaDB has it, and MySQL does not read this.
            Dialect::MySql => format!(" /*M! RETURNING {columns} */"),
            Dialect::Postgres | Dialect::Sqlite => format!(" RETURNING {columns}"),
        }
    }

    /// `key = ? AND version = ? AND tenant = ?`.
    fn own_row(&self, marks: &mut Marks, with_version: bool) -> String {
        let version = self.role(Role::Version).filter(|_| with_version);
        let columns = self.key().into_iter().chain(version);
        columns
            .chain(self.role(Role::Tenant))
            .map(|column| format!("{column} = {}", marks.next()))
            .collect::<Vec<_>>()
            .join(" AND ")
    }

    /// The rest of a condition: that the row is not deleted.
    fn is_there(&self) -> String {
        self.role(Role::Deleted)
            .map_or(String::new(), |deleted| format!(" AND {deleted} IS NULL"))
    }

    fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.all(), self.table())
    }

    fn find(&self) -> String {
        let row = self.own_row(&mut self.marks(), false);
        format!("{} WHERE {row}{}", self.select(), self.is_there())
    }

    fn values(&self, count: usize) -> String {
        let mut marks = self.marks();
        let marks: Vec<String> = (0..count).map(|_| marks.next()).collect();
        marks.join(", ")
    }

    fn insert(&self) -> String {
        let (table, columns) = (self.table(), self.inserted());
        let [key] = self.key().try_into().unwrap_or_else(|_| [String::new()]);
        if key.is_empty() {
            return String::new();
        }
        // Elsewhere the key comes with the answer anyway.
        let key = if self.dialect == Dialect::Postgres {
            key
        } else {
            String::new()
        };
        let returning = self.returning(&key);
        if columns.is_empty() && self.dialect != Dialect::MySql {
            return format!("INSERT INTO {table} DEFAULT VALUES{returning}");
        }
        let values = self.values(columns.len());
        format!(
            "INSERT INTO {table} ({}) VALUES ({values}){returning}",
            columns.join(", ")
        )
    }

    fn insert_with_key(&self) -> String {
        let columns = self.key_and_inserted();
        format!(
            "INSERT INTO {} ({}) VALUES ({}){}",
            self.table(),
            columns.join(", "),
            self.values(columns.len()),
            self.returning("")
        )
    }

    /// Head and end of an INSERT of many rows, whose keys the database chooses.
    ///
    /// The order of the rows that RETURNING gives is nowhere promised, so that they are sorted by the key afterwards;
    /// which needs that the keys were chosen in the order of the rows. PostgreSQL promises that for a SELECT with ORDER
    /// BY, and not for VALUES. SQLite and MariaDB choose them while they go through the rows.
    ///
    /// On PostgreSQL the rows stand between the two as arrays, one for each column, and their place beside them.
    fn insert_rows(&self) -> (String, String) {
        let [key] = self.key().try_into().unwrap_or_else(|_| [String::new()]);
        let (table, columns) = (self.table(), self.inserted().join(", "));
        if key.is_empty() || columns.is_empty() {
            return (String::new(), String::new());
        }
        let returning = self.returning(&key);
        if self.dialect != Dialect::Postgres {
            return (
                format!("INSERT INTO {table} ({columns}) VALUES "),
                returning,
            );
        }
        (
            format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM "),
            format!(
                " AS \"packetboat_rows\" ({columns}, \"packetboat_at\") ORDER BY \"packetboat_at\"{returning}"
            ),
        )
    }

    fn insert_rows_with_key(&self) -> (String, String) {
        let (table, columns) = (self.table(), self.key_and_inserted().join(", "));
        let rows = match self.dialect {
            Dialect::Postgres => "SELECT * FROM ",
            Dialect::MySql | Dialect::Sqlite => "VALUES ",
        };
        (
            format!("INSERT INTO {table} ({columns}) {rows}"),
            self.returning(""),
        )
    }

    /// Only for tables of which this one statement says all.
    fn upsert(&self) -> String {
        // MySQL's ON DUPLICATE KEY fires on any unique index.
        if self.dialect == Dialect::MySql || self.has_role() || self.is_generated() {
            return String::new();
        }
        let (insert, key) = (self.insert_with_key(), self.key().join(", "));
        let sets: Vec<String> = self
            .inserted()
            .iter()
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        if sets.is_empty() {
            return format!("{insert} ON CONFLICT ({key}) DO NOTHING");
        }
        format!(
            "{insert} ON CONFLICT ({key}) DO UPDATE SET {}",
            sets.join(", ")
        )
    }

    fn update(&self) -> String {
        let mut marks = self.marks();
        let set = self.columns(|column| column.is_updated()).into_iter();
        let mut sets: Vec<String> = set
            .map(|name| format!("{name} = {}", marks.next()))
            .collect();
        sets.extend(self.count_version());
        if sets.is_empty() {
            // Nothing to change, but whether the row is there must come out.
            let key = &self.key()[0];
            sets.push(format!("{key} = {key}"));
        }
        let row = self.own_row(&mut marks, true);
        // MariaDB has none for an UPDATE.
        let returning = if self.dialect == Dialect::MySql {
            String::new()
        } else {
            self.returning("")
        };
        format!(
            "UPDATE {} SET {} WHERE {row}{}{returning}",
            self.table(),
            sets.join(", "),
            self.is_there()
        )
    }

    fn count_version(&self) -> Option<String> {
        self.role(Role::Version)
            .map(|version| format!("{version} = {version} + 1"))
    }

    /// The delete that a model has: a soft one where it has a column for it.
    fn delete(&self) -> String {
        let Some(deleted) = self.role(Role::Deleted) else {
            return self.purge();
        };
        let mut marks = self.marks();
        let set = [Some(deleted), self.role(Role::Updated)].into_iter();
        let mut sets: Vec<String> = set
            .flatten()
            .map(|name| format!("{name} = {}", marks.next()))
            .collect();
        sets.extend(self.count_version());
        let row = self.own_row(&mut marks, true);
        format!(
            "UPDATE {} SET {} WHERE {row}{}",
            self.table(),
            sets.join(", "),
            self.is_there()
        )
    }

    fn purge(&self) -> String {
        let row = self.own_row(&mut self.marks(), true);
        format!("DELETE FROM {} WHERE {row}", self.table())
    }

    /// Takes a soft delete back; empty where there is none.
    fn restore(&self) -> String {
        let Some(deleted) = self.role(Role::Deleted) else {
            return String::new();
        };
        let mut marks = self.marks();
        let mut sets = vec![format!("{deleted} = NULL")];
        if let Some(updated) = self.role(Role::Updated) {
            sets.push(format!("{updated} = {}", marks.next()));
        }
        sets.extend(self.count_version());
        let row = self.own_row(&mut marks, true);
        format!(
            "UPDATE {} SET {} WHERE {row} AND {deleted} IS NOT NULL",
            self.table(),
            sets.join(", ")
        )
    }
}
