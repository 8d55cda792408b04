//! ALTER TABLE on MySQL: one statement for everything, which happens whole or not at all.

use crate::dialect::Dialect;
use crate::migrate::delta::Delta;
use crate::schema::shape::ForeignKey;

const MY: Dialect = Dialect::MySql;

pub(super) fn alter(delta: &Delta<'_>) -> Option<String> {
    let mut changes = Vec::new();
    for key in &delta.foreign_keys.dropped {
        changes.push(format!("DROP FOREIGN KEY {}", MY.name(&key.name)));
    }
    for check in &delta.checks.dropped {
        changes.push(format!("DROP CONSTRAINT {}", MY.name(&check.name)));
    }
    // A foreign key needs an index, and makes one that goes when another comes. So the index stays that is the last, and
    // where it is to go, since it is unique, another comes.
    let mut served = Vec::new();
    for index in &delta.indexes.dropped {
        match needing(&index.columns, delta) {
            Some(key) => served.push(&key.column),
            None => changes.push(format!("DROP INDEX {}", MY.name(&index.name))),
        }
    }
    for unique in &delta.uniques.dropped {
        changes.push(format!("DROP INDEX {}", MY.name(&unique.name)));
        if let Some(key) = needing(&unique.columns, delta)
            && !served.contains(&&key.column)
        {
            // It may be there, since it stays when the unique one comes back. MySQL, which cannot be told so, gives it
            // a name that is free.
            changes.push(format!(
                "ADD INDEX /*M! IF NOT EXISTS {} */ ({})",
                MY.name(&key.name),
                MY.name(&key.column)
            ));
            served.push(&key.column);
        }
    }
    for (old, new) in delta.uniques.renamed.iter().chain(&delta.indexes.renamed) {
        changes.push(format!(
            "RENAME INDEX {} TO {}",
            MY.name(&old.name),
            MY.name(&new.name)
        ));
    }
    for column in &delta.dropped_columns {
        changes.push(format!("DROP COLUMN {}", MY.name(&column.name)));
    }
    for (_, new) in &delta.changed_columns {
        changes.push(format!("MODIFY COLUMN {}", MY.definition(new)));
    }
    for column in &delta.added_columns {
        changes.push(format!("ADD COLUMN {}", MY.definition(column)));
    }
    for unique in &delta.uniques.added {
        changes.push(format!("ADD {}", MY.unique(unique)));
    }
    for index in &delta.indexes.added {
        changes.push(format!(
            "ADD INDEX {} ({})",
            MY.name(&index.name),
            MY.names(&index.columns)
        ));
    }
    for check in &delta.checks.added {
        changes.extend(MY.check(check).map(|check| format!("ADD {check}")));
    }
    for key in &delta.foreign_keys.added {
        changes.push(format!("ADD {}", MY.foreign_key(key)));
    }
    (!changes.is_empty()).then(|| {
        format!(
            "ALTER TABLE {}\n    {}",
            MY.name(&delta.to.name),
            changes.join(",\n    ")
        )
    })
}

/// The foreign key that is left without an index if the one of these columns goes.
fn needing<'d>(columns: &[String], delta: &Delta<'d>) -> Option<&'d ForeignKey> {
    let first = columns.first()?;
    let mut keys = delta.to.foreign_keys.iter();
    keys.find(|key| key.column == *first && !delta.to.leads_index(first))
}
