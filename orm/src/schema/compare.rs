//! The models against the catalogue of a database.

use crate::constraint::OnDelete;
use crate::dialect::Dialect;
use crate::error::Result;
use crate::executor::Executor;
use crate::schema::live::{self, Checks};
use crate::schema::report::{Difference, Note, Report};
use crate::schema::shape::{Column, ForeignKey, Named, Table};
use crate::schema::{default, spelling};

/// The table in which applied migrations are kept.
const LEDGER: &str = "_sqlx_migrations";

/// Compares tables with those of a database.
pub(crate) async fn compare(tables: &[Table], db: &mut impl Executor) -> Result<Report> {
    let live = live::tables(db).await?;
    let mut comparison = Comparison(Report {
        dialect: db.dialect(),
        differences: Vec::new(),
        notes: Vec::new(),
    });
    for table in tables {
        match live.iter().find(|live| live.name == table.name) {
            Some(live) => comparison.table(table, live),
            None => comparison.0.differences.push(Difference::Table {
                table: table.name.clone(),
            }),
        }
    }
    for live in &live {
        if live.name != LEDGER && tables.iter().all(|table| table.name != live.name) {
            comparison.0.notes.push(Note::ExtraTable {
                table: live.name.clone(),
            });
        }
    }
    Ok(comparison.0)
}

struct Comparison(Report);

impl Comparison {
    fn differs(&mut self, difference: Difference) {
        self.0.differences.push(difference);
    }

    fn note(&mut self, note: Note) {
        self.0.notes.push(note);
    }

    fn table(&mut self, table: &Table, live: &live::Table) {
        for column in &table.columns {
            match live.columns.iter().find(|live| live.name == column.name) {
                Some(live) => self.column(table, column, live),
                None => self.differs(Difference::Column {
                    table: table.name.clone(),
                    column: column.name.clone(),
                }),
            }
        }
        for column in &live.columns {
            if table.column(&column.name).is_none() {
                self.note(Note::ExtraColumn {
                    table: table.name.clone(),
                    column: column.name.clone(),
                });
            }
        }
        if table.key != live.key {
            self.differs(Difference::Key {
                table: table.name.clone(),
                expected: table.key.clone(),
                found: live.key.clone(),
            });
        }
        self.uniques(table, live);
        self.indexes(table, live);
        self.foreign_keys(table, live);
        self.checks(table, live);
    }

    fn column(&mut self, table: &Table, column: &Column, live: &live::Column) {
        let dialect = self.0.dialect;
        let expected = spelling::of(dialect, column);
        if expected != live.ty && !spelling::is_json(column, &live.ty) {
            self.differs(Difference::Type {
                table: table.name.clone(),
                column: column.name.clone(),
                expected,
                found: live.ty.clone(),
            });
        }
        if column.nullable != live.nullable {
            self.differs(Difference::Nullability {
                table: table.name.clone(),
                column: column.name.clone(),
                expected: column.nullable,
            });
        }
        let expected = dialect.default_value(column);
        let is_same = match (&expected, &live.default) {
            // PostgreSQL keeps the expression in the place of a default, in words of its own.
            _ if column.computed.is_some() => true,
            (None, None) => true,
            (Some(ours), Some(live)) => default::is_same(column, ours, live),
            _ => false,
        };
        if !is_same {
            self.differs(Difference::Default {
                table: table.name.clone(),
                column: column.name.clone(),
                expected,
                found: live.default.clone(),
            });
        }
        let Some(found) = live
            .collation
            .clone()
            .filter(|_| column.ty == crate::table::SqlType::Text)
        else {
            return;
        };
        let (table, column) = (table.name.clone(), column.name.clone());
        match dialect {
            Dialect::MySql if !found.ends_with("_bin") => self.differs(Difference::Collation {
                table,
                column,
                found,
            }),
            Dialect::MySql if found != "utf8mb4_nopad_bin" && found != "utf8mb4_0900_bin" => {
                self.note(Note::Collation {
                    table,
                    column,
                    found,
                });
            }
            // Equal is what has the same bytes in every collation of its that is deterministic, as all but a few are.
            Dialect::Postgres if found != "C" => self.note(Note::Collation {
                table,
                column,
                found,
            }),
            _ => {}
        }
    }

    /// A name that the database tells, and that is another one.
    fn named(&mut self, table: &Table, expected: &str, found: &str) {
        if !found.is_empty() && expected != found {
            self.note(Note::Named {
                table: table.name.clone(),
                expected: expected.to_owned(),
                found: found.to_owned(),
            });
        }
    }

