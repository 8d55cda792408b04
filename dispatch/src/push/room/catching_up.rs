//! Out of the history: for a member that is behind, and for a room that has missed something.

use std::sync::Arc;

use super::task::{Done, Flow, Task, complain};
use crate::connection::ConnectionId;
use crate::push::broker::{BrokerError, History};
use crate::push::frame::{Frame, Gap};
use crate::push::position::Position;

/// Messages of one look into the history.
const A_MEMBERS: usize = 64;
const THE_ROOMS: usize = 1000;

impl Task {
    /// Looks into the history for a member that is behind.
    pub(super) fn catch_up(&mut self, connection: ConnectionId) {
        let Some(member) = self.members.get_mut(&connection) else {
            return;
        };
        let Flow::Behind { after, look } = &mut member.flow else {
            return;
        };
        if look.is_some() {
            return;
        }
        self.looks += 1;
        let number = self.looks;
        *look = Some(number);
        let (core, name, after) = (
            Arc::clone(&self.core),
            Arc::clone(&self.name),
            after.clone(),
        );
        self.work.push(Box::pin(async move {
            let history = core.broker.history(&name, &after, A_MEMBERS).await;
            Done::Looked(connection, number, history)
        }));
    }

    /// What a member has missed.
    pub(super) async fn looked(
        &mut self,
        connection: ConnectionId,
        number: u64,
        history: Result<History, BrokerError>,
    ) {
        let except = self.core.member(connection);
        let Some(member) = self.members.get_mut(&connection) else {
            return;
        };
        let Flow::Behind { after, look } = &mut member.flow else {
            return;
        };
        // Else it has left, and come again.
        if *look != Some(number) {
            return;
        }
        *look = None;
        let history = match history {
            Ok(history) => history,
            Err(error) => {
                // Nothing is lost: the next time that the room checks, it looks again.
                complain(&error);
                return;
            }
        };
        if history.gap {
            let gap = gap(&self.name, after, &history);
            *after = gap.position.clone();
            member.outbox.notice(gap);
        }
        for (seq, publication) in history.publications {
            if publication.except != Some(except) {
                let position = Position {
                    epoch: after.epoch.clone(),
                    seq,
                };
                let frame = Arc::new(Frame::in_room(&self.name, publication, Some(position)));
                if !member.outbox.append_in_room(&self.key, &frame) {
                    // It asks when it has room.
                    return;
                }
            }
            after.seq = seq;
        }
        if after.epoch == self.last.epoch && after.seq >= self.last.seq {
            member.flow = Flow::Live(after.seq);
            return;
        }
        if after.epoch != self.last.epoch {
            // The room has still to learn that its stream has begun again.
            self.mend();
        }
        self.catch_up(connection);
    }

    /// Looks for what the room itself has missed.
    pub(super) fn mend(&mut self) {
        if self.is_mending {
            self.mend_again = true;
            return;
        }
        self.is_mending = true;
        let (core, name) = (Arc::clone(&self.core), Arc::clone(&self.name));
        let after = self.last.clone();
        self.work.push(Box::pin(async move {
            Done::Mended(core.broker.history(&name, &after, THE_ROOMS).await)
        }));
    }

    /// What the room has missed: handed out as if it had come now.
    pub(super) async fn mended(&mut self, history: Result<History, BrokerError>) {
        self.is_mending = false;
        let again = std::mem::take(&mut self.mend_again);
        let history = match history {
            Ok(history) => history,
            Err(error) => return complain(&error),
        };
        let first = goes_on(&history);
        let is_new = history.position.epoch != self.last.epoch;
        if history.gap && (is_new || first.seq > self.last.seq) {
            for member in self.members.values_mut() {
                if let Flow::Live(seq) = &mut member.flow {
                    let after = Position {
                        epoch: self.last.epoch.clone(),
                        seq: *seq,
                    };
                    let gap = gap(&self.name, &after, &history);
                    *seq = gap.position.seq;
                    member.outbox.notice(gap);
                }
            }
            self.last = first;
            self.reach();
        }
        let now = history.position;
        for (seq, publication) in history.publications {
            if seq > self.last.seq {
                let epoch = self.last.epoch.clone();
                self.hand_out(publication, Some(Position { epoch, seq }))
                    .await;
            }
        }
        // There are more than came, or a hole behind them.
        let is_short = now.epoch == self.last.epoch && now.seq > self.last.seq;
        if again || is_short {
            self.mend();
        }
    }

    /// Asks the broker where it is, and looks again for members whose look has failed.
    pub(super) fn check(&mut self) {
        let (core, name) = (Arc::clone(&self.core), Arc::clone(&self.name));
        self.work.push(Box::pin(async move {
            Done::Checked(core.broker.position(&name).await)
        }));
        let behind = self
            .members
            .iter()
            .filter(|(_, member)| matches!(member.flow, Flow::Behind { look: None, .. }));
        let behind: Vec<ConnectionId> = behind.map(|(id, _)| *id).collect();
        for connection in behind {
            self.catch_up(connection);
        }
    }
}

/// Where a stream goes on behind a gap: before the first message that is there, else now.
fn goes_on(history: &History) -> Position {
    let now = history.position.seq;
    Position {
        epoch: history.position.epoch.clone(),
        seq: history.publications.first().map_or(now, |(seq, _)| seq - 1),
    }
}

fn gap(room: &Arc<str>, after: &Position, history: &History) -> Gap {
    let position = goes_on(history);
    let same = after.epoch == position.epoch;
    Gap {
        room: Arc::clone(room),
        missed: position
            .seq
            .checked_sub(after.seq)
            .filter(|n| same && *n > 0),
        position,
    }
}
