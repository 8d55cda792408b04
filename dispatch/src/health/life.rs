//! How long an application has been there, who is connected, and whether it is to end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// What is known of an application as a whole.
#[derive(Debug)]
pub(crate) struct Life {
    since: Instant,
    connections: AtomicUsize,
    // A std lock: held to add one or to look, never across an await.
    servers: Mutex<Vec<Weak<Stopping>>>,
}

/// Whether one server of the application is to stop. It is forgotten when this is dropped.
pub(crate) type Stopping = watch::Receiver<bool>;

/// One connection, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<Life>);

impl Life {
    pub(crate) fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a connection.
    pub(crate) fn open(self: &Arc<Self>) -> Open {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// A server has begun to serve the application, and tells here whether it is to stop.
    pub(crate) fn served(&self, stopping: Stopping) -> Arc<Stopping> {
        let stopping = Arc::new(stopping);
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are let go here, so there are no more than were ever at work.
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Arc::downgrade(&stopping));
        stopping
    }

    pub(crate) fn is_draining(&self) -> bool {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut serving = servers.iter().filter_map(Weak::upgrade);
        serving.any(|stopping| *stopping.borrow())
    }
}

impl Default for Life {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            connections: AtomicUsize::default(),
            servers: Mutex::default(),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
