//! Every task that outlives the place that began it has an owner: this.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinSet;

/// The tasks of a server.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    // A std lock: held to add a task, never across an await.
    set: Mutex<JoinSet<()>>,
    /// They were aborted, and none is begun any more.
    aborted: AtomicBool,
}

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that ended are let go here, so the set is no larger than what was ever running.
        while set.try_join_next().is_some() {}
        // With the lock held, as where it is set: what is begun is either aborted or not begun.
        if !self.aborted.load(Ordering::Relaxed) {
            set.spawn(task);
        }
    }

    /// Waits for all tasks, also those that they begin meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropping it aborts the tasks that it was waiting for.
    pub(crate) async fn join(&self) {
        loop {
            let mut set = {
                let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *set)
            };
            if set.is_empty() {
                return;
            }
            while set.join_next().await.is_some() {}
        }
    }

    /// Ends all tasks at their next await, and begins no more.
    pub(crate) fn abort(&self) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        self.aborted.store(true, Ordering::Relaxed);
        set.abort_all();
    }
}
