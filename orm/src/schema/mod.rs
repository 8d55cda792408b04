//! Whether a database has the tables that the models declare.
//!
//! ```
//! use packetboat_orm::{Executor, Model, Result, schema};
//!
//! #[derive(Model)]
//! struct User { id: i64, #[model(unique)] name: String }
//!
//! # async fn f(db: impl Executor) -> Result<()> {
//! let report = schema::check::<User>(db).await?;
//! assert!(report.is_clean(), "{report}");
//! # Ok(()) }
//! ```
//!
//! [`migrate::Models`](crate::migrate::Models) checks several at once, and changes a database that differs.

mod compare;
mod ddl;
mod default;
mod live;
mod report;
pub(crate) mod shape;
mod spelling;

pub use self::report::{Difference, Note, Report};

pub(crate) use self::compare::compare;
pub(crate) use self::ddl::create_table;

use crate::error::Result;
use crate::executor::Executor;
use crate::model::Model;

/// Compares one model with its table: columns, types, nullability, defaults, key, uniques, indexes, foreign keys, checks.
///
/// It reads the catalogue and changes nothing, so that a server can call it at every start. On PostgreSQL it looks at the
/// connection's current schema.
///
/// # Errors
///
/// Whatever the database refuses; a table that differs is no error.
pub async fn check<M: Model>(mut db: impl Executor) -> Result<Report> {
    let mut report = compare(&[shape::Table::from(M::TABLE)], &mut db).await?;
    // The other tables are other models'.
    report
        .notes
        .retain(|note| !matches!(note, Note::ExtraTable { .. }));
    Ok(report)
}
