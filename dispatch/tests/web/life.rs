//! How WebSockets live and end: silence, shutdown, peers that do not read, and failures.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use packetboat_dispatch::web::{self, SocketOptions};
use packetboat_dispatch::{Disconnect, Dispatcher, Limits, NativeClient, Rejection, Server, Shape};
use packetboat_framing::Error;
use packetboat_framing::native::{FrameHeader, Kind, Preface};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::raw::{
    BINARY, CLOSE, PING, PONG, TEXT, closed_with, frame, open, read, read_late, shake_hands,
};
use crate::world::{Client, PATIENCE, Plan, Running, Wait, World, settled};

const ECHO: &str = r#"{"id":1,"type":"echo","text":"hi"}"#;

async fn say(stream: &mut TcpStream, opcode: u8, payload: impl AsRef<[u8]>) {
    let bytes = frame(opcode, payload).bytes();
    stream.write_all(&bytes).await.expect("the server reads");
}

/// The code that the server closes with, whatever comes before.
async fn code(stream: &mut TcpStream) -> Option<u16> {
    let mut said = Vec::new();
    while let Some(frame) = read(stream).await {
        said.push(frame);
    }
    closed_with(&said)
}

/// A WebSocket that has said nothing, text, or the native wire's preface.
async fn silent(server: &Running, first: Option<(u8, &[u8])>) -> TcpStream {
    let mut stream = open(server).await;
    if let Some((opcode, payload)) = first {
        say(&mut stream, opcode, payload).await;
        read(&mut stream).await.expect("an answer");
    }
    stream
}

#[tokio::test]
async fn a_peer_that_has_vanished_is_pinged_and_then_closed() {
    let preface = Preface::client().to_bytes();
    for first in [
        None,
        Some((TEXT, ECHO.as_bytes())),
        Some((BINARY, &preface[..])),
    ] {
        let mut server = Plan::default().serve().await;
        let mut stream = silent(&server, first).await;
        // From here on time passes as soon as everybody waits for it.
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        // As long as pings are answered it may be silent.
        for _ in 0..10 {
            assert_eq!(
                read_late(&mut stream).await,
                Some((PING, Vec::new())),
                "{first:?}"
            );
            say(&mut stream, PONG, "").await;
        }
        let waited = begun.elapsed().as_secs();
        assert!((195..=210).contains(&waited), "{waited}");
        let begun = tokio::time::Instant::now();
        let ended = timeout(Duration::from_secs(1_000), server.ended.recv()).await;
        let ended = ended.expect("in time").expect("the server lives");
        let waited = begun.elapsed().as_secs();
        tokio::time::resume();
        let after = Duration::from_secs(60);
        assert!(
            matches!(&*ended, Disconnect::Failed(Error::IdleTimeout { after: found }) if *found == after),
            "{ended:?}"
        );
        assert!((55..=70).contains(&waited), "{waited}");
        assert_eq!(code(&mut stream).await, Some(1008));
    }
}

#[tokio::test]
async fn a_message_has_a_time_to_come_in() {
    let mut plan = Plan::default();
    plan.limits.wire.header_time = Duration::from_millis(300);
    let server = plan.serve().await;
    let whole = frame(TEXT, ECHO).bytes();
    let fragments = [frame(TEXT, "{").more().bytes(), frame(PING, "").bytes()].concat();
    for begun in [
        &whole[..1],
        &whole[..10],
        &whole[..whole.len() - 1],
        &fragments,
    ] {
        let mut stream = open(&server).await;
        stream.write_all(begun).await.expect("sent");
        let since = Instant::now();
        assert_eq!(code(&mut stream).await, Some(1008), "{begun:?}");
        let took = since.elapsed();
        assert!(
            took >= Duration::from_millis(290) && took < Duration::from_secs(5),
            "{took:?}"
        );
    }
    // A whole message is none that is late.
    let mut stream = open(&server).await;
    stream.write_all(&whole).await.expect("sent");
    read(&mut stream).await.expect("an answer");
    tokio::time::sleep(Duration::from_millis(1600)).await;
    stream.write_all(&whole).await.expect("sent");
    assert_eq!(
        read(&mut stream).await.map(|(opcode, _)| opcode),
        Some(TEXT)
    );
}

