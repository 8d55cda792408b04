//! What a room keeps, and what its subscribers have still to take.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::push::broker::{Delivery, History, Keep, Publication};
use crate::push::position::{Epoch, Position};

/// Deliveries, and bytes of them, that a subscriber may be behind.
pub(super) const BEHIND: usize = 4096;
const BEHIND_BYTES: usize = 4 * 1024 * 1024;

/// The stream of one room.
pub(super) struct Stream {
    pub(super) position: Position,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    in_all: Arc<AtomicUsize>,
    age: Duration,
    pub(super) readers: usize,
    /// Deliveries that not all subscribers have taken; each takes them from its own index on.
    pub(super) live: VecDeque<Live>,
    pub(super) live_bytes: usize,
    /// The index of the first of them.
    first: u64,
    pub(super) used: Instant,
}

pub(super) struct Live {
    delivery: Delivery,
    /// Subscribers that have still to take it.
    left: usize,
}

struct Kept {
    seq: u64,
    at: Instant,
    publication: Publication,
}

impl Stream {
    pub(super) fn new(in_all: &Arc<AtomicUsize>) -> Self {
        Self {
            position: Position {
                epoch: Epoch::generate(),
                seq: 0,
            },
            kept: VecDeque::new(),
            kept_bytes: 0,
            in_all: Arc::clone(in_all),
            age: Duration::ZERO,
            readers: 0,
            live: VecDeque::new(),
            live_bytes: 0,
            first: 0,
            used: Instant::now(),
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.first + self.live.len() as u64
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        self.live_bytes += delivery.bytes();
        let left = self.readers;
        self.live.push_back(Live { delivery, left });
        while self.live.len() > BEHIND || (self.live_bytes > BEHIND_BYTES && self.live.len() > 1) {
            self.pass();
        }
    }

    /// Lets the first delivery go.
    fn pass(&mut self) {
        if let Some(gone) = self.live.pop_front() {
            self.first += 1;
            self.live_bytes -= gone.delivery.bytes();
        }
        if self.live.is_empty() {
            self.live = VecDeque::new();
        }
    }

    /// Lets all of them go: readers that have not taken them have lost them.
    pub(super) fn skip(&mut self) {
        while !self.live.is_empty() {
            self.pass();
        }
    }

    /// A reader that is at this index takes the next delivery.
    pub(super) fn take(&mut self, next: &mut u64) -> Delivery {
        if *next < self.first {
            *next = self.first;
            return Delivery::Lost;
        }
        let at = usize::try_from(*next - self.first).unwrap_or(usize::MAX);
        let Some(live) = self.live.get_mut(at) else {
            return Delivery::Lost;
        };
        *next += 1;
        live.left -= 1;
        let delivery = live.delivery.clone();
        self.let_go();
        delivery
    }

    /// A reader that is at this index takes no more.
    pub(super) fn leave(&mut self, next: u64) {
        self.readers -= 1;
        let at = usize::try_from(next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        for live in self.live.iter_mut().skip(at) {
            live.left -= 1;
        }
        self.let_go();
    }

    /// Lets go what all have taken.
    fn let_go(&mut self) {
        while self.live.front().is_some_and(|live| live.left == 0) {
            self.pass();
        }
    }

    pub(super) fn keep(&mut self, publication: Publication, keep: &Keep) {
        self.age = keep.age;
        self.kept_bytes += publication.data.len();
        self.in_all
            .fetch_add(publication.data.len(), Ordering::Relaxed);
        self.kept.push_back(Kept {
            seq: self.position.seq,
            at: Instant::now(),
            publication,
        });
        self.trim();
        while self.kept.len() > keep.messages || self.kept_bytes > keep.bytes {
            self.forget_one();
        }
    }

    pub(super) fn forget_one(&mut self) -> bool {
        let Some(gone) = self.kept.pop_front() else {
            return false;
        };
        let len = gone.publication.data.len();
        self.kept_bytes -= len;
        self.in_all.fetch_sub(len, Ordering::Relaxed);
        true
    }

    /// Forgets what is too old.
    fn trim(&mut self) {
        let age = self.age;
        while self.kept.front().is_some_and(|k| k.at.elapsed() > age) {
            self.forget_one();
        }
    }

    pub(super) fn is_over(&mut self) -> bool {
        self.trim();
        self.kept.is_empty()
    }

    pub(super) fn history(&mut self, after: &Position, max: usize) -> History {
        self.trim();
        let now = &self.position;
        let first = self.kept.front().map_or(now.seq + 1, |kept| kept.seq);
        let (from, gap) = if after.epoch != now.epoch {
            (first, true)
        } else if after.seq > now.seq {
            (now.seq + 1, true)
        } else {
            (first.max(after.seq + 1), after.seq + 1 < first)
        };
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        let some = self.kept.iter().skip(skip).take(max);
        History {
            position: now.clone(),
            gap,
            publications: some.map(|k| (k.seq, k.publication.clone())).collect(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        while self.forget_one() {}
    }
}
