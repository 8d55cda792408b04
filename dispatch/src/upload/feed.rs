//! The connection's end of an upload.

use std::mem;
use std::time::Duration;

use packetboat_framing::{Chunk, Error};

use super::Shared;
use crate::sync::Arc;

/// The connection's end of an upload.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
}

/// How long a handler has waited for its upload; the deadline's clock stands meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Waited(Arc<Shared>);

/// What the receiving end has done since the last look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looked {
    /// It has begun to read.
    pub(crate) wanted: bool,
    /// From this offset on.
    pub(crate) from: Option<u64>,
    /// It wants no more.
    pub(crate) dropped: bool,
    /// Bytes that it is done with.
    pub(crate) returned: usize,
}

/// An upload whose sender waits for its receiver: a chunk at a time.
impl Feed {
    /// Waits until the handler has taken the last chunk; `false` when it wants no more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn ready(&self) -> bool {
        loop {
            {
                let slot = self.shared.lock();
                if slot.dropped {
                    return false;
                }
                if slot.chunk.is_none() {
                    return true;
                }
            }
            self.shared.emptied.notified().await;
        }
    }

    /// Waits until the handler wants no more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn dropped(&self) {
        while !self.shared.lock().dropped {
            self.shared.emptied.notified().await;
        }
    }

    /// Hands a chunk over. Only after [`ready`](Self::ready).
    pub(crate) fn give(&self, chunk: Chunk) {
        let mut slot = self.shared.lock();
        debug_assert!(slot.chunk.is_none(), "the slot was found empty");
        if !slot.dropped {
            slot.chunk = Some(chunk);
        }
        drop(slot);
        self.shared.filled.notify_one();
    }
}

/// An upload that credit bounds: whatever comes has room.
impl Feed {
    /// Hands bytes over.
    pub(crate) fn append(&self, bytes: &[u8]) {
        let mut slot = self.shared.lock();
        match slot.dropped {
            true => slot.returned += bytes.len(),
            false => slot.append(bytes),
        }
        drop(slot);
        self.shared.filled.notify_one();
    }

    /// Nothing more will come, for a reason if it is not whole.
    pub(crate) fn end(&self, error: Option<Error>) {
        let mut slot = self.shared.lock();
        slot.ended = true;
        slot.error = error;
        drop(slot);
        self.shared.filled.notify_one();
    }

    /// What has been done at the other end since the last look.
    pub(crate) fn look(&self) -> Looked {
        let mut slot = self.shared.lock();
        slot.rung = false;
        Looked {
            wanted: slot.wanted,
            from: slot.from,
            dropped: slot.dropped,
            returned: mem::take(&mut slot.returned),
        }
    }
}

impl Feed {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Ends the upload with what went wrong.
    pub(crate) fn fail(self, error: Error) {
        self.end(Some(error));
    }

    /// The clock of this upload.
    pub(crate) fn waited(&self) -> Waited {
        Waited(Arc::clone(&self.shared))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.filled.notify_one();
    }
}

impl Waited {
    /// Time that the handler has spent waiting for its upload, up to now.
    pub(crate) fn so_far(&self) -> Duration {
        let slot = self.0.lock();
        slot.waited
            + slot
                .waiting_since
                .map_or(Duration::ZERO, |since| since.elapsed())
    }
}
