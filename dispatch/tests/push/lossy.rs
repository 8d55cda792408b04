//! A broker that loses messages on the way, as pub/sub does, and one that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use packetboat_dispatch::async_trait;
use packetboat_dispatch::push::broker::{
    BrokerError, Delivery, History, Keep, Publication, Subscription,
};
use packetboat_dispatch::push::{
    Broker, Hub, MemoryBroker, MemoryPresence, Position, PushError, PushLimits, SlowReader,
};

use crate::world::{Said, World, next, numbers, said};

/// Loses every so many deliveries without a word, and fails when it is told to.
#[derive(Default)]
struct Lossy {
    broker: MemoryBroker,
    every: u64,
    count: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

struct Leaking {
    subscription: Box<dyn Subscription>,
    every: u64,
    count: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
#[error("unplugged")]
struct Unplugged;

impl Lossy {
    fn look(&self) -> Result<(), BrokerError> {
        look(&self.fails)
    }
}

fn look(fails: &AtomicBool) -> Result<(), BrokerError> {
    match fails.load(Ordering::SeqCst) {
        true => Err(BrokerError::new(Unplugged)),
        false => Ok(()),
    }
}

#[async_trait]
impl Broker for Lossy {
    async fn publish(
        &self,
        room: &str,
        publication: Publication,
        keep: &Keep,
    ) -> Result<Position, BrokerError> {
        self.broker.publish(room, publication, keep).await
    }

    async fn signal(&self, room: &str, publication: Publication) -> Result<(), BrokerError> {
        self.broker.signal(room, publication).await
    }

    async fn position(&self, room: &str) -> Result<Position, BrokerError> {
        self.look()?;
        self.broker.position(room).await
    }

    async fn history(
        &self,
        room: &str,
        after: &Position,
        max: usize,
    ) -> Result<History, BrokerError> {
        self.look()?;
        self.broker.history(room, after, max).await
    }

    async fn subscribe(
        &self,
        room: &str,
        after: Option<&Position>,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        self.look()?;
        Ok(Box::new(Leaking {
            subscription: self.broker.subscribe(room, after).await?,
            every: self.every,
            count: Arc::clone(&self.count),
            fails: Arc::clone(&self.fails),
        }))
    }
}

#[async_trait]
impl Subscription for Leaking {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        loop {
            look(&self.fails)?;
            let delivery = self.subscription.next().await?;
            let n = self.count.fetch_add(1, Ordering::SeqCst) + 1;
            if self.every == 0 || !n.is_multiple_of(self.every) {
                return Ok(delivery);
            }
        }
    }
}

fn world(broker: Lossy, check: Duration) -> World {
    let limits = PushLimits {
        check,
        ..PushLimits::default()
    };
    World::over(Hub::new(broker, MemoryPresence::new(), limits))
}

#[tokio::test]
async fn what_the_broker_loses_on_the_way_is_fetched_when_the_next_one_comes() {
    let lossy = Lossy {
        every: 7,
        ..Lossy::default()
    };
    let world = world(lossy, Duration::from_secs(3600));
    let (_ann, mut to_ann) = world.member("ann").await;
    // The last is none of those that are lost.
    for n in 1..=701 {
        world.say(n, SlowReader::Wait).await;
        if n % 3 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let all: Vec<u64> = (1..=701).collect();
    assert_eq!(numbers(&mut to_ann, 701).await, all);
}

#[tokio::test]
async fn what_is_lost_last_is_found_by_looking_at_where_the_broker_is() {
    let lossy = Lossy {
        every: 1,
        ..Lossy::default()
    };
    let world = world(lossy, Duration::from_millis(50));
    let (_ann, mut to_ann) = world.member("ann").await;
    world.say(1, SlowReader::Wait).await;
    assert_eq!(numbers(&mut to_ann, 1).await, [1]);
    for n in 2..=10 {
        world.say(n, SlowReader::Wait).await;
    }
    assert_eq!(numbers(&mut to_ann, 9).await, [2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn a_broker_that_fails_is_asked_again_and_nothing_is_missing_then() {
    let fails = Arc::new(AtomicBool::new(false));
    let lossy = Lossy {
        fails: Arc::clone(&fails),
        ..Lossy::default()
    };
    let world = world(lossy, Duration::from_secs(3600));
    let (ann, mut to_ann) = world.member("ann").await;
    world.say(1, SlowReader::Wait).await;
    assert_eq!(numbers(&mut to_ann, 1).await, [1]);
    fails.store(true, Ordering::SeqCst);
    for n in 2..=5 {
        world.say(n, SlowReader::Wait).await;
    }
    let joined = world
        .hub
        .join(&ann.peer, "another", Default::default())
        .await;
    assert!(matches!(joined, Err(PushError::Broker(_))));
    tokio::time::sleep(Duration::from_millis(100)).await;
    fails.store(false, Ordering::SeqCst);
    // What was delivered before it failed came, and the rest comes now.
    for n in 2..=5 {
        assert_eq!(
            next(&mut to_ann).await.expect("nothing is lost").message,
            said(n)
        );
    }
    let again = world
        .hub
        .join(&ann.peer, "another", Default::default())
        .await;
    again.expect("it can be joined after that");
    let mut elsewhere = ann.client.pushes::<Said>(10);
    let sent = world
        .hub
        .room("another")
        .send(&said(9), SlowReader::Wait)
        .await;
    sent.expect("sent");
    assert_eq!(
        next(&mut elsewhere).await.expect("a push").room.as_deref(),
        Some("another")
    );
}
