//! Pages: by a cursor, and by number with the total.

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::Location;

use crate::codec::{Decode, Source};
use crate::cover::Whole;
use crate::cursor::{self, Direction, Form};
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Collect, Executor};
use crate::expr::{Comparison, Node, Place, Term};
use crate::named::{Gather, Named, names};
use crate::query::{Item, Query, Sort};
use crate::select::{Select, run};
use crate::table::ColumnDef;
use crate::value::Value;

/// Some rows of a query, and where those before and after them are found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows, in the query's order.
    pub rows: Vec<T>,
    /// The cursor of the page after this one; `None` on the last.
    pub next: Option<String>,
    /// The cursor of the page before this one; `None` on the first.
    pub previous: Option<String>,
}

impl<S: Whole, T: Decode> Select<S, T> {
    /// A page of at most `size` rows: the first without a cursor, else the one that the cursor of another page leads to.
    ///
    /// Rows are found by the values that they are sorted by, not counted: no row comes twice or is left out because
    /// others came or went meanwhile, and a page far behind costs no more than the first. Rows that are alike in the
    /// query's order are told apart by their keys.
    ///
    /// A cursor is a text for URLs and forms. It holds the sort values of a row, to be read by whoever has it; it gives
    /// no access to anything, since the query's own conditions hold as ever.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Page, Result};
    /// # #[derive(Model)] struct Post { id: i64, title: String, written: i64 }
    /// async fn newest(cursor: Option<&str>, db: impl Executor) -> Result<Page<Post>> {
    ///     Post::select().order_by(post::written.desc()).page(20, cursor, db).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCursor`] for a text that is no cursor of this query's order. [`Error::Unsupported`] with `limit`,
    /// `offset` or `distinct`, and where the query sorts by JSON.
    #[track_caller]
    pub fn page<E: Executor>(
        self,
        size: u32,
        cursor: Option<&str>,
        mut db: E,
    ) -> impl Future<Output = Result<Page<T>>> + Send {
        let (mut query, at) = (self.into_query(), Location::caller());
        let cursor = cursor.map(str::to_owned);
        async move {
            let names = names::<T>(&query);
            let plan = Plan::make(&mut query, size, cursor.as_deref(), db.dialect())?;
            let (statement, values) = run::select(query, db.dialect(), at)?;
            let out = Turned {
                rows: Vec::new(),
                size: size as usize,
                marks: plan.marks.clone(),
                first: None,
                last: None,
                is_cut: false,
            };
            let turned = db.run(&statement, values, Named(out, names)).await?.0.0;
            Ok(plan.page(turned))
        }
    }

    /// The rows within limit and offset, and how many there are without these.
    ///
    /// These are two statements: in a transaction that reads repeatably they agree, elsewhere almost. For long lists
    /// [`page`](Self::page) is cheaper.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn all_with_total<E: Executor>(
        self,
        mut db: E,
    ) -> impl Future<Output = Result<(Vec<T>, u64)>> + Send {
        let (query, at) = (self.into_query(), Location::caller());
        async move {
            let mut whole = query.clone();
            whole.limit = None;
            whole.offset = None;
            let total = run::count(whole, &mut db, at).await?;
            Ok((run::all(query, &mut db, at).await?, total))
        }
    }
}

/// A term that rows are sorted by, and how its value is read.
type Mark = (Form, &'static ColumnDef);

/// What a page needs beside its statement.
struct Plan {
    marks: Vec<Mark>,
    shape: u64,
    came: Option<Direction>,
}

impl Plan {
    /// Turns a query into that of a page.
    fn make(query: &mut Query, size: u32, text: Option<&str>, dialect: Dialect) -> Result<Self> {
        let is_distinct = query.more.as_ref().is_some_and(|more| more.distinct);
        if query.limit.is_some() || query.offset.is_some() || is_distinct {
            return Err(Error::Unsupported {
                dialect,
                what: "a page of a query with limit, offset or distinct",
            });
        }
        break_ties(query);
        let forms = query.order.iter().map(|sort| Form::of(&sort.term));
        let forms = forms
            .collect::<Option<Vec<_>>>()
            .ok_or(Error::Unsupported {
                dialect,
                what: "a page of a query that sorts by JSON",
            })?;
        let shape = shape(query);
        let table = query.table.name();
        let mut came = None;
        if let Some(text) = text {
            let (direction, values) =
                cursor::decode(text, &forms, shape).ok_or(Error::InvalidCursor { table })?;
            came = Some(direction);
            if direction == Direction::Before {
                for sort in &mut query.order {
                    sort.descending = !sort.descending;
                }
            }
            narrow(query, values);
        }
        let mut items = query.items().into_owned();
        items.extend(query.order.iter().map(|sort| Item::Term(sort.term.clone())));
        query.more().columns = Some(items);
        // One more tells whether there is another page.
        query.limit = Some(u64::from(size) + 1);
        let defs = query.order.iter().map(|sort| sort.term.def());
        Ok(Self {
            marks: forms.into_iter().zip(defs).collect(),
            shape,
            came,
        })
    }

    fn page<T>(&self, turned: Turned<T>) -> Page<T> {
        let Turned {
            mut rows,
            mut first,
            mut last,
            is_cut,
            ..
        } = turned;
        if self.came == Some(Direction::Before) {
            rows.reverse();
            std::mem::swap(&mut first, &mut last);
        }
        let (has_previous, has_next) = match self.came {
            None => (false, is_cut),
            Some(Direction::After) => (true, is_cut),
            Some(Direction::Before) => (is_cut, true),
        };
        let encode = |direction, values: Option<Vec<Value>>| {
            values.map(|values| cursor::encode(direction, &values, self.shape))
        };
        Page {
            rows,
            next: encode(Direction::After, last.filter(|_| has_next)),
            previous: encode(Direction::Before, first.filter(|_| has_previous)),
        }
    }
}

/// Sorts by what tells any two rows apart, after all else.
fn break_ties(query: &mut Query) {
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
fn shape(query: &Query) -> u64 {
    let mut sum = cursor::fnv(cursor::SEED, query.table.name().as_bytes());
    for sort in &query.order {
        sum = cursor::fnv(sum, &[u8::from(sort.descending)]);
        sort.term
            .describe(&mut |part| sum = cursor::fnv(sum, part.as_bytes()));
    }
    sum
}

/// Keeps the rows behind a place in the order.
fn narrow(query: &mut Query, values: Vec<Value>) {
    let is_aggregate = query.order.iter().any(|sort| sort.term.is_aggregate());
    let optional = query.optional();
    // From the last term to the first: behind in this one, or the same in it and behind in the rest.
    let mut rest: Option<Node> = None;
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

/// Collects a page: its rows, the place of the first and the last, and whether there are more.
struct Turned<T> {
    rows: Vec<T>,
    size: usize,
    marks: Vec<Mark>,
    first: Option<Vec<Value>>,
    last: Option<Vec<Value>>,
    is_cut: bool,
}

impl<T: Decode> Gather for Turned<T> {
    type Item = T;
}

impl<T: Decode> Collect for Turned<T> {
    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        if self.rows.len() == self.size {
            self.is_cut = true;
            return Ok(ControlFlow::Break(()));
        }
        self.rows.push(T::decode(row, 0)?);
        let place = self
            .marks
            .iter()
            .zip(T::WIDTH..)
            .map(|((form, def), index)| form.read(row, index, def))
            .collect::<Result<Vec<_>>>()?;
        if self.first.is_none() {
            self.first = Some(place.clone());
        }
        self.last = Some(place);
        Ok(ControlFlow::Continue(()))
    }
}
