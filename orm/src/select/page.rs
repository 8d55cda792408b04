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
use crate::named::{Gather, Named, names};
use crate::query::{Item, Query};
use crate::select::{Select, run, seek};
use crate::table::ColumnDef;
use crate::unfit;
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
    /// others came or went meanwhile. Rows that are alike in the query's order are told apart by their keys. A page
    /// whose rows are all gone is empty, and has the cursor that leads back.
    ///
    /// With an index on what is sorted by, and then the key, a page far behind costs no more than the first; without
    /// one, the database sorts all rows for each page. PostgreSQL has NULL as the greatest in an index, and the crate
    /// as the smallest everywhere: there the index of a column that may be NULL must say so, `(age NULLS FIRST, id)`.
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
    /// [`Error::InvalidCursor`] for a text that is no cursor of this query's order, or that holds what the database
    /// cannot store. [`Error::Unsupported`] with `limit`, `offset` or `distinct`, and where the query sorts by JSON.
    /// Else as [`all`](Self::all).
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
    /// The cursor that the page was asked for with.
    came: Option<(Direction, Vec<Value>)>,
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
        seek::break_ties(query);
        let forms = query.order.iter().map(|sort| Form::of(&sort.term));
        let forms = forms
            .collect::<Option<Vec<_>>>()
            .ok_or(Error::Unsupported {
                dialect,
                what: "a page of a query that sorts by JSON",
            })?;
        let shape = seek::shape(query);
        let defs: Vec<_> = query.order.iter().map(|sort| sort.term.def()).collect();
        let table = query.table.name();
        let mut came = None;
        if let Some(text) = text {
            let (direction, values) = cursor::decode(text, &forms, shape)
                .filter(|(_, values)| {
                    let mut of = values.iter().zip(&defs);
                    of.all(|(value, def)| unfit::check(def, value, dialect).is_ok())
                })
                .ok_or(Error::InvalidCursor { table })?;
            if direction.is_backward() {
                for sort in &mut query.order {
                    sort.descending = !sort.descending;
                }
            }
            seek::narrow(query, values.clone(), direction.is_inclusive());
            came = Some((direction, values));
        }
        let mut items = query.items().into_owned();
        items.extend(query.order.iter().map(|sort| Item::Term(sort.term.clone())));
        query.more().columns = Some(items);
        // One more tells whether there is another page.
        query.limit = Some(u64::from(size) + 1);
        Ok(Self {
            marks: forms.into_iter().zip(defs).collect(),
            shape,
            came,
        })
    }

    fn page<T>(self, turned: Turned<T>) -> Page<T> {
        let Turned {
            mut rows,
            mut first,
            mut last,
            is_cut,
            ..
        } = turned;
        let encode = |direction, values: Option<Vec<Value>>| {
            values.map(|values| cursor::encode(direction, &values, self.shape))
        };
        let is_backward = (self.came.as_ref()).is_some_and(|(way, _)| way.is_backward());
        if is_backward {
            rows.reverse();
            std::mem::swap(&mut first, &mut last);
        }
        let (has_previous, has_next) = match self.came {
            None => (false, is_cut),
            // The rows of the page are gone, and none behind them is left: back to the row that the cursor is of.
            Some((way, values)) if rows.is_empty() => {
                let back = encode(way.back(), Some(values));
                let (next, previous) = if is_backward {
                    (back, None)
                } else {
                    (None, back)
                };
                return Page {
                    rows,
                    next,
                    previous,
                };
            }
            Some(_) if is_backward => (is_cut, true),
            Some(_) => (true, is_cut),
        };
        Page {
            rows,
            next: encode(Direction::After, last.filter(|_| has_next)),
            previous: encode(Direction::Before, first.filter(|_| has_previous)),
        }
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
