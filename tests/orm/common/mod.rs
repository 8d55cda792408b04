//! What every program of the orm suite stands on: a database and a pool for each test, models, values drawn from a seed.
//!
//! A test takes a [`Bed`](bed::Bed), which is a database of its own. `on_every_database!` at the end of each file
//! makes of `write::keys_are_filled_in` the tests `write::on_sqlite::keys_are_filled_in`,
//! `write::on_postgres::keys_are_filled_in` and so on.
#![allow(dead_code, reason = "each program uses its own part of this")]

pub(crate) mod bed;
pub(crate) mod draw;
pub(crate) mod models;
pub(crate) mod shop;

/// Instantiates the tests of a file on every database.
macro_rules! on_every_database {
    (@on $room:ident $bed:ident($server:ident): $($test:ident)+) => {
        mod $room {
            use packetboat_orm::Dialect;

            use crate::common::bed::{Bed as _, $bed};

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
        $crate::common::on_every_database!(@on on_sqlite Sqlite(Sqlite): $($test)+);
        $crate::common::on_every_database!(@on on_sqlite_file SqliteFile(Sqlite): $($test)+);
        $crate::common::on_every_database!(@on on_postgres Postgres(Postgres): $($test)+);
        $crate::common::on_every_database!(@on on_mysql MySql(MySql): $($test)+);
        $crate::common::on_every_database!(@on on_sqlite_by_url ByUrl(Sqlite): $($test)+);
        $crate::common::on_every_database!(@on on_postgres_by_url ByUrl(Postgres): $($test)+);
        $crate::common::on_every_database!(@on on_mysql_by_url ByUrl(MySql): $($test)+);
    };
}
pub(crate) use on_every_database;
