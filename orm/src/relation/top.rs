//! The first related rows of each row, numbered by the database.

use std::panic::Location;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::expr::Place;
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
        order.extend(table.key_columns().map(|def| Sort::ascending(def, "")));
    }
    // It would be one of the whole table, and number its rows by chance.
    if order.iter().any(|sort| sort.term.is_aggregate()) {
        return Err(Error::Unsupported {
            dialect,
            what: "sorting the rows of a relation by an aggregate",
        });
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
