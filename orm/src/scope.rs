//! Which rows of a table a statement sees at all.

use crate::expr::{Comparison, Node, Place, Term};
use crate::table::{ColumnDef, Table};
use crate::value::Value;

/// Which rows a query sees of a table whose rows can be deleted and still be there.
///
/// Whose rows it sees is nothing that a query can say: where a table has tenants, only those of the executor's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// Those that are deleted.
    Deleted,
    /// Those that are not.
    Live,
    /// Both.
    Whole,
}

impl Scope {
    /// What holds where nothing is said.
    pub(crate) const DEFAULT: Self = Self::Live;

    /// The condition that a table brings along, under the name that it has in the statement (empty: its own).
    ///
    /// Every table of every rendered statement passes here, and nowhere else is such a condition added: those of FROM
    /// and of inner joins go into WHERE, those of left joins into ON, those of sub-selects into the sub-select's own.
    pub(crate) fn condition(self, table: &'static Table, alias: &'static str) -> Option<Node> {
        let term = |def: &'static ColumnDef| Term::Column(Place { def, alias });
        let own = table.tenant().map(|def| {
            let whose = Term::Value(Value::Tenant, def);
            Node::Compare(term(def), Comparison::Eq, whose)
        });
        let live = table.deleted().map(|def| Node::Null(term(def)));
        let seen = match self {
            Self::Deleted => live.map(Node::not),
            Self::Live => live,
            Self::Whole => None,
        };
        Node::join(own, seen)
    }
}
