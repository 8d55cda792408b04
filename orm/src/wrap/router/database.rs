//! One database of a router, and whether it is left out for now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone)]
pub(super) struct Database<E> {
    pub(super) executor: E,
    /// Until when it is left out. A plain mutex: it is held to read or write a time.
    out_until: Arc<Mutex<Option<Instant>>>,
}

impl<E> Database<E> {
    pub(super) fn new(executor: E) -> Self {
        Self {
            executor,
            out_until: Arc::default(),
        }
    }

    /// Whether a statement may try it. After a failure, only one may, each time that the time is over.
    pub(super) fn may_try(&self, leave_out: Duration) -> bool {
        let mut out_until = self.lock();
        match *out_until {
            None => true,
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                *out_until = Some(Instant::now() + leave_out);
                true
            }
        }
    }

    pub(super) fn note(&self, is_reached: bool, leave_out: Duration) {
        *self.lock() = (!is_reached).then(|| Instant::now() + leave_out);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.out_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
