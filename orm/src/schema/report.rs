//! What is different between the models and a database, in words.

use std::fmt;

use crate::dialect::Dialect;

/// What [`check`](crate::schema::check) found. Its `Display` is one line for each difference.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it says what is wrong"]
pub struct Report {
    pub(super) dialect: Dialect,
    pub(super) differences: Vec<Difference>,
    pub(super) notes: Vec<Note>,
}

impl Report {
    /// Whether the models and the database say the same. Notes do not count.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }

    /// What the models declare and the database has otherwise.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// What the database has beside the models, and what it calls by another name.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether it is clean, as a result, so that a start-up can end with `?`.
    ///
    /// # Errors
    ///
    /// This report, where there is a difference.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_clean() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            write!(
                f,
                "{}: the tables are as the models declare them",
                self.dialect
            )?;
        } else {
            write!(
                f,
                "{}: the tables are not as the models declare them",
                self.dialect
            )?;
        }
        for difference in &self.differences {
            write!(f, "\n- {difference}")?;
        }
        for note in &self.notes {
            write!(f, "\n- note: {note}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// One thing that the database has otherwise than the models declare it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Difference {
    /// No such condition, or another one under its name.
    Check {
        /// The table.
        table: String,
        /// The constraint's name.
        constraint: String,
    },
    /// Text that is compared by a language's rules, and not by its bytes.
    Collation {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What the database has.
        found: String,
    },
    /// No such column.
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Another DEFAULT, or none, or one too many.
    Default {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What the model declares.
        expected: Option<String>,
        /// What the database has.
        found: Option<String>,
    },
    /// No such foreign key.
    ForeignKey {
        /// The table.
        table: String,
        /// The column that should refer.
        column: String,
        /// The table that it should refer to.
        to: String,
    },
    /// No such index.
    Index {
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// Another primary key.
    Key {
        /// The table.
        table: String,
        /// The columns that the model declares.
        expected: Vec<String>,
        /// The columns that the database has.
        found: Vec<String>,
    },
    /// NULL is allowed where the model has no `Option`, or the other way round.
    Nullability {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Whether the model allows NULL.
        expected: bool,
    },
    /// Something else happens to the row when the one that it refers to is deleted.
    OnDelete {
        /// The table.
        table: String,
        /// The column that refers.
        column: String,
        /// What the model declares, in the words of SQL.
        expected: &'static str,
        /// What the database has.
        found: String,
    },
    /// No such table.
    Table {
        /// The table.
        table: String,
    },
    /// Another type.
    Type {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What the model declares, in the database's words.
        expected: String,
        /// What the database has.
        found: String,
    },
    /// No such unique constraint.
    Unique {
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        match self {
            Self::Check { table, constraint } => {
                write!(f, "table {table} lacks the check {constraint}")
            }
            Self::Collation {
                table,
                column,
                found,
            } => write!(
                f,
                "column {column} of table {table} is compared by {found}, and not byte by byte"
            ),
            Self::Column { table, column } => write!(f, "table {table} lacks the column {column}"),
            Self::Default {
                table,
                column,
                expected,
                found,
            } => write!(
                f,
                "column {column} of table {table} should have the default {} and has {}",
                or_none(expected),
                or_none(found)
            ),
            Self::ForeignKey { table, column, to } => write!(
                f,
                "column {column} of table {table} should refer to table {to}, and nothing sees to it"
            ),
            Self::Index { table, columns } => {
                write!(f, "table {table} lacks an index on {}", columns.join(", "))
            }
            Self::Key {
                table,
                expected,
                found,
            } => write!(
                f,
                "table {table} should have the primary key {} and has {}",
                expected.join(", "),
                if found.is_empty() {
                    "none".to_owned()
                } else {
                    found.join(", ")
                }
            ),
            Self::Nullability {
                table,
                column,
                expected: true,
            } => write!(f, "column {column} of table {table} should allow NULL"),
            Self::Nullability { table, column, .. } => {
                write!(f, "column {column} of table {table} should not allow NULL")
            }
            Self::OnDelete {
                table,
                column,
                expected,
                found,
            } => write!(
                f,
                "the foreign key on column {column} of table {table} should say ON DELETE {expected} and says {found}"
            ),
            Self::Table { table } => write!(f, "there is no table {table}"),
            Self::Type {
                table,
                column,
                expected,
                found,
            } => write!(
                f,
                "column {column} of table {table} should be of type {expected} and is {found}"
            ),
            Self::Unique { table, columns } => write!(
                f,
                "nothing keeps {} unique in table {table}",
                columns.join(", ")
            ),
        }
    }
}

/// What is worth knowing and no difference.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The same under another name, which an error or a later migration will tell.
    Named {
        /// The table.
        table: String,
        /// What the model calls it.
        expected: String,
        /// What the database calls it.
        found: String,
    },
    /// Text that is compared by bytes but sorted, or padded, by other rules.
    Collation {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What the database has.
        found: String,
    },
    /// A column that no model knows.
    ExtraColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A foreign key that no model declares.
    ExtraForeignKey {
        /// The table.
        table: String,
        /// The columns that refer.
        columns: Vec<String>,
        /// The table that they refer to.
        to: String,
    },
    /// An index that no model declares.
    ExtraIndex {
        /// The table.
        table: String,
        /// Its name.
        index: String,
    },
    /// A table that no model knows.
    ExtraTable {
        /// The table.
        table: String,
    },
    /// A unique constraint that no model declares.
    ExtraUnique {
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named {
                table,
                expected,
                found,
            } => write!(f, "{expected} of table {table} is called {found}"),
            Self::Collation {
                table,
                column,
                found,
            } => write!(
                f,
                "column {column} of table {table} has the collation {found}"
            ),
            Self::ExtraColumn { table, column } => {
                write!(f, "column {column} of table {table} is in no model")
            }
            Self::ExtraForeignKey { table, columns, to } => write!(
                f,
                "the foreign key on {} of table {table} to table {to} is in no model",
                columns.join(", ")
            ),
            Self::ExtraIndex { table, index } => {
                write!(f, "index {index} of table {table} is in no model")
            }
            Self::ExtraTable { table } => write!(f, "table {table} is in no model"),
            Self::ExtraUnique { table, columns } => write!(
                f,
                "that {} is unique in table {table} is in no model",
                columns.join(", ")
            ),
        }
    }
}
