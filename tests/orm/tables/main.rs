//! What a model is in the database: its columns, what each type of field keeps, its keys, and how tables change.

#[path = "../common/mod.rs"]
mod common;

mod edges;
mod fields;
mod foreign;
mod keys;
mod migrate;
mod migrate_back;
mod properties;
mod schema;
mod zones;

/// Instantiates the tests of a file on the pool that a URL chooses, on every database: for what takes that pool alone.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        $crate::common::on_every_database!(@on on_sqlite_by_url ByUrl(Sqlite): $($test)+);
        $crate::common::on_every_database!(@on on_postgres_by_url ByUrl(Postgres): $($test)+);
        $crate::common::on_every_database!(@on on_mysql_by_url ByUrl(MySql): $($test)+);
    };
}
pub(crate) use on_each_server;
