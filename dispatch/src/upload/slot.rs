//! What lies between an upload and its feed.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::time::Duration;

use packetboat_framing::{Chunk, Error};
use tokio::time::Instant;

use crate::bell::Ringer;
use crate::sync::{Arc, Mutex, MutexGuard, Notify, PoisonError};

/// A piece that has arrived does not grow beyond this, in bytes.
const MAX_PIECE: usize = 1024 * 1024;

pub(super) struct Shared {
    // A std lock: held for a look or a swap, never across an await.
    pub(super) slot: Mutex<Slot>,
    pub(super) filled: Notify,
    pub(super) emptied: Notify,
    /// Told of what the receiving end does, where the feeding one does not wait for it.
    pub(super) ringer: Option<Ringer>,
}

#[derive(Default)]
pub(super) struct Slot {
    /// One chunk and no queue: with the one being written and the one being gathered, an upload
    /// holds three buffers at most.
    pub(super) chunk: Option<Chunk>,
    /// What came in its place where credit bounds it.
    arrived: VecDeque<Vec<u8>>,
    pub(super) error: Option<Error>,
    /// No more will come.
    pub(super) ended: bool,
    /// Somebody has begun to read.
    pub(super) wanted: bool,
    /// From here on, if what stands before is there already.
    pub(super) from: Option<u64>,
    /// Nobody will take more: the upload is gone.
    pub(super) dropped: bool,
    /// Bytes that have been dealt with since the feed last looked.
    pub(super) returned: usize,
    /// The bell has rung since then.
    pub(super) rung: bool,
    pub(super) waited: Duration,
    pub(super) waiting_since: Option<Instant>,
}

impl Slot {
    pub(super) fn has_some(&self) -> bool {
        self.chunk.is_some() || !self.arrived.is_empty()
    }

    /// Adds bytes behind what has arrived.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        match self.arrived.back_mut() {
            Some(last) if last.len() + bytes.len() <= MAX_PIECE => last.extend_from_slice(bytes),
            _ => self.arrived.push_back(bytes.to_vec()),
        }
    }

    /// Throws away what nobody will take.
    pub(super) fn clear(&mut self) {
        self.chunk = None;
        let arrived = mem::take(&mut self.arrived);
        self.returned += arrived.iter().map(Vec::len).sum::<usize>();
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Slot> {
        // Every change is a few assignments, so a panic leaves nothing in half.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is there. Its bytes count as dealt with when the chunk is dropped.
    pub(super) fn take(self: &Arc<Self>) -> Option<Chunk> {
        let mut slot = self.lock();
        if let Some(bytes) = slot.arrived.pop_front() {
            drop(slot);
            let guard = Returned {
                bytes: bytes.len(),
                shared: Arc::clone(self),
            };
            return Some(Chunk::with_guard(bytes, guard));
        }
        let chunk = slot.chunk.take()?;
        drop(slot);
        self.emptied.notify_one();
        Some(chunk)
    }

    /// Rings the bell, once until the feed looks.
    pub(super) fn ring(&self, slot: &mut Slot) {
        if let Some(ringer) = &self.ringer
            && !mem::replace(&mut slot.rung, true)
        {
            ringer.ring();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.lock();
        f.debug_struct("Shared")
            .field("ended", &slot.ended)
            .finish_non_exhaustive()
    }
}

/// Says that a chunk's bytes have been dealt with, so that others may come in their place.
struct Returned {
    bytes: usize,
    shared: Arc<Shared>,
}

impl Drop for Returned {
    fn drop(&mut self) {
        let mut slot = self.shared.lock();
        slot.returned += self.bytes;
        self.shared.ring(&mut slot);
    }
}

/// Stops the deadline's clock, also when the waiting future is dropped.
pub(super) struct Waiting {
    shared: Arc<Shared>,
}

impl Waiting {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.lock().waiting_since = Some(Instant::now());
        Self {
            shared: Arc::clone(shared),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut slot = self.shared.lock();
        if let Some(since) = slot.waiting_since.take() {
            slot.waited += since.elapsed();
        }
    }
}
