//! The fixed statements of a model, in the SQL of each database.

use proc_macro2::TokenStream;
use quote::quote;

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

    /// The mark of the value in position `number`, counted from 1.
    fn mark(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::MySql | Self::Sqlite => "?".to_owned(),
        }
    }

    fn marks(self, count: usize) -> String {
        (1..=count)
            .map(|number| self.mark(number))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A table as names: its columns in the order of the fields, and which is the key.
pub(crate) struct Names<'a> {
    pub(crate) table: &'a str,
    pub(crate) columns: Vec<&'a str>,
    pub(crate) key: usize,
}

/// An expression of type `Statements`.
pub(crate) fn statements(names: &Names<'_>, dialect: Dialect, krate: &TokenStream) -> TokenStream {
    let table = dialect.name(names.table);
    let key = dialect.name(names.columns[names.key]);
    let all: Vec<String> = names
        .columns
        .iter()
        .map(|name| dialect.name(name))
        .collect();
    let rest: Vec<&String> = all
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != names.key)
        .map(|(_, name)| name)
        .collect();
    let rest_names = rest
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let key_and_rest = [key.as_str()]
        .into_iter()
        .chain(rest.iter().map(|name| name.as_str()))
        .collect::<Vec<_>>()
        .join(", ");

    let select = format!("SELECT {} FROM {table}", all.join(", "));
    let find = format!("{select} WHERE {key} = {}", dialect.mark(1));
    let insert_rows = format!("INSERT INTO {table} ({rest_names}) VALUES ");
    let insert_rows_with_key = format!("INSERT INTO {table} ({key_and_rest}) VALUES ");
    let returning = if dialect == Dialect::Postgres {
        format!(" RETURNING {key}")
    } else {
        String::new()
    };
    let insert = if rest.is_empty() && dialect != Dialect::MySql {
        format!("INSERT INTO {table} DEFAULT VALUES{returning}")
    } else {
        format!("{insert_rows}({}){returning}", dialect.marks(rest.len()))
    };
    let insert_with_key = format!("{insert_rows_with_key}({})", dialect.marks(all.len()));
    let upsert = match (dialect, rest.is_empty()) {
        // Its ON DUPLICATE KEY fires on any unique index.
        (Dialect::MySql, _) => String::new(),
        (_, true) => format!("{insert_with_key} ON CONFLICT ({key}) DO NOTHING"),
        (_, false) => {
            let sets: Vec<String> = rest
                .iter()
                .map(|name| format!("{name} = excluded.{name}"))
                .collect();
            format!(
                "{insert_with_key} ON CONFLICT ({key}) DO UPDATE SET {}",
                sets.join(", ")
            )
        }
    };
    let update = if rest.is_empty() {
        // Nothing to change, but whether the row is there must come out.
        format!(
            "UPDATE {table} SET {key} = {key} WHERE {key} = {}",
            dialect.mark(1)
        )
    } else {
        let sets: Vec<String> = rest
            .iter()
            .enumerate()
            .map(|(at, name)| format!("{name} = {}", dialect.mark(at + 1)))
            .collect();
        let last = dialect.mark(rest.len() + 1);
        format!(
            "UPDATE {table} SET {} WHERE {key} = {last}",
            sets.join(", ")
        )
    };
    let delete = format!("DELETE FROM {table} WHERE {key} = {}", dialect.mark(1));

    quote! {
        #krate::derived::Statements {
            select: #select,
            find: #find,
            insert: #insert,
            insert_with_key: #insert_with_key,
            insert_rows: #insert_rows,
            insert_rows_with_key: #insert_rows_with_key,
            upsert: #upsert,
            update: #update,
            delete: #delete,
        }
    }
}
