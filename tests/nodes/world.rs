//! What these tests share: handles, clients of a hub in memory, and waiting for what is to come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use packetboat_dispatch::client::{ClientBuilder, Lost, Pushed, Pushes};
use packetboat_dispatch::push::{Join, Position, PushLimits, RedisBroker, RedisPresence};
use packetboat_dispatch::redis::{Redis, RedisOptions};
use packetboat_dispatch::{
    Anyone, App, Dispatcher, Hub, Limits, Message, NativeClient, Peer, State, serve_stream,
};
use serde::{Deserialize, Serialize};
use tokio::io::{duplex, split};
use tokio::time::{Instant, sleep, timeout};

pub(crate) const ROOM: &str = "lobby";

/// Longer than anything here takes.
pub(crate) const SOON: Duration = Duration::from_secs(8);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[message(type = "said", reply = ())]
pub(crate) struct Said {
    pub(crate) n: u64,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "hello", reply = ())]
struct Hello {}

/// A handle under a prefix of its own.
pub(crate) fn handle(url: &str, prefix: &str) -> Redis {
    let mut options = RedisOptions::new(url).with_prefix(prefix);
    options.check = Duration::from_millis(500);
    Redis::new(options).expect("a URL")
}

/// A name that no other test has.
pub(crate) fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4())
}

/// The hub of a node.
pub(crate) fn hub(redis: &Redis, limits: PushLimits) -> Hub {
    let broker = RedisBroker::new(redis).expect("a URL");
    Hub::new(broker, RedisPresence::new(redis), limits)
}

/// Checks and heartbeats that a test can wait for.
pub(crate) fn quick() -> PushLimits {
    PushLimits {
        heartbeat: Duration::from_millis(500),
        check: Duration::from_millis(500),
        ..PushLimits::default()
    }
}

/// A client in memory, and its connection at the server.
pub(crate) struct Connected {
    pub(crate) client: NativeClient,
    pub(crate) peer: Peer,
}

/// A client that is connected to a node.
pub(crate) async fn client() -> Connected {
    let seen = Arc::<Mutex<Option<Peer>>>::default();
    let dispatcher = Dispatcher::new(Arc::clone(&seen));
    let hello = async |State(seen): State<Arc<Mutex<Option<Peer>>>>, peer: Peer, _: Hello| {
        *seen.lock().expect("no panic") = Some(peer);
    };
    let app = App::from(dispatcher.allow(Anyone, |group| group.on(hello)));
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(serve_stream(theirs, app, Limits::default()));
    let (read, write) = split(ours);
    let builder: ClientBuilder = ClientBuilder::default();
    let client = builder.over_native(read, write);
    client.call(Hello {}).await.expect("hello");
    let peer = seen.lock().expect("no panic").take().expect("it was seen");
    Connected { client, peer }
}

/// A member of the room, and what is said there.
pub(crate) async fn member(hub: &Hub, join: Join) -> (Connected, Pushes<Said>, Position) {
    let connected = client().await;
    let pushes = connected.client.pushes(100_000);
    let position = hub.join(&connected.peer, ROOM, join).await.expect("joined");
    (connected, pushes, position)
}

pub(crate) async fn next(pushes: &mut Pushes<Said>) -> Result<Pushed<Said>, Lost> {
    let next = timeout(SOON, pushes.next()).await;
    next.expect("a push comes").expect("the connection lives")
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < SOON, "{what} does not come to hold");
        sleep(Duration::from_millis(10)).await;
    }
}
