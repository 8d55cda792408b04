//! The server speaks first: to one connection, to a room, to everyone.
//!
//! A [`Hub`] stands in the application's state. A handler puts its caller's connection into a room
//! by [`Hub::join`]; what is sent to the room goes to every member, written once. The members of a
//! room that are present under a key are its [`present`](Room::present).
//!
//! # What a reader gets
//!
//! A push is a frame of the native wire whose message stands in an envelope:
//!
//! ```json
//! {"type": "said", "room": "lobby", "epoch": "7f3a90c2d1e84b56", "seq": 41, "data": {"text": "hello"}}
//! ```
//!
//! `epoch` and `seq` are its [`Position`]: within an epoch the numbers of a room rise by one. A
//! reader that comes again joins with the position that it has last read and gets what came after,
//! as far back as the room [keeps](broker::Keep). What was forgotten, or was dropped because the
//! reader was slow, is told in its place, once, by a gap notice, which has the position behind it:
//!
//! ```json
//! {"room": "lobby", "epoch": "7f3a90c2d1e84b56", "seq": 57, "gap": {"missed": 16}}
//! ```
//!
//! `missed` is null where that is not known: the epoch has changed. A message of a room that is
//! [not kept](Room::signal) has no `epoch` and no `seq`, and one to a single connection has no
//! `room` either. What was sent to all [but one](Room::except) leaves a hole in that one's numbers,
//! and no notice.
//!
//! # Slow readers
//!
//! Each push says what happens at a reader whose queue is full: [`SlowReader`]. No queue grows
//! beyond [`PushLimits`], and a reader that has stopped holds up nobody: not the sender to a room,
//! and no other member. One that takes nothing for ten seconds is disconnected as any other peer
//! that does so.
//!
//! # Nodes
//!
//! A [`Broker`] numbers, keeps and carries what is sent, and a [`Presence`] store knows who is
//! where. Those of one node are in memory. For others, [`check_broker`](broker::check_broker) and
//! [`check_presence`](presence::check_presence) test what they have to keep.

pub mod broker;
mod core;
mod error;
mod frame;
mod hub;
mod limits;
mod line;
mod outbox;
mod position;
pub mod presence;
mod pusher;
mod queue;
mod room;
mod sending;
mod slow;
mod stats;

pub use broker::{Broker, MemoryBroker};
pub use error::PushError;
pub use hub::{Hub, Join};
pub use limits::PushLimits;
pub use position::{Epoch, Position};
pub use presence::{MemoryPresence, Presence, PresenceDiff, Present};
pub use pusher::{Pusher, Tied};
pub use sending::Room;
pub use slow::SlowReader;
pub use stats::PushStats;

pub(crate) use line::Line;
pub(crate) use outbox::Outbox;
pub(crate) use queue::Entry;
