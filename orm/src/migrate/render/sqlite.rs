//! ALTER TABLE on SQLite, and the rebuild of a table where it has none.

use super::filler;
use crate::dialect::Dialect;
use crate::migrate::delta::Delta;
use crate::schema::shape::{Column, Default, Table};
use crate::table::SqlType;

const LITE: Dialect = Dialect::Sqlite;

pub(super) fn alter(delta: &Delta<'_>) -> Vec<String> {
    if delta.is_empty() {
        return Vec::new();
    }
    if needs_rebuild(delta) {
        return rebuild(delta);
    }
    let table = LITE.name(&delta.to.name);
    let gone = delta.indexes.dropped.iter().copied();
    let renamed = delta.indexes.renamed.iter();
    let mut out: Vec<String> = gone
        .chain(renamed.clone().map(|(old, _)| *old))
        .map(|index| format!("DROP INDEX {}", LITE.name(&index.name)))
        .collect();
    out.extend(delta.dropped_columns.iter().map(|column| {
        format!(
            "ALTER TABLE {table} DROP COLUMN {}",
            LITE.name(&column.name)
        )
    }));
    out.extend(
        delta
            .added_columns
            .iter()
            .map(|column| format!("ALTER TABLE {table} ADD COLUMN {}", LITE.definition(column))),
    );
    let come = delta.indexes.added.iter().copied();
    out.extend(
        come.chain(renamed.map(|(_, new)| *new))
            .map(|index| LITE.create_index(&delta.to.name, index, "")),
    );
    out
}

/// What the manual's page on ALTER TABLE says cannot be altered.
fn needs_rebuild(delta: &Delta<'_>) -> bool {
    let Delta {
        uniques,
        foreign_keys,
        checks,
        ..
    } = delta;
    !delta.changed_columns.is_empty()
        || !uniques.is_empty()
        || !foreign_keys.is_empty()
        || !checks.is_empty()
        || delta.dropped_columns.iter().any(|column| is_bound(delta.from, &column.name))
        // "The column may not have a default value of CURRENT_TIME [..] or an expression", and must have one that is
        // not NULL where it is NOT NULL.
        || delta.added_columns.iter().any(|column| {
            column.default == Some(Default::Now) || (!column.nullable && column.default.is_none())
        })
}

/// Whether something else holds on to the column. In which conditions and expressions it stands, nobody here can read.
fn is_bound(table: &Table, column: &str) -> bool {
    table.is_key(column)
        || table.foreign_keys.iter().any(|key| key.column == column)
        || table
            .uniques
            .iter()
            .any(|unique| unique.columns.iter().any(|one| one == column))
        || !table.checks.is_empty()
        || table.columns.iter().any(|column| column.computed.is_some())
}

/// The twelve steps of the manual, but for the first two and the last three, which the runner does: foreign keys are off
/// on its connection, it is in a transaction, and it looks at all of them before it commits.
fn rebuild(delta: &Delta<'_>) -> Vec<String> {
    let name = LITE.name(&delta.to.name);
    let mut new = delta.to.clone();
    new.name = format!("_new_{}", delta.to.name);
    let new_name = LITE.name(&new.name);
    // The indexes come when the old ones, of the same names, are gone.
    let indexes = std::mem::take(&mut new.indexes);
    let mut out = LITE.create_table(&new, "");
    let (into, from): (Vec<&str>, Vec<String>) = delta
        .to
        .columns
        .iter()
        .filter_map(|column| Some((column.name.as_str(), value(delta.from, column)?)))
        .unzip();
    out.push(format!(
        "INSERT INTO {new_name} ({})\n    SELECT {} FROM {name}",
        LITE.names(into),
        from.join(", ")
    ));
    if delta.to.numbered().is_some() {
        // Keys are never given twice, those of deleted rows included.
        let (old, new) = (LITE.literal(&delta.to.name), LITE.literal(&new.name));
        out.push(format!("DELETE FROM sqlite_sequence WHERE name = {new}"));
        out.push(format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"
        ));
    }
    out.push(format!("DROP TABLE {name}"));
    out.push(format!("ALTER TABLE {new_name} RENAME TO {name}"));
    out.extend(
        indexes
            .iter()
            .map(|index| LITE.create_index(&delta.to.name, index, "")),
    );
    out
}

/// What a column of the new table gets out of the old; nothing where its default is right.
fn value(from: &Table, column: &Column) -> Option<String> {
    if column.computed.is_some() {
        return None;
    }
    let Some(old) = from.column(&column.name) else {
        let is_missing = !column.nullable && column.default.is_none();
        return is_missing.then(|| match column.ty {
            SqlType::Uuid => "zeroblob(16)".to_owned(),
            SqlType::Bytes => "x''".to_owned(),
            _ => filler(LITE, column),
        });
    };
    let mut value = LITE.name(&column.name);
    if let (SqlType::Decimal, Some(before), Some(after)) = (column.ty, old.scale, column.scale) {
        value = rescaled(value, before, after);
    }
    if old.nullable
        && !column.nullable
        && let Some(default) = LITE.default_value(column)
    {
        value = format!("COALESCE({value}, {default})");
    }
    Some(value)
}

/// The digits of a decimal with another number of them after the point, rounded half away from zero as elsewhere.
fn rescaled(value: String, before: u32, after: u32) -> String {
    if after >= before {
        return match 10_i64.checked_pow(after - before) {
            Some(1) | None => value,
            Some(factor) => format!("{value} * {factor}"),
        };
    }
    let Some(factor) = 10_i64.checked_pow(before - after) else {
        return value;
    };
    let half = factor / 2;
    format!("({value} + CASE WHEN {value} < 0 THEN -{half} ELSE {half} END) / {factor}")
}
