//! Front door: one model from declaration to update.
//!
// The page's example runs on SQLite.
#![cfg_attr(feature = "sqlite", doc = include_str!("../README.md"))]
//!
//! # Where to look
//!
//! The [`guide`] goes from a struct to migrations, and has a page for those who [come from](guide::coming_from) sqlx, Diesel,
//! SeaORM or Django. `examples/tour.rs` is one program with all of it.
//!
//! | to | see |
//! | --- | --- |
//! | declare a model, and its attributes | [`derive@Model`], [`derive@Field`] |
//! | read and write | [`ModelExt`], [`Select`], [`sql`] |
//! | insert, or update what is there; write only what changed | [`Upsert`], [`Tracked`] |
//! | check and prepare rows around each write | [`Hooks`] |
//! | compare columns, and compute with them | [`Column`], [`Expr`], [`count`], [`exists`] |
//! | read models side by side, some columns, a page | [`Select`], [`derive@Projection`], [`derive@Alias`], [`Page`] |
//! | load what belongs together | [`Relation`], [`With`] |
//! | do all or nothing | [`transaction`], [`try_transaction`], [`begin`] |
//! | do it again where two met | [`retry`], [`Retry`] |
//! | log, count and watch statements | [`Traced`], [`Counted`], [`assert_queries!`] |
//! | use replicas, and databases by name | [`Router`], [`Using`] |
//! | give each tenant a database | [`Tenants`] |
//! | keep the rows of tenants apart in one table | [`Tenant`] |
//! | keep one connection for a while | [`UnitOfWork`], [`Connection`] |
//! | write a function, or a wrapper, for any database | [`Executor`] |
//! | use an executor by reference, from many tasks | [`Shared`] |
//! | open a database | [`DbPool`], `sqlite` |
//! | see whether a database has the models' tables, and change it | [`schema`], [`migrate`] |
//! | test with a fresh database, or in a transaction that leaves nothing | `test`, behind the feature of that name |
//! | know what went wrong | [`Error`] |
//!
//! # Cancelling
//!
//! Every future here may be dropped at any await. A pool's connection never comes back inside a transaction, nor, on
//! MySQL, with an answer still owed to a statement that was dropped: it is rolled back or closed first. A transaction
//! in which a write or a nested transaction was dropped half way cannot be committed ([`Error::Poisoned`]). Only on a
//! connection that sqlx itself made and owns (not out of a pool) is there nothing to guard it: on MySQL, do not use one
//! again after dropping a statement on it.

#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(
        dead_code,
        reason = "models can be declared without a driver; what drivers share has no user then"
    )
)]

mod codec;
mod constraint;
mod count_rows;
mod cover;
mod cursor;
mod dialect;
mod driver;
mod error;
mod executor;
mod expr;
mod ext;
mod field;
mod filter;
pub mod guide;
mod hooks;
pub mod migrate;
mod model;
mod named;
mod order;
mod query;
pub mod relation;
mod render;
mod retry;
mod role;
pub mod schema;
mod scope;
mod select;
mod shared;
mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod statement;
mod stream;
mod table;
mod tenant;
#[cfg(feature = "test")]
pub mod test;
mod transaction;
mod unfit;
mod value;
mod wrap;
mod write;
mod writer;

pub use crate::codec::{Decode, Params, Sink, Source};
pub use crate::constraint::{Check, ForeignKey, Index, OnDelete, References};
pub use crate::cover::{AliasOf, TableRef};
pub use crate::dialect::Dialect;
pub use crate::driver::{Connection, DbConnection, DbOptions, DbPool, DbTx, Driver, Pooled, Tx};
pub use crate::error::{Error, Result, Unfit};
pub use crate::executor::{Collect, Demand, Done, Executor, Finish};
pub use crate::expr::{
    Assignment, Column, Expr, Factor, Numeric, Operand, Row, Scalar, Textual, count,
};
pub use crate::ext::ModelExt;
pub use crate::field::{Field, Json};
pub use crate::filter::{Condition, Filter, IntoFilter};
pub use crate::hooks::Hooks;
pub use crate::model::{Key, Model};
pub use crate::order::Order;
pub use crate::relation::{Relation, With};
pub use crate::retry::{Retry, Transient, retry, try_retry};
pub use crate::select::{Columns, Fields, On, Page, Projection, Select, exists};
pub use crate::shared::Shared;
pub use crate::sql::{BindField, Sql, sql};
pub use crate::statement::{Kind, Statement};
pub use crate::stream::Rows;
pub use crate::table::{ColumnDef, DefaultValue, SqlType, Table, Unique};
pub use crate::transaction::{begin, transaction, try_transaction};
pub use crate::value::IntoValue;
pub use crate::wrap::{
    Counted, Pinned, Routed, Router, Scoped, Tenant, TenantLimits, TenantName, TenantPool, Tenants,
    Traced, UnitOfWork, Using,
};
pub use crate::write::{ColumnSet, Tracked, Upsert};

pub use packetboat_orm_derive::{Alias, Field, Model, Projection, include_migrations};

/// The types by which the compiler checks that a query has the models that its conditions, orders and columns read.
///
/// They are inferred; a program names at most [`Over`](typing::Over), in the type of a condition on several models.
pub mod typing {
    pub use crate::cover::{
        Aggregated, All, Append, At, Certain, Correlated, Covered, Doubtful, Grouped, In, Maybe,
        Out, Over, Whole, Within,
    };
    pub use crate::expr::{Members, Near, Plain, Same};
    pub use crate::filter::Beside;
    pub use crate::select::{Nested, Sure, Unsure};
}

/// What the derives name.
#[doc(hidden)]
pub mod derived {
    pub use crate::role::{check_deleted, check_time, check_version};
    pub use crate::table::{Roles, Statements};
    pub use crate::tenant::TenantId;
}
