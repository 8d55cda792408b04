//! A PostgreSQL that crashes under load, ends sessions, or becomes read-only: the pool finds its way back, and what was
//! acknowledged stays, once.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use packetboat_orm::test::Database;
use packetboat_orm::{
    DbPool, Dialect, Error, Finish as _, Model, ModelExt, Result, begin, sql, transaction,
};
use packetboat_tests::postgres::Postgres;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

/// A payment with a key of the payer's own choice, so that it can be sent again without being made twice.
#[derive(Clone, Debug, Model, PartialEq)]
struct Payment {
    id: i64,
    #[model(unique)]
    request: Uuid,
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Account {
    id: i64,
    payments: i64,
}

/// Both of it, or nothing.
async fn pay(request: Uuid, db: &DbPool) -> Result<()> {
    transaction(db, async |tx| {
        Payment { id: 0, request }.insert(&mut *tx).await?;
        sql("UPDATE account SET payments = payments + 1")
            .exec(tx)
            .await?;
        Ok(())
    })
    .await
}

mod on_postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_crash_under_load_loses_and_doubles_nothing() {
        let Some(mut server) = Postgres::start().await else {
            return;
        };
        let db = DbPool::connect(&server.url()).await.expect("a pool");
        Payment::create_table(&db).await.expect("a table");
        Account::create_table(&db).await.expect("a table");
        Account { id: 0, payments: 0 }
            .insert(&db)
            .await
            .expect("an account");

        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let (stop, interrupted) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU32::new(0)),
        );
        let mut payers = JoinSet::new();
        for _ in 0..8 {
            let (db, acknowledged) = (db.clone(), Arc::clone(&acknowledged));
            let (stop, interrupted) = (Arc::clone(&stop), Arc::clone(&interrupted));
            payers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let request = Uuid::new_v4();
                    loop {
                        match pay(request, &db).await {
                            Ok(()) => break,
                            // Sent again: the unique key says when the first one has happened after all.
                            Err(error) if error.is_connection() => {
                                interrupted.fetch_add(1, Ordering::Relaxed);
                                sleep(Duration::from_millis(20)).await;
                            }
                            Err(error) if error.is_unique("request") => break,
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                    acknowledged.lock().await.push((request, Instant::now()));
                }
            });
        }

        let crashes = if env::var("PACKETBOAT_LONG").is_ok() {
            10
        } else {
            2
        };
        for crash in 1..=crashes {
            sleep(Duration::from_millis(400)).await;
            server.restart_immediately().await;
            let ready = Instant::now();
            // Every connection of the pool, and not only a lucky one.
            let before = acknowledged.lock().await.len();
            while acknowledged.lock().await.len() < before + 8 {
                assert!(
                    ready.elapsed() < Duration::from_secs(2),
                    "crash {crash}: not back after {:?}",
                    ready.elapsed()
                );
                sleep(Duration::from_millis(5)).await;
            }
            println!("crash {crash}: back {:?} after the server", ready.elapsed());
        }
        sleep(Duration::from_millis(200)).await;
        stop.store(true, Ordering::Relaxed);
        payers.join_all().await;

        let acknowledged = acknowledged.lock().await;
        let stored = Payment::select().all(&db).await.expect("the payments");
        let account = Account::select().one(&db).await.expect("the account");
        for (request, at) in acknowledged.iter() {
            let times = stored
                .iter()
                .filter(|payment| payment.request == *request)
                .count();
            assert_eq!(times, 1, "{request}, acknowledged at {at:?}");
        }
        assert_eq!(stored.len(), acknowledged.len());
        assert_eq!(account.payments, stored.len() as i64);
        assert!(
            interrupted.load(Ordering::Relaxed) > 0,
            "the crash went unnoticed"
        );
        println!(
            "{} payments, {} interrupted",
            stored.len(),
            interrupted.load(Ordering::Relaxed)
        );
        db.close().await;
    }

    /// A database of the shared server, with a pool of 10 connections that are all open.
    async fn with_open_connections() -> Option<(Database, DbPool)> {
        let database = Database::fresh(Dialect::Postgres).await?;
        let db = DbPool::connect(database.url()).await.expect("a pool");
        Payment::create_table(&db).await.expect("a table");
        Some((database, db))
    }

    /// A statement on each of the pool's connections.
    async fn on_each(db: &DbPool, statement: &'static str) {
        let mut held = Vec::new();
        for _ in 0..10 {
            let mut tx = db.begin().await.expect("a connection");
            sql(statement).exec(&mut tx).await.expect("a statement");
            held.push(tx);
        }
        for tx in held {
            tx.commit().await.expect("a commit");
        }
    }

    /// Payments of many at once, each again until it is made; how long all took, and how many refusals there were.
    async fn pay_until_done(db: &DbPool) -> (Duration, u32) {
        let refusals = Arc::new(AtomicU32::new(0));
        let began = Instant::now();
        let mut payers = JoinSet::new();
        for _ in 0..20 {
            let (db, refusals) = (db.clone(), Arc::clone(&refusals));
            payers.spawn(async move {
                let request = Uuid::new_v4();
                loop {
                    match (Payment { id: 0, request }).insert(&db).await {
                        Ok(()) => return,
                        Err(error) if error.is_connection() => {
                            refusals.fetch_add(1, Ordering::Relaxed)
                        }
                        Err(error) => panic!("{error:?}"),
                    };
                    assert!(
                        began.elapsed() < Duration::from_secs(20),
                        "it does not come back"
                    );
                }
            });
        }
        payers.join_all().await;
        (began.elapsed(), refusals.load(Ordering::Relaxed))
    }

    /// What a failover leaves: connections to a server that is now a standby, and a name that leads to the new primary.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_that_have_become_read_only_are_left() {
        let Some((_database, db)) = with_open_connections().await else {
            return;
        };
        on_each(&db, "SET SESSION default_transaction_read_only = on").await;
        let (time, refusals) = pay_until_done(&db).await;
        assert!(time < Duration::from_secs(5), "it took {time:?}");
        assert!((1..=10).contains(&refusals), "{refusals} refusals");
        assert_eq!(Payment::select().count(&db).await.expect("a count"), 20);
        // The first refusal is enough to leave them all: none of the old ones is left to refuse another.
        let (_, refusals) = pay_until_done(&db).await;
        assert_eq!(refusals, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_transaction_that_may_write_finds_out_that_its_server_takes_no_writes() {
        let Some((_database, db)) = with_open_connections().await else {
            return;
        };
        Account::create_table(&db).await.expect("a table");
        on_each(&db, "SET SESSION default_transaction_read_only = on").await;
        let refused = pay(Uuid::new_v4(), &db).await;
        assert!(
            matches!(refused, Err(Error::Connection { .. })),
            "{refused:?}"
        );
        // It is the first and the last.
        for _ in 0..10 {
            let paid = pay(Uuid::new_v4(), &db).await;
            paid.expect("a new connection");
        }
    }

    /// The refusal says that nothing happened; in a transaction that was to read only, it says nothing of the server.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_only_transaction_is_no_read_only_server() {
        let Some((_database, db)) = with_open_connections().await else {
            return;
        };
        let mut tx = db.begin_read().await.expect("a transaction");
        let refused = (Payment {
            id: 0,
            request: Uuid::nil(),
        })
        .insert(&mut tx)
        .await;
        assert!(
            matches!(refused, Err(Error::Database { .. })),
            "{refused:?}"
        );
        tx.rollback().await.expect("a rollback");

        on_each(&db, "SET SESSION default_transaction_read_only = on").await;
        let refused = (Payment {
            id: 0,
            request: Uuid::nil(),
        })
        .insert(&db)
        .await;
        assert!(
            matches!(refused, Err(Error::Connection { .. })),
            "{refused:?}"
        );
        // It is the first and the last: the other connections are left unasked.
        for _ in 0..10 {
            let request = Uuid::new_v4();
            let paid = (Payment { id: 0, request }).insert(&db).await;
            paid.expect("a new connection");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sessions_that_were_ended_are_replaced() {
        let Some((database, db)) = with_open_connections().await else {
            return;
        };
        on_each(&db, "SELECT 1").await;
        let pool = db.clone();
        let slow = tokio::spawn(async move { sql("SELECT pg_sleep(30)").exec(&pool).await });
        sleep(Duration::from_millis(200)).await;
        let mut admin = PgConnection::connect(database.url())
            .await
            .expect("a connection");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(end)
            .execute(&mut admin)
            .await
            .expect("an administrator");
        // What was under way is told; the others were idle, and nobody notices.
        let slow = slow.await.expect("no panic").expect_err("it was ended");
        assert!(matches!(slow, Error::Connection { .. }), "{slow:?}");
        let (time, refusals) = pay_until_done(&db).await;
        assert!(time < Duration::from_secs(5), "it took {time:?}");
        assert_eq!(refusals, 0);
        admin.close().await.expect("a goodbye");
    }

    /// The server has undone it, so there is nothing to ask of it any more, nor to be unsure of.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_transaction_whose_session_was_ended_is_rolled_back_by_that() {
        let Some((database, db)) = with_open_connections().await else {
            return;
        };
        let unaware = db.begin().await.expect("a transaction");
        let mut outer = db.begin().await.expect("a transaction");
        let mut nested = begin(&mut outer).await.expect("a savepoint");
        let request = Uuid::new_v4();
        (Payment { id: 0, request })
            .insert(&mut nested)
            .await
            .expect("an insert");
        let mut admin = PgConnection::connect(database.url())
            .await
            .expect("a connection");
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(end)
            .execute(&mut admin)
            .await
            .expect("an administrator");
        // Of a savepoint alone nothing is kept, whatever became of the statement.
        let released = nested.commit().await;
        assert!(
            matches!(released, Err(Error::Connection { .. })),
            "{released:?}"
        );
        outer.rollback().await.expect("no word to a lost server");
        let told = unaware.rollback().await;
        assert!(matches!(told, Err(Error::Connection { .. })), "{told:?}");
        assert_eq!(Payment::select().count(&db).await.expect("a count"), 0);
        admin.close().await.expect("a goodbye");
    }

    /// Statements that were prepared before a column got another type are refused for as long as their connection lives.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_older_than_a_change_of_tables_are_left() {
        let Some((database, db)) = with_open_connections().await else {
            return;
        };
        Account::create_table(&db).await.expect("a table");
        let mut held = Vec::new();
        for _ in 0..10 {
            let mut tx = db.begin().await.expect("a connection");
            Account::select().all(&mut tx).await.expect("no accounts");
            held.push(tx);
        }
        for tx in held {
            tx.commit().await.expect("a commit");
        }
        let mut admin = PgConnection::connect(database.url())
            .await
            .expect("a connection");
        let change = "ALTER TABLE account ALTER COLUMN payments TYPE integer";
        sqlx::raw_sql(change)
            .execute(&mut admin)
            .await
            .expect("a change");
        let told = Account::select().all(&db).await;
        assert!(matches!(told, Err(Error::Connection { .. })), "{told:?}");
        for _ in 0..20 {
            Account::select().all(&db).await.expect("a new connection");
        }
        admin.close().await.expect("a goodbye");
    }
}
