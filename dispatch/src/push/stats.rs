//! What became of pushes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics;

/// What has become of the pushes of a hub since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushStats {
    /// Pushes that were handed to the network.
    pub sent: u64,
    /// Pushes that were dropped to make room for others, or for which there was no room.
    pub dropped: u64,
    /// Pushes that were replaced by a later one under their key.
    pub replaced: u64,
    /// How often a reader fell behind, and a push waited for it.
    pub waited: u64,
    /// Readers that were disconnected because they were slow.
    pub disconnected: u64,
    /// Gap notices that were handed to the network.
    pub gaps: u64,
    /// Messages to rooms that were handed to the members on this node alone, since the broker was
    /// away.
    pub local: u64,
    /// Comings, goings and questions about who is present that went by this node alone, since the
    /// presence store was away.
    pub presence_local: u64,
}

/// The same, while it is being counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sent: AtomicU64,
    dropped: AtomicU64,
    replaced: AtomicU64,
    waited: AtomicU64,
    disconnected: AtomicU64,
    gaps: AtomicU64,
    local: AtomicU64,
    presence_local: AtomicU64,
}

impl Counters {
    pub(crate) fn left(&self, sent: u64, gaps: u64) {
        self.sent.fetch_add(sent, Ordering::Relaxed);
        self.gaps.fetch_add(gaps, Ordering::Relaxed);
        metrics::pushes_sent(sent, gaps);
    }

    pub(crate) fn dropped(&self, pushes: u64) {
        if pushes > 0 {
            self.dropped.fetch_add(pushes, Ordering::Relaxed);
            metrics::pushes_lost("dropped", pushes);
        }
    }

    pub(crate) fn replaced(&self, pushes: u64) {
        if pushes > 0 {
            self.replaced.fetch_add(pushes, Ordering::Relaxed);
            metrics::pushes_lost("replaced", pushes);
        }
    }

    pub(crate) fn waited(&self) {
        self.waited.fetch_add(1, Ordering::Relaxed);
        metrics::slow_reader("waited");
    }

    pub(crate) fn disconnected(&self) {
        self.disconnected.fetch_add(1, Ordering::Relaxed);
        metrics::slow_reader("disconnected");
    }

    pub(crate) fn local(&self) {
        self.local.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn presence_local(&self) {
        self.presence_local.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> PushStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PushStats {
            sent: load(&self.sent),
            dropped: load(&self.dropped),
            replaced: load(&self.replaced),
            waited: load(&self.waited),
            disconnected: load(&self.disconnected),
            gaps: load(&self.gaps),
            local: load(&self.local),
            presence_local: load(&self.presence_local),
        }
    }
}