#[tokio::test]
async fn at_a_stop_what_has_begun_is_answered_and_then_the_peer_is_told() {
    let mut server = Plan::default().serve().await;
    let mut text = server.websocket().await;
    text.send(r#"{"id":7,"type":"wait"}"#).await;
    let binary = NativeClient::connect_websocket(&server.url("/socket")).await;
    let binary = binary.expect("a WebSocket");
    let call = tokio::spawn({
        let binary = binary.clone();
        async move { binary.call(Wait {}).await }
    });
    let mut page = server.connect().await;
    page.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    let mut kept = server.connect().await;
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"a page") {
        answer.push(kept.read_u8().await.expect("an answer"));
    }
    let mut undecided = server.websocket().await;
    let mut idle = server.websocket().await;
    idle.ask(ECHO).await;
    settled(|| server.world.at_gate.load(Ordering::SeqCst) == 3).await;

    server.stop.shutdown();
    // Those that wait for nothing are closed at once.
    assert_eq!(idle.close_code().await, Some(1001));
    assert_eq!(undecided.close_code().await, Some(1001));
    assert_eq!(kept.read(&mut [0; 100]).await.expect("an end"), 0);
    for _ in 0..3 {
        assert!(matches!(*server.end().await, Disconnect::Stopped));
    }
    assert!(!server.serving.is_finished());
    server.world.gate.notify_waiters();
    assert_eq!(
        text.next().await,
        json!({"id": 7, "reply": {"text": "passed"}})
    );
    assert_eq!(text.close_code().await, Some(1001));
    assert_eq!(
        call.await.expect("no panic").expect("a reply").text,
        "passed"
    );
    let mut answer = String::new();
    page.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("passed"), "{answer}");
    server.serving.await.expect("no panic").expect("served");
}

#[tokio::test]
async fn a_binary_peer_hears_that_the_server_goes_in_the_words_of_its_wire_and_then_the_code() {
    let server = Plan::default().serve().await;
    let mut stream = silent(&server, Some((BINARY, &Preface::client().to_bytes()))).await;
    server.stop.shutdown();
    let (opcode, going) = read(&mut stream).await.expect("a frame");
    let header = going.first_chunk().expect("a header");
    let header = FrameHeader::read(header).expect("a header");
    assert_eq!((opcode, header.kind), (BINARY, Kind::GoingAway));
    let (opcode, code) = read(&mut stream).await.expect("a frame");
    assert_eq!((opcode, &code[..2]), (CLOSE, &[3, 233][..]));
    assert_eq!(read(&mut stream).await, None);
    server.serving.await.expect("no panic").expect("served");
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_no_websocket_behind() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    client.ask(ECHO).await;
    server.serving.abort();
    assert_eq!(client.close_code().await, None);
}

