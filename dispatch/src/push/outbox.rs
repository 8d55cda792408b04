//! What a connection has to do with pushes: its queue, its rooms and its tasks, until it ends.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinSet};

use crate::bell::Ringer;
use crate::connection::ConnectionId;
use crate::push::core::Core;
use crate::push::error::PushError;
use crate::push::frame::{Frame, Gap};
use crate::push::limits::PushLimits;
use crate::push::queue::{Entry, Load, Offered, Outcome, Queue};
use crate::push::room::Command;
use crate::push::slow::SlowReader;
use crate::push::stats::Counters;

/// A room, among those of all hubs of the process.
pub(crate) type RoomKey = (u64, Arc<str>);

/// A connection's way out for pushes. It is made when a connection first has to do with any.
pub(crate) struct Outbox {
    id: ConnectionId,
    ringer: Ringer,
    /// Whether the connection's task has something to take, so that it looks without the lock.
    has_work: AtomicBool,
    is_cut: AtomicBool,
    /// Something was taken, or it is over.
    taken: Notify,
    max_rooms: usize,
    max_tasks: usize,
    counters: Arc<Counters>,
    // A std lock: held to add or take a few entries, never across an await.
    state: Mutex<State>,
}

struct State {
    queue: Queue,
    over: Option<Over>,
    rooms: HashMap<RoomKey, Link>,
    /// One of them has more for this connection than there was room for.
    any_behind: bool,
    tasks: JoinSet<()>,
    hubs: Vec<Weak<Core>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Its reader was too slow; its task has still to hear of it.
    Cut,
    Ended,
}

/// What a connection knows of a room that it is in.
struct Link {
    commands: UnboundedSender<Command>,
    behind: bool,
}

impl State {
    /// Within the hold of the lock in which there was no room: whoever takes then knows who waits.
    fn falls_behind(&mut self, room: &RoomKey) {
        if let Some(link) = self.rooms.get_mut(room) {
            link.behind = true;
            self.any_behind = true;
        }
    }
}

