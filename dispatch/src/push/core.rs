//! What the rooms of a hub share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::connection::ConnectionId;
use crate::push::broker::{Broker, MemberId};
use crate::push::limits::PushLimits;
use crate::push::outbox::{Outbox, RoomKey};
use crate::push::position::random;
use crate::push::presence::Presence;
use crate::push::room::Command;
use crate::push::stats::Counters;

/// A hub without its tasks, which hold it.
pub(crate) struct Core {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) limits: PushLimits,
    pub(crate) counters: Arc<Counters>,
    /// Its number among the hubs of all nodes.
    pub(crate) node: u64,
    stopping: AtomicBool,
    // Std locks: held to look up, add and remove, never across an await. An outbox is locked while
    // that of the rooms is held, and never the other way.
    rooms: Mutex<HashMap<Arc<str>, UnboundedSender<Command>>>,
    connections: Mutex<HashMap<ConnectionId, Weak<Outbox>>>,
}

/// The rooms of a hub, locked.
pub(crate) type Rooms<'a> = MutexGuard<'a, HashMap<Arc<str>, UnboundedSender<Command>>>;

impl Core {
    /// The room that every connection of the hub is in.
    pub(crate) const EVERYONE: &'static str = "*";

    pub(crate) fn new(
        broker: Arc<dyn Broker>,
        presence: Arc<dyn Presence>,
        limits: PushLimits,
    ) -> Self {
        Self {
            broker,
            presence,
            limits,
            counters: Arc::default(),
            node: random(),
            stopping: AtomicBool::new(false),
            rooms: Mutex::default(),
            connections: Mutex::default(),
        }
    }

    pub(crate) fn key(&self, room: &Arc<str>) -> RoomKey {
        (self.node, Arc::clone(room))
    }

    pub(crate) fn member(&self, connection: ConnectionId) -> MemberId {
        MemberId {
            node: self.node,
            connection: connection.as_u64(),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn rooms(&self) -> Rooms<'_> {
        lock(&self.rooms)
    }

    /// Asks something of a room that has members on this node; else nothing.
    pub(crate) async fn ask<T>(
        &self,
        room: &str,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.rooms().get(room)?.send(command(answer)).ok()?;
        answered.await.ok()
    }

    /// Ends a room that has no members, unless somebody has asked something of it meanwhile.
    pub(crate) fn end(&self, room: &Arc<str>, commands: &UnboundedReceiver<Command>) -> bool {
        let mut rooms = self.rooms();
        if !commands.is_empty() {
            return false;
        }
        rooms.remove(room);
        if rooms.is_empty() {
            rooms.shrink_to_fit();
        }
        true
    }

    pub(crate) fn here(&self, outbox: &Arc<Outbox>) {
        lock(&self.connections).insert(outbox.id(), Arc::downgrade(outbox));
    }

    pub(crate) fn find(&self, connection: ConnectionId) -> Option<Arc<Outbox>> {
        lock(&self.connections).get(&connection)?.upgrade()
    }

    pub(crate) fn gone(&self, connection: ConnectionId) {
        let mut connections = lock(&self.connections);
        if let Entry::Occupied(entry) = connections.entry(connection) {
            entry.remove();
        }
    }

    pub(crate) fn connections(&self) -> usize {
        lock(&self.connections).len()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("rooms", &self.rooms().len())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only single entries are changed, so a panic leaves nothing in half.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
