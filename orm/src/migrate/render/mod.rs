//! Steps in the SQL of each database.

mod mysql;
mod postgres;
mod sqlite;

use crate::dialect::Dialect;
use crate::migrate::delta::Delta;
use crate::migrate::plan::zero;
use crate::migrate::step::Step;
use crate::schema::shape::Column;

/// The statements of a step; on MySQL never more than one.
pub(super) fn statements(dialect: Dialect, step: &Step) -> Vec<String> {
    match step {
        Step::Alter { from, to } => {
            let delta = Delta::new(dialect, from, to);
            match dialect {
                Dialect::MySql => mysql::alter(&delta).into_iter().collect(),
                Dialect::Postgres => postgres::alter(&delta),
                Dialect::Sqlite => sqlite::alter(&delta),
            }
        }
        Step::Create(table) => dialect.create_table(table, ""),
        Step::Drop(table) => vec![format!("DROP TABLE {}", dialect.name(&table.name))],
        // There the rebuild does it on the way.
        Step::Fill { .. } if dialect == Dialect::Sqlite => Vec::new(),
        Step::Fill { table, column } => {
            let (table, name) = (dialect.name(&table.name), dialect.name(&column.name));
            let value = dialect.default_value(column).unwrap_or_default();
            vec![format!(
                "UPDATE {table} SET {name} = {value} WHERE {name} IS NULL"
            )]
        }
        Step::RenameColumn { table, from, to } => vec![format!(
            "ALTER TABLE {} RENAME COLUMN {} TO {}",
            dialect.name(table),
            dialect.name(from),
            dialect.name(to)
        )],
        Step::RenameTable { from, to } => {
            let mut statements = vec![format!(
                "ALTER TABLE {} RENAME TO {}",
                dialect.name(from),
                dialect.name(to)
            )];
            if dialect == Dialect::Postgres {
                // It keeps the name of the key, by which an error is told to be of the key.
                statements.push(format!(
                    "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
                    dialect.name(to),
                    dialect.name(&format!("{from}_pkey")),
                    dialect.name(&format!("{to}_pkey"))
                ));
            }
            statements
        }
    }
}

/// What a column that must not be NULL gets in rows that have no value for it.
fn filler(dialect: Dialect, column: &Column) -> String {
    let column = Column {
        default: Some(column.default.clone().unwrap_or_else(|| zero(column))),
        ..column.clone()
    };
    dialect.default_value(&column).unwrap_or_default()
}
