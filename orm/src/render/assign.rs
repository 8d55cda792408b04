//! The order in which an update assigns its columns.

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::expr::Term;
use crate::table::ColumnDef;

/// A column and what it is set to.
type Assignment = (&'static ColumnDef, Term);

/// The assignments so that each reads the row as it was, on every database.
///
/// MySQL carries them out from left to right, and an expression sees what stands left of it: so whatever reads a column
/// comes before what sets it.
pub(super) fn in_order(mut rest: Vec<Assignment>, dialect: Dialect) -> Result<Vec<Assignment>> {
    let refuse = |what| Err(Error::Unsupported { dialect, what });
    let is_set_before = |at: usize| {
        let mut before = rest[..at].iter();
        before.any(|(column, _)| column.name() == rest[at].0.name())
    };
    // PostgreSQL says so itself; elsewhere the last one would hold.
    if (1..rest.len()).any(is_set_before) {
        return refuse("an update that assigns a column twice");
    }
    if dialect != Dialect::MySql {
        return Ok(rest);
    }
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let is_read_by_another = |column: &ColumnDef| {
            let mut others = rest
                .iter()
                .filter(|(other, _)| other.name() != column.name());
            others.any(|(_, term)| reads(term, column))
        };
        let free = rest
            .iter()
            .position(|(column, _)| !is_read_by_another(column));
        let Some(free) = free else {
            return refuse(
                "an update in which columns read each other in a circle, since it sets one after the other; read \
                 the values first",
            );
        };
        ordered.push(rest.remove(free));
    }
    Ok(ordered)
}

fn reads(term: &Term, column: &ColumnDef) -> bool {
    let mut reads = false;
    term.visit(&mut |place| reads |= place.def.name() == column.name());
    reads
}
