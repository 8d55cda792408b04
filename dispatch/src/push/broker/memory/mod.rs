//! The broker of one node: rooms in memory.

mod stream;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Broker, BrokerError, Delivery, History, Keep, Publication, Subscription};
use crate::push::position::{Epoch, Position};
use stream::Stream;

/// Rooms in the memory of this process, for one node and for tests.
///
/// It is bounded twice. It remembers so many rooms: of those without subscribers the one that was
/// used longest ago is forgotten first, and whoever comes back to it is told of the gap by its new
/// epoch. And it keeps so many bytes in all: beyond that, the rooms that were used longest ago lose
/// what they keep.
pub struct MemoryBroker {
    capacity: usize,
    max_bytes: usize,
    /// Bytes that all rooms keep.
    kept: Arc<AtomicUsize>,
    // A std lock: held to find rooms, never across an await. A room is locked within it.
    rooms: Mutex<HashMap<Box<str>, Arc<Log>>>,
}

/// Every room has subscribers.
#[derive(Debug, thiserror::Error)]
#[error("all {capacity} rooms of the broker are in use")]
struct Full {
    capacity: usize,
}

struct Log {
    // A std lock: held to add or copy a few messages, never across an await.
    stream: Mutex<Stream>,
    /// The index behind the last delivery.
    changed: watch::Sender<u64>,
}

struct Reader {
    log: Arc<Log>,
    next: u64,
    changed: watch::Receiver<u64>,
    /// What comes before what is live.
    before: VecDeque<Delivery>,
}

impl MemoryBroker {
    /// Room for 100,000 rooms, and for 256 MiB of messages.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(100_000, 256 * 1024 * 1024)
    }

    /// Room for so many rooms, and for so many bytes of messages.
    ///
    /// # Panics
    ///
    /// If one of the two is 0.
    #[must_use]
    pub fn with_capacity(rooms: usize, bytes: usize) -> Self {
        assert!(rooms > 0 && bytes > 0, "a broker needs room");
        Self {
            capacity: rooms,
            max_bytes: bytes,
            kept: Arc::default(),
            rooms: Mutex::default(),
        }
    }

    /// Forgets a room's history, as a crash would: its stream begins again, in another epoch. For
    /// tests.
    pub fn forget(&self, room: &str) {
        let Some(log) = lock(&self.rooms).get(room).cloned() else {
            return;
        };
        let mut stream = log.stream();
        while stream.forget_one() {}
        stream.position = Position {
            epoch: Epoch::generate(),
            seq: 0,
        };
        stream.skip();
        log.deliver(&mut stream, Delivery::Lost);
    }

    fn log(&self, room: &str) -> Result<Arc<Log>, BrokerError> {
        let mut rooms = lock(&self.rooms);
        if let Some(log) = rooms.get(room) {
            return Ok(Arc::clone(log));
        }
        if rooms.len() >= self.capacity {
            // Those of which nothing is left first, so that the scan is seldom made.
            rooms.retain(|_, log| {
                let mut stream = lock(&log.stream);
                stream.readers > 0 || !stream.is_over()
            });
        }
        if rooms.len() >= self.capacity {
            let unused = rooms.iter().filter_map(|(name, log)| {
                let stream = lock(&log.stream);
                (stream.readers == 0).then_some((stream.used, name))
            });
            let oldest = unused.min_by_key(|(used, _)| *used);
            let Some(name) = oldest.map(|(_, name)| name.clone()) else {
                let capacity = self.capacity;
                return Err(BrokerError::new(Full { capacity }));
            };
            rooms.remove(&name);
        }
        let log = Arc::new(Log {
            stream: Mutex::new(Stream::new(&self.kept)),
            changed: watch::Sender::new(0),
        });
        rooms.insert(room.into(), Arc::clone(&log));
        Ok(log)
    }

    /// Forgets what those rooms keep that were used longest ago, and a quarter more than it must,
    /// so that this is seldom done.
    fn make_room(&self) {
        let rooms = lock(&self.rooms);
        let mut all: Vec<_> = rooms.values().collect();
        all.sort_by_cached_key(|log| lock(&log.stream).used);
        for log in all {
            let mut stream = lock(&log.stream);
            while self.kept.load(Ordering::Relaxed) > self.max_bytes / 4 * 3 && stream.forget_one()
            {
            }
        }
    }
}

