//! Who of a room's members is present, and saying so: one thing after the other, so that nobody
//! leaves before it has come.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use tokio::sync::oneshot;

use super::task::Done;
use crate::message::Message;
use crate::push::broker::{MemberId, Publication};
use crate::push::core::Core;
use crate::push::error::PushError;
use crate::push::position::Position;
use crate::push::presence::{PresenceDiff, PresenceError, Present};
use crate::push::slow::SlowReader;

/// Signs of life that may be missed before somebody has left.
const BEATS: u32 = 3;

pub(super) struct Attendance {
    core: Arc<Core>,
    room: Arc<str>,
    here: HashMap<MemberId, Present>,
    to_do: VecDeque<Step>,
    is_busy: bool,
}

type Joined = (oneshot::Sender<Result<Position, PushError>>, Position);

enum Step {
    Enter(MemberId, Present, Option<Joined>),
    Leave(MemberId, Present),
    Renew(Vec<MemberId>),
    Sweep,
}

/// What a step leaves to be done: these are not here any more for others.
pub(super) struct Attended {
    gone: Vec<MemberId>,
}

impl Attendance {
    pub(super) fn new(core: &Arc<Core>, room: &Arc<str>) -> Self {
        Self {
            core: Arc::clone(core),
            room: Arc::clone(room),
            here: HashMap::new(),
            to_do: VecDeque::new(),
            is_busy: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.here.is_empty()
    }

    pub(super) fn is_done(&self) -> bool {
        !self.is_busy && self.to_do.is_empty()
    }

    pub(super) fn enter(&mut self, member: MemberId, present: Present, joined: Joined) {
        self.here.insert(member, present.clone());
        self.to_do
            .push_back(Step::Enter(member, present, Some(joined)));
    }

    pub(super) fn leave(&mut self, member: MemberId) {
        if let Some(present) = self.here.remove(&member) {
            self.to_do.push_back(Step::Leave(member, present));
        }
    }

    /// All who are here give a sign of life, and those who give none are looked for.
    pub(super) fn beat(&mut self) {
        // A store that is slower than the beat is not given more to do.
        if self.is_done() {
            let all = self.here.keys().copied().collect();
            self.to_do.extend([Step::Renew(all), Step::Sweep]);
        }
    }

    /// The next thing to do, if nothing is being done.
    pub(super) fn next(&mut self) -> Option<BoxFuture<'static, Done>> {
        if self.is_busy {
            return None;
        }
        let step = self.to_do.pop_front()?;
        self.is_busy = true;
        let (core, room) = (Arc::clone(&self.core), Arc::clone(&self.room));
        Some(Box::pin(async move {
            let gone = match step.take(&core, &room).await {
                Ok(gone) => gone,
                Err(error) => {
                    let cause = error.source().map(ToString::to_string);
                    tracing::warn!(cause, "the presence store failed");
                    Vec::new()
                }
            };
            Done::Attended(Attended { gone })
        }))
    }

    pub(super) fn attended(&mut self, attended: Attended) {
        self.is_busy = false;
        for member in attended.gone {
            // A node that stood still comes back: its members are here, and were taken for gone.
            if let Some(present) = self.here.get(&member) {
                let step = Step::Enter(member, present.clone(), None);
                self.to_do.push_back(step);
            }
        }
    }
}

impl Step {
    async fn take(self, core: &Core, room: &str) -> Result<Vec<MemberId>, PresenceError> {
        let (store, time) = (&core.presence, core.limits.heartbeat.saturating_mul(BEATS));
        match self {
            Self::Enter(member, present, joined) => {
                let entered = store.enter(room, member, &present, time).await;
                let is_new = matches!(entered, Ok(true));
                let failed = entered.err();
                if let Some((joined, position)) = joined {
                    let _ = joined.send(match failed {
                        None => Ok(position),
                        Some(error) => Err(error.into()),
                    });
                } else if let Some(error) = failed {
                    return Err(error);
                }
                if is_new {
                    tell(core, room, PresenceDiff::joined(present)).await;
                }
            }
            Self::Leave(member, present) => {
                if store.leave(room, member).await? {
                    tell(core, room, PresenceDiff::left(present)).await;
                }
            }
            Self::Renew(members) => return store.renew(room, &members, time).await,
            Self::Sweep => {
                for present in store.sweep(room).await? {
                    tell(core, room, PresenceDiff::left(present)).await;
                }
            }
        }
        Ok(Vec::new())
    }
}

async fn tell(core: &Core, room: &str, diff: PresenceDiff) {
    let key = diff.joins.first().or(diff.leaves.first());
    let key = key.map_or_else(String::new, |present| {
        format!("{}:{}", PresenceDiff::TYPE, present.key)
    });
    let data = serde_json::to_vec(&diff).expect("strings and JSON always serialise");
    let slow = SlowReader::KeepLatest(key);
    let publication = Publication::new(PresenceDiff::TYPE, Bytes::from(data), slow);
    if let Err(error) = core.broker.signal(room, publication).await {
        super::task::complain(&error);
    }
}
