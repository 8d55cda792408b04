//! A server over TCP: places, hooks, resets, shutdown, shortage, logs.

mod common;

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{RawPeer, World, dispatcher, frame};
use packetboat_dispatch::{Disconnect, Error, Limits, Server, ShutdownHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

struct Running {
    addr: SocketAddr,
    stop: ShutdownHandle,
    serving: JoinHandle<Result<(), Error>>,
    ended: mpsc::UnboundedReceiver<Arc<Disconnect>>,
}

async fn serve(world: &World, limits: Limits) -> Running {
    let (sender, ended) = mpsc::unbounded_channel();
    let server = Server::bind("127.0.0.1:0")
        .await
        .expect("a free port")
        .limits(limits);
    let server = server.on_disconnect(move |_, reason| {
        let _ = sender.send(reason);
        async {}
    });
    let (addr, stop) = (
        server.local_addr().expect("bound"),
        server.shutdown_handle(),
    );
    let serving = tokio::spawn(server.serve(dispatcher(world.clone())));
    Running {
        addr,
        stop,
        serving,
        ended,
    }
}

async fn connect(addr: SocketAddr) -> RawPeer<TcpStream> {
    RawPeer {
        io: TcpStream::connect(addr).await.expect("the server listens"),
    }
}

/// Closes with a reset instead of a goodbye.
fn reset(peer: RawPeer<TcpStream>) {
    let RawPeer { io } = peer;
    let socket = socket2::SockRef::from(&io);
    socket
        .set_linger(Some(Duration::ZERO))
        .expect("an option of every socket");
}

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("a log is text")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_connection_is_greeted_served_and_seen_off_with_the_reason() {
    let (sender, mut greeted) = mpsc::unbounded_channel();
    let server = Server::bind("127.0.0.1:0").await.expect("a free port");
    let addr = server.local_addr().expect("bound");
    let (ended, mut reasons) = mpsc::unbounded_channel();
    let server = server
        .on_connect(move |peer| {
            let _ = sender.send(peer);
            async {}
        })
        .on_disconnect(move |peer, reason| {
            let _ = ended.send((peer.id(), reason));
            async {}
        });
    let _serving = tokio::spawn(server.serve(dispatcher(World::default())));
    let mut peer = connect(addr).await;
    assert!(peer.is_alive().await);
    let met = greeted.recv().await.expect("the hook ran");
    assert_eq!(met.addr(), peer.io.local_addr().ok());
    drop(peer);
    let (id, reason) = reasons.recv().await.expect("the hook ran");
    assert_eq!(id, met.id());
    assert!(matches!(*reason, Disconnect::Closed), "{reason:?}");
    let mut peer = connect(addr).await;
    peer.send_raw(&[0xff; 4]).await;
    assert!(peer.is_closed().await);
    let (_, reason) = reasons.recv().await.expect("the hook ran");
    assert!(matches!(*reason, Disconnect::Failed(_)), "{reason:?}");
}

#[tokio::test]
async fn a_file_goes_over_tcp_byte_for_byte() {
    let running = serve(&World::default(), Limits::default()).await;
    let mut peer = connect(running.addr).await;
    assert_eq!(
        peer.ask(r#"{"type": "download", "len": 9000000}"#).await["file_size"],
        9_000_000
    );
    let mut body = vec![0; 9_000_000];
    peer.io.read_exact(&mut body).await.expect("the file");
    assert!(
        body.iter()
            .enumerate()
            .all(|(i, byte)| *byte == (i % 251) as u8)
    );
    assert!(peer.is_alive().await);
}

#[tokio::test]
async fn a_peer_that_half_closes_over_tcp_reads_every_reply() {
    let mut running = serve(&World::default(), Limits::default()).await;
    let mut peer = connect(running.addr).await;
    peer.send(r#"{"type": "slow", "ms": 50}"#).await;
    peer.send(r#"{"type": "download", "len": 3000000}"#).await;
    peer.io.shutdown().await.expect("shut");
    assert_eq!(peer.reply().await.expect("an answer")["text"], "slow");
    assert_eq!(
        peer.reply().await.expect("an answer")["file_size"],
        3_000_000
    );
    let mut body = Vec::new();
    peer.io.read_to_end(&mut body).await.expect("the file");
    assert_eq!(body.len(), 3_000_000);
    assert!(matches!(
        *running.ended.recv().await.expect("it ends"),
        Disconnect::Closed
    ));
}

#[tokio::test]
async fn a_reset_frees_the_connection_at_once_whatever_it_was_doing() {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let world = World {
        hold: Duration::from_secs(60),
        outcomes: Some(sender),
        ..World::default()
    };
    let mut running = serve(&world, Limits::default()).await;
    let upload = r#"{"type": "upload", "name": "x", "file_size": 5000}"#;
    for message in [
        r#"{"type": "gate"}"#,
        upload,
        r#"{"type": "download", "len": 9}"#,
    ] {
        let mut peer = connect(running.addr).await;
        peer.send(message).await;
        sleep(Duration::from_millis(50)).await;
        let start = Instant::now();
        reset(peer);
        let reason = timeout(Duration::from_secs(5), running.ended.recv()).await;
        let reason = reason.expect("it is noticed").expect("it ends");
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{message}: {:?}",
            start.elapsed()
        );
        assert!(matches!(*reason, Disconnect::Failed(_)), "{reason:?}");
    }
    assert!(
        !outcomes
            .recv()
            .await
            .expect("the end is told")
            .has_started()
    );
    let seen = world
        .uploads
        .lock()
        .expect("no panic")
        .pop()
        .expect("the handler was told");
    assert!(seen.is_err());
    // The handler behind the gate was not cancelled.
    world.gate.notify_one();
    timeout(Duration::from_secs(5), async {
        while world.effects() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the handler goes on");
}

#[tokio::test]
async fn shutdown_finishes_what_has_begun_and_sends_nothing_to_the_others() {
    let world = World::default();
    let running = serve(&world, Limits::default()).await;
    let mut idle = connect(running.addr).await;
    assert!(idle.is_alive().await);
    let mut busy = connect(running.addr).await;
    busy.send(r#"{"type": "gate"}"#).await;
    sleep(Duration::from_millis(50)).await;
    running.stop.shutdown();
    let mut rest = Vec::new();
    idle.io.read_to_end(&mut rest).await.expect("a goodbye");
    assert!(rest.is_empty(), "something unsolicited was sent");
    assert!(
        TcpStream::connect(running.addr).await.is_err(),
        "nobody is let in any more"
    );
    assert!(!running.serving.is_finished());
    world.gate.notify_one();
    assert_eq!(
        busy.reply().await.expect("what has begun is answered")["text"],
        "open"
    );
    assert!(busy.is_closed().await);
    assert!(matches!(running.serving.await, Ok(Ok(()))));
}

#[tokio::test]
async fn shutdown_answers_a_request_of_which_half_has_arrived() {
    let running = serve(&World::default(), Limits::default()).await;
    let mut peer = connect(running.addr).await;
    assert!(peer.is_alive().await);
    let echo = frame(br#"{"type": "echo", "text": "whole"}"#);
    let (half, rest) = echo.split_at(echo.len() / 2);
    peer.send_raw(half).await;
    sleep(Duration::from_millis(50)).await;
    running.stop.shutdown();
    sleep(Duration::from_millis(50)).await;
    peer.send_raw(rest).await;
    let reply = peer.reply().await;
    assert_eq!(reply.expect("it had begun to arrive")["text"], "whole");
    assert!(peer.is_closed().await);
    assert!(matches!(running.serving.await, Ok(Ok(()))));
}

/// Else a peer that always has one more would hold up the shutdown.
#[tokio::test]
async fn shutdown_begins_nothing_that_waits_behind_a_request() {
    let world = World::default();
    let running = serve(&world, Limits::default()).await;
    let mut peer = connect(running.addr).await;
    let gate = frame(br#"{"type": "gate"}"#);
    peer.send_raw(&gate.repeat(2)).await;
    sleep(Duration::from_millis(50)).await;
    running.stop.shutdown();
    world.gate.notify_one();
    let reply = peer.reply().await;
    assert_eq!(reply.expect("it had begun")["text"], "open");
    world.gate.notify_one();
    assert!(peer.is_closed().await);
    assert!(matches!(running.serving.await, Ok(Ok(()))));
    assert_eq!(world.effects(), 1);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_peers_between_two_requests() {
    let running = serve(&World::default(), Limits::default()).await;
    let mut idle = connect(running.addr).await;
    assert!(idle.is_alive().await);
    running.stop.shutdown();
    let ended = timeout(Duration::from_secs(2), running.serving).await;
    assert!(
        matches!(ended, Ok(Ok(Ok(())))),
        "a peer that keeps its connection open holds up nobody: {ended:?}"
    );
    drop(idle);
}

#[tokio::test]
async fn shutdown_ends_what_does_not_finish_in_time() {
    let world = World::default();
    let limits = Limits {
        shutdown_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let running = serve(&world, limits).await;
    let mut busy = connect(running.addr).await;
    busy.send(r#"{"type": "gate"}"#).await;
    sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    running.stop.shutdown();
    assert!(matches!(running.serving.await, Ok(Ok(()))));
    assert!(
        (150..2000).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    assert!(busy.is_closed().await);
    world.gate.notify_one();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(world.effects(), 0, "the handler was ended with the server");
}

#[tokio::test]
async fn a_file_that_the_shutdown_cuts_short_is_told_with_what_was_sent() {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let world = World {
        outcomes: Some(sender),
        ..World::default()
    };
    let limits = Limits {
        shutdown_time: Duration::from_millis(100),
        ..Limits::default()
    };
    let running = serve(&world, limits).await;
    let mut peer = connect(running.addr).await;
    peer.ask(r#"{"type": "download", "len": 50000000}"#).await;
    peer.io.read_exact(&mut [0; 1000]).await.expect("a part");
    running.stop.shutdown();
    assert!(matches!(running.serving.await, Ok(Ok(()))));
    let outcome = outcomes.recv().await.expect("the end is told");
    assert!(outcome.has_started() && !outcome.is_complete());
    assert!(outcome.sent() >= 1000, "{outcome:?}");
}

/// It may be what writes down that a film was seen.
#[tokio::test]
async fn shutdown_waits_for_what_comes_after_a_file() {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let world = World {
        outcomes: Some(sender),
        telling: Duration::from_millis(300),
        ..World::default()
    };
    let running = serve(&world, Limits::default()).await;
    let mut peer = connect(running.addr).await;
    peer.ask(r#"{"type": "download", "len": 10}"#).await;
    peer.io.read_exact(&mut [0; 10]).await.expect("the file");
    running.stop.shutdown();
    assert!(matches!(running.serving.await, Ok(Ok(()))));
    let outcome = outcomes.try_recv().expect("it was waited for");
    assert!(outcome.is_complete(), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_nothing_running() {
    let world = World::default();
    let running = serve(&world, Limits::default()).await;
    let mut idle = connect(running.addr).await;
    assert!(idle.is_alive().await);
    let mut busy = connect(running.addr).await;
    busy.send(r#"{"type": "gate"}"#).await;
    sleep(Duration::from_millis(50)).await;
    running.serving.abort();
    assert!(idle.is_closed().await && busy.is_closed().await);
    assert!(TcpStream::connect(running.addr).await.is_err());
    world.gate.notify_one();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(world.effects(), 0, "the handler was ended with the server");
}

#[tokio::test]
async fn a_flood_from_one_address_is_capped_and_logged_a_few_times() {
    let log = Log::default();
    let _capture = log.capture();
    let running = serve(&World::default(), Limits::default()).await;
    let mut open = Vec::new();
    for _ in 0..1000 {
        open.push(connect(running.addr).await);
    }
    let mut alive = Vec::new();
    for mut peer in open.drain(..) {
        let sent = peer
            .io
            .write_all(&frame(br#"{"type": "echo", "text": "x"}"#))
            .await;
        if sent.is_ok() && peer.reply().await.is_some() {
            // Kept open, so that its place is not given to the next.
            alive.push(peer);
        }
    }
    assert_eq!(alive.len(), 64);
    let lines = log
        .text()
        .lines()
        .filter(|line| line.contains("connection refused"))
        .count();
    assert!((1..=10).contains(&lines), "{lines} lines");
}

#[tokio::test]
async fn handlers_of_peers_that_left_keep_their_places() {
    let world = World::default();
    let limits = Limits {
        connections_per_ip: 4,
        ..Limits::default()
    };
    let mut running = serve(&world, limits).await;
    for _ in 0..4 {
        let mut peer = connect(running.addr).await;
        peer.send(r#"{"type": "gate"}"#).await;
        sleep(Duration::from_millis(50)).await;
        reset(peer);
        running.ended.recv().await.expect("the reset is noticed");
    }
    // Else whoever asks for something slow, resets and comes again has any number of handlers at
    // work.
    let mut fifth = connect(running.addr).await;
    let closed = timeout(Duration::from_secs(5), fifth.is_closed()).await;
    assert_eq!(closed, Ok(true), "four handlers are at work");
    for _ in 0..4 {
        world.gate.notify_one();
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.effects(), 4);
    assert!(connect(running.addr).await.is_alive().await);
}

#[tokio::test]
async fn a_limit_of_time_without_end_is_none() {
    let mut limits = Limits {
        handler_time: Duration::MAX,
        shutdown_time: Duration::MAX,
        ..Limits::default()
    };
    limits.wire.idle_time = Duration::MAX;
    limits.wire.header_time = Duration::MAX;
    limits.wire.write_time = Duration::MAX;
    limits.wire.drain_time = Duration::MAX;
    limits.wire.body_rate_window = Duration::MAX;
    let running = serve(&World::default(), limits).await;
    let mut peer = connect(running.addr).await;
    sleep(Duration::from_millis(20)).await;
    let slow = peer.ask(r#"{"type": "slow", "ms": 20}"#).await;
    assert_eq!(slow["text"], "slow");
    let upload = frame(br#"{"type": "upload", "name": "x", "file_size": 3}"#);
    let (begin, rest) = upload.split_at(9);
    peer.send_raw(begin).await;
    sleep(Duration::from_millis(20)).await;
    peer.send_raw(rest).await;
    sleep(Duration::from_millis(20)).await;
    peer.send_raw(b"abc").await;
    let answer = peer.reply().await.expect("an answer");
    assert_eq!(answer["text"], "x has 3 bytes");
    for _ in 0..100 {
        peer.send(r#"{"type": "big", "len": 60000}"#).await;
    }
    for _ in 0..100 {
        assert!(peer.reply().await.is_some());
    }
}

#[tokio::test]
async fn no_log_holds_a_password_a_token_or_a_message() {
    let log = Log::default();
    let _capture = log.capture();
    let running = serve(&World::default(), Limits::default()).await;
    let mut peer = connect(running.addr).await;
    let session = peer.log_in("canary-name").await;
    for message in [
        r#"{"type": "echo", "text": "canary-text", "password": "canary-password"}"#,
        r#"{"type": "echo", "text": {"canary-key": 1}, "password": "canary-password"}"#,
        r#"{"type": "echo", "number": "canary-number", "text": "x"}"#,
        r#"{"type": "canary-type"}"#,
        r#"{"type": "panic", "text": "canary-panic"}"#,
        r#"{"type": "whoami", "session": "canary-session"}"#,
    ] {
        peer.ask(message).await;
    }
    peer.ask(format!(r#"{{"type": "whoami", "session": "{session}"}}"#))
        .await;
    peer.ask(r#"{"type": "canary", "file_size": "canary"}"#)
        .await;
    drop(peer);
    running.stop.shutdown();
    running.serving.await.expect("no panic").expect("served");
    let text = log.text();
    assert!(
        text.contains("request") && text.contains("a handler panicked"),
        "nothing is logged"
    );
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains(&session), "{text}");
}

/// A child process of this test binary: a server that may open few files.
struct Short(Child);

impl Drop for Short {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Short {
    /// Ticks of the processor that it has used.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("it runs");
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split(' ')
            .collect();
        [fields[12], fields[13]]
            .iter()
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum()
    }
}

/// The child of the next test, and no test by itself.
#[tokio::test]
#[ignore = "run by a_shortage_of_descriptors_is_waited_for"]
async fn short_of_descriptors() {
    let limits = Limits {
        connections_per_ip: 10_000,
        ..Limits::default()
    };
    let server = Server::bind("127.0.0.1:0")
        .await
        .expect("a free port")
        .limits(limits);
    println!("\nREADY {}", server.local_addr().expect("bound"));
    server
        .serve(dispatcher(World::default()))
        .await
        .expect("served");
}

#[tokio::test]
async fn a_shortage_of_descriptors_is_waited_for() {
    let exe = std::env::current_exe().expect("this test's own path");
    let child = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64; exec \"$0\" --exact short_of_descriptors --ignored --nocapture",
        ])
        .arg(exe)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut short = Short(child);
    let stdout = short.0.stdout.take().expect("piped");
    let addr = std::io::BufRead::lines(std::io::BufReader::new(stdout))
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("READY ")?.parse().ok())
        .expect("the child serves");

    let mut first = connect(addr).await;
    assert!(first.is_alive().await);
    let mut others = Vec::new();
    for _ in 0..100 {
        others.push(connect(addr).await);
    }
    sleep(Duration::from_millis(300)).await;
    let (before, start) = (short.ticks(), Instant::now());
    sleep(Duration::from_secs(2)).await;
    // A tick is a hundredth of a second, so this is the share of one processor in percent.
    let percent = (short.ticks() - before) as f64 / start.elapsed().as_secs_f64();
    assert!(
        percent < 5.0,
        "{percent} % of a processor while there is nothing to accept with"
    );
    assert!(first.is_alive().await, "who is in, stays");
    drop(others);
    let start = Instant::now();
    let mut late = connect(addr).await;
    assert!(late.is_alive().await);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}
