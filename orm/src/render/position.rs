//! Expressions that bind a value, named by their position among what is read.
//!
//! A value is bound wherever its expression is written, and no database sees that two of these are the same. So GROUP BY
//! and ORDER BY write a number instead, where the expression is read.

use crate::error::Result;
use crate::expr::Term;
use crate::query::Item;
use crate::writer::Writer;

/// A term, and where it is read.
pub(super) type Positioned = (Term, Vec<u32>);

/// The positions in which a term is read, counted from 1; none for one that binds no value.
pub(super) fn positions(items: &[Item], term: &Term) -> Vec<u32> {
    if !term.binds() {
        return Vec::new();
    }
    let (mut found, mut next) = (Vec::new(), 1);
    for item in items {
        match item {
            Item::Table(table, _) => next += table.columns().len() as u32,
            Item::Rank(..) => next += 1,
            Item::Term(read) => {
                if read.is_same(term) {
                    found.push(next);
                }
                next += 1;
            }
        }
    }
    found
}

/// Each term with its positions.
pub(super) fn positioned(terms: impl IntoIterator<Item = Term>, items: &[Item]) -> Vec<Positioned> {
    let each = |term| {
        let at = positions(items, &term);
        (term, at)
    };
    terms.into_iter().map(each).collect()
}

impl Writer {
    /// One thing to group by: all positions in which it is read, since each of them must be known to be it.
    pub(super) fn grouped(&mut self, (term, at): Positioned) -> Result<()> {
        if at.is_empty() {
            return self.term(term);
        }
        self.list(at, ", ", |this, at| {
            this.number(at);
            Ok(())
        })
    }
}
