//! One step from a schema to the next, and the way back.

use crate::migrate::convert::{Conversion, conversion};
use crate::schema::shape::{Column, Table};

/// A change of one table.
///
/// A step knows the table before and after, so that its undoing is a step too, and a statement of MySQL, which nothing
/// can undo on the way, has a file of its own in both directions.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Columns, constraints and indexes change; no name of a column does.
    Alter {
        from: Table,
        to: Table,
    },
    Create(Table),
    Drop(Table),
    /// Rows with NULL get the column's default, before NULL is forbidden.
    Fill {
        table: Table,
        column: Column,
    },
    RenameColumn {
        table: String,
        from: String,
        to: String,
    },
    RenameTable {
        from: String,
        to: String,
    },
}

impl Step {
    /// The way back; `None` where there is nothing to undo.
    pub(super) fn undo(&self) -> Option<Self> {
        Some(match self.clone() {
            Self::Alter { from, to } => Self::Alter { from: to, to: from },
            Self::Create(table) => Self::Drop(table),
            Self::Drop(table) => Self::Create(table),
            Self::Fill { .. } => return None,
            Self::RenameColumn { table, from, to } => Self::RenameColumn {
                table,
                from: to,
                to: from,
            },
            Self::RenameTable { from, to } => Self::RenameTable { from: to, to: from },
        })
    }

    /// What it loses, in words.
    pub(super) fn losses(&self) -> Vec<String> {
        match self {
            Self::Drop(table) => vec![format!("drops table {}", table.name)],
            Self::Alter { from, to } => from
                .columns
                .iter()
                .filter_map(|old| match to.column(&old.name) {
                    None => Some(format!("drops column {} of table {}", old.name, from.name)),
                    Some(new) => match conversion(old, new) {
                        Conversion::Narrower(how) => Some(format!(
                            "makes column {} of table {} {how}",
                            old.name, from.name
                        )),
                        Conversion::Lossless | Conversion::None => None,
                    },
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Columns that may not be NULL and have nothing for the rows that are there: only undoing makes these.
    pub(super) fn guesses(&self) -> Vec<String> {
        let Self::Alter { from, to } = self else {
            return Vec::new();
        };
        to.columns
            .iter()
            .filter(|new| {
                from.column(&new.name).is_none() && !new.nullable && new.default.is_none()
            })
            .map(|new| {
                format!(
                    "column {} of table {} comes back without its values",
                    new.name, to.name
                )
            })
            .collect()
    }
}
