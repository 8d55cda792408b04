//! The task of a room.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::alone::Alone;
use super::attendance::Attendance;
use super::{Command, Joining};
use crate::connection::ConnectionId;
use crate::push::broker::{BrokerError, Delivery, History, Publication, Subscription};
use crate::push::core::Core;
use crate::push::frame::Frame;
use crate::push::outbox::{Outbox, RoomKey};
use crate::push::position::Position;

/// Members that are served before others on this thread have their turn.
const AT_A_TIME: usize = 128;
/// How long a broker that has failed is left alone.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) struct Task {
    pub(super) core: Arc<Core>,
    pub(super) name: Arc<str>,
    pub(super) key: RoomKey,
    commands: UnboundedReceiver<Command>,
    source: Source,
    /// All up to here has been handed to the members that keep up.
    pub(super) last: Position,
    pub(super) members: HashMap<ConnectionId, Member>,
    /// What goes on beside: looks into the history, and what is said of who is here.
    pub(super) work: FuturesUnordered<BoxFuture<'static, Done>>,
    pub(super) attendance: Attendance,
    /// Numbers looks into the history, so that one that comes too late is known.
    pub(super) looks: u64,
    pub(super) is_mending: bool,
    /// Something was missing while it was being mended.
    pub(super) mend_again: bool,
    /// What went to the members of this node alone, and has still to be told of.
    pub(super) alone: Alone,
    waiting: Vec<(Position, oneshot::Sender<()>)>,
}

pub(super) struct Member {
    pub(super) outbox: Arc<Outbox>,
    pub(super) flow: Flow,
}

/// How a member gets what the room keeps.
pub(super) enum Flow {
    /// As it comes. It has all up to this number.
    Live(u64),
    /// Out of the history. It has all up to this position.
    Behind {
        after: Position,
        /// The look into the history that is on its way; none while its queue is full.
        look: Option<u64>,
    },
}

/// What has been done beside.
pub(super) enum Done {
    /// A member's look into the history.
    Looked(ConnectionId, u64, Result<History, BrokerError>),
    /// The room's own.
    Mended(Result<History, BrokerError>),
    /// The broker's position.
    Checked(Result<Position, BrokerError>),
    Attended(super::attendance::Attended),
    /// So many messages are told of, which went to this node alone.
    Told(u64, Result<(), BrokerError>),
}

/// The subscription, made again when it is over.
struct Source {
    subscription: Option<Box<dyn Subscription>>,
    again: Instant,
}

impl Task {
    pub(crate) fn new(
        core: Arc<Core>,
        name: Arc<str>,
        commands: UnboundedReceiver<Command>,
        subscription: Box<dyn Subscription>,
        last: Position,
    ) -> Self {
        Self {
            key: core.key(&name),
            attendance: Attendance::new(&core, &name),
            core,
            name,
            commands,
            source: Source {
                subscription: Some(subscription),
                again: Instant::now(),
            },
            last,
            members: HashMap::new(),
            work: FuturesUnordered::new(),
            looks: 0,
            is_mending: false,
            mend_again: false,
            alone: Alone::default(),
            waiting: Vec::new(),
        }
    }

    /// Runs as long as there are members.
    pub(crate) async fn run(mut self) {
        let mut heartbeat = every(self.core.limits.heartbeat);
        let mut check = every(self.core.limits.check);
        loop {
            if self.is_idle() && self.core.end(&self.name, &self.commands) {
                return;
            }
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    // The hub keeps the other end for as long as the room is among its rooms.
                    None => return,
                },
                delivery = self.source.next(&self.core, &self.name, &self.last) => {
                    self.delivered(delivery).await;
                }
                Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done).await,
                _ = heartbeat.tick(), if self.attendance.has_beats() => {
                    self.attendance.beat();
                    self.attend();
                }
                _ = check.tick() => self.check(),
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.members.is_empty()
            && self.attendance.is_done()
            && self.waiting.is_empty()
            && (self.alone.is_told() || self.core.is_stopping())
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Join(joining) => self.join(*joining),
            Command::Leave { connection, done } => {
                if let Some(member) = self.leave(connection) {
                    // Here, where nothing more is handed to it.
                    member.outbox.purge(&self.name);
                }
                if let Some(done) = done {
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
            Command::CatchUp(connection) => self.catch_up(connection),
            Command::Local {
                publication,
                is_kept,
                handed,
            } => {
                let members = self.hand_out_alone(publication, is_kept).await;
                // Whoever asked may have gone.
                let _ = handed.send(members);
            }
            Command::Present(here) => {
                let _ = here.send(self.attendance.list());
            }
            Command::Position(position) => {
                let _ = position.send(self.last.clone());
            }
            Command::Reach(position, reached) => {
                self.waiting.push((position, reached));
                self.reach();
            }
            Command::Stop => {
                let all: Vec<ConnectionId> = self.members.keys().copied().collect();
                for connection in all {
                    // What is in their queues still goes out.
                    self.leave(connection);
                }
            }
        }
    }

