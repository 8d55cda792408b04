//! Transactions that meet: refused for the sake of another, they are run again until all have succeeded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use packetboat_orm::{
    Dialect, Error, Executor, Finish, ModelExt, Result, Retry, Transient, begin, retry, sql,
    transaction, try_retry,
};
use tokio::sync::Barrier;
use tokio::time::sleep;

use crate::common::bed::Bed;
use crate::common::models::{Author, author, authors, names};

/// How often two writers meet. PostgreSQL lets a deadlock stand for a while before it looks, so fewer fit in the time
/// that a test has; `PACKETBOAT_LONG=1` has all of them everywhere.
const MEETINGS: i32 = 1000;
const TIME: Duration = Duration::from_secs(2);

/// Adds one to the year of birth of both, in this order, so that two of these that come from both ends meet.
async fn add_to(pair: [&str; 2], crossing: Option<&Barrier>, tx: &mut impl Executor) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        // Else it is a second.
        sql("SET LOCAL deadlock_timeout = '2ms'")
            .exec(&mut *tx)
            .await?;
    }
    for name in pair {
        sql("UPDATE author SET born = born + 1 WHERE name = ?")
            .bind(name)
            .exec(&mut *tx)
            .await?;
        // With one row each, both go on to the row of the other.
        if let (Some(crossing), true) = (crossing, name == pair[0]) {
            crossing.wait().await;
        }
    }
    Ok(())
}

/// The rows of two writers, with 0 in them.
async fn pair_of_rows(bed: &impl Bed) {
    for mut author in authors(bed.db(), &["ann", "bob"]).await {
        author.born = Some(0);
        author.update(bed.db()).await.expect("a row");
    }
}

/// What two writers do who meet: each with its attempts, the first of which cross.
async fn meet<B: Bed>(bed: &B, retries: u32) -> (Result<()>, Result<()>) {
    // There is only one writer at a time, who waits for nobody.
    let crosses = bed.db().dialect() != Dialect::Sqlite;
    let crossing = Arc::new(Barrier::new(2));
    let writer = |pair: [&'static str; 2]| {
        let (bed, crossing) = (bed.clone(), Arc::clone(&crossing));
        async move {
            let first = AtomicU32::new(u32::from(crosses));
            let (first, crossing) = (&first, &*crossing);
            let retry = Retry::new()
                .retries(retries)
                .delay(Duration::from_millis(2));
            retry
                .transaction(bed.db(), async |tx| {
                    let is_first = first.swap(0, Ordering::Relaxed) == 1;
                    add_to(pair, is_first.then_some(crossing), tx).await
                })
                .await
        }
    };
    let one = tokio::spawn(writer(["ann", "bob"]));
    let other = tokio::spawn(writer(["bob", "ann"]));
    (one.await.expect("no panic"), other.await.expect("no panic"))
}

async fn two_crossing_writers_both_succeed(bed: impl Bed) {
    pair_of_rows(&bed).await;
    let begun = Instant::now();
    let long = std::env::var_os("PACKETBOAT_LONG").is_some();
    let mut meetings = 0;
    while meetings < MEETINGS && (long || begun.elapsed() < TIME) {
        let (one, other) = meet(&bed, 3).await;
        one.expect("one writer");
        other.expect("the other writer");
        meetings += 1;
    }
    assert!(meetings >= 10, "{meetings} meetings");
    // Every one counts once, however often it was tried.
    for author in Author::select().all(bed.db()).await.expect("both rows") {
        assert_eq!(author.born, Some(2 * meetings));
    }
}

async fn without_a_retry_one_of_two_crossing_writers_is_refused(bed: impl Bed) {
    if bed.db().dialect() == Dialect::Sqlite {
        return;
    }
    pair_of_rows(&bed).await;
    let outcomes: [Result<()>; 2] = meet(&bed, 0).await.into();
    let refused: Vec<Error> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].is_transient(), "{:?}", refused[0]);
}

/// SQLite's one lock is taken as a transaction begins. Of two that had read before they wanted it, one would be refused.
async fn writers_of_one_file_take_turns_without_a_retry(bed: impl Bed) {
    if bed.db().dialect() != Dialect::Sqlite {
        return;
    }
    pair_of_rows(&bed).await;
    let writer = || {
        let bed = bed.clone();
        async move {
            transaction(bed.db(), async |tx| {
                let ann = Author::select().filter(author::name.eq("ann"));
                let mut ann = ann.one(&mut *tx).await?;
                sleep(Duration::from_millis(50)).await;
                ann.born = ann.born.map(|born| born + 1);
                ann.update(tx).await
            })
            .await
        }
    };
    let (one, other) = tokio::join!(tokio::spawn(writer()), tokio::spawn(writer()));
    one.expect("no panic").expect("one writer");
    other.expect("no panic").expect("the other writer");
    let ann = Author::select().filter(author::name.eq("ann"));
    assert_eq!(ann.one(bed.db()).await.expect("a row").born, Some(2));
}

async fn a_serialization_failure_is_tried_again(bed: impl Bed) {
    // The others say it before BEGIN, or have nothing else.
    if bed.db().dialect() != Dialect::Postgres {
        return;
    }
    authors(bed.db(), &[]).await;
    let both_have_read = Arc::new(Barrier::new(2));
    let writer = |name: &'static str| {
        let (bed, both_have_read) = (bed.clone(), Arc::clone(&both_have_read));
        async move {
            let attempts = AtomicU32::new(0);
            retry(bed.db(), async |tx| {
                sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                    .exec(&mut *tx)
                    .await?;
                // The rule: the second one is born after the first.
                let born = Author::select().count(&mut *tx).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    both_have_read.wait().await;
                }
                let mut author = Author::new(name);
                author.born = i32::try_from(born).ok();
                author.insert(tx).await
            })
            .await
        }
    };
    let (one, other) = tokio::join!(tokio::spawn(writer("ann")), tokio::spawn(writer("bob")));
    one.expect("no panic").expect("one writer");
    other.expect("no panic").expect("the other writer");
    let rows = Author::select().order_by(author::born.asc()).all(bed.db());
    let born: Vec<_> = rows.await.expect("rows").iter().map(|a| a.born).collect();
    assert_eq!(born, [Some(0), Some(1)]);
}

