//! Conditions as trees, without the types of their models.

use crate::expr::{Place, Term};
use crate::query::Query;
use crate::relation::OneOf;
use crate::sql::Sql;
use crate::value::Value;

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Comparison {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Ne,
}

/// The tree of a condition. `All` and `Any` are flat, so a long chain is not a deep tree.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Between(Term, Box<(Term, Term)>),
    Compare(Term, Comparison, Term),
    Exists(Box<Query>),
    In(Term, Vec<Value>),
    InSelect(Term, Box<Query>),
    /// A pattern in which `%`, `_` and `\` have their meaning.
    Like(Term, Value),
    Not(Box<Self>),
    Null(Term),
    OneOf(OneOf),
    Raw(Sql),
}

impl Node {
    /// A comparison; with NULL for equality it asks for NULL, since `= NULL` is never true and nobody means that.
    pub(crate) fn compare(left: Term, comparison: Comparison, right: Term) -> Self {
        match comparison {
            Comparison::Eq if right.is_null() => Self::Null(left),
            Comparison::Ne if right.is_null() => Self::Null(left).not(),
            _ => Self::Compare(left, comparison, right),
        }
    }

    /// Calls `each` for every column outside of an aggregate, and for those of this query that a sub-select reads.
    pub(crate) fn visit(&self, each: &mut dyn FnMut(&Place)) {
        let mut term = |term: &Term| {
            term.visit(&mut |place| each(place));
        };
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(each)),
            Self::Between(of, ends) => [of, &ends.0, &ends.1].into_iter().for_each(term),
            Self::Compare(left, _, right) => [left, right].into_iter().for_each(term),
            Self::Exists(query) => visit_outer(query, each),
            Self::In(of, _) | Self::Like(of, _) | Self::Null(of) => term(of),
            Self::InSelect(of, query) => {
                term(of);
                visit_outer(query, each);
            }
            Self::Not(inner) => inner.visit(each),
            Self::OneOf(_) | Self::Raw(_) => {}
        }
    }

    pub(crate) fn and(self, right: Self) -> Self {
        match (self, right) {
            (Self::All(mut parts), Self::All(more)) => {
                parts.extend(more);
                Self::All(parts)
            }
            (Self::All(mut parts), right) => {
                parts.push(right);
                Self::All(parts)
            }
            (left, right) => Self::All(vec![left, right]),
        }
    }

    pub(crate) fn or(self, right: Self) -> Self {
        match (self, right) {
            (Self::Any(mut parts), Self::Any(more)) => {
                parts.extend(more);
                Self::Any(parts)
            }
            (Self::Any(mut parts), right) => {
                parts.push(right);
                Self::Any(parts)
            }
            (left, right) => Self::Any(vec![left, right]),
        }
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            node => Self::Not(Box::new(node)),
        }
    }

    /// Both conditions, where either may be missing.
    pub(crate) fn join(left: Option<Self>, right: Option<Self>) -> Option<Self> {
        match (left, right) {
            (Some(left), Some(right)) => Some(left.and(right)),
            (left, right) => left.or(right),
        }
    }
}

/// The columns in the condition of a sub-select that are none of its own tables'.
fn visit_outer(query: &Query, each: &mut dyn FnMut(&Place)) {
    let Some(filter) = &query.filter else { return };
    filter.visit(&mut |place| {
        if !query.tables().any(|(_, name)| name == place.table()) {
            each(place);
        }
    });
}
