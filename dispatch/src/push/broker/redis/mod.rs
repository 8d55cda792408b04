//! The broker of many nodes: rooms in a Redis that they share.
//!
//! ```text
//!  publish ──▶ script: number, keep, trim, PUBLISH ──▶ channel of the room
//!                        │                                  │ one connection of each node
//!  history ◀── stream of the room                           ▼
//!                        └────────▶ what is missing ──▶ subscriptions
//! ```
//!
//! For each room there is a hash, with its epoch and its last number, and a stream of what it
//! keeps. One script does all that belongs to a message, so that numbers and their order in the
//! channel are the same for all.

mod fan;
mod payload;
mod queue;
mod reader;
mod scripts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::Value;
use async_trait::async_trait;

use super::{Broker, BrokerError, Delivery, History, Keep, Publication, Subscription};
use crate::push::position::{Epoch, Position};
use crate::redis::{Again, Call, Redis, RedisError};
use fan::Fan;
use reader::Reader;

/// A room of which nothing is heard for so long is forgotten: its next message is the first of
/// another epoch.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Messages of which a subscription that goes on after a position takes no more at once.
const BEFORE: usize = 1000;

/// Rooms in a Redis that nodes share.
///
/// Each node has one connection for the messages of all its rooms. Pub/sub may lose some: a hole in
/// a room's numbers, and a connection that was lost, gives [`Delivery::Lost`]; and a hub looks
/// [from time to time](crate::push::PushLimits::check) at whether the last one has come. What was
/// missed is then fetched from the history.
///
/// A Redis that has been restarted or flushed has forgotten the rooms, or may have: they begin
/// again in another epoch, and every reader gets one gap notice. That is so also where it keeps its
/// data on a disk, since it may be behind what it has answered.
///
/// While Redis is away, subscribing goes well, and gives [`Delivery::Lost`] once it is back;
/// everything else fails within [`RedisOptions::limit`](crate::redis::RedisOptions::limit), most of
/// it at once, with an error that [is away](BrokerError::is_away).
///
/// What a room keeps costs Redis as much memory as [`Keep`] allows, and is gone with
/// [`Keep::age`]; where a room's stream is, is known for a day after its last message or
/// subscriber.
pub struct RedisBroker {
    redis: Redis,
    fan: Arc<Fan>,
}

impl RedisBroker {
    /// Over this Redis, on which it opens a second connection, for messages.
    ///
    /// # Errors
    ///
    /// [`RedisError::BadUrl`].
    pub fn new(redis: &Redis) -> Result<Self, RedisError> {
        Ok(Self {
            redis: redis.clone(),
            fan: Fan::new(redis)?,
        })
    }

    fn keys(&self, room: &str) -> [String; 2] {
        ["room", "log"].map(|kind| self.redis.name(kind, room))
    }
}

/// Where a room is. The epoch is that which it gets if it has none.
type At = (String, u64);

fn position((epoch, seq): At) -> Position {
    Position {
        epoch: epoch.into(),
        seq,
    }
}

/// Whole milliseconds, as many as Redis can count.
fn millis(time: Duration) -> u64 {
    const TEN_YEARS: u128 = 10 * 365 * 24 * 60 * 60 * 1000;
    u64::try_from(time.as_millis().clamp(1, TEN_YEARS)).unwrap_or(u64::MAX)
}

#[async_trait]
impl Broker for RedisBroker {
    async fn publish(
        &self,
        room: &str,
        publication: Publication,
        keep: &Keep,
    ) -> Result<Position, BrokerError> {
        let keys = self.keys(room);
        let channel = self.fan.channel(room);
        let payload = payload::encode(&publication);
        // Not again: what was lost on the way back is in the stream.
        let call = Call::new(&scripts::PUBLISH)
            .key(&keys)
            .key(&*channel)
            .with_run()
            .arg(Epoch::generate().as_str())
            .arg(millis(IDLE))
            .arg(&payload)
            .arg(publication.data.len())
            .arg(keep.messages)
            .arg(keep.bytes)
            .arg(millis(keep.age));
        let at: At = self.redis.script(Again::Never, &call).await?;
        Ok(position(at))
    }

