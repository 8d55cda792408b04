//! Migrations: made from the models, reviewed as SQL, applied under a lock.
//!
//! ```no_run
//! use packetboat_orm::{DbPool, Model, migrate};
//!
//! #[derive(Model)]
//! struct User { id: i64, #[model(unique, size = 64)] name: String }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let migrations = migrate::Models::new().add::<User>().folder("migrations");
//! match std::env::args().nth(1).as_deref() {
//!     Some("make") => println!("{}", migrations.make("add_user")?),
//!     Some("up") => println!("applied: {:?}", migrations.up(&DbPool::connect("sqlite:app.db").await?).await?),
//!     _ => println!("{}", migrations.status(&DbPool::connect("sqlite:app.db").await?).await?),
//! }
//! # Ok(()) }
//! ```
//!
//! # What is in the folder
//!
//! ```text
//! migrations/
//!     schema.json                        the tables after the last migration
//!     sqlite/0001_add_user.up.sql        one file up and one down
//!     sqlite/0001_add_user.down.sql
//!     postgres/0001_add_user.up.sql
//!     postgres/0001_add_user.down.sql
//!     mysql/0001001_add_user.up.sql      one pair for each statement
//!     mysql/0001001_add_user.down.sql
//! ```
//!
//! The files are sqlx's, and so is the table `_sqlx_migrations` in which applied ones are noted. Files written by hand
//! stand among them; `schema.json` says only what the models were when the last one was made.
//!
//! A program that is shipped without its sources has its migrations in itself: [`include_migrations!`].
//!
//! [`include_migrations!`]: crate::include_migrations

mod convert;
mod delta;
mod error;
mod ledger;
mod make;
mod migrations;
mod models;
mod name;
mod plan;
mod render;
mod source;
mod status;
mod step;

pub use self::error::{Error, Result};
pub use self::make::{Made, Make};
pub use self::migrations::Migrations;
pub use self::models::Models;
pub use self::source::Embedded;
pub use self::status::{State, Status};
