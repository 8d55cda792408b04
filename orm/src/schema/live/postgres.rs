//! PostgreSQL's catalogue.

use super::{Checks, Column, ForeignKey, Table, table};
use crate::error::Result;
use crate::executor::Executor;
use crate::schema::shape::Named;
use crate::sql::sql;

/// Between the names of a list: a character that stands in no name.
const BETWEEN: char = '\u{1f}';

pub(super) async fn tables(db: &mut impl Executor) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    let columns = sql(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
         pg_get_expr(d.adbin, d.adrelid), o.collname::text \
         FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
         LEFT JOIN pg_collation o ON o.oid = a.attcollation \
         WHERE c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum",
    )
    .all::<(String, String, String, bool, Option<String>, Option<String>)>(&mut *db)
    .await?;
    for (of, name, ty, not_null, default, collation) in columns {
        table(&mut tables, &of).columns.push(Column {
            name,
            ty,
            nullable: !not_null,
            default,
            collation,
        });
    }
    let indexes = sql(
        "SELECT c.relname::text, i.relname::text, x.indisunique AND x.indpred IS NULL, x.indisprimary, \
         (SELECT string_agg(coalesce(a.attname::text, '(an expression)'), chr(31) ORDER BY k.n) \
          FROM unnest(x.indkey) WITH ORDINALITY k(at, n) \
          LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.at AND k.at > 0) \
         FROM pg_index x \
         JOIN pg_class c ON c.oid = x.indrelid \
         JOIN pg_class i ON i.oid = x.indexrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
         WHERE c.relkind IN ('r', 'p') ORDER BY c.relname, i.relname",
    )
    .all::<(String, String, bool, bool, String)>(&mut *db)
    .await?;
    for (of, name, is_unique, is_key, columns) in indexes {
        let of = table(&mut tables, &of);
        let columns = names(&columns);
        if is_key {
            of.key = columns;
        } else if is_unique {
            of.uniques.push(Named { name, columns });
        } else {
            of.indexes.push(Named { name, columns });
        }
    }
    let foreign_keys = sql(
        "SELECT c.relname::text, k.conname::text, \
         (SELECT string_agg(a.attname::text, chr(31) ORDER BY x.n) \
          FROM unnest(k.conkey) WITH ORDINALITY x(at, n) \
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.at), \
         t.relname::text, \
         (SELECT string_agg(a.attname::text, chr(31) ORDER BY x.n) \
          FROM unnest(k.confkey) WITH ORDINALITY x(at, n) \
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.at), \
         CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' \
         WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END \
         FROM pg_constraint k \
         JOIN pg_class c ON c.oid = k.conrelid \
         JOIN pg_class t ON t.oid = k.confrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
         WHERE k.contype = 'f' ORDER BY c.relname, k.conname",
    )
    .all::<(String, String, String, String, String, String)>(&mut *db)
    .await?;
    for (of, name, columns, to, keys, on_delete) in foreign_keys {
        table(&mut tables, &of).foreign_keys.push(ForeignKey {
            name,
            columns: names(&columns),
            table: to,
            keys: names(&keys),
            on_delete,
        });
    }
    let checks = sql(
        "SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid) \
         FROM pg_constraint k \
         JOIN pg_class c ON c.oid = k.conrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
         WHERE k.contype = 'c' ORDER BY c.relname, k.conname",
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

fn names(joined: &str) -> Vec<String> {
    joined.split(BETWEEN).map(str::to_owned).collect()
}