/// The errors of an application, one of which may pass.
#[derive(Debug)]
enum Refusal {
    Database(Error),
    NotYet(u32),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl Transient for Refusal {
    fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => error.is_transient(),
            Self::NotYet(_) => true,
        }
    }
}

async fn what_is_tried_again_is_undone_first_in_a_task(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let inside = bed.clone();
    let task = tokio::spawn(async move {
        let names = [String::from("ann"), String::from("bob")];
        let attempts = AtomicU32::new(0);
        // What it has of its own is the same in each attempt.
        let mut own = 0;
        let borrowed = (&names, &attempts);
        try_retry(inside.db(), async move |tx| {
            let (names, attempts) = borrowed;
            own += 1;
            assert_eq!(own, 1);
            for name in names {
                Author::new(name).insert(&mut *tx).await?;
            }
            match attempts.fetch_add(1, Ordering::Relaxed) {
                3 => Ok(4),
                attempt => Err(Refusal::NotYet(attempt)),
            }
        })
        .await
    });
    assert_eq!(task.await.expect("no panic").expect("the fourth"), 4);
    assert_eq!(names(bed.db()).await, ["ann", "bob"]);
}

async fn attempts_are_bounded_and_other_errors_are_final(bed: impl Bed) {
    authors(bed.db(), &["ann"]).await;
    let attempts = AtomicU32::new(0);
    let quick = Retry::new().delay(Duration::from_millis(1));
    let refused: Result<(), Refusal> = quick
        .clone()
        .transaction(bed.db(), async |_| {
            Err(Refusal::NotYet(attempts.fetch_add(1, Ordering::Relaxed)))
        })
        .await;
    assert!(matches!(refused, Err(Refusal::NotYet(3))), "{refused:?}");
    let refused: Result<()> = quick
        .transaction(bed.db(), async |tx| {
            attempts.fetch_add(1, Ordering::Relaxed);
            Author::new("ann").insert(tx).await
        })
        .await;
    assert!(refused.expect_err("the name is taken").is_unique("name"));
    assert_eq!(attempts.into_inner(), 5);
    assert_eq!(names(bed.db()).await, ["ann"]);
}

async fn a_loop_by_hand_in_a_task(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let inside = bed.clone();
    let task = tokio::spawn(async move {
        let name = String::from("ann");
        let mut attempts = 0;
        let mut retry = Retry::new();
        loop {
            let outcome = async {
                attempts += 1;
                let mut tx = begin(inside.db()).await?;
                Author::new(&name).insert(&mut tx).await?;
                if attempts < 3 {
                    return Err(Refusal::NotYet(attempts));
                }
                tx.commit().await?;
                Ok(attempts)
            }
            .await;
            match outcome {
                Ok(attempts) => return Ok(attempts),
                Err(refusal) => retry.after(refusal).await?,
            }
        }
    });
    let outcome: Result<u32, Refusal> = task.await.expect("no panic");
    assert_eq!(outcome.expect("the third attempt"), 3);
    assert_eq!(names(bed.db()).await, ["ann"]);
}

async fn a_savepoint_is_tried_again_alone(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    transaction(bed.db(), async |tx| {
        Author::new("ann").insert(&mut *tx).await?;
        let attempts = AtomicU32::new(0);
        let outcome = try_retry(&mut *tx, async |nested| {
            Author::new("bob").insert(nested).await?;
            match attempts.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Refusal::NotYet(0)),
                _ => Ok(()),
            }
        })
        .await;
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(attempts.into_inner(), 2);
        Ok(())
    })
    .await
    .expect("the outer transaction");
    assert_eq!(names(bed.db()).await, ["ann", "bob"]);
}

/// On MySQL a deadlock ends all of the transaction. A nested retry must then not say that it was aborted, but why, or
/// the outer one would not try again.
async fn a_refusal_that_ends_the_outer_transaction_comes_out(bed: impl Bed) {
    if bed.db().dialect() != Dialect::MySql {
        return;
    }
    pair_of_rows(&bed).await;
    let crossing = Arc::new(Barrier::new(2));
    let writer = |pair: [&'static str; 2]| {
        let (bed, crossing) = (bed.clone(), Arc::clone(&crossing));
        async move {
            let first = AtomicU32::new(1);
            retry(bed.db(), async |tx| {
                retry(tx, async |nested| {
                    let is_first = first.swap(0, Ordering::Relaxed) == 1;
                    add_to(pair, is_first.then_some(&*crossing), nested).await
                })
                .await
            })
            .await
        }
    };
    let one = tokio::spawn(writer(["ann", "bob"]));
    let other = tokio::spawn(writer(["bob", "ann"]));
    one.await.expect("no panic").expect("one writer");
    other.await.expect("no panic").expect("the other writer");
}

crate::common::on_every_database![
    two_crossing_writers_both_succeed,
    without_a_retry_one_of_two_crossing_writers_is_refused,
    a_serialization_failure_is_tried_again,
    writers_of_one_file_take_turns_without_a_retry,
    what_is_tried_again_is_undone_first_in_a_task,
    attempts_are_bounded_and_other_errors_are_final,
    a_loop_by_hand_in_a_task,
    a_savepoint_is_tried_again_alone,
    a_refusal_that_ends_the_outer_transaction_comes_out,
];
