//! Which migrations are applied.

use std::fmt;

use crate::dialect::Dialect;
use crate::migrate::ledger::{Entry, Known};
use crate::migrate::name::number;

/// The migrations, here and in the ledger, by number. Its `Display` is one line for each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    migrations: Vec<(i64, String, State)>,
}

/// How far one migration is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// It is applied.
    Applied,
    /// It is applied, and its file has changed since.
    Changed,
    /// A statement of it broke off half way.
    Dirty,
    /// It is applied, and is not among the migrations here.
    Missing,
    /// Some of its statements are applied; the next `up` goes on.
    Partly,
    /// It is not applied.
    Pending,
}

impl Status {
    pub(super) fn new(dialect: Dialect, known: &[Known<'_>], applied: &[Entry]) -> Self {
        let mut migrations: Vec<(i64, String, State)> = known
            .iter()
            .map(|known| (known.number, known.name.clone(), state(known, applied)))
            .collect();
        for entry in applied {
            let number = number(dialect, entry.version);
            if migrations.iter().all(|(other, ..)| *other != number) {
                migrations.push((number, format!("{number:04}"), State::Missing));
            }
        }
        migrations.sort_by_key(|(number, ..)| *number);
        Self { migrations }
    }

    /// Each migration's number, name and state, by number.
    pub fn migrations(&self) -> impl ExactSizeIterator<Item = (i64, &str, State)> {
        self.migrations
            .iter()
            .map(|(number, name, state)| (*number, name.as_str(), *state))
    }

    /// The names of those that are not applied, or not wholly.
    pub fn pending(&self) -> impl Iterator<Item = &str> {
        self.migrations()
            .filter(|(.., state)| matches!(state, State::Dirty | State::Partly | State::Pending))
            .map(|(_, name, _)| name)
    }
}

fn state(known: &Known<'_>, applied: &[Entry]) -> State {
    let entries: Vec<Option<&Entry>> = known
        .files
        .iter()
        .map(|file| applied.iter().find(|entry| entry.version == file.version))
        .collect();
    let is_changed = |at: usize| match (entries[at], known.files[at].up) {
        (Some(entry), Some(up)) => entry.checksum != *up.checksum,
        _ => false,
    };
    if entries.iter().flatten().any(|entry| !entry.success) {
        State::Dirty
    } else if entries.iter().all(Option::is_none) {
        State::Pending
    } else if (0..entries.len()).any(is_changed) {
        State::Changed
    } else if entries.iter().any(Option::is_none) {
        State::Partly
    } else {
        State::Applied
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.migrations.is_empty() {
            return f.write_str("there are no migrations");
        }
        for (at, (_, name, state)) in self.migrations.iter().enumerate() {
            let state = match state {
                State::Applied => "applied",
                State::Changed => "applied, and changed since",
                State::Dirty => "broke off half way",
                State::Missing => "applied, and not here",
                State::Partly => "applied in part",
                State::Pending => "pending",
            };
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{name}: {state}")?;
        }
        Ok(())
    }
}
