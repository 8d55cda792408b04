//! How the task of a connection hears of what happens elsewhere to its requests.

use std::mem;

use crate::sync::{Arc, Mutex, MutexGuard, Notify, PoisonError};

/// Requests that want to be looked at, told to the task that owns their connection.
///
/// Each rings at most once for each thing that can happen to it, so the list is no longer than a
/// few times what is in flight.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    // A std lock: held to add or take numbers, never across an await.
    rung: Mutex<Vec<u32>>,
    notify: Notify,
}

/// Rings for one request.
#[derive(Clone, Debug)]
pub(crate) struct Ringer {
    bell: Arc<Bell>,
    request: u32,
}

/// Rings when it is dropped, however its task ends.
#[derive(Debug)]
pub(crate) struct RingOnDrop(Option<Ringer>);

impl Bell {
    /// The ringer of a request.
    pub(crate) fn ringer(self: &Arc<Self>, request: u32) -> Ringer {
        Ringer {
            bell: Arc::clone(self),
            request,
        }
    }

    /// Those that have rung since the last time, in an empty `rung`.
    pub(crate) fn swap(&self, rung: &mut Vec<u32>) {
        debug_assert!(rung.is_empty(), "what has rung was looked at");
        mem::swap(&mut *self.lock(), rung);
    }

    /// Waits until one rings.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn rung(&self) {
        while self.lock().is_empty() {
            self.notify.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u32>> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ringer {
    pub(crate) fn ring(&self) {
        self.bell.lock().push(self.request);
        self.bell.notify.notify_one();
    }
}

impl RingOnDrop {
    pub(crate) fn new(ringer: Ringer) -> Self {
        Self(Some(ringer))
    }

    /// Does not ring after all.
    pub(crate) fn forgo(mut self) {
        self.0 = None;
    }
}

impl Drop for RingOnDrop {
    fn drop(&mut self) {
        if let Some(ringer) = &self.0 {
            ringer.ring();
        }
    }
}
