//! The steps from a snapshot to the models.

use crate::dialect::Dialect;
use crate::migrate::convert::{Conversion, conversion};
use crate::migrate::step::Step;
use crate::schema::shape::{Column, Default, Table};
use crate::table::SqlType;

/// A column that got another name; names never change unless somebody says so.
#[derive(Clone, Debug)]
pub(super) enum Rename {
    /// Of a column, in a table of today's name.
    Column {
        table: String,
        from: String,
        to: String,
    },
    Table {
        from: String,
        to: String,
    },
}

/// The steps for one database, or the reasons why they are not made.
pub(super) fn plan(
    dialect: Dialect,
    old: &[Table],
    new: &[Table],
    renames: &[Rename],
) -> Result<Vec<Step>, Vec<String>> {
    let mut old = old.to_vec();
    let mut steps = Vec::new();
    for rename in renames {
        steps.extend(apply(rename, &mut old, new));
    }
    let mut reasons = Vec::new();
    let mut altered = Vec::new();
    for to in new {
        let Some(from) = old.iter().find(|from| from.name == to.name) else {
            continue;
        };
        reasons.extend(refusals(from, to));
        altered.extend(alter(dialect, from, to));
    }
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let is_in = |table: &Table, tables: &[Table]| tables.iter().any(|one| one.name == table.name);
    let created: Vec<&Table> = new.iter().filter(|table| !is_in(table, &old)).collect();
    steps.extend(create(dialect, &created));
    steps.extend(altered);
    let dropped: Vec<&Table> = old.iter().filter(|table| !is_in(table, new)).collect();
    // The way back from creating them.
    let dropping = create(dialect, &dropped);
    steps.extend(dropping.iter().rev().filter_map(Step::undo));
    Ok(steps)
}

/// The steps that create tables in an order in which each finds those that it refers to.
///
/// Where tables refer to each other in a circle, the reference is added when all are there; SQLite does not look.
pub(super) fn create(dialect: Dialect, tables: &[&Table]) -> Vec<Step> {
    let ordered = order(tables);
    let mut steps = Vec::new();
    let mut late = Vec::new();
    for (at, table) in ordered.iter().enumerate() {
        let comes_later = |name: &str| ordered[at + 1..].iter().any(|later| later.name == name);
        let mut first = (*table).clone();
        if dialect != Dialect::Sqlite {
            first.foreign_keys.retain(|key| !comes_later(&key.table));
        }
        if first.foreign_keys.len() < table.foreign_keys.len() {
            late.push(Step::Alter {
                from: first.clone(),
                to: (*table).clone(),
            });
        }
        steps.push(Step::Create(first));
    }
    steps.extend(late);
    steps
}

/// Those that are referred to first.
fn order<'t>(tables: &[&'t Table]) -> Vec<&'t Table> {
    fn visit<'t>(
        table: &'t Table,
        all: &[&'t Table],
        seen: &mut Vec<&'t str>,
        out: &mut Vec<&'t Table>,
    ) {
        if seen.contains(&table.name.as_str()) {
            return;
        }
        seen.push(&table.name);
        for key in &table.foreign_keys {
            if let Some(to) = all.iter().find(|to| to.name == key.table) {
                visit(to, all, seen, out);
            }
        }
        out.push(table);
    }

    let (mut seen, mut out) = (Vec::new(), Vec::with_capacity(tables.len()));
    for table in tables {
        visit(table, tables, &mut seen, &mut out);
    }
    out
}

/// The step of a rename, and the tables as they are after it; none where it has been made already.
fn apply(rename: &Rename, old: &mut [Table], new: &[Table]) -> Option<Step> {
    let has = |tables: &[Table], name: &str| tables.iter().any(|table| table.name == name);
    match rename {
        Rename::Table { from, to } => {
            if !has(old, from) || has(old, to) || has(new, from) {
                return None;
            }
            for table in old {
                if table.name == *from {
                    table.name.clone_from(to);
                }
                for key in &mut table.foreign_keys {
                    if key.table == *from {
                        key.table.clone_from(to);
                    }
                }
            }
            Some(Step::RenameTable {
                from: from.clone(),
                to: to.clone(),
            })
        }
        Rename::Column { table, from, to } => {
            let found = old.iter().find(|one| one.name == *table)?;
            let stays = new
                .iter()
                .any(|one| one.name == *table && one.column(from).is_some());
            if found.column(from).is_none() || found.column(to).is_some() || stays {
                return None;
            }
            let swap = |name: &mut String| {
                if name == from {
                    name.clone_from(to);
                }
            };
            for one in old {
                if one.name == *table {
                    one.columns
                        .iter_mut()
                        .for_each(|column| swap(&mut column.name));
                    one.key.iter_mut().for_each(swap);
                    for named in one.uniques.iter_mut().chain(&mut one.indexes) {
                        named.columns.iter_mut().for_each(swap);
                    }
                }
                for key in &mut one.foreign_keys {
                    if key.table == *table {
                        swap(&mut key.key);
                    }
                    if one.name == *table {
                        swap(&mut key.column);
                    }
                }
            }
            Some(Step::RenameColumn {
                table: table.clone(),
                from: from.clone(),
                to: to.clone(),
            })
        }
    }
}

