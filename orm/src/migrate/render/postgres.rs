//! ALTER TABLE on PostgreSQL: one statement for each change.

use super::filler;
use crate::dialect::Dialect;
use crate::migrate::delta::Delta;
use crate::schema::shape::Column;

const PG: Dialect = Dialect::Postgres;

pub(super) fn alter(delta: &Delta<'_>) -> Vec<String> {
    let table = PG.name(&delta.to.name);
    let mut out = Vec::new();
    let mut alter = |change: String| out.push(format!("ALTER TABLE {table} {change}"));
    let drop_constraint = |name: &str| format!("DROP CONSTRAINT {}", PG.name(name));
    for key in &delta.foreign_keys.dropped {
        alter(drop_constraint(&key.name));
    }
    for check in &delta.checks.dropped {
        alter(drop_constraint(&check.name));
    }
    for unique in &delta.uniques.dropped {
        alter(drop_constraint(&unique.name));
    }
    for (old, new) in &delta.uniques.renamed {
        alter(format!(
            "RENAME CONSTRAINT {} TO {}",
            PG.name(&old.name),
            PG.name(&new.name)
        ));
    }
    for index in &delta.indexes.dropped {
        out.push(format!("DROP INDEX {}", PG.name(&index.name)));
    }
    for (old, new) in &delta.indexes.renamed {
        out.push(format!(
            "ALTER INDEX {} RENAME TO {}",
            PG.name(&old.name),
            PG.name(&new.name)
        ));
    }
    let mut alter = |change: String| out.push(format!("ALTER TABLE {table} {change}"));
    for column in &delta.dropped_columns {
        alter(format!("DROP COLUMN {}", PG.name(&column.name)));
    }
    for (old, new) in &delta.changed_columns {
        change(old, new).into_iter().for_each(&mut alter);
    }
    for column in &delta.added_columns {
        if column.nullable || column.default.is_some() {
            alter(format!("ADD COLUMN {}", PG.definition(column)));
        } else {
            alter(format!(
                "ADD COLUMN {} DEFAULT ({})",
                PG.definition(column),
                filler(PG, column)
            ));
            alter(format!(
                "ALTER COLUMN {} DROP DEFAULT",
                PG.name(&column.name)
            ));
        }
    }
    for unique in &delta.uniques.added {
        alter(format!("ADD {}", PG.unique(unique)));
    }
    for index in &delta.indexes.added {
        out.push(PG.create_index(&delta.to.name, index, ""));
    }
    let mut alter = |change: String| out.push(format!("ALTER TABLE {table} {change}"));
    for check in &delta.checks.added {
        PG.check(check)
            .map(|check| format!("ADD {check}"))
            .into_iter()
            .for_each(&mut alter);
    }
    for key in &delta.foreign_keys.added {
        alter(format!("ADD {}", PG.foreign_key(key)));
    }
    out
}

/// A default does not follow its column to another type, so it goes before and comes after.
fn change(old: &Column, new: &Column) -> Vec<String> {
    let name = PG.name(&new.name);
    let mut out = Vec::new();
    let (old_type, new_type) = (PG.column_type(old), PG.column_type(new));
    let (old_default, new_default) = (PG.default_value(old), PG.default_value(new));
    let retyped = old_type != new_type;
    if old_default.is_some() && (retyped || new_default.is_none()) {
        out.push(format!("ALTER COLUMN {name} DROP DEFAULT"));
    }
    if retyped {
        out.push(format!("ALTER COLUMN {name} TYPE {new_type}"));
    }
    if let Some(value) = new_default.filter(|new| retyped || Some(new) != old_default.as_ref()) {
        out.push(format!("ALTER COLUMN {name} SET DEFAULT ({value})"));
    }
    match (old.nullable, new.nullable) {
        (true, false) => out.push(format!("ALTER COLUMN {name} SET NOT NULL")),
        (false, true) => out.push(format!("ALTER COLUMN {name} DROP NOT NULL")),
        _ => {}
    }
    out
}
