//! A server of one's own per test, and a client that speaks raw frames.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    unused_macros,
    reason = "two programs of tests share this, and each uses another part"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that fails shall stop where it fails"
)]

mod certificate;
mod client;
mod database;
mod fixture;
pub mod hostile_names;

pub use certificate::Certificate;
pub use client::{Client, PASSWORD, merged, some_bytes, upload};
pub use database::{Database, Kind};
pub use fixture::{Fixture, config};

/// Whether a missing means of testing is a failure: `PACKETBOAT_TESTS=required`.
pub fn required() -> bool {
    std::env::var("PACKETBOAT_TESTS").is_ok_and(|value| value == "required")
}

/// Says that a test did not run, and why; a failure where everything is required.
pub fn skip(why: &str) {
    assert!(!required(), "required, but {why}");
    eprintln!("SKIPPED: {why}");
}

/// Turns `async fn test(kind: Kind)` into one test per database.
macro_rules! on_each_database {
    ($($test:ident)*) => {$(
        mod $test {
            use $crate::support::{Database, Kind};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                run(Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                run(Kind::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_mysql() {
                run(Kind::MySql).await;
            }

            async fn run(kind: Kind) {
                if let Some(database) = Database::fresh(kind).await {
                    super::$test(database).await;
                }
            }
        }
    )*};
}
