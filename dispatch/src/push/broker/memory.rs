//! The broker of one node: rooms in memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Broker, BrokerError, Delivery, History, Keep, Publication, Subscription};
use crate::push::position::{Epoch, Position};

/// Deliveries, and bytes of them, that a subscriber may be behind.
const BEHIND: usize = 4096;
const BEHIND_BYTES: usize = 4 * 1024 * 1024;

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

struct Stream {
    position: Position,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    in_all: Arc<AtomicUsize>,
    age: Duration,
    readers: usize,
    /// Deliveries that not all subscribers have taken; each takes them from its own index on.
    live: VecDeque<Live>,
    live_bytes: usize,
    /// The index of the first of them.
    first: u64,
    used: Instant,
}

struct Live {
    delivery: Delivery,
    /// Subscribers that have still to take it.
    left: usize,
}

struct Kept {
    seq: u64,
    at: Instant,
    publication: Publication,
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

impl Delivery {
    fn bytes(&self) -> usize {
        match self {
            Self::Kept(_, publication) | Self::Passing(publication) => publication.data.len(),
            Self::Lost => 0,
        }
    }
}

impl Stream {
    fn new(in_all: &Arc<AtomicUsize>) -> Self {
        Self {
            position: Position {
                epoch: Epoch::generate(),
                seq: 0,
            },
            kept: VecDeque::new(),
            kept_bytes: 0,
            in_all: Arc::clone(in_all),
            age: Duration::ZERO,
            readers: 0,
            live: VecDeque::new(),
            live_bytes: 0,
            first: 0,
            used: Instant::now(),
        }
    }

    fn end(&self) -> u64 {
        self.first + self.live.len() as u64
    }

    fn deliver(&mut self, delivery: Delivery) {
        self.live_bytes += delivery.bytes();
        let left = self.readers;
        self.live.push_back(Live { delivery, left });
        while self.live.len() > BEHIND || (self.live_bytes > BEHIND_BYTES && self.live.len() > 1) {
            self.pass();
        }
    }

    /// Lets the first delivery go.
    fn pass(&mut self) {
        if let Some(gone) = self.live.pop_front() {
            self.first += 1;
            self.live_bytes -= gone.delivery.bytes();
        }
        if self.live.is_empty() {
            self.live = VecDeque::new();
        }
    }

    /// Lets all of them go: readers that have not taken them have lost them.
    fn skip(&mut self) {
        while !self.live.is_empty() {
            self.pass();
        }
    }

    /// A reader that is at this index takes the next delivery.
    fn take(&mut self, next: &mut u64) -> Delivery {
        if *next < self.first {
            *next = self.first;
            return Delivery::Lost;
        }
        let at = usize::try_from(*next - self.first).unwrap_or(usize::MAX);
        let Some(live) = self.live.get_mut(at) else {
            return Delivery::Lost;
        };
        *next += 1;
        live.left -= 1;
        let delivery = live.delivery.clone();
        self.let_go();
        delivery
    }

    /// A reader that is at this index takes no more.
    fn leave(&mut self, next: u64) {
        self.readers -= 1;
        let at = usize::try_from(next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        for live in self.live.iter_mut().skip(at) {
            live.left -= 1;
        }
        self.let_go();
    }

    /// Lets go what all have taken.
    fn let_go(&mut self) {
        while self.live.front().is_some_and(|live| live.left == 0) {
            self.pass();
        }
    }

    fn keep(&mut self, publication: Publication, keep: &Keep) {
        self.age = keep.age;
        self.kept_bytes += publication.data.len();
        self.in_all
            .fetch_add(publication.data.len(), Ordering::Relaxed);
        self.kept.push_back(Kept {
            seq: self.position.seq,
            at: Instant::now(),
            publication,
        });
        self.trim();
        while self.kept.len() > keep.messages || self.kept_bytes > keep.bytes {
            self.forget_one();
        }
    }

    fn forget_one(&mut self) -> bool {
        let Some(gone) = self.kept.pop_front() else {
            return false;
        };
        let len = gone.publication.data.len();
        self.kept_bytes -= len;
        self.in_all.fetch_sub(len, Ordering::Relaxed);
        true
    }

    /// Forgets what is too old.
    fn trim(&mut self) {
        let age = self.age;
        while self.kept.front().is_some_and(|k| k.at.elapsed() > age) {
            self.forget_one();
        }
    }

    fn is_over(&mut self) -> bool {
        self.trim();
        self.kept.is_empty()
    }

    fn history(&mut self, after: &Position, max: usize) -> History {
        self.trim();
        let now = &self.position;
        let first = self.kept.front().map_or(now.seq + 1, |kept| kept.seq);
        let (from, gap) = if after.epoch != now.epoch {
            (first, true)
        } else if after.seq > now.seq {
            (now.seq + 1, true)
        } else {
            (first.max(after.seq + 1), after.seq + 1 < first)
        };
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        let some = self.kept.iter().skip(skip).take(max);
        History {
            position: now.clone(),
            gap,
            publications: some.map(|k| (k.seq, k.publication.clone())).collect(),
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

impl Drop for Stream {
    fn drop(&mut self) {
        while self.forget_one() {}
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
