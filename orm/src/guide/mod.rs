//! The guide: from a struct to a database that is migrated.
//!
//! | page | what it covers |
//! | --- | --- |
//! | [`declaring`] | structs, keys, attributes, relations, types |
//! | [`reading`] | filters, expressions, joins, aggregates, pages, relations, raw SQL |
//! | [`writing`] | save, insert, upsert, tracked rows, versions, times, soft delete, hooks |
//! | [`executors`] | transactions, retry, and wrappers: tenants, router, traced, counted, unit of work |
//! | [`migrating`] | create, check, migrate, test |
//! | [`errors`] | each error, and what to do |
//! | [`coming_from`] | ten tasks, beside sqlx, Diesel, SeaORM and Django |
//!
//! Every snippet in Rust is compiled and run, on SQLite. `examples/tour.rs` is one program with all of it.

// The pages' snippets open a database of SQLite.

/// Declaring models.
#[cfg_attr(feature = "sqlite", doc = include_str!("declaring.md"))]
pub mod declaring {}

/// Reading.
#[cfg_attr(feature = "sqlite", doc = include_str!("reading.md"))]
pub mod reading {}

/// Writing.
#[cfg_attr(feature = "sqlite", doc = include_str!("writing.md"))]
pub mod writing {}

/// Transactions, and executors as values.
#[cfg_attr(feature = "sqlite", doc = include_str!("executors.md"))]
pub mod executors {}

/// Schema, migrations, tests.
#[cfg_attr(feature = "sqlite", doc = include_str!("migrating.md"))]
pub mod migrating {}

/// Errors, and what to do.
#[cfg_attr(feature = "sqlite", doc = include_str!("errors.md"))]
pub mod errors {}

/// Coming from sqlx, Diesel, SeaORM or Django.
#[cfg_attr(feature = "sqlite", doc = include_str!("coming_from.md"))]
pub mod coming_from {}
