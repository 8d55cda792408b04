//! What carries messages between nodes, and keeps them for those who come again.
//!
//! A [`Broker`] gives each message of a room its number and keeps the last ones. The hub of every
//! node on which a room has members subscribes to it. [`MemoryBroker`] is that of one node, and
//! `RedisBroker`, with the feature `redis`, that of many.

mod conformance;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::push::position::Position;
use crate::push::slow::SlowReader;

pub use conformance::check_broker;
pub use memory::MemoryBroker;
#[cfg(feature = "redis")]
pub use redis::RedisBroker;

/// A message to the members of a room, as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The message's type.
    pub message_type: Arc<str>,
    /// The message itself, in JSON.
    pub data: Bytes,
    /// What happens at a slow reader.
    pub slow: SlowReader,
    /// The member that does not get it.
    pub except: Option<MemberId>,
}

/// A connection, among those of all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemberId {
    /// The hub's own number, at random.
    pub node: u64,
    /// The connection's number there.
    pub connection: u64,
}

/// How much a room keeps. What is beyond one of them is forgotten, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Messages. Default: 1,000.
    pub messages: usize,
    /// Bytes of messages. Default: 1 MiB.
    pub bytes: usize,
    /// Age. Default: 10 minutes; who comes later than that begins anew.
    pub age: Duration,
}

/// What a room has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Where the room's stream is now.
    pub position: Position,
    /// Something is missing between the position that was asked for and what is here: it has been
    /// forgotten, or the position is none of this stream.
    pub gap: bool,
    /// The oldest first, without a hole, each with its number.
    pub publications: Vec<(u64, Publication)>,
}

/// What a subscription gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message that the room keeps, and where.
    Kept(Position, Publication),
    /// Some may be missing here. Those that were kept are in the [history](Broker::history).
    Lost,
    /// A message that is not kept.
    Passing(Publication),
}

/// Numbers, keeps and carries the messages of rooms.
///
/// [`check_broker`] tests that an implementation keeps what is asked here.
///
/// # Cancel safety
///
/// Any of these futures may be dropped at any point. What it was doing may then have happened or
/// not, but never in half.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Gives a message the next number of its room, keeps it, and carries it to the subscribers:
    /// in that order, and to each in the order of the numbers. Gives where it stands.
    ///
    /// # Errors
    ///
    /// When it may not have been kept.
    async fn publish(
        &self,
        room: &str,
        publication: Publication,
        keep: &Keep,
    ) -> Result<Position, BrokerError>;

    /// Carries a message to the subscribers that there are, and keeps nothing of it.
    ///
    /// # Errors
    ///
    /// When it may not have been sent.
    async fn signal(&self, room: &str, publication: Publication) -> Result<(), BrokerError>;

    /// Where a room's stream is. One of which nothing is known begins by this.
    ///
    /// # Errors
    ///
    /// When the broker cannot tell.
    async fn position(&self, room: &str) -> Result<Position, BrokerError>;

    /// What is kept after a position, the oldest `max` messages of it.
    ///
    /// After a position of another epoch that is all that is kept, after one that has not been
    /// reached it is nothing; in both cases with a gap.
    ///
    /// # Errors
    ///
    /// When the broker cannot tell.
    async fn history(
        &self,
        room: &str,
        after: &Position,
        max: usize,
    ) -> Result<History, BrokerError>;

    /// Subscribes to a room: from after a position, so that nothing is missed in between; else
    /// from now. If what is kept does not reach back to it, [`Delivery::Lost`] comes first.
    ///
    /// # Errors
    ///
    /// When there is no subscription.
    async fn subscribe(
        &self,
        room: &str,
        after: Option<&Position>,
    ) -> Result<Box<dyn Subscription>, BrokerError>;

    /// Leaves out so many numbers of a room's stream, so that its readers, on every node, are told
    /// of a gap: in their place stands what reached the members of one node alone while the broker
    /// [was away](BrokerError::is_away). By default nothing is done, which is right for a broker
    /// that never is.
    ///
    /// # Errors
    ///
    /// When it may not have been done.
    async fn skip(&self, room: &str, count: u64) -> Result<(), BrokerError> {
        let _ = (room, count);
        Ok(())
    }
}

#[async_trait]
impl<B: Broker + ?Sized> Broker for Arc<B> {
    async fn publish(
        &self,
        room: &str,
        publication: Publication,
        keep: &Keep,
    ) -> Result<Position, BrokerError> {
        (**self).publish(room, publication, keep).await
    }

    async fn signal(&self, room: &str, publication: Publication) -> Result<(), BrokerError> {
        (**self).signal(room, publication).await
    }

    async fn position(&self, room: &str) -> Result<Position, BrokerError> {
        (**self).position(room).await
    }

    async fn history(
        &self,
        room: &str,
        after: &Position,
        max: usize,
    ) -> Result<History, BrokerError> {
        (**self).history(room, after, max).await
    }

    async fn subscribe(
        &self,
        room: &str,
        after: Option<&Position>,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        (**self).subscribe(room, after).await
    }

    async fn skip(&self, room: &str, count: u64) -> Result<(), BrokerError> {
        (**self).skip(room, count).await
    }
}

/// The messages of a room as they come. It ends when it is dropped.
#[async_trait]
pub trait Subscription: Send + Sync {
    /// The next one.
    ///
    /// A subscriber that does not keep up is given [`Delivery::Lost`] in place of what is missing.
    ///
    /// # Errors
    ///
    /// When the subscription is over. Subscribe again, from the last position.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Delivery, BrokerError>;
}

/// Why a broker could not do what it was asked. The cause is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("the broker failed")]
pub struct BrokerError {
    #[source]
    cause: Box<dyn Error + Send + Sync>,
    is_away: bool,
}

impl BrokerError {
    /// Wraps the broker's own error.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_away: false,
        }
    }

    /// The broker cannot be reached, and nothing was sent to it: what it was asked was not done,
    /// and will not be.
    pub fn away(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_away: true,
        }
    }

    /// Whether it [was away](Self::away).
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.is_away
    }
}

impl Delivery {
    /// Bytes of its message, which a queue counts.
    fn bytes(&self) -> usize {
        match self {
            Self::Kept(_, publication) | Self::Passing(publication) => publication.data.len(),
            Self::Lost => 0,
        }
    }
}

impl Publication {
    /// A message for every member.
    pub fn new(message_type: impl Into<Arc<str>>, data: Bytes, slow: SlowReader) -> Self {
        Self {
            message_type: message_type.into(),
            data,
            slow,
            except: None,
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            messages: 1000,
            bytes: 1024 * 1024,
            age: Duration::from_secs(600),
        }
    }
}
