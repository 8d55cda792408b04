//! What runs before a file's first byte.

use std::panic::AssertUnwindSafe;

use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::bell::{RingOnDrop, Ringer};
use crate::driver::{Held, Shared};
use crate::file::Terms;
use crate::rejection::Rejection;

type OnStart = BoxFuture<'static, Result<(), Rejection>>;

/// Runs it on a task of its own: a transaction in it is not cut in half when the peer leaves. Gives
/// whether the file may go.
pub(crate) fn start(shared: &Shared, held: &Held, on_start: OnStart) -> oneshot::Receiver<bool> {
    let (sender, started) = oneshot::channel();
    let limit = shared.limits.handler_time;
    let held = held.clone();
    shared.tasks.spawn(async move {
        let _held = held;
        // The connection may be gone; then there is nobody to tell.
        let _ = sender.send(run(on_start, limit).await);
    });
    started
}

/// Holds a file back until its time has come, and then runs what comes before its first byte.
/// `ringer` rings when that is done. Who drops the receiver calls off what has not begun.
pub(crate) fn prepare(
    shared: &Shared,
    held: &Held,
    terms: &mut Terms,
    ringer: Ringer,
) -> oneshot::Receiver<bool> {
    let (mut sender, prepared) = oneshot::channel();
    let (not_before, on_start) = (terms.not_before, terms.on_start.take());
    let limit = shared.limits.handler_time;
    let held = held.clone();
    shared.tasks.spawn(async move {
        let _ring = RingOnDrop::new(ringer);
        let _held = held;
        if let Some(instant) = not_before {
            tokio::select! {
                biased;
                () = sender.closed() => return,
                () = sleep_until(Instant::from_std(instant)) => {}
            }
        }
        let started = match on_start {
            Some(on_start) => run(on_start, limit).await,
            None => true,
        };
        let _ = sender.send(started);
    });
    prepared
}

async fn run(on_start: OnStart, limit: std::time::Duration) -> bool {
    let start = AssertUnwindSafe(on_start).catch_unwind();
    match timeout(limit, start).await {
        Ok(Ok(Ok(()))) => true,
        Ok(Ok(Err(rejection))) => {
            let reason = rejection.source().map(ToString::to_string);
            tracing::error!(%rejection, reason, "a file may not be sent");
            false
        }
        Ok(Err(_panic)) => {
            tracing::error!("what runs before a file panicked");
            false
        }
        Err(_elapsed) => {
            tracing::error!(?limit, "what runs before a file took too long");
            false
        }
    }
}

/// Runs what comes after the last byte, on a task of its own.
pub(crate) fn end(shared: &Shared, held: &Held, terms: Terms) {
    if let Some(end) = terms.end() {
        let held = held.clone();
        shared.tasks.spawn(async move {
            let _held = held;
            end.await;
        });
    }
}
