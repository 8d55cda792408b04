//! Who of a room's members is present, and saying so: one thing after the other, so that nobody
//! leaves before it has come.

use std::collections::{HashMap, HashSet, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;

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
/// Those who have left while the store was away, and of whom it is told later. Of what is beyond it
/// hears as of a node that is gone: by their time being over.
const OWED: usize = 1000;
/// A time that every clock can add.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(super) struct Attendance {
    core: Arc<Core>,
    room: Arc<str>,
    /// With the order in which they came.
    here: HashMap<MemberId, (u64, Present)>,
    came: u64,
    /// Who has left while the store was away, and until when its entry lives there at the most.
    owed: Vec<(MemberId, Present, Instant)>,
    to_do: VecDeque<Step>,
    is_busy: bool,
}

type Joined = (oneshot::Sender<Result<Position, PushError>>, Position);

enum Step {
    /// With whether its key is new on this node.
    Enter(MemberId, Present, bool, Option<Joined>),
    /// With whether its key is gone from this node.
    Leave(MemberId, Present, bool),
    /// Has left while the store was away.
    Owed(MemberId, Present, Instant),
    Renew(Vec<MemberId>),
    Sweep,
}

/// What a step leaves to be done.
#[derive(Default)]
pub(super) struct Attended {
    /// These are not here any more for others.
    gone: Vec<MemberId>,
    /// The store was away when this one left.
    owed: Option<(MemberId, Present, Instant)>,
    /// The broker was away when this was said.
    to_tell: Vec<Publication>,
}

impl Attendance {
    pub(super) fn new(core: &Arc<Core>, room: &Arc<str>) -> Self {
        Self {
            core: Arc::clone(core),
            room: Arc::clone(room),
            here: HashMap::new(),
            came: 0,
            owed: Vec::new(),
            to_do: VecDeque::new(),
            is_busy: false,
        }
    }

    /// Whether there is anything that a beat would do.
    pub(super) fn has_beats(&self) -> bool {
        !self.here.is_empty() || !self.owed.is_empty()
    }

    /// Those of this node, each key once, in the order in which they came.
    pub(super) fn list(&self) -> Vec<Present> {
        let mut all: Vec<_> = self.here.values().collect();
        all.sort_by_key(|(order, _)| *order);
        let mut seen = HashSet::new();
        let once = all.into_iter().filter(|(_, p)| seen.insert(&*p.key));
        once.map(|(_, present)| present.clone()).collect()
    }

    fn has_key(&self, key: &str) -> bool {
        self.here.values().any(|(_, present)| present.key == key)
    }

    pub(super) fn is_done(&self) -> bool {
        !self.is_busy && self.to_do.is_empty()
    }

    pub(super) fn enter(&mut self, member: MemberId, present: Present, joined: Joined) {
        let is_first = !self.has_key(&present.key);
        self.came += 1;
        self.here.insert(member, (self.came, present.clone()));
        self.to_do
            .push_back(Step::Enter(member, present, is_first, Some(joined)));
    }

    pub(super) fn leave(&mut self, member: MemberId) {
        if let Some((_, present)) = self.here.remove(&member) {
            let is_last = !self.has_key(&present.key);
            self.to_do.push_back(Step::Leave(member, present, is_last));
        }
    }

