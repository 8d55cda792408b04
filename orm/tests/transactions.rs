//! All or nothing, whatever is dropped, cancelled or nested, on every database.
#![cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod common;

on_each_database! {
    a_borrowed_connection_that_cannot_go_on_is_not_waited_for;
    a_borrowed_connection_outlives_a_cancelled_statement_where_it_can;
    a_cancelled_savepoint_is_rolled_back_and_so_is_the_one_around_it;
    a_cancelled_statement_gives_nobody_a_wrong_answer;
    a_connection_that_takes_no_writes_is_left;
    a_dropped_transaction_is_undone;
    a_failed_statement_is_not_committed_around;
    a_nested_rollback_undoes_its_own_part;
    a_read_that_failed_unseen_is_found_by_the_commit;
    a_savepoint_left_open_poisons_the_commit;
    a_write_dropped_half_way_poisons_the_commit;
    an_ended_transaction_costs_no_connection;
    an_error_on_a_held_connection_costs_that_statement_alone;
    cancelling_anywhere_leaves_no_connection_in_a_transaction;
    connection_gets_its_transaction_back;
    outer_transaction_waits_for_the_nested;
    transaction_moves_into_a_task;
}

mod cases {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll};

    use packetboat_orm::{
        Connection, Dialect, Driver, Error, Executor, Finish, Model, ModelExt, Result, begin, sql,
        transaction,
    };
    use sqlx::Pool;

    /// A table of each test's own, since the servers are shared.
    macro_rules! table {
        ($name:literal) => {
            #[derive(Clone, Debug, Model, PartialEq)]
            #[model(table = $name)]
            struct Coin {
                id: i64,
                #[model(unique)]
                owner: String,
                amount: i64,
            }

            #[allow(dead_code, reason = "not every test needs it")]
            fn coin(owner: &str) -> Coin {
                Coin {
                    id: 0,
                    owner: owner.to_owned(),
                    amount: 1,
                }
            }

            #[allow(dead_code, reason = "not every test needs it")]
            async fn owners(mut db: impl Executor) -> Vec<String> {
                let coins = Coin::select()
                    .order_by(coin::owner.asc())
                    .all(&mut db)
                    .await
                    .unwrap();
                coins.into_iter().map(|coin| coin.owner).collect()
            }

            #[allow(dead_code, reason = "not every test needs it")]
            async fn fresh(mut db: impl Executor) {
                sql(concat!("DROP TABLE IF EXISTS ", $name))
                    .exec(&mut db)
                    .await
                    .unwrap();
                Coin::create_table(db).await.unwrap();
            }
        };
    }

    /// Whether the connection that the pool gives out is inside a transaction.
    async fn in_transaction<DB: Driver>(pool: &Pool<DB>) -> bool
    where
        sqlx::pool::PoolConnection<DB>: Executor,
    {
        let mut connection = pool.acquire().await.unwrap();
        match connection.dialect() {
            // Refused outside of a transaction, where it would mean nothing.
            Dialect::Postgres => {
                // By the simple protocol, so that an aborted transaction is not mistaken for none.
                let refused = sql("SAVEPOINT probe")
                    .exec(&mut connection)
                    .await
                    .unwrap_err();
                let code = refused
                    .driver()
                    .and_then(|e| e.as_database_error()?.code()?.parse().ok());
                code.map(|code: String| code) != Some("25P01".to_owned())
            }
            Dialect::MySql => {
                sql("SELECT CAST(@@in_transaction AS SIGNED)")
                    .one::<(i64,)>(&mut connection)
                    .await
                    .unwrap()
                    .0
                    != 0
            }
            // Refused inside of one.
            Dialect::Sqlite => {
                let refused = sql("BEGIN").exec(&mut connection).await.is_err();
                let _ = sql("ROLLBACK").exec(&mut connection).await;
                refused
            }
        }
    }

    /// Only SQLite may have answered at the first poll already.
    fn assert_dropped<DB: Driver, T>(pool: &Pool<DB>, outcome: &Option<T>) {
        let is_sqlite = pool.clone().dialect() == Dialect::Sqlite;
        assert!(
            outcome.is_none() || is_sqlite,
            "it was not dropped half way"
        );
    }

    /// Polls a future so many times, and then drops it. Whether it had ended.
    async fn cancel_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
        struct Cancel<'a, F> {
            future: Pin<&'a mut F>,
            polls: usize,
        }

        impl<F: Future> Future for Cancel<'_, F> {
            type Output = Option<F::Output>;

            fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
                if self.polls == 0 {
                    return Poll::Ready(None);
                }
                self.polls -= 1;
                match self.future.as_mut().poll(context) {
                    Poll::Ready(output) => Poll::Ready(Some(output)),
                    // At the last one, dropped without waiting for what it waits for.
                    Poll::Pending if self.polls == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            }
        }

        Cancel {
            future: pin!(future),
            polls,
        }
        .await
    }

    pub(super) async fn a_cancelled_statement_gives_nobody_a_wrong_answer<DB: Driver>(
        pool: &Pool<DB>,
    ) where
        sqlx::pool::PoolConnection<DB>: Executor,
    {
        table!("tx_answer");
        fresh(pool).await;
        coin("ann").insert(pool).await.unwrap();
        for round in 0..300 {
            let polls = 1 + round % 7;
            // Another text each time, so that it is dropped while it is prepared too.
            let query = Coin::select().filter(coin::id.is_in(vec![7; 1 + round]));
            // On the pool, on a connection of it, and in a transaction.
            match round % 3 {
                0 => drop(cancel_after(polls, query.all(pool)).await),
                1 => {
                    let mut connection = pool.acquire().await.unwrap();
                    drop(cancel_after(polls, query.all(&mut connection)).await);
                }
                _ => {
                    let mut tx = begin(pool).await.unwrap();
                    drop(cancel_after(polls, query.all(&mut tx)).await);
                    // It must be Ann, or the refusal to go on.
                    match Coin::select().one(&mut tx).await {
                        Ok(coin) => assert_eq!(coin.owner, "ann"),
                        Err(error) => assert!(matches!(error, Error::Poisoned), "{error:?}"),
                    }
                    let _ = tx.rollback().await;
                }
            }
            assert_eq!(owners(pool).await, ["ann"], "after {polls} polls");
            assert_eq!(
                Coin::select().count(pool).await.unwrap(),
                1,
                "after {polls} polls"
            );
        }
    }

    pub(super) async fn a_dropped_transaction_is_undone<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_dropped");
        fresh(pool).await;
        let mut tx = begin(pool).await.unwrap();
        coin("ann").insert(&mut tx).await.unwrap();
        assert_eq!(owners(&mut tx).await, ["ann"]);
        drop(tx);
        assert!(owners(pool).await.is_empty());
        let failed: Result<()> = transaction(pool, async |tx| {
            coin("ann").insert(&mut *tx).await?;
            Err(Error::NotFound { table: "anything" })
        })
        .await;
        assert!(matches!(failed, Err(Error::NotFound { table: "anything" })));
        assert!(owners(pool).await.is_empty());
    }

    pub(super) async fn a_failed_statement_is_not_committed_around<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_failed");
        fresh(pool).await;
        // The closure swallows the error. Where the server has given the transaction up, the commit must not say that
        // it was kept.
        let outcome = transaction(pool, async |tx| {
            coin("ann").insert(&mut *tx).await?;
            assert!(
                coin("ann")
                    .insert(&mut *tx)
                    .await
                    .unwrap_err()
                    .is_unique("owner")
            );
            Ok(())
        })
        .await;
        if pool.clone().dialect() == Dialect::Postgres {
            assert!(matches!(outcome, Err(Error::Aborted)), "{outcome:?}");
            assert!(owners(pool).await.is_empty());
        } else {
            outcome.unwrap();
            assert_eq!(owners(pool).await, ["ann"]);
        }
        // In a nested one, it costs that one alone, everywhere.
        transaction(pool, async |tx| {
            coin("bob").insert(&mut *tx).await?;
            let nested = transaction(&mut *tx, async |tx| coin("bob").insert(tx).await).await;
            assert!(nested.unwrap_err().is_unique("owner"));
            coin("carl").insert(tx).await
        })
        .await
        .unwrap();
        assert!(
            owners(pool)
                .await
                .ends_with(&["bob".to_owned(), "carl".to_owned()])
        );
    }

    pub(super) async fn a_nested_rollback_undoes_its_own_part<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_nested");
        fresh(pool).await;
        let mut outer = begin(pool).await.unwrap();
        coin("ann").insert(&mut outer).await.unwrap();
        let mut inner = outer.enter().await.unwrap();
        coin("bob").insert(&mut inner).await.unwrap();
        let mut innermost = inner.enter().await.unwrap();
        coin("carl").insert(&mut innermost).await.unwrap();
        innermost.commit().await.unwrap();
        assert_eq!(owners(&mut inner).await, ["ann", "bob", "carl"]);
        inner.rollback().await.unwrap();
        assert_eq!(owners(&mut outer).await, ["ann"]);
        coin("dora").insert(&mut outer).await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(owners(pool).await, ["ann", "dora"]);
    }

    pub(super) async fn outer_transaction_waits_for_the_nested<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_waits");
        fresh(pool).await;
        let mut outer = begin(pool).await.unwrap();
        let inner = outer.enter().await.unwrap();
        assert!(matches!(
            coin("ann").insert(&mut outer).await,
            Err(Error::NestedOpen)
        ));
        assert!(matches!(outer.enter().await, Err(Error::NestedOpen)));
        inner.commit().await.unwrap();
        coin("ann").insert(&mut outer).await.unwrap();
        let inner = outer.enter().await.unwrap();
        assert!(matches!(outer.commit().await, Err(Error::NestedOpen)));
        drop(inner);
        assert!(owners(pool).await.is_empty());
    }

    pub(super) async fn a_savepoint_left_open_poisons_the_commit<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_poison");
        fresh(pool).await;
        let mut outer = begin(pool).await.unwrap();
        coin("ann").insert(&mut outer).await.unwrap();
        let mut inner = outer.enter().await.unwrap();
        coin("bob").insert(&mut inner).await.unwrap();
        drop(inner);
        // It goes on, but it cannot be kept.
        assert_eq!(owners(&mut outer).await, ["ann", "bob"]);
        assert!(matches!(outer.commit().await, Err(Error::Poisoned)));
        assert!(owners(pool).await.is_empty());

        // One level up, a rollback mends it.
        let mut outer = begin(pool).await.unwrap();
        coin("ann").insert(&mut outer).await.unwrap();
        let mut middle = outer.enter().await.unwrap();
        drop(middle.enter().await.unwrap());
        assert!(matches!(middle.commit().await, Err(Error::Poisoned)));
        outer.commit().await.unwrap();
        assert_eq!(owners(pool).await, ["ann"]);
    }

    pub(super) async fn a_write_dropped_half_way_poisons_the_commit<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_half");
        fresh(pool).await;
        // An answer may be there at the first poll already, when the server is faster than the clock.
        let mut dropped = false;
        for _ in 0..100 {
            let mut tx = begin(pool).await.unwrap();
            dropped = cancel_after(1, coin("ann").insert(&mut tx)).await.is_none();
            if dropped {
                assert!(matches!(tx.commit().await, Err(Error::Poisoned)));
                break;
            }
            tx.rollback().await.unwrap();
        }
        assert!(dropped, "no insert could be dropped half way");
        assert!(owners(pool).await.is_empty());

        // A read has changed nothing; only where the connection does not survive it, all is lost.
        let mut tx = begin(pool).await.unwrap();
        coin("ann").insert(&mut tx).await.unwrap();
        let dropped = cancel_after(1, Coin::select().all(&mut tx)).await.is_none();
        match tx.commit().await {
            Ok(()) => assert_eq!(owners(pool).await, ["ann"]),
            Err(Error::Poisoned) if dropped && pool.clone().dialect() == Dialect::MySql => {
                assert!(owners(pool).await.is_empty());
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    pub(super) async fn connection_gets_its_transaction_back<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_connection");
        fresh(pool).await;
        let mut connection = Connection::acquire(pool).await.unwrap();
        coin("ann").insert(&mut connection).await.unwrap();
        transaction(&mut connection, async |tx| coin("bob").insert(tx).await)
            .await
            .unwrap();
        let tx = connection.enter().await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(owners(&mut connection).await, ["ann", "bob"]);
        let mut rows: Vec<Coin> = (0..1200).map(|n| coin(&format!("u{n}"))).collect();
        assert_eq!(
            Coin::insert_all(&mut rows, &mut connection).await.unwrap(),
            1200
        );
        // Dropped without an end, the transaction has taken the connection with it.
        drop(connection.enter().await.unwrap());
        assert!(matches!(
            coin("carl").insert(&mut connection).await,
            Err(Error::Poisoned)
        ));
        drop(connection);
        assert_eq!(owners(pool).await.len(), 1202);
    }

    pub(super) async fn transaction_moves_into_a_task<DB: Driver>(pool: &Pool<DB>) {
        table!("tx_spawn");
        fresh(pool).await;
        let mut tx = begin(pool).await.unwrap();
        coin("ann").insert(&mut tx).await.unwrap();
        let tx = tokio::spawn(async move {
            coin("bob").insert(&mut tx).await?;
            transaction(&mut tx, async |tx| coin("carl").insert(tx).await).await?;
            Ok::<_, Error>(tx)
        });
        tx.await.unwrap().unwrap().commit().await.unwrap();
        assert_eq!(owners(pool).await, ["ann", "bob", "carl"]);
    }

    /// The answer to COMMIT would say nothing of it.
    pub(super) async fn a_read_that_failed_unseen_is_found_by_the_commit<DB: Driver>(
        pool: &Pool<DB>,
    ) {
        #[derive(Clone, Debug, Model)]
        #[model(table = "tx_no_such_table")]
        struct Ghost {
            id: i64,
        }
        table!("tx_unseen");
        fresh(pool).await;
        let mut tx = begin(pool).await.unwrap();
        coin("ann").insert(&mut tx).await.unwrap();
        let outcome = cancel_after(1, Ghost::select().all(&mut tx)).await;
        assert_dropped(pool, &outcome);
        let committed = tx.commit().await;
        match pool.clone().dialect() {
            Dialect::Postgres => {
                assert!(matches!(committed, Err(Error::Aborted)), "{committed:?}");
                assert!(owners(pool).await.is_empty());
            }
            // There the connection does not survive it.
            Dialect::MySql => {
                assert!(matches!(committed, Err(Error::Poisoned)), "{committed:?}");
                assert!(owners(pool).await.is_empty());
            }
            // There it costs the transaction nothing.
            Dialect::Sqlite => {
                committed.unwrap();
                assert_eq!(owners(pool).await, ["ann"]);
            }
        }
    }

    pub(super) async fn a_cancelled_savepoint_is_rolled_back_and_so_is_the_one_around_it<
        DB: Driver,
    >(
        pool: &Pool<DB>,
    ) {
        table!("tx_both");
        fresh(pool).await;
        let mut outer = begin(pool).await.unwrap();
        coin("ann").insert(&mut outer).await.unwrap();
        let mut inner = outer.enter().await.unwrap();
        let dropped = cancel_after(1, coin("bob").insert(&mut inner)).await;
        assert_dropped(pool, &dropped);
        inner.rollback().await.unwrap();
        outer.rollback().await.unwrap();
        assert!(owners(pool).await.is_empty());
    }

    pub(super) async fn a_borrowed_connection_outlives_a_cancelled_statement_where_it_can<
        DB: Driver,
    >(
        pool: &Pool<DB>,
    ) where
        sqlx::pool::PoolConnection<DB>: Executor,
    {
        table!("tx_borrowed");
        fresh(pool).await;
        // The mark of a connection: no other has this table.
        sql("CREATE TEMPORARY TABLE tx_borrowed_mark (id BIGINT)")
            .exec(pool)
            .await
            .unwrap();
        let mut connection = pool.acquire().await.unwrap();
        coin("ann").insert(&mut connection).await.unwrap();
        drop(connection);
        let mark = sql("DELETE FROM tx_borrowed_mark");
        mark.exec(pool).await.unwrap();

        let mut connection = pool.acquire().await.unwrap();
        let dropped = cancel_after(1, Coin::select().all(&mut connection)).await;
        assert_dropped(pool, &dropped);
        drop(connection);
        let kept = sql("DELETE FROM tx_borrowed_mark").exec(pool).await.is_ok();
        assert_eq!(kept, pool.clone().dialect() != Dialect::MySql);
        assert_eq!(owners(pool).await, ["ann"]);
    }

    /// Here nobody but the connection itself knows of it.
    pub(super) async fn a_connection_that_takes_no_writes_is_left<DB: Driver>(pool: &Pool<DB>) {
        if pool.clone().dialect() != Dialect::Postgres {
            return;
        }
        table!("tx_left");
        fresh(pool).await;
        sql("SET SESSION default_transaction_read_only = on")
            .exec(pool)
            .await
            .unwrap();
        let refused = coin("ann").insert(pool).await;
        assert!(
            matches!(refused, Err(Error::Connection { .. })),
            "{refused:?}"
        );
        coin("ann").insert(pool).await.unwrap();
    }

    /// Its place in the pool is free at once, and not when the server has come to the end.
    pub(super) async fn a_borrowed_connection_that_cannot_go_on_is_not_waited_for<DB: Driver>(
        pool: &Pool<DB>,
    ) where
        sqlx::pool::PoolConnection<DB>: Executor,
    {
        use std::time::Duration;

        use tokio::time::timeout;

        if pool.clone().dialect() != Dialect::MySql {
            return;
        }
        let mut connection = pool.acquire().await.unwrap();
        let asleep = sql("SELECT SLEEP(4)");
        let cancelled = timeout(
            Duration::from_millis(200),
            asleep.one::<(i64,)>(&mut connection),
        );
        assert!(cancelled.await.is_err());
        drop(connection);
        let next = sql("SELECT 1").one::<(i64,)>(pool);
        let next = timeout(Duration::from_secs(2), next).await;
        assert_eq!(next.expect("it was waited for").unwrap(), (1,));
    }

    /// It is in no transaction, which an error would abort or a change of tables commit.
    pub(super) async fn an_error_on_a_held_connection_costs_that_statement_alone<DB: Driver>(
        pool: &Pool<DB>,
    ) {
        table!("tx_held");
        let mut connection = Connection::acquire(pool).await.unwrap();
        fresh(&mut connection).await;
        coin("ann").insert(&mut connection).await.unwrap();
        let twice = coin("ann").insert(&mut connection).await;
        assert!(twice.unwrap_err().is_unique("owner"));
        coin("bob").insert(&mut connection).await.unwrap();
        assert_eq!(owners(&mut connection).await, ["ann", "bob"]);
    }

    pub(super) async fn an_ended_transaction_costs_no_connection<DB: Driver>(pool: &Pool<DB>)
    where
        sqlx::pool::PoolConnection<DB>: Executor,
    {
        // The mark of a connection: no other has this table.
        sql("CREATE TEMPORARY TABLE tx_mark (id BIGINT)")
            .exec(pool)
            .await
            .unwrap();
        begin(pool).await.unwrap().commit().await.unwrap();
        begin(pool).await.unwrap().rollback().await.unwrap();
        let mut outer = begin(pool).await.unwrap();
        begin(&mut outer).await.unwrap().rollback().await.unwrap();
        outer.commit().await.unwrap();
        if pool.dialect() == Dialect::Sqlite {
            // There it is rolled back; elsewhere it would be closed.
            drop(begin(pool).await.unwrap());
            // Nothing is amiss where nothing is left to roll back.
            let mut tx = begin(pool).await.unwrap();
            sql("ROLLBACK").exec(&mut tx).await.unwrap();
            drop(tx);
        }
        sql("DELETE FROM tx_mark").exec(pool).await.unwrap();
    }

    /// One connection, and 10,000 futures dropped at every await that a transaction has. Then 100 are borrowed.
    pub(super) async fn cancelling_anywhere_leaves_no_connection_in_a_transaction<DB: Driver>(
        pool: &Pool<DB>,
    ) where
        sqlx::pool::PoolConnection<DB>: Executor,
    {
        table!("tx_cancel");
        const CANCELS: usize = 10_000;
        fresh(pool).await;
        let work = async || {
            transaction(pool, async |tx| {
                coin("ann").insert(&mut *tx).await?;
                // What is not the database's can be cancelled too.
                tokio::task::yield_now().await;
                transaction(&mut *tx, async |tx| {
                    tokio::task::yield_now().await;
                    coin("bob").insert(tx).await
                })
                .await?;
                tokio::task::yield_now().await;
                Coin::select().all(&mut *tx).await?;
                // Never committed, so that each run finds the table empty.
                Err::<(), _>(Error::NotFound {
                    table: "rolled back on purpose",
                })
            })
            .await
        };
        // How many polls a whole run takes at most; each number below that is a place to drop it.
        let mut whole = 0;
        for _ in 0..20 {
            let mut polls = 0;
            let mut run = pin!(work());
            let counted = std::future::poll_fn(|context| {
                polls += 1;
                run.as_mut().poll(context)
            });
            assert!(matches!(counted.await, Err(Error::NotFound { .. })));
            whole = whole.max(polls);
        }
        assert!(
            whole > 5,
            "a transaction that waits {whole} times at most has nowhere to be cancelled"
        );
        let mut cancelled = 0;
        let mut places = vec![0; 0];
        for round in 0.. {
            if cancelled == CANCELS {
                break;
            }
            // A little over, as the number varies.
            let polls = 1 + round % (whole + 3);
            match cancel_after(polls, work()).await {
                None => {
                    cancelled += 1;
                    places.resize(places.len().max(polls + 1), 0);
                    places[polls] += 1;
                }
                Some(outcome) => {
                    assert!(
                        matches!(outcome, Err(Error::NotFound { .. })),
                        "{outcome:?}"
                    );
                }
            }
        }
        for _ in 0..100 {
            assert!(
                !in_transaction(pool).await,
                "a connection in a transaction, after cancels at {places:?}"
            );
        }
        assert!(owners(pool).await.is_empty());
        println!("{cancelled} cancels; how many after so many polls: {places:?}");
    }
}
