//! Rooms and connections: join, leave, send.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::connection::{ConnectionId, Peer};
use crate::driver::Tasks;
use crate::push::broker::{Broker, MemoryBroker};
use crate::push::core::{Core, Rooms};
use crate::push::error::PushError;
use crate::push::limits::PushLimits;
use crate::push::outbox::Outbox;
use crate::push::position::{Epoch, Position};
use crate::push::presence::{MemoryPresence, Presence, Present};
use crate::push::pusher::Pusher;
use crate::push::room::{Command, Joining, Task};
use crate::push::sending::{Room, check_room};
use crate::push::stats::PushStats;

/// How long a hub that stops waits for what has been published.
const STOP: Duration = Duration::from_secs(5);

/// Rooms, and the connections in them. It stands in the application's state; clones are the same
/// one, and its tasks end when the last one is dropped.
///
/// ```
/// use packetboat_dispatch::{Message, Peer, Rejection};
/// use packetboat_dispatch::push::{Hub, Join, Position, SlowReader};
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Message)]
/// #[message(type = "enter", reply = Position)]
/// struct Enter { room: String, after: Option<Position> }
///
/// #[derive(Serialize, Deserialize, Message)]
/// #[message(type = "say", reply = ())]
/// struct Say { room: String, text: String }
///
/// async fn enter(hub: Hub, peer: Peer, request: Enter) -> Result<Position, Rejection> {
///     Ok(hub.join(&peer, &request.room, Join::default().after(request.after)).await?)
/// }
///
/// async fn say(hub: Hub, request: Say) -> Result<(), Rejection> {
///     hub.room(&request.room).send(&request, SlowReader::Wait).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Hub {
    pub(super) core: Arc<Core>,
    tasks: Arc<Rooming>,
}

/// The rooms' tasks, which end with the hub.
#[derive(Default)]
struct Rooming(Tasks);

impl Drop for Rooming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a connection joins a room.
#[derive(Clone, Debug, Default)]
#[must_use = "it says how to join, and joins nothing"]
pub struct Join {
    after: Option<Position>,
    present: Option<Present>,
}