#[tokio::test]
async fn a_peer_that_closes_ends_the_connection_though_a_handler_is_at_work() {
    let mut server = Plan::default().serve().await;
    let mut stream = open(&server).await;
    say(&mut stream, TEXT, r#"{"id":1,"type":"wait"}"#).await;
    settled(|| server.world.at_gate.load(Ordering::SeqCst) == 1).await;
    say(&mut stream, CLOSE, [3, 232]).await;
    assert_eq!(read(&mut stream).await, Some((CLOSE, vec![3, 232])));
    assert_eq!(read(&mut stream).await, None);
    drop(stream);
    assert!(matches!(*server.end().await, Disconnect::Closed));
    // Its handler goes on by itself.
    server.world.gate.notify_one();
    settled(|| server.world.passed.load(Ordering::SeqCst) == 1).await;
}

/// Asks on another connection, and gives how long the slowest of fifty answers took.
async fn slowest(client: &mut Client<TcpStream>) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let begun = Instant::now();
        client.ask(ECHO).await;
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_costs_nobody_their_turn() {
    let server = Plan::default().serve().await;
    let mut other = server.websocket().await;
    other.ask(ECHO).await;
    let (mut read, mut write) = open(&server).await.into_split();
    let pings: Vec<u8> = (0..1000)
        .flat_map(|_| frame(PING, [b'x'; 125]).bytes())
        .collect();
    let flooding = tokio::spawn(async move {
        loop {
            write.write_all(&pings).await.expect("the server reads");
        }
    });
    let draining =
        tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
    let took = slowest(&mut other).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    // It was served all the same.
    assert!(!flooding.is_finished() && !draining.is_finished());
    flooding.abort();
    draining.abort();
}

/// A WebSocket over a Unix socket, whose buffers are small, so that what is taken, or is not, is soon
/// heard of; and why it ends.
async fn over_unix(write_time: Duration) -> (UnixStream, mpsc::UnboundedReceiver<Arc<Disconnect>>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let server = Server::bind_unix(&path).expect("a socket");
    let mut limits = Limits::default();
    limits.wire.write_time = write_time;
    let socket = web::socket(SocketOptions::new().without_origin());
    let (sender, ended) = mpsc::unbounded_channel();
    let server = server
        .limits(limits)
        .web(axum::Router::new().route("/socket", socket))
        .on_disconnect(move |_, reason| {
            let _ = sender.send(reason);
            async {}
        });
    tokio::spawn(server.serve(World::new().dispatcher()));
    let mut stream = UnixStream::connect(&path).await.expect("a server");
    shake_hands(&mut stream).await;
    (stream, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_is_closed_in_time() {
    let big = r#"{"type":"big","size":900000}"#;
    // Answers of the driver, of what stands before it, and of the codec.
    for (name, ask) in [
        ("requests", frame(TEXT, big)),
        ("no requests", frame(TEXT, "")),
        ("pings", frame(PING, [b'x'; 125])),
    ] {
        let (mut stream, mut ended) = over_unix(Duration::from_millis(700)).await;
        let asks = ask.bytes().repeat(100);
        let asking = tokio::spawn(async move { while stream.write_all(&asks).await.is_ok() {} });
        let ended = timeout(PATIENCE, ended.recv()).await;
        let ended = ended.expect("in time").expect("the server lives");
        assert!(
            matches!(&*ended, Disconnect::Failed(Error::WriteTimeout { .. })),
            "{name}: {ended:?}"
        );
        asking.await.expect("no panic");
    }
}

#[tokio::test]
async fn a_peer_that_reads_slowly_gets_everything() {
    const MANY: usize = 6;
    let (mut stream, _ended) = over_unix(Duration::from_millis(300)).await;
    let ask = frame(TEXT, r#"{"id":1,"type":"big","size":900000}"#).bytes();
    let asks = ask.repeat(MANY);
    stream.write_all(&asks).await.expect("the server reads");
    // No message is through in the time in which some of it has to be taken.
    let (mut got, mut space) = (0, vec![0; 64 * 1024]);
    while got < MANY * 900_000 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        match stream.read(&mut space).await.expect("it goes on") {
            0 => panic!("closed after {got} bytes"),
            n => got += n,
        }
    }
}

/// Words that there are none for.
#[derive(Clone)]
struct Wordless;

impl Shape for Wordless {
    fn accept<T: Serialize>(&self, _: &T, _: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        Ok(())
    }

    fn reject(&self, _: &Rejection, _: &mut Vec<u8>) {}

    fn words<'a>(&'a self, _: &'a Rejection) -> Cow<'a, str> {
        panic!("on purpose")
    }

    fn decode<T: DeserializeOwned>(
        &self,
        reply: &[u8],
    ) -> Result<Result<T, Rejection>, serde_json::Error> {
        serde_json::from_slice(reply).map(Ok)
    }
}

#[tokio::test]
async fn a_connection_whose_task_panics_says_so() {
    let server = Server::bind("127.0.0.1:0").await.expect("a free port");
    let addr = server.local_addr().expect("bound");
    let socket = web::socket(SocketOptions::new().without_origin());
    let server = server
        .limits(Limits::default())
        .web(axum::Router::new().route("/socket", socket));
    let dispatcher = Dispatcher::new(()).shape(Wordless);
    tokio::spawn(server.serve(dispatcher));
    let stream = TcpStream::connect(addr).await.expect("a server");
    let mut client = Client::over(stream, "/socket", &[])
        .await
        .expect("a WebSocket");
    client.send(r#"{"id":1,"type":"fly"}"#).await;
    assert_eq!(client.close_code().await, Some(1011));
}
