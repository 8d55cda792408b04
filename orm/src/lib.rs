//! Front door: rows as plain structs over any sqlx pool.

mod codec;
mod dialect;
mod driver;
mod error;
mod executor;
mod ext;
mod field;
mod filter;
mod model;
mod schema;
mod select;
mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod statement;
mod stream;
mod table;
mod transaction;
mod unfit;
mod value;
mod write;

pub use crate::codec::{Decode, Params, Sink, Source};
pub use crate::dialect::Dialect;
pub use crate::driver::{Connection, DbPool, DbTx, Driver, Tx};
pub use crate::error::{Error, Result, Unfit};
pub use crate::executor::{Collect, Done, Executor, Finish};
pub use crate::ext::ModelExt;
pub use crate::field::{Field, Json};
pub use crate::filter::{Assignment, Column, Filter, IntoFilter, Order};
pub use crate::model::{Key, Model};
pub use crate::select::Select;
pub use crate::sql::{BindField, Sql, sql};
pub use crate::statement::{Kind, Statement};
pub use crate::stream::Rows;
pub use crate::table::{ColumnDef, DefaultValue, SqlType, Table, Unique};
pub use crate::transaction::{begin, transaction, try_transaction};
pub use crate::value::IntoValue;

pub use packetboat_orm_derive::{Field, Model};

/// What the derives name.
#[doc(hidden)]
pub mod derived {
    pub use crate::table::Statements;
}