    fn uniques(&mut self, table: &Table, live: &live::Table) {
        for unique in &table.uniques {
            match same_columns(&live.uniques, unique) {
                Some(found) => self.named(table, &unique.name, &found.name),
                None => self.differs(Difference::Unique {
                    table: table.name.clone(),
                    columns: unique.columns.clone(),
                }),
            }
        }
        for unique in &live.uniques {
            if same_columns(&table.uniques, unique).is_none() {
                self.note(Note::ExtraUnique {
                    table: table.name.clone(),
                    columns: unique.columns.clone(),
                });
            }
        }
    }

    fn indexes(&mut self, table: &Table, live: &live::Table) {
        for index in &table.indexes {
            match same_columns(&live.indexes, index) {
                Some(found) => self.named(table, &index.name, &found.name),
                None => self.differs(Difference::Index {
                    table: table.name.clone(),
                    columns: index.columns.clone(),
                }),
            }
        }
        for index in &live.indexes {
            // MySQL makes one for every foreign key that has none.
            let of_foreign_key = table
                .foreign_keys
                .iter()
                .any(|key| index.columns.as_slice() == [key.column.as_str()]);
            if same_columns(&table.indexes, index).is_none()
                && !(self.0.dialect == Dialect::MySql && of_foreign_key)
            {
                self.note(Note::ExtraIndex {
                    table: table.name.clone(),
                    index: index.name.clone(),
                });
            }
        }
    }

    fn foreign_keys(&mut self, table: &Table, live: &live::Table) {
        for key in &table.foreign_keys {
            let Some(found) = live.foreign_keys.iter().find(|live| is_same_key(key, live)) else {
                self.differs(Difference::ForeignKey {
                    table: table.name.clone(),
                    column: key.column.clone(),
                    to: key.table.clone(),
                });
                continue;
            };
            let expected = match key.on_delete {
                OnDelete::Cascade => "CASCADE",
                OnDelete::Restrict => "RESTRICT",
                OnDelete::SetNull => "SET NULL",
            };
            // They differ only in when the database looks, and nothing here is deferred.
            let says = match found.on_delete.as_str() {
                "NO ACTION" => "RESTRICT",
                other => other,
            };
            if says != expected {
                self.differs(Difference::OnDelete {
                    table: table.name.clone(),
                    column: key.column.clone(),
                    expected,
                    found: found.on_delete.clone(),
                });
            }
            self.named(table, &key.name, &found.name);
        }
        for found in &live.foreign_keys {
            if !table.foreign_keys.iter().any(|key| is_same_key(key, found)) {
                self.note(Note::ExtraForeignKey {
                    table: table.name.clone(),
                    columns: found.columns.clone(),
                    to: found.table.clone(),
                });
            }
        }
    }

    /// By name; a database rewrites the text of a condition as it likes. One of another name counts if its text is the
    /// same but for quotes, brackets and blanks.
    fn checks(&mut self, table: &Table, live: &live::Table) {
        for check in &table.checks {
            let condition = check.condition(self.0.dialect);
            if condition.is_empty() {
                continue;
            }
            let plain = plain(condition);
            let (is_there, name) = match &live.checks {
                Checks::Listed(listed) => {
                    let found = listed
                        .iter()
                        .find(|(name, _)| *name == check.name)
                        .or_else(|| {
                            listed
                                .iter()
                                .find(|(_, text)| self::plain(text).contains(&plain))
                        });
                    (found.is_some(), found.map_or("", |(name, _)| name.as_str()))
                }
                Checks::Within(text) => {
                    let text = self::plain(text);
                    (text.contains(&format!("check{plain}")), "")
                }
            };
            if is_there {
                self.named(table, &check.name, name);
            } else {
                self.differs(Difference::Check {
                    table: table.name.clone(),
                    constraint: check.name.clone(),
                });
            }
        }
    }
}

fn same_columns<'n>(among: &'n [Named], one: &Named) -> Option<&'n Named> {
    among
        .iter()
        .filter(|other| other.columns == one.columns)
        // Two may stand on the same columns; the one of the same name is meant.
        .max_by_key(|other| other.name == one.name)
}

fn is_same_key(key: &ForeignKey, live: &live::ForeignKey) -> bool {
    live.columns.as_slice() == [key.column.as_str()]
        && live.table == key.table
        && (live.keys.is_empty() || live.keys.as_slice() == [key.key.as_str()])
}

/// Without quotes around names, brackets and blanks, in lower case outside of texts.
fn plain(condition: &str) -> String {
    let mut in_text = false;
    let mut out = String::with_capacity(condition.len());
    for c in condition.chars() {
        match c {
            '\'' => {
                in_text = !in_text;
                out.push(c);
            }
            c if in_text => out.push(c),
            '"' | '`' | '(' | ')' => {}
            c if c.is_whitespace() => {}
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}
