//! While the broker is away: what is said reaches the members of this node, and the others are told
//! of a gap when it is back.

use std::sync::Arc;

use super::task::{Done, Task, complain};
use crate::push::broker::{BrokerError, Publication};
use crate::push::slow::SlowReader;

/// Messages that reached the members of this node alone.
#[derive(Default)]
pub(super) struct Alone {
    /// Of those that the room would have kept, the ones of which nobody is told yet.
    untold: u64,
    is_telling: bool,
}

impl Alone {
    pub(super) fn is_told(&self) -> bool {
        self.untold == 0 && !self.is_telling
    }
}

impl Task {
    /// Hands a message to the members of this node, also one that the room would have kept. Gives
    /// how many there are.
    pub(super) async fn hand_out_alone(
        &mut self,
        publication: Publication,
        is_kept: bool,
    ) -> usize {
        let members = self.members.len();
        if members == 0 {
            return 0;
        }
        self.core.counters.local();
        self.alone.untold += u64::from(is_kept);
        let slow = match publication.slow {
            // There is no history in which it could wait.
            SlowReader::Wait => SlowReader::DropOldest,
            slow => slow,
        };
        let publication = Publication {
            slow,
            ..publication
        };
        self.hand_out(publication, None).await;
        members
    }

    /// The broker may be back: leaves out as many numbers as there were messages of which it knows
    /// nothing.
    pub(super) fn tell_of_alone(&mut self) {
        let count = self.alone.untold;
        if count == 0 || self.alone.is_telling {
            return;
        }
        self.alone.is_telling = true;
        let (core, name) = (Arc::clone(&self.core), Arc::clone(&self.name));
        self.work.push(Box::pin(async move {
            Done::Told(count, core.broker.skip(&name, count).await)
        }));
    }

    pub(super) fn told(&mut self, count: u64, told: Result<(), BrokerError>) {
        self.alone.is_telling = false;
        match told {
            Ok(()) => self.alone.untold -= count,
            // It is tried again the next time that the room checks.
            Err(error) => complain(&error),
        }
    }
}