    fn join(&mut self, joining: Joining) {
        let Joining {
            outbox,
            after,
            present,
            joined,
        } = joining;
        let id = outbox.id();
        let (flow, is_behind) = match after {
            Some(after) if after != self.last => (Flow::Behind { after, look: None }, true),
            _ => (Flow::Live(self.last.seq), false),
        };
        self.members.insert(id, Member { outbox, flow });
        if is_behind {
            self.catch_up(id);
        }
        let position = self.last.clone();
        match present {
            None => {
                let _ = joined.send(Ok(position));
            }
            Some(present) => {
                let member = self.core.member(id);
                self.attendance.enter(member, present, (joined, position));
                self.attend();
            }
        }
    }

    fn leave(&mut self, connection: ConnectionId) -> Option<Member> {
        let member = self.members.remove(&connection)?;
        self.attendance.leave(self.core.member(connection));
        self.attend();
        Some(member)
    }

    pub(super) fn attend(&mut self) {
        if let Some(next) = self.attendance.next() {
            self.work.push(next);
        }
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Looked(connection, look, history) => self.looked(connection, look, history).await,
            Done::Mended(history) => self.mended(history).await,
            Done::Checked(Ok(position)) => {
                self.tell_of_alone();
                if position != self.last && !self.is_ahead(&position) {
                    self.mend();
                }
            }
            Done::Checked(Err(error)) => complain(&error),
            Done::Attended(attended) => {
                let to_tell = self.attendance.attended(attended);
                self.attend();
                for publication in to_tell {
                    self.hand_out(publication, None).await;
                }
            }
            Done::Told(count, told) => self.told(count, told),
        }
    }

    /// Whether it has more than this already.
    fn is_ahead(&self, position: &Position) -> bool {
        self.last.epoch == position.epoch && self.last.seq > position.seq
    }

    async fn delivered(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Lost => {
                self.mend();
                self.tell_of_alone();
            }
            Delivery::Passing(publication) => self.hand_out(publication, None).await,
            Delivery::Kept(position, publication) => {
                let same = position.epoch == self.last.epoch;
                if same && position.seq <= self.last.seq {
                    // It came with the history.
                    return;
                }
                if same && position.seq == self.last.seq + 1 {
                    self.hand_out(publication, Some(position)).await;
                } else {
                    self.mend();
                }
            }
        }
    }

    /// Hands a message to the members that keep up, and one that is not kept to all.
    pub(super) async fn hand_out(&mut self, publication: Publication, at: Option<Position>) {
        let except = publication.except;
        let frame = Arc::new(Frame::in_room(&self.name, publication, at.clone()));
        let mut served = 0_usize;
        for (id, member) in &mut self.members {
            if except == Some(self.core.member(*id)) {
                continue;
            }
            served += 1;
            if served.is_multiple_of(AT_A_TIME) {
                yield_now().await;
            }
            match (&mut member.flow, &at) {
                (_, None) => {
                    member.outbox.offer_in_room(&self.key, &frame);
                }
                (Flow::Live(seq), Some(at)) if at.seq > *seq => {
                    if member.outbox.offer_in_room(&self.key, &frame) {
                        *seq = at.seq;
                    } else {
                        let after = Position {
                            epoch: at.epoch.clone(),
                            seq: *seq,
                        };
                        member.flow = Flow::Behind { after, look: None };
                    }
                }
                (Flow::Live(_), Some(_)) => {}
                (Flow::Behind { .. }, Some(_)) => member.outbox.pressed(&frame),
            }
        }
        if let Some(at) = at {
            self.last = at;
            self.reach();
        }
    }

    /// Tells those who wait for it how far it is.
    pub(super) fn reach(&mut self) {
        let last = &self.last;
        self.waiting.retain_mut(|(position, reached)| {
            let waits = last.epoch == position.epoch && last.seq < position.seq;
            if !waits {
                let (nobody, _) = oneshot::channel();
                let _ = std::mem::replace(reached, nobody).send(());
            }
            waits
        });
    }
}

impl Source {
    /// The next delivery. A broker that fails is asked again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    async fn next(&mut self, core: &Core, name: &str, last: &Position) -> Delivery {
        loop {
            let Some(subscription) = &mut self.subscription else {
                sleep_until(self.again).await;
                match core.broker.subscribe(name, Some(last)).await {
                    Ok(subscription) => self.subscription = Some(subscription),
                    Err(error) => self.failed(&error),
                }
                continue;
            };
            match subscription.next().await {
                Ok(delivery) => return delivery,
                Err(error) => self.failed(&error),
            }
        }
    }

    fn failed(&mut self, error: &BrokerError) {
        complain(error);
        self.subscription = None;
        self.again = Instant::now() + AGAIN;
    }
}

pub(super) fn complain(error: &BrokerError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(cause, "the broker failed");
}

/// Ticks that do not come in a burst after a pause. None where the time is zero or endless.
fn every(time: Duration) -> Ticks {
    let first = Instant::now().checked_add(time);
    let first = first.filter(|_| !time.is_zero());
    Ticks(first.map(|first| {
        let mut interval = interval_at(first, time);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }))
}

struct Ticks(Option<Interval>);

impl Ticks {
    async fn tick(&mut self) {
        match &mut self.0 {
            Some(interval) => {
                interval.tick().await;
            }
            None => pending().await,
        }
    }
}
