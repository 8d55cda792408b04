//! Scratch.
mod bed;
mod models;
mod generated;
mod scope;

/// Instantiates the tests of a file on every database.
macro_rules! on_every_database {
    (@on $room:ident $bed:ident: $($test:ident)+) => {
        mod $room {
            use crate::bed::{Bed as _, $bed};

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(bed) = $bed::make().await {
                        super::$test(bed).await;
                    }
                }
            )+
        }
    };
    ($($test:ident),+ $(,)?) => {
        $crate::on_every_database!(@on on_sqlite Sqlite: $($test)+);
        $crate::on_every_database!(@on on_sqlite_file SqliteFile: $($test)+);
        $crate::on_every_database!(@on on_postgres Postgres: $($test)+);
        $crate::on_every_database!(@on on_mysql MySql: $($test)+);
        $crate::on_every_database!(@on on_sqlite_by_url SqliteByUrl: $($test)+);
        $crate::on_every_database!(@on on_postgres_by_url PostgresByUrl: $($test)+);
        $crate::on_every_database!(@on on_mysql_by_url MySqlByUrl: $($test)+);
    };
}
pub(crate) use on_every_database;

/// Instantiates the tests of a file on the pool that a URL chooses, on every database: for what takes that pool alone.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        $crate::on_every_database!(@on on_sqlite_by_url SqliteByUrl: $($test)+);
        $crate::on_every_database!(@on on_postgres_by_url PostgresByUrl: $($test)+);
        $crate::on_every_database!(@on on_mysql_by_url MySqlByUrl: $($test)+);
    };
}
pub(crate) use on_each_server;
