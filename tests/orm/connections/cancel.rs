//! A transaction that is cancelled anywhere, BEGIN included: no pool hands out a session that is inside of one.

use std::env;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use packetboat_orm::{DbPool, Executor, ModelExt, Result, begin, transaction};
use tokio::time::timeout;

use crate::common::bed::Bed;
use crate::common::models::{Author, author, authors};

/// Cancellations in one test.
fn cancels() -> u32 {
    if env::var("PACKETBOAT_LONG").is_ok() {
        10_000
    } else {
        400
    }
}

/// Polls a future as often as told, and then drops it.
async fn cancel_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(move |context: &mut Context<'_>| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Poll again when something has come, or at once where the count is odd: what is under way is met at
            // different points then.
            Poll::Pending => {
                if left % 2 == 1 {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    })
    .await
}

/// Two inserts, one of them nested, that must never be kept by halves.
async fn pair(db: impl Executor, name: &str) -> Result<()> {
    transaction(db, async |tx| {
        Author::new(&format!("{name} one")).insert(&mut *tx).await?;
        transaction(tx, async |nested| {
            Author::new(&format!("{name} two")).insert(nested).await
        })
        .await
    })
    .await
}

async fn no_session_is_left_in_a_transaction(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    for number in 0..cancels() {
        let name = format!("cancelled {number}");
        // A future that ended before its last poll may have been kept, as a whole.
        let _ = cancel_after(number % 40, pair(db, &name)).await;
    }

    // A hundred borrows: each finds a session that begins its own transaction, and keeps what it is told outside of one.
    let other = bed.other().await;
    for number in 0..100 {
        let borrowed = async {
            Author::new(&format!("outside {number}")).insert(db).await?;
            drop(begin(db).await?);
            Author::select()
                .filter(author::name.eq(format!("outside {number}")))
                .exists(&other)
                .await
        };
        let is_kept = timeout(Duration::from_secs(10), borrowed)
            .await
            .expect("no session hangs");
        assert!(
            is_kept.expect("a session that works"),
            "borrow {number} was inside of a transaction"
        );
    }
    assert_no_halves(&other).await;
}

async fn assert_no_halves(db: &DbPool) {
    let all = Author::select()
        .order_by(author::name.asc())
        .all(db)
        .await
        .expect("a query");
    let names = all
        .iter()
        .map(|author| author.name.as_str())
        .filter(|name| name.starts_with("cancelled"));
    let names = names.collect::<Vec<_>>();
    for pair in names.chunks(2) {
        let [one, two] = pair else {
            panic!("{pair:?} is a half")
        };
        assert_eq!(
            one.strip_suffix(" one"),
            two.strip_suffix(" two"),
            "a half was kept"
        );
    }
}

crate::common::on_every_database![no_session_is_left_in_a_transaction];
