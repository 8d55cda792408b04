//! `dispatch/src/sync.rs` for a model: a mutex that is loom's, and tokio's own [`Notify`] with a
//! place before each of its operations where another thread may come first.
//!
//! What a `Notify` does inside is not taken apart here: tokio does that, with loom, in its own
//! tests, for every release. All that may be relied on is that each of its operations happens at
//! one moment; so each is one step of the model, in an order that loom chooses.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use loom::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::futures::Notified;

// Nothing depends on the order in which clones of an `Arc` go.
pub(crate) use std::sync::{Arc, PoisonError};

pub(crate) use loom::sync::{Mutex, MutexGuard};

/// A [`tokio::sync::Notify`], each of whose operations is a step.
#[derive(Debug)]
pub(crate) struct Notify {
    inner: tokio::sync::Notify,
    /// Written by each operation, so that loom tries all of their orders.
    steps: AtomicUsize,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self {
            inner: tokio::sync::Notify::new(),
            steps: AtomicUsize::new(0),
        }
    }

    pub(crate) fn notify_one(&self) {
        self.step();
        self.inner.notify_one();
    }

    pub(crate) async fn notified(&self) {
        let stepping = Stepping {
            notify: self,
            notified: Box::pin(self.inner.notified()),
        };
        stepping.await;
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::AcqRel);
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

/// A step for each poll, and one for the drop.
struct Stepping<'a> {
    notify: &'a Notify,
    notified: Pin<Box<Notified<'a>>>,
}

impl Future for Stepping<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.notify.step();
        self.notified.as_mut().poll(cx)
    }
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        // `notified` goes right behind this, and passes on what it was told and has not said.
        self.notify.step();
    }
}
