//! MySQL's and MariaDB's catalogue.

use super::{Checks, Column, ForeignKey, Table, index, table};
use crate::error::Result;
use crate::executor::Executor;
use crate::sql::sql;

// Everything is cast, since the two give the columns of their catalogues different types.
pub(super) async fn tables(db: &mut impl Executor) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    let columns = sql(
        "SELECT CAST(c.table_name AS CHAR), CAST(c.column_name AS CHAR), CAST(c.column_type AS CHAR), \
         CAST(c.is_nullable AS CHAR), CAST(c.column_default AS CHAR), CAST(c.collation_name AS CHAR) \
         FROM information_schema.columns c \
         JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' \
         ORDER BY c.table_name, c.ordinal_position",
    )
    .all::<(String, String, String, String, Option<String>, Option<String>)>(&mut *db)
    .await?;
    for (of, name, ty, nullable, default, collation) in columns {
        table(&mut tables, &of).columns.push(Column {
            name,
            ty: without_width(&ty),
            nullable: nullable == "YES",
            // MariaDB says so of a column that has none.
            default: default.filter(|text| text != "NULL"),
            collation,
        });
    }
    let indexes = sql(
        "SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), CAST(non_unique AS SIGNED), \
         CAST(column_name AS CHAR) \
         FROM information_schema.statistics WHERE table_schema = DATABASE() \
         ORDER BY table_name, index_name, seq_in_index",
    )
    .all::<(String, String, i64, Option<String>)>(&mut *db)
    .await?;
    for (of, name, non_unique, column) in indexes {
        let of = table(&mut tables, &of);
        let column = column.unwrap_or_else(|| "(an expression)".to_owned());
        if name == "PRIMARY" {
            of.key.push(column);
        } else if non_unique == 0 {
            index(&mut of.uniques, &name).columns.push(column);
        } else {
            index(&mut of.indexes, &name).columns.push(column);
        }
    }
    let foreign_keys = sql(
        "SELECT CAST(k.table_name AS CHAR), CAST(k.constraint_name AS CHAR), CAST(k.column_name AS CHAR), \
         CAST(k.referenced_table_name AS CHAR), CAST(k.referenced_column_name AS CHAR), \
         CAST(r.delete_rule AS CHAR) \
         FROM information_schema.key_column_usage k \
         JOIN information_schema.referential_constraints r ON r.constraint_schema = k.constraint_schema \
         AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name \
         WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL \
         ORDER BY k.table_name, k.constraint_name, k.ordinal_position",
    )
    .all::<(String, String, String, String, String, String)>(&mut *db)
    .await?;
    for (of, name, column, to, key, on_delete) in foreign_keys {
        let place = &mut table(&mut tables, &of).foreign_keys;
        if place.last().is_none_or(|last| last.name != name) {
            place.push(ForeignKey {
                name,
                table: to,
                on_delete,
                ..ForeignKey::default()
            });
        }
        if let Some(foreign_key) = place.last_mut() {
            foreign_key.columns.push(column);
            foreign_key.keys.push(key);
        }
    }
    // MariaDB counts the names of conditions in each table, MySQL in the whole database.
    let checks = sql(
        "SELECT CAST(t.table_name AS CHAR), CAST(t.constraint_name AS CHAR), CAST(c.check_clause AS CHAR) \
         FROM information_schema.table_constraints t \
         JOIN information_schema.check_constraints c ON c.constraint_schema = t.constraint_schema \
         AND c.constraint_name = t.constraint_name /*M! AND c.table_name = t.table_name */ \
         WHERE t.constraint_schema = DATABASE() AND t.constraint_type = 'CHECK' \
         ORDER BY t.table_name, t.constraint_name",
    )
    .all::<(String, String, String)>(&mut *db)
    .await?;
    for (of, name, text) in checks {
        if let Checks::Listed(listed) = &mut table(&mut tables, &of).checks {
            listed.push((name, text));
        }
    }
    Ok(tables)
}

/// `bigint(20)` as `bigint`: the width is for display, and MySQL tells it no more. That of `tinyint(1)` means something.
fn without_width(ty: &str) -> String {
    let ty = ty.to_ascii_lowercase();
    for name in ["smallint", "mediumint", "bigint", "int"] {
        if let Some(rest) = ty.strip_prefix(name)
            && let Some((_, rest)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
        {
            return format!("{name}{rest}");
        }
    }
    ty
}
