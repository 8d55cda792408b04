//! Threads of a model, and the tasks in them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::model::Builder;
use loom::sync::Notify;

/// Runs a model in every order. There must be several, or it shows nothing.
///
/// With `preemptions` only in those where a thread that could go on is held up so many times at
/// most: of all there are millions, and a fault that needs many such is rare.
/// `LOOM_MAX_PREEMPTIONS` sets another number.
pub(crate) fn every_order(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let orders = orders.load(Ordering::Relaxed);
    println!("{orders} orders");
    assert!(orders > 5, "{orders} orders");
}

/// Drives a task to its end. It is also polled at times without having been woken.
///
/// Not loom's own `block_on`: another thread may go on when that one's waker is cloned, and tokio
/// clones it while it holds a lock of which loom knows nothing.
pub(crate) fn block_on<F: Future>(task: F) -> F::Output {
    let mut task = pin!(task);
    let parked = Arc::new(Parked(Notify::new()));
    let waker = Waker::from(Arc::clone(&parked));
    loop {
        if let Poll::Ready(done) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        parked.0.wait();
    }
}

/// Polls a future once and drops it, as a `select!` does whose other branch is ready.
pub(crate) async fn glance<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

struct Parked(Notify);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}
