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
//! where. Those of one node are in memory. With the feature `redis`, `RedisBroker` and
//! `RedisPresence` make one of many nodes: a reader may come again to any of them, with its
//! position, and a node that dies leaves nobody present for longer than three
//! [heartbeats](PushLimits::heartbeat). For other stores, [`check_broker`](broker::check_broker) and
//! [`check_presence`](presence::check_presence) test what they have to keep.
//!
#![cfg_attr(feature = "redis", doc = "```no_run")]
#![cfg_attr(not(feature = "redis"), doc = "```ignore")]
//! use packetboat_dispatch::push::{Hub, PushLimits, RedisBroker, RedisPresence};
//! use packetboat_dispatch::redis::{Redis, RedisError, RedisOptions};
//!
//! # fn hub() -> Result<Hub, RedisError> {
//! let redis = Redis::new(RedisOptions::new("redis://127.0.0.1/").with_prefix("cinema"))?;
//! let broker = RedisBroker::new(&redis)?;
//! let hub = Hub::new(broker, RedisPresence::new(&redis), PushLimits::default());
//! # Ok(hub) }
//! ```
//!
//! What carries messages between nodes may lose some. A hub sees it by the next number, by the loss
//! of the connection, and by a look at the last number every [25 seconds](PushLimits::check); then
//! it fetches what is missing.
//!
//! While the broker [is away](broker::BrokerError::is_away), a node goes on alone:
//!
//! | what | then |
//! | --- | --- |
//! | [`Room::send`] | fails: nothing that was said to be kept is lost |
//! | [`Room::send_or_local`] | reaches the members of this node, says so ([`Sent::Local`]), and is told of as a gap to all readers when the broker is back |
//! | [`Room::signal`] | reaches the members of this node |
//! | [`Hub::join`], [`Room::present`] | go by this node; the next heartbeat after the store is back makes it known to the others |
//!
//! [`PushStats`] counts both. A message that must not be lost even so is committed to a database
//! first, and numbered there: whoever finds a hole in those numbers asks the database.

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

#[cfg(feature = "redis")]
pub use broker::RedisBroker;
pub use broker::{Broker, MemoryBroker};
pub use error::PushError;
pub use hub::{Hub, Join};
pub use limits::PushLimits;
pub use position::{Epoch, Position};
#[cfg(feature = "redis")]
pub use presence::RedisPresence;
pub use presence::{MemoryPresence, Presence, PresenceDiff, Present};
pub use pusher::{Pusher, Tied};
pub use sending::{Room, Sent};
pub use slow::SlowReader;
pub use stats::PushStats;

pub(crate) use line::Line;
pub(crate) use outbox::Outbox;
pub(crate) use queue::Entry;
