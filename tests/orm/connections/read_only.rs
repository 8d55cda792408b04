//! A MariaDB that takes no writes any more: its connections are left.

use packetboat_orm::test::Database;
use packetboat_orm::{DbPool, Dialect, Error, Finish as _, Model, ModelExt, sql};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection};

#[derive(Clone, Debug, Model, PartialEq)]
struct Payment {
    id: i64,
    amount: i64,
}

fn payment() -> Payment {
    Payment { id: 0, amount: 1 }
}

/// A pool of 10 connections to a server that answers them, and no newer one, with this error to a write.
async fn that_refuses(number: u16, text: &str) -> Option<(Database, DbPool)> {
    let database = Database::fresh(Dialect::MySql).await?;
    let db = DbPool::connect(database.url()).await.expect("a pool");
    Payment::create_table(&db).await.expect("a table");
    let (mut held, mut newest) = (Vec::new(), 0);
    for _ in 0..10 {
        let mut tx = db.begin().await.expect("a connection");
        let id: i64 = sql("SELECT CAST(CONNECTION_ID() AS SIGNED)")
            .one(&mut tx)
            .await
            .expect("its number");
        newest = newest.max(id);
        held.push(tx);
    }
    for tx in held {
        tx.commit().await.expect("a commit");
    }
    let mut admin = MySqlConnection::connect(database.url())
        .await
        .expect("a connection");
    // The server's own words: making it read-only would make it so for every test that runs on it.
    let trigger = format!(
        "CREATE TRIGGER refuses BEFORE INSERT ON payment FOR EACH ROW \
         IF CONNECTION_ID() <= {newest} THEN \
             SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = '{text}'; \
         END IF"
    );
    sqlx::raw_sql(AssertSqlSafe(trigger))
        .execute(&mut admin)
        .await
        .expect("a trigger");
    admin.close().await.expect("a goodbye");
    Some((database, db))
}

mod on_mysql {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_that_have_become_read_only_are_left() {
        for (number, text) in [
            (
                1290,
                "The MariaDB server is running with the --read-only option so it cannot execute this statement",
            ),
            (1836, "Running in read-only mode"),
        ] {
            let Some((_database, db)) = that_refuses(number, text).await else {
                return;
            };
            let told = payment().insert(&db).await;
            assert!(matches!(told, Err(Error::Connection { .. })), "{told:?}");
            // It is the first and the last: the other connections are left unasked.
            for _ in 0..20 {
                payment().insert(&db).await.expect("a new connection");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_transaction_that_may_write_finds_out_that_its_server_takes_no_writes() {
        let Some((_database, db)) = that_refuses(1836, "Running in read-only mode").await else {
            return;
        };
        let mut tx = db.begin().await.expect("a transaction");
        let told = payment().insert(&mut tx).await;
        assert!(matches!(told, Err(Error::Connection { .. })), "{told:?}");
        drop(tx);
        for _ in 0..20 {
            payment().insert(&db).await.expect("a new connection");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn another_option_that_forbids_a_statement_says_nothing_of_the_server() {
        let text = "The MariaDB server is running with the --secure-file-priv option so it cannot execute this \
                    statement";
        let Some((_database, db)) = that_refuses(1290, text).await else {
            return;
        };
        let told = payment().insert(&db).await;
        assert!(matches!(told, Err(Error::Database { .. })), "{told:?}");
    }

    /// As on a server that is read-only, with another number, and meant so.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_only_transaction_is_no_read_only_server() {
        let Some(database) = Database::fresh(Dialect::MySql).await else {
            return;
        };
        let db = DbPool::connect(database.url()).await.expect("a pool");
        Payment::create_table(&db).await.expect("a table");
        let mut tx = db.begin_read().await.expect("a transaction");
        let told = payment().insert(&mut tx).await;
        assert!(matches!(told, Err(Error::Database { .. })), "{told:?}");
        tx.rollback().await.expect("a rollback");
    }
}