impl Log {
    fn stream(&self) -> MutexGuard<'_, Stream> {
        let mut stream = lock(&self.stream);
        stream.used = Instant::now();
        stream
    }

    fn deliver(&self, stream: &mut Stream, delivery: Delivery) {
        if stream.readers > 0 {
            stream.deliver(delivery);
            self.changed.send_replace(stream.end());
        }
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn publish(
        &self,
        room: &str,
        publication: Publication,
        keep: &Keep,
    ) -> Result<Position, BrokerError> {
        let log = self.log(room)?;
        let position = {
            let mut stream = log.stream();
            stream.position.seq += 1;
            let position = stream.position.clone();
            stream.keep(publication.clone(), keep);
            log.deliver(&mut stream, Delivery::Kept(position.clone(), publication));
            position
        };
        if self.kept.load(Ordering::Relaxed) > self.max_bytes {
            self.make_room();
        }
        Ok(position)
    }

    async fn signal(&self, room: &str, publication: Publication) -> Result<(), BrokerError> {
        let log = self.log(room)?;
        let mut stream = log.stream();
        log.deliver(&mut stream, Delivery::Passing(publication));
        Ok(())
    }

    async fn position(&self, room: &str) -> Result<Position, BrokerError> {
        let log = self.log(room)?;
        let position = log.stream().position.clone();
        Ok(position)
    }

    async fn history(
        &self,
        room: &str,
        after: &Position,
        max: usize,
    ) -> Result<History, BrokerError> {
        let log = self.log(room)?;
        let history = log.stream().history(after, max);
        Ok(history)
    }

    async fn subscribe(
        &self,
        room: &str,
        after: Option<&Position>,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        let log = self.log(room)?;
        let mut stream = log.stream();
        let mut before = VecDeque::new();
        if let Some(after) = after {
            let History {
                position: Position { epoch, .. },
                gap,
                publications,
            } = stream.history(after, usize::MAX);
            before.extend(gap.then_some(Delivery::Lost));
            before.extend(publications.into_iter().map(|(seq, publication)| {
                let epoch = epoch.clone();
                Delivery::Kept(Position { epoch, seq }, publication)
            }));
        }
        stream.readers += 1;
        // Within the lock, so that nothing is published between what was and what comes.
        let reader = Reader {
            next: stream.end(),
            changed: log.changed.subscribe(),
            log: Arc::clone(&log),
            before,
        };
        drop(stream);
        Ok(Box::new(reader))
    }
}

#[async_trait]
impl Subscription for Reader {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        if let Some(delivery) = self.before.pop_front() {
            return Ok(delivery);
        }
        let next = self.next;
        // The sender is held by this reader, too.
        let _ = self.changed.wait_for(|end| *end > next).await;
        Ok(lock(&self.log.stream).take(&mut self.next))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        lock(&self.log.stream).leave(self.next);
    }
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBroker")
            .field("rooms", &lock(&self.rooms).len())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No line above leaves what is locked in half when it panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::stream::BEHIND;
    use super::*;
    use crate::push::slow::SlowReader;

    fn publication(len: usize) -> Publication {
        Publication::new("check", "x".repeat(len).into(), SlowReader::Wait)
    }

    async fn say(broker: &MemoryBroker, room: &str, len: usize) -> Position {
        let published = broker
            .publish(room, publication(len), &Keep::default())
            .await;
        published.expect("there is room")
    }

    #[tokio::test]
    async fn rooms_are_bounded_and_the_one_that_was_used_longest_ago_is_forgotten() {
        let broker = MemoryBroker::with_capacity(2, 1000);
        let first = say(&broker, "first", 1).await;
        say(&broker, "second", 1).await;
        let reading = broker.subscribe("second", None).await.expect("subscribed");
        say(&broker, "third", 1).await;
        let again = broker.history("first", &first, 10).await.expect("history");
        assert!(again.gap && again.position.epoch != first.epoch);
        let other = broker.subscribe("first", None).await.expect("subscribed");
        let full = broker.position("fourth").await;
        assert!(full.is_err(), "both are in use");
        drop((reading, other));
        broker.position("fourth").await.expect("there is room");
        assert_eq!(lock(&broker.rooms).len(), 2);
    }

    #[tokio::test]
    async fn bytes_are_bounded_over_all_rooms_and_counted_to_the_last_one() {
        let broker = MemoryBroker::with_capacity(100, 1000);
        let start = broker.position("room 0").await.expect("position");
        for n in 0..50 {
            say(&broker, &format!("room {}", n % 10), 60).await;
            assert!(broker.kept.load(Ordering::Relaxed) <= 1000);
        }
        let history = broker.history("room 0", &start, 10).await.expect("history");
        assert!(
            history.gap && history.position.seq == 5,
            "its numbers go on"
        );
        for n in 0..10 {
            broker.forget(&format!("room {n}"));
        }
        assert_eq!(broker.kept.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_all_subscribers_have_taken_is_held_no_longer() {
        let broker = MemoryBroker::new();
        let mut one = broker.subscribe("room", None).await.expect("subscribed");
        let two = broker.subscribe("room", None).await.expect("subscribed");
        for _ in 0..2 * BEHIND {
            broker.signal("room", publication(1)).await.expect("sent");
        }
        let log = broker.log("room").expect("it is there");
        assert_eq!(
            log.stream().live.len(),
            BEHIND,
            "a subscriber may stand still"
        );
        assert_eq!(one.next().await.expect("a delivery"), Delivery::Lost);
        for _ in 0..BEHIND {
            let next = one.next().await.expect("a delivery");
            assert!(matches!(next, Delivery::Passing(_)));
        }
        assert_eq!(log.stream().live.len(), BEHIND);
        drop(two);
        let stream = log.stream();
        assert_eq!((stream.live.len(), stream.live_bytes), (0, 0));
    }
}
