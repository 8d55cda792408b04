//! Whichever way a connection ends, it leaves its rooms; and a server that stops says all first.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use packetboat_dispatch::client::ClientBuilder;
use packetboat_dispatch::push::broker::Keep;
use packetboat_dispatch::push::{Join, PresenceDiff, PushError, PushLimits, SlowReader};
use packetboat_dispatch::{Disconnect, Limits, Server, serve_stream};
use packetboat_framing::Error;
use packetboat_framing::native::{Codec, FrameHeader, Kind, Preface, type_hash};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex, split,
};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::world::{Enter, Hello, ROOM, Said, World, next, relay, said, until};

/// A stream whose reading panics when it is told to.
struct Panicking {
    io: DuplexStream,
    panics: Arc<AtomicBool>,
}

impl AsyncRead for Panicking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.panics.load(Ordering::SeqCst), "told to panic");
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_connection_that_closes_or_is_aborted_leaves() {
    let world = World::new();
    for way in ["closed", "aborted"] {
        let (ann, _) = world.member("ann").await;
        assert_eq!((world.hub.rooms(), world.hub.connections()), (2, 1));
        match way {
            "closed" => ann.cut().await,
            _ => ann.serving.abort(),
        }
        until(|| (world.hub.rooms(), world.hub.connections()) == (0, 0)).await;
    }
}

/// Its network is gone: nothing comes from it, no close and no reset, and what is sent to it is lost.
#[tokio::test(start_paused = true)]
async fn who_has_vanished_has_left_after_a_minute() {
    let world = World::new();
    let (mut gone, io) = duplex(64 * 1024);
    let serving = tokio::spawn(serve_stream(io, world.app(), Limits::default()));
    let hello = br#"{"name":"ann"}"#;
    let header = FrameHeader {
        codec: Codec::JSON,
        length: hello.len() as u32,
        ..FrameHeader::control(Kind::Message, 1, type_hash("hello"))
    };
    let begin = [
        &Preface::client().to_bytes()[..],
        &header.to_bytes(),
        &hello[..],
    ];
    gone.write_all(&begin.concat()).await.expect("written");
    let mut answer = [0; Preface::BYTES + FrameHeader::BYTES];
    gone.read_exact(&mut answer).await.expect("an answer");
    let join = Join::default().present("ann", &()).expect("serialises");
    let peer = world.peer("ann");
    world.hub.join(&peer, ROOM, join).await.expect("joined");
    let since = Instant::now();

    let room = world.hub.room(ROOM);
    assert_eq!(room.present().await.expect("known").len(), 1);
    // A second less, and she is still there; other members would see her go too early.
    sleep(Duration::from_secs(59)).await;
    assert_eq!(room.present().await.expect("known").len(), 1);
    let disconnect = serving.await.expect("it ends in good order");
    assert!(matches!(
        disconnect,
        Disconnect::Failed(Error::IdleTimeout { .. })
    ));
    while !room.present().await.expect("known").is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(since.elapsed() <= Duration::from_secs(65), "{since:?}");
    assert_eq!(world.hub.connections(), 0);
}

#[tokio::test]
async fn a_connection_whose_task_panics_leaves() {
    let world = World::new();
    let (watcher, _) = world.member("watcher").await;
    let mut diffs = watcher.client.pushes::<PresenceDiff>(10);
    let (ours, io) = duplex(4096);
    let panics = Arc::new(AtomicBool::new(false));
    let stream = Panicking {
        io,
        panics: Arc::clone(&panics),
    };
    let serving = tokio::spawn(serve_stream(stream, world.app(), Limits::default()));
    let (read, write) = split(ours);
    let builder: ClientBuilder = ClientBuilder::default();
    let client = builder.over_native(read, write);
    let name = "ann".to_owned();
    client.call(Hello { name }).await.expect("hello");
    let join = Join::default().present("ann", &()).expect("a meta");
    world
        .hub
        .join(&world.peer("ann"), ROOM, join)
        .await
        .expect("joined");
    assert_eq!(
        next(&mut diffs).await.expect("a push").message.joins.len(),
        1
    );
    panics.store(true, Ordering::SeqCst);
    // Whatever it sends wakes the task.
    let _ = client
        .call(Enter {
            room: "another".to_owned(),
        })
        .await;
    assert!(serving.await.expect_err("it panics").is_panic());
    assert_eq!(
        next(&mut diffs).await.expect("a push").message.leaves.len(),
        1
    );
    until(|| world.hub.connections() == 1).await;
}

#[tokio::test]
async fn who_joins_after_its_connection_has_ended_joins_nothing() {
    let world = World::new();
    let ann = world.client("ann").await;
    let peer = ann.peer.clone();
    ann.cut().await;
    let joined = world.hub.join(&peer, ROOM, Join::default()).await;
    assert!(matches!(joined, Err(PushError::Closed)));
    assert!(matches!(world.hub.pusher(&peer), Err(PushError::Closed)));
    assert!(matches!(world.hub.to(peer.id()), Err(PushError::NotHere)));
    assert_eq!((world.hub.rooms(), world.hub.connections()), (0, 0));
}

/// Members that do not read until the server has been told to stop: what was said waits in their
/// queues, since it is more than sockets take.
#[tokio::test]
async fn a_server_that_stops_sends_what_was_said_in_order_before_it_goes_away() {
    let world = World::with(PushLimits {
        queued_bytes: 32 * 1024 * 1024,
        keep: Keep {
            bytes: 32 * 1024 * 1024,
            ..Keep::default()
        },
        ..PushLimits::default()
    });
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let addr = server.local_addr().expect("bound");
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(world.app()));
    let (open, _) = watch::channel(true);
    let mut members = Vec::new();
    for _ in 0..3 {
        let stream = TcpStream::connect(addr).await.expect("connected");
        let (near, far) = duplex(4096);
        tokio::spawn(relay(stream, far, open.subscribe()));
        let (read, write) = split(near);
        let builder: ClientBuilder = ClientBuilder::default();
        let client = builder.over_native(read, write);
        let pushes = client.pushes::<Said>(1000);
        let room = ROOM.to_owned();
        client.call(Enter { room }).await.expect("entered");
        members.push((client, pushes));
    }
    open.send_replace(false);
    for n in 1..=200 {
        let text = "x".repeat(60_000);
        let room = world.hub.room(ROOM);
        let sent = room.send(&Said { n, text }, SlowReader::Wait).await;
        sent.expect("sent");
    }
    world.hub.shutdown().await;
    assert!(
        world.hub.stats().sent < 3 * 200,
        "some wait in their queues"
    );
    stop.shutdown();
    open.send_replace(true);
    let reading = members.into_iter().map(|(client, mut pushes)| async move {
        let mut got = Vec::new();
        while let Some(pushed) = pushes.next().await {
            got.push(pushed.expect("nothing is lost").message.n);
        }
        drop(client);
        got
    });
    let all: Vec<u64> = (1..=200).collect();
    for got in futures_util::future::join_all(reading).await {
        assert_eq!(got, all, "and that was all");
    }
    serving.await.expect("served").expect("in good order");
    let late = world
        .hub
        .room(ROOM)
        .send(&said(201), SlowReader::Wait)
        .await;
    assert!(matches!(late, Err(PushError::Stopped)));
    assert_eq!((world.hub.rooms(), world.hub.connections()), (0, 0));
}