impl Outbox {
    pub(crate) fn new(
        id: ConnectionId,
        ringer: Ringer,
        limits: &PushLimits,
        counters: &Arc<Counters>,
    ) -> Self {
        let max = Load {
            pushes: limits.queued,
            bytes: limits.queued_bytes,
        };
        Self {
            id,
            ringer,
            has_work: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            taken: Notify::new(),
            max_rooms: limits.rooms,
            max_tasks: limits.tasks,
            counters: Arc::clone(counters),
            state: Mutex::new(State {
                queue: Queue::new(max),
                over: None,
                rooms: HashMap::new(),
                any_behind: false,
                tasks: JoinSet::new(),
                hubs: Vec::new(),
            }),
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Has the hub told when it is over; `false` where that was so already.
    pub(crate) fn tell(&self, hub: &Arc<Core>) -> Result<bool, PushError> {
        let mut state = self.open()?;
        let hub = Arc::downgrade(hub);
        if state.hubs.iter().any(|other| other.ptr_eq(&hub)) {
            return Ok(false);
        }
        state.hubs.push(hub);
        Ok(true)
    }

    /// Sends to this connection alone, and waits for room where the push says so.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has sent nothing.
    pub(crate) async fn send(&self, frame: Frame) -> Result<(), PushError> {
        let frame = Arc::new(frame);
        let mut has_waited = false;
        loop {
            let mut taken = pin!(self.taken.notified());
            // Before it is looked, so that no taking is missed in between.
            taken.as_mut().enable();
            let outcome = self.offer(&mut *self.open()?, &frame);
            match outcome {
                Outcome::Done => return Ok(()),
                Outcome::Cut => return Err(PushError::Closed),
                Outcome::Full => {
                    if !mem::replace(&mut has_waited, true) {
                        self.counters.waited();
                    }
                    taken.await;
                }
            }
        }
    }

    /// Offers a push of a room. `false`: there is no room, and the connection will ask for it.
    pub(crate) fn offer_in_room(&self, room: &RoomKey, frame: &Arc<Frame>) -> bool {
        let Ok(mut state) = self.open() else {
            return true;
        };
        if self.offer(&mut state, frame) != Outcome::Full {
            return true;
        }
        state.falls_behind(room);
        self.counters.waited();
        false
    }

    /// Hands over a push out of a room's history, in which it can wait whatever it declares: who
    /// catches up is not slow, and must not lose by it what it has come for. `false` as above.
    pub(crate) fn append_in_room(&self, room: &RoomKey, frame: &Arc<Frame>) -> bool {
        let Ok(mut state) = self.open() else {
            return true;
        };
        let fits = state.queue.append(frame);
        match fits {
            true => self.ring(),
            false => state.falls_behind(room),
        }
        fits
    }

    /// Tells of a gap in a room's stream.
    pub(crate) fn notice(&self, gap: Gap) {
        if let Ok(mut state) = self.open() {
            state.queue.notice(gap);
            self.ring();
        }
    }

    fn offer(&self, state: &mut State, frame: &Arc<Frame>) -> Outcome {
        let Offered {
            outcome,
            dropped,
            replaced,
        } = state.queue.offer(frame);
        match outcome {
            Outcome::Done => self.ring(),
            Outcome::Full => {}
            Outcome::Cut => self.cut(state),
        }
        self.counters.dropped(dropped);
        self.counters.replaced(replaced);
        outcome
    }

    /// A push has been sent to a room in which this reader is behind: it may be too slow for it.
    pub(crate) fn pressed(&self, frame: &Frame) {
        if frame.slow == SlowReader::Disconnect
            && let Ok(mut state) = self.open()
            && !state.queue.admits(frame)
        {
            self.cut(&mut state);
        }
    }

    fn cut(&self, state: &mut State) {
        state.over = Some(Over::Cut);
        state.queue.clear();
        self.is_cut.store(true, Ordering::Release);
        self.counters.disconnected();
        // Its task may be waiting for a peer that takes nothing.
        self.ringer.ring();
        self.taken.notify_waiters();
    }

    /// With the lock held: whoever takes clears it with the lock held, too.
    fn ring(&self) {
        if !self.has_work.swap(true, Ordering::AcqRel) {
            self.ringer.ring();
        }
    }

    /// Whether there is something to take.
    pub(crate) fn has_work(&self) -> bool {
        self.has_work.load(Ordering::Acquire)
    }

    /// Whether its reader was too slow for a push that said what then.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// Takes what may go out now, no more than so many bytes and one push.
    pub(crate) fn take(&self, max_bytes: usize, batch: &mut Vec<Entry>) {
        let mut state = self.lock();
        let mut bytes = 0;
        while bytes < max_bytes
            && let Some(entry) = state.queue.pop()
        {
            if let Entry::Push(frame) = &entry {
                bytes += frame.len();
            }
            batch.push(entry);
        }
        if state.queue.is_empty() {
            self.has_work.store(false, Ordering::Release);
        }
        if state.any_behind && state.queue.is_roomy() {
            state.any_behind = false;
            let id = self.id;
            for link in state.rooms.values_mut() {
                if mem::take(&mut link.behind) {
                    // A room that is gone has nothing more.
                    let _ = link.commands.send(Command::CatchUp(id));
                }
            }
        }
        drop(state);
        self.taken.notify_waiters();
    }

    /// Enters a room by a command to it; `false` where it is in it already, and nothing was sent.
    pub(crate) fn enter(
        &self,
        room: RoomKey,
        commands: &UnboundedSender<Command>,
        join: Command,
    ) -> Result<bool, PushError> {
        let mut state = self.open()?;
        if state.rooms.contains_key(&room) {
            return Ok(false);
        }
        // The room of everyone is not counted: nobody has asked for it.
        let counted = state
            .rooms
            .keys()
            .filter(|(_, name)| **name != *Core::EVERYONE);
        if counted.count() >= self.max_rooms {
            let max = self.max_rooms;
            return Err(PushError::TooManyRooms { max });
        }
        // Within the lock, so that whatever ends the connection sends its leave behind it.
        commands.send(join).map_err(|_| PushError::Stopped)?;
        let commands = commands.clone();
        let link = Link {
            commands,
            behind: false,
        };
        state.rooms.insert(room, link);
        Ok(true)
    }

    /// Leaves a room by a command to it; `false` where it is not in it.
    pub(crate) fn exit(&self, room: &RoomKey, leave: Command) -> bool {
        match self.lock().rooms.remove(room) {
            None => false,
            Some(link) => link.commands.send(leave).is_ok(),
        }
    }

    pub(crate) fn is_in(&self, room: &RoomKey) -> bool {
        self.lock().rooms.contains_key(room)
    }

    /// Forgets what waits of a room.
    pub(crate) fn purge(&self, room: &str) {
        self.lock().queue.purge(room);
    }

    /// Runs a task that ends with the connection.
    pub(crate) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Result<AbortHandle, PushError> {
        let mut state = self.open()?;
        while state.tasks.try_join_next().is_some() {}
        if state.tasks.len() >= self.max_tasks {
            let max = self.max_tasks;
            return Err(PushError::TooManyTasks { max });
        }
        Ok(state.tasks.spawn(task))
    }

    /// The connection is over: it leaves its rooms. Gives its tasks, which end when they are
    /// dropped.
    pub(crate) fn close(&self) -> JoinSet<()> {
        let mut state = self.lock();
        state.over = Some(Over::Ended);
        state.queue.clear();
        let rooms = mem::take(&mut state.rooms);
        let hubs = mem::take(&mut state.hubs);
        let mut tasks = mem::take(&mut state.tasks);
        drop(state);
        tasks.abort_all();
        for link in rooms.into_values() {
            let _ = link.commands.send(Command::leave(self.id, None));
        }
        for hub in hubs {
            if let Some(hub) = hub.upgrade() {
                hub.gone(self.id);
            }
        }
        self.taken.notify_waiters();
        tasks
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, PushError> {
        let state = self.lock();
        match state.over {
            None => Ok(state),
            Some(_) => Err(PushError::Closed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No line above leaves the state in half when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