    /// All who are here give a sign of life, and those who give none are looked for.
    pub(super) fn beat(&mut self) {
        // A store that is slower than the beat is not given more to do.
        if self.is_done() {
            let now = Instant::now();
            for (member, present, until) in std::mem::take(&mut self.owed) {
                let again = self.here.get(&member).map(|(_, again)| again);
                match again.filter(|again| again.key == present.key) {
                    // On the same connection: what the store has of it is replaced.
                    Some(again) => {
                        let step = Step::Enter(member, again.clone(), false, None);
                        self.to_do.push_back(step);
                    }
                    None if until > now => {
                        self.to_do.push_back(Step::Owed(member, present, until));
                    }
                    None => {}
                }
            }
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
            Done::Attended(match step.take(&core, &room).await {
                Ok(attended) => attended,
                Err(error) => {
                    let cause = error.source().map(ToString::to_string);
                    tracing::warn!(cause, "the presence store failed");
                    Attended::default()
                }
            })
        }))
    }

    /// Gives what is to be said to the members of this node alone.
    pub(super) fn attended(&mut self, attended: Attended) -> Vec<Publication> {
        self.is_busy = false;
        if let Some((member, present, until)) = attended.owed
            && self.owed.len() < OWED
        {
            self.owed.push((member, present, until));
        }
        for member in attended.gone {
            // A node that stood still comes back: its members are here, and were taken for gone.
            if let Some((_, present)) = self.here.get(&member) {
                let step = Step::Enter(member, present.clone(), false, None);
                self.to_do.push_back(step);
            }
        }
        attended.to_tell
    }
}

impl Step {
    async fn take(self, core: &Core, room: &str) -> Result<Attended, PresenceError> {
        let (store, time) = (&core.presence, core.limits.heartbeat.saturating_mul(BEATS));
        let mut attended = Attended::default();
        let to_tell = match self {
            Self::Enter(member, present, is_first, joined) => {
                let entered = match store.enter(room, member, &present, time).await {
                    // It is put there by the first beat after the store is back.
                    Err(error) if error.is_away() && joined.is_some() => {
                        core.counters.presence_local();
                        Ok(is_first)
                    }
                    entered => entered,
                };
                let is_new = matches!(entered, Ok(true));
                match (joined, entered) {
                    (Some((joined, position)), entered) => {
                        let _ = joined.send(match entered {
                            Ok(_) => Ok(position),
                            Err(error) => Err(error.into()),
                        });
                    }
                    (None, Err(error)) => return Err(error),
                    (None, Ok(_)) => {}
                }
                is_new.then(|| PresenceDiff::joined(present))
            }
            Self::Leave(member, present, is_last) => {
                let left = match store.leave(room, member).await {
                    Err(error) if error.is_away() => {
                        core.counters.presence_local();
                        let until = Instant::now() + time.min(A_YEAR);
                        attended.owed = Some((member, present.clone(), until));
                        is_last
                    }
                    left => left?,
                };
                left.then(|| PresenceDiff::left(present))
            }
            Self::Owed(member, present, until) => match store.leave(room, member).await {
                Err(error) if error.is_away() => {
                    attended.owed = Some((member, present, until));
                    None
                }
                left => left?.then(|| PresenceDiff::left(present)),
            },
            Self::Renew(members) => {
                attended.gone = store.renew(room, &members, time).await?;
                None
            }
            Self::Sweep => {
                for present in store.sweep(room).await? {
                    let told = tell(core, room, PresenceDiff::left(present)).await;
                    attended.to_tell.extend(told);
                }
                None
            }
        };
        if let Some(diff) = to_tell {
            attended.to_tell.extend(tell(core, room, diff).await);
        }
        Ok(attended)
    }
}

/// Gives it back where the broker is away: then it is said to the members of this node.
async fn tell(core: &Core, room: &str, diff: PresenceDiff) -> Option<Publication> {
    let key = diff.joins.first().or(diff.leaves.first());
    let key = key.map_or_else(String::new, |present| {
        format!("{}:{}", PresenceDiff::TYPE, present.key)
    });
    let data = serde_json::to_vec(&diff).expect("strings and JSON always serialise");
    let slow = SlowReader::KeepLatest(key);
    let publication = Publication::new(PresenceDiff::TYPE, Bytes::from(data), slow);
    match core.broker.signal(room, publication.clone()).await {
        Err(error) if error.is_away() => Some(publication),
        Err(error) => {
            super::task::complain(&error);
            None
        }
        Ok(()) => None,
    }
}
