//! SQLite's catalogue: its table-valued pragmas.

use super::{Checks, Column, ForeignKey, Table, table};
use crate::error::Result;
use crate::executor::Executor;
use crate::schema::shape::Named;
use crate::sql::sql;

pub(super) async fn tables(db: &mut impl Executor) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    let texts = sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' \
         ORDER BY name",
    )
    .all::<(String, String)>(&mut *db)
    .await?;
    for (name, text) in texts {
        table(&mut tables, &name).checks = Checks::Within(text);
    }
    let columns = sql(
        "SELECT m.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk \
         FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY m.name, c.cid",
    )
    .all::<(String, String, String, i64, Option<String>, i64)>(&mut *db)
    .await?;
    let mut keys: Vec<(String, i64, String)> = Vec::new();
    for (of, name, ty, not_null, default, key) in columns {
        if key > 0 {
            keys.push((of.clone(), key, name.clone()));
        }
        table(&mut tables, &of).columns.push(Column {
            name,
            ty: affinity(&ty).to_owned(),
            nullable: not_null == 0 && key == 0,
            default,
            // A column that says nothing compares by bytes; what it says is not in this catalogue.
            collation: None,
        });
    }
    keys.sort();
    for (of, _, column) in keys {
        table(&mut tables, &of).key.push(column);
    }
    let indexes = sql(
        "SELECT m.name, i.name, i.\"unique\", i.origin, i.partial, k.name \
         FROM sqlite_master m JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) k \
         WHERE m.type = 'table' ORDER BY m.name, i.seq, k.seqno",
    )
    .all::<(String, String, i64, String, i64, Option<String>)>(&mut *db)
    .await?;
    let mut of_constraint: Vec<(String, Named)> = Vec::new();
    for (of, name, unique, origin, partial, column) in indexes {
        if origin == "pk" {
            continue;
        }
        let column = column.unwrap_or_else(|| "(an expression)".to_owned());
        if origin == "u" {
            // The catalogue has a name of its own for it; the constraint's is told only when it is violated.
            match of_constraint.last_mut() {
                Some((_, last)) if last.name == name => last.columns.push(column),
                _ => of_constraint.push((
                    of,
                    Named {
                        name,
                        columns: vec![column],
                    },
                )),
            }
            continue;
        }
        let of = table(&mut tables, &of);
        // One that holds for some rows only makes nothing unique.
        let place = if unique == 1 && partial == 0 {
            &mut of.uniques
        } else {
            &mut of.indexes
        };
        super::index(place, &name).columns.push(column);
    }
    for (of, mut unique) in of_constraint {
        unique.name.clear();
        table(&mut tables, &of).uniques.push(unique);
    }
    let foreign_keys = sql(
        "SELECT m.name, f.id, f.\"table\", f.\"from\", f.\"to\", f.on_delete \
         FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f \
         WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq",
    )
    .all::<(String, i64, String, String, Option<String>, String)>(&mut *db)
    .await?;
    let mut last = None;
    for (of, id, to, column, key, on_delete) in foreign_keys {
        let place = &mut table(&mut tables, &of).foreign_keys;
        if last != Some((of.clone(), id)) {
            last = Some((of, id));
            place.push(ForeignKey {
                table: to,
                on_delete,
                ..ForeignKey::default()
            });
        }
        if let Some(foreign_key) = place.last_mut() {
            foreign_key.columns.push(column);
            foreign_key.keys.extend(key);
        }
    }
    Ok(tables)
}

/// What SQLite makes of a declared type: "Determination Of Column Affinity" of its manual, rule by rule.
pub(crate) fn affinity(declared: &str) -> &'static str {
    let declared = declared.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    if has(&["INT"]) {
        "INTEGER"
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        "TEXT"
    } else if declared.is_empty() || has(&["BLOB"]) {
        "BLOB"
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        "REAL"
    } else {
        "NUMERIC"
    }
}
