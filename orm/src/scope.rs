//! Which rows of a table a statement sees at all.

use crate::expr::Node;
use crate::table::Table;

/// What a query says about rows that are hidden by default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope;

impl Scope {
    /// What holds where nothing is said.
    pub(crate) const DEFAULT: Self = Self;

    /// The condition that a table brings along, under the name that it has in the statement (empty: its own).
    ///
    /// Every table of every rendered statement passes here, and nowhere else is such a condition added: those of FROM
    /// and of inner joins go into WHERE, those of left joins into ON, those of sub-selects into the sub-select's own.
    #[allow(clippy::unused_self, reason = "no table hides rows yet")]
    pub(crate) const fn condition(
        self,
        _table: &'static Table,
        _alias: &'static str,
    ) -> Option<Node> {
        None
    }
}
