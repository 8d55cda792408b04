//! Telling a server to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// Stops a server; clones stop the same one.
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    stop: Arc<watch::Sender<bool>>,
}

impl ShutdownHandle {
    pub(super) fn new(stop: Arc<watch::Sender<bool>>) -> Self {
        Self { stop }
    }

    /// Takes no more connections, answers what has begun, and then closes:
    /// [`serve`](crate::Server::serve) returns when that is done. Asking twice is asking once.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
    }
}
