//! What waits for one subscription. It is bounded; who is behind is told that something is lost.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::push::broker::Delivery;

/// Deliveries, and bytes of them, that a subscriber may be behind.
const BEHIND: usize = 4096;
const BEHIND_BYTES: usize = 4 * 1024 * 1024;

pub(super) struct Queue {
    // A std lock: held to add or take one, never across an await.
    waiting: Mutex<Waiting>,
    came: Notify,
    /// Whether Redis has confirmed its channel.
    confirmed: watch::Sender<bool>,
}

#[derive(Default)]
struct Waiting {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    /// Its channel was not there for a while.
    has_missed: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            came: Notify::new(),
            confirmed: watch::Sender::new(false),
        }
    }

    pub(super) fn put(&self, delivery: Delivery) {
        self.lock().put(delivery);
        self.came.notify_one();
    }

    /// The next delivery.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn next(&self) -> Delivery {
        loop {
            let delivery = self.lock().take();
            if let Some(delivery) = delivery {
                return delivery;
            }
            // One that comes between the two is kept for this wait.
            self.came.notified().await;
        }
    }

    /// Its channel is there. What came while it was not is lost.
    pub(super) fn confirm(&self) {
        let has_missed = std::mem::take(&mut self.lock().has_missed);
        if has_missed {
            self.put(Delivery::Lost);
        }
        self.confirmed.send_replace(true);
    }

    /// Its channel is not there, or is not known to be, and nobody waits for it.
    pub(super) fn misses(&self) {
        self.lock().has_missed = true;
    }

    pub(super) fn is_confirmed(&self) -> bool {
        *self.confirmed.borrow()
    }

    pub(super) async fn confirmation(&self) {
        // The sender is in this queue itself.
        let _ = self.confirmed.subscribe().wait_for(|is| *is).await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No line below leaves it in half when it panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, delivery: Delivery) {
        self.bytes += delivery.bytes();
        self.deliveries.push_back(delivery);
        if self.deliveries.len() > BEHIND
            || (self.bytes > BEHIND_BYTES && self.deliveries.len() > 1)
        {
            // All of it: what is kept is fetched at once from the history, and not one by one.
            self.deliveries = VecDeque::from([Delivery::Lost]);
            self.bytes = 0;
        }
    }

    fn take(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front()?;
        self.bytes -= delivery.bytes();
        if self.deliveries.is_empty() {
            self.deliveries = VecDeque::new();
        }
        Some(delivery)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::push::broker::Publication;
    use crate::push::slow::SlowReader;

    fn passing(len: usize) -> Delivery {
        let data = Bytes::from(vec![b'1'; len]);
        Delivery::Passing(Publication::new("check", data, SlowReader::DropOldest))
    }

    #[tokio::test]
    async fn a_subscriber_that_stands_still_costs_no_more_than_its_bounds() {
        let queue = Queue::new();
        for len in [1, 64 * 1024] {
            for _ in 0..3 * BEHIND {
                queue.put(passing(len));
                let waiting = queue.lock();
                assert!(waiting.deliveries.len() <= BEHIND && waiting.bytes <= BEHIND_BYTES);
            }
            assert_eq!(queue.next().await, Delivery::Lost, "and is told of it");
        }
    }
}
