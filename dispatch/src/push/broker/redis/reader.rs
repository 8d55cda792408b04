//! A subscription to a room, which notices what is missing.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::delivery;
use super::fan::Place;
use crate::push::broker::{BrokerError, Delivery, History, Subscription};
use crate::push::position::Position;

pub(super) struct Reader {
    place: Place,
    /// What comes before what is in its queue.
    before: VecDeque<Delivery>,
    /// The last that was given, where nothing is missing since.
    last: Option<Position>,
}

impl Reader {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            before: VecDeque::new(),
            last: None,
        }
    }

    /// Begins with what was kept.
    pub(super) fn begin(&mut self, history: History) {
        let History {
            position,
            gap,
            publications,
        } = history;
        let last = publications.last().map_or(position.seq, |(seq, _)| *seq);
        self.before.extend(gap.then_some(Delivery::Lost));
        for (seq, publication) in publications {
            let kept = delivery(&position.epoch, seq, publication);
            self.before.push_back(kept);
        }
        if last < position.seq {
            self.before.push_back(Delivery::Lost);
        }
        self.last = Some(position);
    }

    /// Begins with something missing.
    pub(super) fn begin_lost(&mut self) {
        self.before.push_back(Delivery::Lost);
    }

    /// What to give for what has come, if anything.
    fn look_at(&mut self, delivery: Delivery) -> Option<Delivery> {
        match delivery {
            Delivery::Lost => self.last = None,
            Delivery::Passing(_) => {}
            Delivery::Kept(ref position, _) => {
                let last = self.last.replace(position.clone());
                if let Some(last) = last {
                    if last.epoch == position.epoch && position.seq <= last.seq {
                        // It came with the history.
                        self.last = Some(last);
                        return None;
                    }
                    if last.epoch != position.epoch || position.seq != last.seq + 1 {
                        self.before.push_back(delivery);
                        return Some(Delivery::Lost);
                    }
                }
            }
        }
        Some(delivery)
    }
}

#[async_trait]
impl Subscription for Reader {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        loop {
            if let Some(delivery) = self.before.pop_front() {
                return Ok(delivery);
            }
            let delivery = self.place.queue.next().await;
            if let Some(delivery) = self.look_at(delivery) {
                return Ok(delivery);
            }
        }
    }
}