impl Hub {
    /// A hub of one node: everything is in the memory of this process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(
            MemoryBroker::new(),
            MemoryPresence::new(),
            PushLimits::default(),
        )
    }

    /// A hub of this node, over what it shares with others.
    #[must_use]
    pub fn new(broker: impl Broker, presence: impl Presence, limits: PushLimits) -> Self {
        let (broker, presence) = (Arc::new(broker), Arc::new(presence));
        Self {
            core: Arc::new(Core::new(broker, presence, limits)),
            tasks: Arc::default(),
        }
    }

    /// Puts a connection into a room. From then on it gets what is sent to the room, until it
    /// leaves or ends. Gives where the room's stream is; for a connection that is in it already,
    /// too, and nothing else is done then.
    ///
    /// With a [position](Join::after) it first gets what it has missed, or a gap notice in place of
    /// what the room has forgotten.
    ///
    /// # Errors
    ///
    /// [`PushError::Unavailable`] on the classic wire, and before a connection has shown its wire;
    /// [`PushError::TooManyRooms`], [`PushError::BadRoom`], [`PushError::Closed`]; and when the
    /// broker or the presence store fails: it is not in the room then. While they
    /// [are away](crate::push::broker::BrokerError::is_away) it is, on this node alone; the position
    /// of a room that was not known is then one that ends with a gap notice.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the connection may be in the room or not.
    pub async fn join(&self, peer: &Peer, room: &str, join: Join) -> Result<Position, PushError> {
        check_room(room)?;
        let outbox = self.outbox(peer)?;
        if room != Core::EVERYONE && !outbox.is_in(&self.core.key(&Core::EVERYONE.into())) {
            self.enter(&outbox, Core::EVERYONE, Join::default()).await?;
        }
        self.enter(&outbox, room, join).await
    }

    /// Takes a connection of this node out of a room. When this has returned, nothing more of the
    /// room is handed to it, and what waited for it is gone. One that is not in it has left.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the connection may have left or not.
    pub async fn leave(&self, connection: ConnectionId, room: &str) {
        let Some(outbox) = self.core.find(connection) else {
            return;
        };
        let (done, left) = oneshot::channel();
        let leave = Command::leave(connection, Some(done));
        if outbox.exit(&self.core.key(&room.into()), leave) {
            // An error: the room has ended, and with it all that it would hand out.
            let _ = left.await;
        }
    }

    /// A room to send to. It need not have members.
    pub fn room<'a>(&'a self, name: &'a str) -> Room<'a> {
        Room {
            hub: self,
            name,
            except: None,
        }
    }

    /// Everyone who has joined a room of this hub, on every node. Each such connection is in the
    /// room `*`, and can resume it like any other.
    pub fn everyone(&self) -> Room<'_> {
        self.room(Core::EVERYONE)
    }

    /// A connection of this node that has joined a room, or for which a [`Pusher`] was made.
    ///
    /// # Errors
    ///
    /// [`PushError::NotHere`].
    pub fn to(&self, connection: ConnectionId) -> Result<Pusher, PushError> {
        let outbox = self.core.find(connection).ok_or(PushError::NotHere)?;
        Ok(Pusher::new(outbox, self.core.limits.message_bytes))
    }

    /// The way to a connection.
    ///
    /// # Errors
    ///
    /// [`PushError::Unavailable`] and [`PushError::Closed`].
    pub fn pusher(&self, peer: &Peer) -> Result<Pusher, PushError> {
        let outbox = self.outbox(peer)?;
        Ok(Pusher::new(outbox, self.core.limits.message_bytes))
    }

    /// What has become of its pushes.
    #[must_use]
    pub fn stats(&self) -> PushStats {
        self.core.counters.stats()
    }

    /// Connections of this node that have to do with this hub.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.connections()
    }

    /// Rooms that have members on this node.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.core.rooms().len()
    }

    /// Takes no more, hands what has been sent to the queues of the connections, and ends its
    /// tasks. A [server](crate::Server) that is told to stop after that sends all of it before it
    /// says goodbye. A reader that is behind comes again for the rest, to another one.
    ///
    /// It waits five seconds at most for a broker that does not deliver.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future waits for nothing more.
    pub async fn shutdown(&self) {
        self.core.stop();
        let rooms: Vec<_> = {
            let rooms = self.core.rooms();
            let all = rooms.iter();
            all.map(|(name, commands)| (Arc::clone(name), commands.clone()))
                .collect()
        };
        let reach_all = async {
            for (name, commands) in &rooms {
                if let Ok(position) = self.core.broker.position(name).await {
                    let (reached, reaching) = oneshot::channel();
                    let _ = commands.send(Command::Reach(position, reached));
                    // An error: the room has ended.
                    let _ = reaching.await;
                }
            }
        };
        if timeout(STOP, reach_all).await.is_err() {
            tracing::warn!("the broker has not delivered all that was sent");
        }
        for (_, commands) in rooms {
            let _ = commands.send(Command::Stop);
        }
        self.tasks.0.join().await;
    }

    /// The outbox of a connection, which is known to this hub from then on.
    fn outbox(&self, peer: &Peer) -> Result<Arc<Outbox>, PushError> {
        let Core {
            limits, counters, ..
        } = &*self.core;
        let line = peer.line().ok_or(PushError::Unavailable)?;
        let outbox = line.open(|ringer| Outbox::new(peer.id(), ringer, limits, counters))?;
        // Known first: one that ends meanwhile finds it there.
        self.core.here(outbox);
        match outbox.tell(&self.core) {
            Ok(_) => Ok(Arc::clone(outbox)),
            Err(error) => {
                self.core.gone(peer.id());
                Err(error)
            }
        }
    }

    async fn enter(
        &self,
        outbox: &Arc<Outbox>,
        room: &str,
        join: Join,
    ) -> Result<Position, PushError> {
        let (joined, joining) = oneshot::channel();
        let mut command = Some(Command::Join(Box::new(Joining {
            outbox: Arc::clone(outbox),
            after: join.after,
            present: join.present,
            joined,
        })));
        let name: Arc<str> = room.into();
        let found = self.enter_found(&mut self.core.rooms(), outbox, &name, &mut command);
        let is_new = match found {
            Some(entered) => entered?,
            None => {
                // Subscribed first: what is published before the position is known comes twice,
                // and not never.
                let subscription = self.core.broker.subscribe(room, None).await?;
                let last = match self.core.broker.position(room).await {
                    // Its members are told when the broker is back: it has another epoch.
                    Err(error) if error.is_away() => Position {
                        epoch: Epoch::generate(),
                        seq: 0,
                    },
                    position => position?,
                };
                let mut rooms = self.core.rooms();
                match self.enter_found(&mut rooms, outbox, &name, &mut command) {
                    Some(entered) => entered?,
                    None => {
                        let Some(command) = command.take() else {
                            unreachable!("it is taken where a room was found")
                        };
                        let (commands, queue) = mpsc::unbounded_channel();
                        let entered = outbox.enter(self.core.key(&name), &commands, command)?;
                        rooms.insert(Arc::clone(&name), commands);
                        let core = Arc::clone(&self.core);
                        let task = Task::new(core, name, queue, subscription, last);
                        self.tasks.0.spawn(task.run());
                        entered
                    }
                }
            }
        };
        if !is_new {
            return match self.core.broker.position(room).await {
                Err(error) if error.is_away() => {
                    let position = self.core.ask(room, Command::Position).await;
                    position.ok_or(PushError::Broker(error))
                }
                position => Ok(position?),
            };
        }
        match joining.await {
            Ok(Ok(position)) => Ok(position),
            Ok(Err(error)) => {
                self.leave(outbox.id(), room).await;
                Err(error)
            }
            Err(_) => Err(PushError::Stopped),
        }
    }

    /// Enters a room that has a task already, with the rooms locked, so that it does not end
    /// meanwhile.
    fn enter_found(
        &self,
        rooms: &mut Rooms<'_>,
        outbox: &Outbox,
        name: &Arc<str>,
        command: &mut Option<Command>,
    ) -> Option<Result<bool, PushError>> {
        if self.core.is_stopping() {
            return Some(Err(PushError::Stopped));
        }
        let commands = rooms.get(name)?;
        let command = command.take()?;
        Some(outbox.enter(self.core.key(name), commands, command))
    }
}

impl Join {
    /// Goes on after a position, that of the last message that the client has. `None` is now.
    pub fn after(mut self, position: Option<Position>) -> Self {
        self.after = position;
        self
    }

    /// Is [present](Room::present) in the room under this key, the user's name say, with something
    /// to be known about it. The members get a [`PresenceDiff`](crate::push::PresenceDiff) when a
    /// key joins and when it leaves.
    ///
    /// # Errors
    ///
    /// [`PushError::Message`]: the meta cannot be serialised.
    pub fn present(
        mut self,
        key: impl Into<String>,
        meta: &impl Serialize,
    ) -> Result<Self, PushError> {
        self.present = Some(Present::new(key, meta).map_err(PushError::Message)?);
        Ok(self)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}
