//! The first related rows of each row, numbered by the database.

use std::panic::Location;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::expr::{Place, Term};
use crate::query::{Item, Query, Sort};
use crate::statement::{Kind, Statement};
use crate::table::ColumnDef;
use crate::value::Bound;
use crate::writer::Rendered;

/// The statement of a query of at most `rows` rows for each value of the columns in `per`, and its values.
pub(super) fn top(
    mut query: Query,
    per: &[&'static ColumnDef],
    rows: u64,
    dialect: Dialect,
    at: &'static Location<'static>,
) -> Result<(Statement, Vec<Bound>)> {
    let table = query.table;
    let mut order = std::mem::take(&mut query.order);
    if order.is_empty() {
        order.extend(table.key_columns().map(|def| Sort {
            term: Term::Column(Place::of(def)),
            descending: false,
        }));
    }
    let per = per.iter().map(|def| Place::of(def)).collect();
    let mut items = query.items().into_owned();
    items.push(Item::Rank(per, order));
    query.more().columns = Some(items);
    let Rendered { sql, values, raw } = query.ranked(rows, dialect)?;
    let sql = Arc::from(sql.into_owned());
    let statement = Statement::rendered(Kind::Select, Some(table), sql, at);
    Ok((statement.with_raw(raw), values))
}
