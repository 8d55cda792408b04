//! The broker, or the presence store, is away for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use packetboat_dispatch::async_trait;
use packetboat_dispatch::push::broker::{
    BrokerError, History, Keep, MemberId, Publication, Subscription,
};
use packetboat_dispatch::push::presence::{PresenceError, Present};
use packetboat_dispatch::push::{
    Broker, Hub, Join, MemoryBroker, MemoryPresence, Position, Presence, PresenceDiff, PushLimits,
    Sent, SlowReader,
};

use crate::world::{Connected, ROOM, World, next, nothing, numbers, said, until};

/// A broker and a presence store that may be away, and what they were asked.
#[derive(Default)]
struct Away {
    broker: MemoryBroker,
    presence: MemoryPresence,
    is_away: AtomicBool,
    skips: AtomicU64,
    skipped: AtomicU64,
    renewals: AtomicU64,
}

impl Away {
    fn hub(self: &Arc<Self>) -> Hub {
        let limits = PushLimits {
            heartbeat: Duration::from_millis(20),
            check: Duration::from_millis(20),
            ..PushLimits::default()
        };
        Hub::new(Arc::clone(self), Arc::clone(self), limits)
    }

    fn set(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn broker(&self) -> Result<&MemoryBroker, BrokerError> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(BrokerError::away("unplugged")),
            false => Ok(&self.broker),
        }
    }

    fn presence(&self) -> Result<&MemoryPresence, PresenceError> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(PresenceError::away("unplugged")),
            false => Ok(&self.presence),
        }
    }
}

#[async_trait]
impl Broker for Away {
    async fn publish(
        &self,
        room: &str,
        publication: Publication,
        keep: &Keep,
    ) -> Result<Position, BrokerError> {
        self.broker()?.publish(room, publication, keep).await
    }

    async fn signal(&self, room: &str, publication: Publication) -> Result<(), BrokerError> {
        self.broker()?.signal(room, publication).await
    }

    async fn position(&self, room: &str) -> Result<Position, BrokerError> {
        self.broker()?.position(room).await
    }

    async fn history(
        &self,
        room: &str,
        after: &Position,
        max: usize,
    ) -> Result<History, BrokerError> {
        self.broker()?.history(room, after, max).await
    }

    async fn subscribe(
        &self,
        room: &str,
        after: Option<&Position>,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        self.broker()?.subscribe(room, after).await
    }

    async fn skip(&self, room: &str, count: u64) -> Result<(), BrokerError> {
        self.broker()?.skip(room, count).await?;
        self.skipped.fetch_add(count, Ordering::SeqCst);
        self.skips.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[async_trait]
impl Presence for Away {
    async fn enter(
        &self,
        room: &str,
        member: MemberId,
        present: &Present,
        time: Duration,
    ) -> Result<bool, PresenceError> {
        self.presence()?.enter(room, member, present, time).await
    }

    async fn renew(
        &self,
        room: &str,
        members: &[MemberId],
        time: Duration,
    ) -> Result<Vec<MemberId>, PresenceError> {
        let gone = self.presence()?.renew(room, members, time).await;
        self.renewals.fetch_add(1, Ordering::SeqCst);
        gone
    }

    async fn leave(&self, room: &str, member: MemberId) -> Result<bool, PresenceError> {
        self.presence()?.leave(room, member).await
    }

    async fn list(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        self.presence()?.list(room).await
    }

    async fn sweep(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        self.presence()?.sweep(room).await
    }
}

#[tokio::test]
async fn readers_are_told_of_what_a_room_would_have_kept_and_of_no_signal() {
    let away = Arc::<Away>::default();
    let world = World::over(away.hub());
    let (_ann, mut to_ann) = world.member("ann").await;
    let room = || world.hub.room(ROOM);
    away.set(true);
    for n in 1..=3 {
        let signalled = room().signal(&said(n), SlowReader::DropOldest).await;
        signalled.expect("it goes to this node");
    }
    let local = room().send_or_local(&said(4), SlowReader::Wait).await;
    assert!(matches!(local, Ok(Sent::Local { members: 1, .. })));
    assert_eq!(numbers(&mut to_ann, 4).await, [1, 2, 3, 4]);
    away.set(false);
    until(|| away.skips.load(Ordering::SeqCst) > 0).await;
    assert_eq!(away.skipped.load(Ordering::SeqCst), 1);
}

async fn enter(world: &World, client: &Connected, key: &str) {
    let join = Join::default().present(key, &()).expect("a meta");
    let joined = world.hub.join(&client.peer, ROOM, join).await;
    joined.expect("joined");
}

#[tokio::test]
async fn who_came_again_while_the_store_was_away_is_not_taken_out_when_it_is_back() {
    let away = Arc::<Away>::default();
    let world = World::over(away.hub());
    let (watcher, _) = world.member("watcher").await;
    let mut diffs = watcher.client.pushes::<PresenceDiff>(100);
    let [ann, bob] = ["ann", "bob"].map(|name| world.client(name));
    let (ann, bob) = (ann.await, bob.await);
    for (client, key) in [(&ann, "ann"), (&bob, "bob")] {
        enter(&world, client, key).await;
        next(&mut diffs).await.expect("who has come");
    }
    away.set(true);
    for (client, again) in [(&ann, "ann"), (&bob, "bobby")] {
        world.hub.leave(client.peer.id(), ROOM).await;
        enter(&world, client, again).await;
        for _ in 0..2 {
            next(&mut diffs).await.expect("told on this node");
        }
    }
    away.set(false);
    // Who is somebody else now has left as who it was, and this is told to the other nodes too.
    let left = next(&mut diffs).await.expect("a push").message;
    let joined = next(&mut diffs).await.expect("a push").message;
    let keys = |all: &[Present]| -> Vec<_> { all.iter().map(|one| one.key.clone()).collect() };
    assert_eq!(keys(&left.leaves), ["bob"]);
    assert_eq!(keys(&joined.joins), ["bobby"]);
    let renewals = away.renewals.load(Ordering::SeqCst);
    until(|| away.renewals.load(Ordering::SeqCst) > renewals + 2).await;
    nothing(&mut diffs).await;
    let mut here = keys(&away.presence.list(ROOM).await.expect("there"));
    here.sort_unstable();
    assert_eq!(here, ["ann", "bobby"]);
}