/// What cannot be done without somebody thinking about it.
fn refusals(from: &Table, to: &Table) -> Vec<String> {
    let mut reasons = Vec::new();
    let table = &to.name;
    if from.key != to.key || from.numbered().is_some() != to.numbered().is_some() {
        reasons.push(format!(
            "table {table} gets another primary key: write this migration by hand"
        ));
    }
    for new in &to.columns {
        let column = &new.name;
        let Some(old) = from.column(column) else {
            if !new.nullable && new.default.is_none() {
                reasons.push(format!(
                    "column {column} of table {table} is new and must not be NULL, and there is no value for the rows that \
                     are there: give it `#[model(default = ..)]`, or make it an `Option`"
                ));
            }
            continue;
        };
        if old.computed != new.computed {
            reasons.push(format!(
                "column {column} of table {table} is computed otherwise than before: write this migration by hand"
            ));
        }
        if conversion(old, new) == Conversion::None {
            reasons.push(format!(
                "column {column} of table {table} changes from {:?} to {:?}, which values cannot follow by themselves: add \
                 another column, and write by hand how it is filled",
                old.ty, new.ty
            ));
        }
        let refers = |table: &Table| table.foreign_keys.iter().any(|key| key.column == *column);
        if old.ty != new.ty && (to.is_key(column) || refers(from) || refers(to)) {
            reasons.push(format!(
                "column {column} of table {table} is part of a key and changes its type: write this migration by hand"
            ));
        }
    }
    reasons
}

/// The steps from a table to itself as it is to be.
fn alter(dialect: Dialect, from: &Table, to: &Table) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut now = from.clone();
    let mut step_to = |now: &mut Table, next: Table| {
        if *now != next {
            steps.push(Step::Alter {
                from: now.clone(),
                to: next.clone(),
            });
            *now = next;
        }
    };
    if dialect == Dialect::MySql {
        // One ALTER TABLE cannot drop a foreign key and add another of the same name.
        let mut without = now.clone();
        without.foreign_keys.retain(|old| {
            to.foreign_keys
                .iter()
                .all(|new| new == old || new.name != old.name)
        });
        step_to(&mut now, without);
        // Undone, a column comes back with a value for the rows that are there, and loses its default then.
        let mut with = now.clone();
        for column in &mut with.columns {
            if to.column(&column.name).is_none() && !column.nullable && column.default.is_none() {
                column.default = Some(zero(column));
            }
        }
        step_to(&mut now, with);
    }
    let filled: Vec<Step> = to
        .columns
        .iter()
        .filter(|new| new.default.is_some() && !new.nullable)
        .filter(|new| now.column(&new.name).is_some_and(|old| old.nullable))
        .map(|new| Step::Fill {
            table: to.clone(),
            column: new.clone(),
        })
        .collect();
    let mut last = Vec::new();
    std::mem::swap(&mut steps, &mut last);
    last.extend(filled);
    if now != *to {
        last.push(Step::Alter {
            from: now,
            to: to.clone(),
        });
    }
    last
}

/// What stands in a column whose values are lost.
pub(super) fn zero(column: &Column) -> Default {
    match column.ty {
        SqlType::Bool => Default::Bool(false),
        SqlType::Date | SqlType::DateTime | SqlType::NaiveDateTime => Default::Now,
        SqlType::Decimal | SqlType::F32 | SqlType::F64 => Default::Int(0),
        SqlType::I16 | SqlType::I32 | SqlType::I64 => Default::Int(0),
        SqlType::Json => Default::Text("null".to_owned()),
        SqlType::Bytes | SqlType::Text => Default::Text(String::new()),
        SqlType::Uuid => Default::Text("00000000-0000-0000-0000-000000000000".to_owned()),
    }
}
