//! An application with a hub, and clients of it in memory, which may stop reading.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packetboat_dispatch::client::{ClientBuilder, Lost, Pushed, Pushes};
use packetboat_dispatch::push::broker::Keep;
use packetboat_dispatch::push::{
    Join, MemoryBroker, MemoryPresence, Position, PushLimits, SlowReader,
};
use packetboat_dispatch::{
    Anyone, App, Disconnect, Dispatcher, FromRef, Hub, Limits, Message, NativeClient, Peer,
    Rejection, State, serve_stream,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) const ROOM: &str = "lobby";

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) broker: Arc<MemoryBroker>,
    peers: Arc<Mutex<HashMap<String, Peer>>>,
}

impl FromRef<World> for Hub {
    fn from_ref(world: &World) -> Self {
        world.hub.clone()
    }
}

/// Makes its connection known to the test.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "hello", reply = ())]
pub(crate) struct Hello {
    pub(crate) name: String,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "enter", reply = Position)]
pub(crate) struct Enter {
    pub(crate) room: String,
}

/// What is pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[message(type = "said", reply = ())]
pub(crate) struct Said {
    pub(crate) n: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
}

/// Another type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[message(type = "typing", reply = ())]
pub(crate) struct Typing {
    pub(crate) who: String,
}

async fn hello(State(world): State<World>, peer: Peer, request: Hello) {
    world
        .peers
        .lock()
        .expect("no panic")
        .insert(request.name, peer);
}

async fn enter(hub: Hub, peer: Peer, request: Enter) -> Result<Position, Rejection> {
    Ok(hub.join(&peer, &request.room, Join::default()).await?)
}

pub(crate) fn said(n: u64) -> Said {
    let text = String::new();
    Said { n, text }
}

/// One that fills queues.
pub(crate) fn long(n: u64) -> Said {
    let text = "x".repeat(1000);
    Said { n, text }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(PushLimits::default())
    }

    pub(crate) fn with(limits: PushLimits) -> Self {
        let broker = Arc::new(MemoryBroker::new());
        Self {
            hub: Hub::new(Arc::clone(&broker), MemoryPresence::new(), limits),
            broker,
            peers: Arc::default(),
        }
    }

    pub(crate) fn over(hub: Hub) -> Self {
        Self {
            hub,
            broker: Arc::new(MemoryBroker::new()),
            peers: Arc::default(),
        }
    }

    /// Keeps so many messages, and lets so many wait for a reader.
    pub(crate) fn narrow(keep: usize, queued: usize) -> Self {
        Self::with(PushLimits {
            keep: Keep {
                messages: keep,
                bytes: 64 * 1024 * 1024,
                ..Keep::default()
            },
            queued,
            ..PushLimits::default()
        })
    }

    pub(crate) fn app(&self) -> App {
        let dispatcher = Dispatcher::new(self.clone());
        App::from(dispatcher.allow(Anyone, |group| group.on(hello).on(enter)))
    }

    /// A client, known under this name.
    pub(crate) async fn client(&self, name: &str) -> Connected {
        let (ours, theirs) = duplex(4096);
        let serving = tokio::spawn(serve_stream(theirs, self.app(), Limits::default()));
        let (open, gate) = watch::channel(true);
        let (near, far) = duplex(4096);
        let wire = tokio::spawn(relay(ours, far, gate));
        let (read, write) = split(near);
        let builder: ClientBuilder = ClientBuilder::default();
        let client = builder.over_native(read, write);
        let name = name.to_owned();
        let hello = Hello { name: name.clone() };
        client.call(hello).await.expect("hello");
        let peer = self.peer(&name);
        Connected {
            client,
            peer,
            open,
            serving,
            _wire: Wire(wire),
        }
    }

    /// Who has said hello under this name.
    pub(crate) fn peer(&self, name: &str) -> Peer {
        self.peers.lock().expect("no panic")[name].clone()
    }

    /// A client that is in the room, and what is said there.
    pub(crate) async fn member(&self, name: &str) -> (Connected, Pushes<Said>) {
        let client = self.client(name).await;
        let pushes = client.client.pushes(100_000);
        self.join(&client, None).await;
        (client, pushes)
    }

    pub(crate) async fn join(&self, client: &Connected, after: Option<Position>) -> Position {
        let join = Join::default().after(after);
        self.hub
            .join(&client.peer, ROOM, join)
            .await
            .expect("joined")
    }

    pub(crate) async fn say(&self, n: u64, slow: SlowReader) -> Position {
        let sent = self.hub.room(ROOM).send(&said(n), slow).await;
        sent.expect("sent")
    }
}

/// A client in memory, and the server's end of it.
pub(crate) struct Connected {
    pub(crate) client: NativeClient,
    pub(crate) peer: Peer,
    open: watch::Sender<bool>,
    pub(crate) serving: JoinHandle<Disconnect>,
    _wire: Wire,
}

struct Wire(JoinHandle<()>);

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connected {
    /// Takes nothing from the server any more.
    pub(crate) fn stop_reading(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn read_on(&self) {
        self.open.send_replace(true);
    }

    /// Cuts the wire, and waits until the server has noticed.
    pub(crate) async fn cut(self) {
        let Self {
            client,
            serving,
            _wire,
            ..
        } = self;
        drop((_wire, client));
        serving.await.expect("it ends in good order");
    }

    /// Why the server has ended the connection.
    pub(crate) async fn ended(&mut self) -> Disconnect {
        let ended = timeout(Duration::from_secs(20), &mut self.serving).await;
        ended.expect("it ends").expect("in good order")
    }
}

pub(crate) async fn relay(server: impl Both, client: impl Both, mut gate: watch::Receiver<bool>) {
    let (mut from_server, mut to_server) = split(server);
    let (mut from_client, mut to_client) = split(client);
    let up = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let down = async {
        let mut buffer = [0; 4096];
        loop {
            if gate.wait_for(|open| *open).await.is_err() {
                return;
            }
            let Ok(n @ 1..) = from_server.read(&mut buffer).await else {
                break;
            };
            if to_client.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::join!(up, down);
}

pub(crate) trait Both: tokio::io::AsyncRead + tokio::io::AsyncWrite {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite> Both for T {}

/// The next push, which has to come.
pub(crate) async fn next<M>(pushes: &mut Pushes<M>) -> Result<Pushed<M>, Lost>
where
    M: Message + serde::de::DeserializeOwned,
{
    let next = timeout(Duration::from_secs(20), pushes.next()).await;
    next.expect("a push comes").expect("the connection is open")
}

/// The numbers of the next pushes.
pub(crate) async fn numbers(pushes: &mut Pushes<Said>, count: usize) -> Vec<u64> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(next(pushes).await.expect("nothing is lost").message.n);
    }
    all
}

/// That nothing comes.
pub(crate) async fn nothing<M>(pushes: &mut Pushes<M>)
where
    M: Message + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let next = timeout(Duration::from_millis(50), pushes.next()).await;
    assert!(next.is_err(), "{next:?}");
}

/// Waits until something has happened, since a loaded machine may take its time.
pub(crate) async fn until(happened: impl Fn() -> bool) {
    for _ in 0..2000 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen");
}
