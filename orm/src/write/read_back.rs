//! What the database has of a row after a write, and what comes of it for the struct.

use std::mem;

use crate::codec::{Decode, Source};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::model::{Key as _, Model};
use crate::statement::{Kind, Statement};
use crate::write::bind::KeyOf;
use crate::write::one::At;
use crate::write::text::Text;

/// What a write of one row has found.
pub(super) enum Found<M> {
    /// No such row.
    None,
    /// The row, of which the struct knows everything.
    Row,
    /// The row, as the database has it now.
    Stored(M),
}

impl<M> Found<M> {
    pub(super) const fn new(is_there: bool) -> Self {
        if is_there { Self::Row } else { Self::None }
    }

    pub(super) const fn is_there(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Fills the struct with what the database has; says whether there was such a row.
    pub(super) fn fill(self, row: &mut M) -> bool {
        let is_there = self.is_there();
        drop(self.replace(row));
        is_there
    }

    /// The same; gives back what the struct was, if it is another now.
    pub(super) fn replace(self, row: &mut M) -> Option<M> {
        match self {
            Self::Stored(stored) => Some(mem::replace(row, stored)),
            Self::None | Self::Row => None,
        }
    }
}

/// A row that a write gives back. It is written, whether or not it can be read.
pub(super) enum Stored<M: Model> {
    Row(M),
    /// The key, where that can be read at least, and why the row cannot.
    Misfit(Option<M::Key>, Error),
}

impl<M: Model> Decode for Stored<M> {
    const WIDTH: usize = M::WIDTH;
    const NAMED: bool = M::NAMED;

    fn decode<R: Source>(row: &R, at: usize) -> Result<Self> {
        Ok(match M::decode(row, at) {
            Ok(stored) => Self::Row(stored),
            Err(error) => {
                // No database chooses a key of several columns, which may stand apart.
                let key = match M::TABLE.key_positions() {
                    &[only] => M::Key::get(row, at + only, M::TABLE).ok(),
                    _ => None,
                };
                Self::Misfit(key, error)
            }
        })
    }
}

/// The row as the database has it: where it was written, and not where a copy may lag behind; deleted or not.
pub(super) async fn reread<M: Model>(key: &M::Key, db: &mut impl Executor, at: At) -> Result<M> {
    let statements = M::TABLE.statements(db.dialect());
    let statement = if const { M::TABLE.deleted().is_none() } {
        Statement::fixed(Kind::Lock, M::TABLE, statements.find, at)
    } else {
        let own = M::TABLE.key_columns().chain(M::TABLE.tenant());
        let mut text = Text::new(db.dialect());
        text.push(statements.select)
            .push(" WHERE ")
            .equal(own, " AND ");
        text.into_statement(Kind::Lock, M::TABLE, at)
    };
    db.one(&statement, KeyOf::<M>(key)).await
}