    async fn signal(&self, room: &str, publication: Publication) -> Result<(), BrokerError> {
        let channel = self.fan.channel(room);
        let mut message = payload::PASSING.to_vec();
        message.extend(payload::encode(&publication));
        let mut publish = ::redis::cmd("PUBLISH");
        publish.arg(&*channel).arg(message);
        let _: u64 = self.redis.command(Again::Never, &publish).await?;
        Ok(())
    }

    async fn position(&self, room: &str) -> Result<Position, BrokerError> {
        let keys = self.keys(room);
        let call = Call::new(&scripts::POSITION)
            .key(&keys)
            .with_run()
            .arg(Epoch::generate().as_str())
            .arg(millis(IDLE));
        let at: At = self.redis.script(Again::Once, &call).await?;
        Ok(position(at))
    }

    async fn history(
        &self,
        room: &str,
        after: &Position,
        max: usize,
    ) -> Result<History, BrokerError> {
        let keys = self.keys(room);
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let call = Call::new(&scripts::HISTORY)
            .key(&keys)
            .with_run()
            .arg(Epoch::generate().as_str())
            .arg(millis(IDLE))
            .arg(after.epoch.as_str())
            .arg(after.seq.saturating_add(1))
            .arg(max);
        let (epoch, seq, kept): (String, u64, Vec<(String, Vec<Value>)>) =
            self.redis.script(Again::Once, &call).await?;
        let kept = kept.into_iter().filter_map(payload::kept);
        Ok(gathered(position((epoch, seq)), after, kept))
    }

    async fn skip(&self, room: &str, count: u64) -> Result<(), BrokerError> {
        let keys = self.keys(room);
        let channel = self.fan.channel(room);
        let call = Call::new(&scripts::SKIP)
            .key(&keys)
            .key(&*channel)
            .with_run()
            .arg(Epoch::generate().as_str())
            .arg(millis(IDLE))
            .arg(count);
        let _: u64 = self.redis.script(Again::Never, &call).await?;
        Ok(())
    }

    async fn subscribe(
        &self,
        room: &str,
        after: Option<&Position>,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        let place = self.fan.subscribe(room);
        if !self.fan.confirmed(&place).await {
            // Nobody waits a second time to find out.
            self.redis.suspect();
        }
        let mut reader = Reader::new(place);
        if let Some(after) = after {
            match self.history(room, after, BEFORE).await {
                Ok(history) => reader.begin(history),
                // It is fetched when Redis is back.
                Err(_) => reader.begin_lost(),
            }
        }
        Ok(Box::new(reader))
    }
}

/// What is kept after a position, up to the first hole.
fn gathered(
    now: Position,
    after: &Position,
    kept: impl Iterator<Item = (u64, Publication)>,
) -> History {
    let is_same = after.epoch == now.epoch;
    if is_same && after.seq > now.seq {
        return History {
            position: now,
            gap: true,
            publications: Vec::new(),
        };
    }
    let mut publications: Vec<(u64, Publication)> = Vec::new();
    for (seq, publication) in kept {
        if publications
            .last()
            .is_some_and(|(last, _)| seq != *last + 1)
        {
            break;
        }
        publications.push((seq, publication));
    }
    let gap = match publications.first() {
        _ if !is_same => true,
        Some((first, _)) => *first != after.seq + 1,
        None => after.seq < now.seq,
    };
    History {
        position: now,
        gap,
        publications,
    }
}

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        match error.is_away() {
            true => Self::away(error),
            false => Self::new(error),
        }
    }
}

impl fmt::Debug for RedisBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBroker")
            .field("redis", &self.redis)
            .field("rooms", &self.fan.rooms())
            .finish_non_exhaustive()
    }
}

/// A delivery that is kept, of a room's stream.
fn delivery(epoch: &Epoch, seq: u64, publication: Publication) -> Delivery {
    let epoch = epoch.clone();
    Delivery::Kept(Position { epoch, seq }, publication)
}
