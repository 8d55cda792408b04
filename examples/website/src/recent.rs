//! Which native connections have just written, and so read from the writer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use packetboat_dispatch::ConnectionId;

/// How long a client that has written reads from the writer: ten times what replicas of one data centre are late.
pub const PINNED: Duration = Duration::from_secs(10);

/// Connections by their last write. What is over goes as others come, so there are as many as write within [`PINNED`].
#[derive(Clone, Debug, Default)]
// A plain mutex: held to look up and to note.
pub struct Recent(Arc<Mutex<HashMap<ConnectionId, Instant>>>);

impl Recent {
    /// Whether this connection has just written.
    pub fn has_written(&self, id: ConnectionId) -> bool {
        let all = self.lock();
        all.get(&id).is_some_and(|at| at.elapsed() < PINNED)
    }

    /// This connection has written.
    pub fn wrote(&self, id: ConnectionId) {
        let mut all = self.lock();
        if all.len() == all.capacity() {
            all.retain(|_, at| at.elapsed() < PINNED);
        }
        all.insert(id, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
