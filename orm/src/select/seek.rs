//! The rows behind a place in a query's order.

use crate::cursor;
use crate::expr::{Comparison, Node, Place, Term};
use crate::query::{Query, Sort};
use crate::value::Value;

/// Sorts by what tells any two rows apart, after all else.
pub(super) fn break_ties(query: &mut Query) {
    let group = query.more.as_ref().map_or(&[][..], |more| &more.group);
    let keys: Vec<Term> = if group.is_empty() {
        let mut keys = Vec::new();
        for (table, alias) in query.tables() {
            let key = table
                .key_columns()
                .map(|def| Term::Column(Place { def, alias }));
            keys.extend(key);
        }
        keys
    } else {
        group.to_vec()
    };
    let is_one_row = query.is_one_row();
    for term in keys {
        if !is_one_row && !query.order.iter().any(|sort| sort.term.is_same(&term)) {
            query.order.push(Sort {
                term,
                descending: false,
            });
        }
    }
}

/// The sum of a query's order, by which a cursor of another is known.
pub(super) fn shape(query: &Query) -> u64 {
    let mut sum = cursor::fnv(cursor::SEED, query.table.name().as_bytes());
    for sort in &query.order {
        sum = cursor::fnv(sum, &[u8::from(sort.descending)]);
        sort.term
            .describe(&mut |part| sum = cursor::fnv(sum, part.as_bytes()));
    }
    sum
}

/// Keeps the rows behind a place in the order; with the row of the place itself, if it is inclusive.
pub(super) fn narrow(query: &mut Query, values: Vec<Value>, is_inclusive: bool) {
    let is_aggregate = query.order.iter().any(|sort| sort.term.is_aggregate());
    let optional = query.optional();
    // From the last term to the first: behind in this one, or the same in it and behind in the rest.
    let mut rest = is_inclusive.then(|| Node::Any(Vec::new()).not());
    for (sort, value) in query.order.iter().zip(values).rev() {
        let term = sort.term.clone();
        let may_be_null = term.may_be_null(&optional);
        rest = Some(behind(&term, &value, sort.descending, may_be_null, rest));
    }
    let Some(behind) = rest else { return };
    if is_aggregate {
        let more = query.more();
        more.having = Node::join(more.having.take(), Some(behind));
    } else {
        query.narrow(behind);
    }
}

/// That a term is behind a value, or the same and the rest holds. NULL is the smallest.
fn behind(
    term: &Term,
    value: &Value,
    descending: bool,
    may_be_null: bool,
    rest: Option<Node>,
) -> Node {
    let is_null = Node::Null(term.clone());
    let nothing = || Node::Any(Vec::new());
    if value.is_null() {
        return match (descending, rest) {
            (false, None) => is_null.not(),
            (false, Some(rest)) => is_null.clone().not().or(is_null.and(rest)),
            (true, None) => nothing(),
            (true, Some(rest)) => is_null.and(rest),
        };
    }
    let (strictly, at_least) = if descending {
        (Comparison::Lt, Comparison::Le)
    } else {
        (Comparison::Gt, Comparison::Ge)
    };
    let def = term.def();
    let compare =
        |comparison| Node::Compare(term.clone(), comparison, Term::Value(value.clone(), def));
    let found = match rest {
        None => compare(strictly),
        // In this form, and not as `a > ? OR (a = ? AND ..)`, an index gives the first row at once.
        Some(rest) => compare(at_least).and(compare(strictly).or(rest)),
    };
    if descending && may_be_null {
        found.or(is_null)
    } else {
        found
    }
}
