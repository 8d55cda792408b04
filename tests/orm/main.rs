//! The orm suite: written once, run on every database, by its own pool and by the pool that a URL chooses.
//!
//! A test takes a [`Bed`](bed::Bed), which is a database of its own. `on_every_database!` at the end of each file
//! makes of `write::keys_are_filled_in` the tests `write::on_sqlite::keys_are_filled_in`,
//! `write::on_postgres::keys_are_filled_in` and so on.

#![allow(
    clippy::type_complexity,
    reason = "the types of what was read are spelled out, since they are what is tested"
)]

mod bed;
mod models;
mod shop;

mod aggregates;
mod agreement;
mod assignments;
mod bulk;
mod busy;
mod cancel;
mod counted;
mod edges;
mod errors;
mod executors;
mod expressions;
mod fields;
mod foreign;
mod generated;
mod grouping;
mod hooks;
mod injection;
mod joins;
mod keys;
mod migrate;
mod migrate_back;
mod pages;
mod partition;
mod properties;
mod query;
mod race;
mod read_back;
mod read_only;
mod relations;
mod restart;
mod retry;
mod roles;
mod rollback;
mod rolled_back;
mod router;
mod row_locks;
mod schema;
mod scope;
mod stack;
mod streams;
mod sub_selects;
mod tenants;
mod traced;
mod tracked;
mod transactions;
mod unit_of_work;
mod upsert;
mod wrappers;
mod write;
mod zones;

/// Instantiates the tests of a file on every database.
macro_rules! on_every_database {
    (@on $room:ident $bed:ident($server:ident): $($test:ident)+) => {
        mod $room {
            use packetboat_orm::Dialect;

            use crate::bed::{Bed as _, $bed};

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(bed) = $bed::make(Dialect::$server).await {
                        super::$test(bed).await;
                    }
                }
            )+
        }
    };
    ($($test:ident),+ $(,)?) => {
        $crate::on_every_database!(@on on_sqlite Sqlite(Sqlite): $($test)+);
        $crate::on_every_database!(@on on_sqlite_file SqliteFile(Sqlite): $($test)+);
        $crate::on_every_database!(@on on_postgres Postgres(Postgres): $($test)+);
        $crate::on_every_database!(@on on_mysql MySql(MySql): $($test)+);
        $crate::on_every_database!(@on on_sqlite_by_url ByUrl(Sqlite): $($test)+);
        $crate::on_every_database!(@on on_postgres_by_url ByUrl(Postgres): $($test)+);
        $crate::on_every_database!(@on on_mysql_by_url ByUrl(MySql): $($test)+);
    };
}
pub(crate) use on_every_database;

/// Instantiates the tests of a file on the pool that a URL chooses, on every database: for what takes that pool alone.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        $crate::on_every_database!(@on on_sqlite_by_url ByUrl(Sqlite): $($test)+);
        $crate::on_every_database!(@on on_postgres_by_url ByUrl(Postgres): $($test)+);
        $crate::on_every_database!(@on on_mysql_by_url ByUrl(MySql): $($test)+);
    };
}
pub(crate) use on_each_server;
