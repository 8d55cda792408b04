//! Which rows have a key, found by the key.

use std::collections::HashMap;

use crate::codec::Source;
use crate::error::Result;
use crate::model::Model;
use crate::relation::ends::positions;
use crate::relation::key::Key;
use crate::relation::one_of::Keys;
use crate::table::ColumnDef;
use crate::value::Value;

/// Which rows have a key.
pub(super) struct Index {
    first: First,
    /// For each row, the next one with the same key; empty while all keys differ.
    next: Vec<Option<usize>>,
    key: Key,
    /// The key looked up last, and what was found: rows that belong together often stand together.
    last: Option<(i64, Option<usize>)>,
}

/// The row that has a key, or one of them.
enum First {
    Bytes(HashMap<Box<[u8]>, usize>),
    /// Integers that lie close together, as keys that a database counts mostly do: their distance from the least is the
    /// place in a list. A tenth of the time of a hash map whose hash nobody can aim at.
    Dense {
        least: i64,
        rows: Vec<usize>,
    },
    Ints(HashMap<i64, usize>),
}

/// No row has the key.
const NONE: usize = usize::MAX;

/// How long a dense list may be, for so many keys.
const fn dense(keys: usize) -> u64 {
    4 * keys as u64 + 64
}

impl Index {
    /// The index of the rows by these columns, and their keys.
    pub(super) fn of<M: Model>(rows: &[M], columns: &[&'static ColumnDef]) -> Result<(Self, Keys)> {
        let mut this = Self {
            first: First::Bytes(HashMap::new()),
            next: Vec::new(),
            key: Key::new(columns),
            last: None,
        };
        let columns = positions(M::TABLE, columns);
        let keys = if this.key.is_int() {
            Keys::Ints(this.add_ints(rows, &columns)?)
        } else {
            Keys::Values(this.add_values(rows, &columns)?)
        };
        Ok((this, keys))
    }

    fn add_ints<M: Model>(&mut self, rows: &[M], columns: &[usize]) -> Result<Vec<i64>> {
        let mut keys = Vec::with_capacity(rows.len());
        let mut at_of = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            self.key.of(row, columns)?;
            if !self.key.null {
                keys.push(self.key.int);
                at_of.push(at);
            }
        }
        let least = keys.iter().copied().min().unwrap_or_default();
        let most = keys.iter().copied().max().unwrap_or_default();
        let mut first = if most.abs_diff(least) < dense(keys.len()) {
            let rows = vec![NONE; place(most, least) + 1];
            First::Dense { least, rows }
        } else {
            First::Ints(HashMap::with_capacity(keys.len()))
        };
        let mut at_of = at_of.into_iter();
        // What was seen before is chained to its first row, and needs no second place among the keys.
        keys.retain(|&key| {
            let Some(at) = at_of.next() else { return false };
            let slot = match &mut first {
                First::Dense { least, rows } => &mut rows[place(key, *least)],
                First::Ints(rows) => rows.entry(key).or_insert(NONE),
                First::Bytes(_) => return false,
            };
            if *slot == NONE {
                *slot = at;
                return true;
            }
            chain(&mut self.next, rows.len(), *slot, at);
            false
        });
        self.first = first;
        Ok(keys)
    }

    fn add_values<M: Model>(&mut self, rows: &[M], columns: &[usize]) -> Result<Vec<Value>> {
        let mut first = HashMap::with_capacity(rows.len());
        let mut keys = Vec::with_capacity(rows.len() * columns.len());
        for (at, row) in rows.iter().enumerate() {
            self.key.of(row, columns)?;
            if self.key.null {
                continue;
            }
            match first.get(self.key.bytes.as_slice()) {
                None => {
                    for &column in columns {
                        keys.push(Value::of_column(row, column));
                    }
                    first.insert(Box::from(self.key.bytes.as_slice()), at);
                }
                Some(&before) => chain(&mut self.next, rows.len(), before, at),
            }
        }
        self.first = First::Bytes(first);
        Ok(keys)
    }

    /// The rows whose key these columns of another row refer to.
    pub(super) fn of_row<M: Model>(&mut self, row: &M, columns: &[usize]) -> Result<Option<usize>> {
        self.key.of(row, columns)?;
        Ok(self.found())
    }

    /// The first of the rows whose key stands in the columns from `at` on.
    pub(super) fn of_source<R: Source>(
        &mut self,
        row: &R,
        at: usize,
        columns: &[&'static ColumnDef],
    ) -> Result<Option<usize>> {
        self.key.read(row, at, columns)?;
        Ok(self.found())
    }

    /// The next row with the same key.
    pub(super) fn next(&self, row: usize) -> Option<usize> {
        self.next.get(row).copied().flatten()
    }

    fn found(&mut self) -> Option<usize> {
        if self.key.null {
            return None;
        }
        match &self.first {
            First::Bytes(first) => first.get(self.key.bytes.as_slice()).copied(),
            First::Dense { least, rows } => {
                let place = self.key.int.checked_sub(*least)?;
                let row = rows.get(usize::try_from(place).ok()?).copied();
                row.filter(|&row| row != NONE)
            }
            First::Ints(first) => match self.last {
                Some((key, found)) if key == self.key.int => found,
                _ => {
                    let found = first.get(&self.key.int).copied();
                    self.last = Some((self.key.int, found));
                    found
                }
            },
        }
    }
}

/// The place of a key in a dense list whose first key is `least`.
fn place(key: i64, least: i64) -> usize {
    // No more than `dense`, which is a few times the number of rows.
    usize::try_from(key.abs_diff(least)).unwrap_or(usize::MAX)
}

/// Puts row `at` behind row `before`, which has the same key.
fn chain(next: &mut Vec<Option<usize>>, rows: usize, before: usize, at: usize) {
    if next.is_empty() {
        next.resize(rows, None);
    }
    next[at] = next[before].replace(at);
}
