//! What an ordered wire does with good and bad messages, over memory.

mod common;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use common::{RawPeer, World, connect, dispatcher, frame};
use packetboat_dispatch::{App, Disconnect, Limits, serve_stream};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[tokio::test]
async fn requests_are_answered_in_order_however_they_arrive() {
    let (mut peer, serving) = connect(&World::default(), Limits::default());
    let mut bytes = Vec::new();
    for n in 0..200 {
        let kind = if n % 7 == 0 {
            r#""slow", "ms": 1"#.to_owned()
        } else {
            format!(r#""echo", "text": "{n}""#)
        };
        bytes.extend(frame(format!(r#"{{"type": {kind}}}"#).as_bytes()));
    }
    for piece in bytes.chunks(11) {
        peer.send_raw(piece).await;
    }
    for n in 0..200 {
        let text = if n % 7 == 0 {
            "slow".to_owned()
        } else {
            n.to_string()
        };
        assert_eq!(
            peer.reply().await,
            Some(json!({"flag": true, "text": text}))
        );
    }
    drop(peer);
    assert!(matches!(serving.await, Ok(Disconnect::Closed)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_behind_replies_that_nobody_reads() {
    let world = World::default();
    let (mut peer, _serving) = connect(&world, Limits::default());
    let session = peer.log_in("admin").await;
    let before = world.effects();
    // Two fill the pipe, and the third is more than the server holds.
    for _ in 0..3 {
        peer.send(r#"{"type": "big", "len": 200000}"#).await;
    }
    peer.send(format!(
        r#"{{"type": "delete_movie", "movie_id": 1, "session": "{session}"}}"#
    ))
    .await;
    // The clock goes on when nobody has anything to do.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.effects(), before);
    for _ in 0..4 {
        assert_eq!(peer.reply().await.expect("a reply")["flag"], true);
    }
    assert_eq!(world.effects(), before + 1);
}

#[tokio::test]
async fn an_alias_reaches_the_same_handler_and_unknown_keys_are_ignored() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    let answer = peer
        .ask(r#"{"type": "say", "text": "hi", "movie_id": 3, "file_size": 99}"#)
        .await;
    assert_eq!(answer["text"], "hi");
    assert!(peer.is_alive().await, "a stale size is followed by nothing");
}

#[tokio::test]
async fn what_the_scan_cannot_read_is_answered_and_closed() {
    for bad in [
        "",
        "[]",
        "null",
        "nope",
        "{\"type\": \"echo\"",
        "\u{feff}{}",
        "\"x\"",
    ] {
        let (mut peer, serving) = connect(&World::default(), Limits::default());
        if bad.is_empty() {
            peer.send(bad).await;
            assert!(peer.is_closed().await, "an empty message is no message");
            continue;
        }
        assert_eq!(peer.refusal(bad).await, "bad_json", "{bad}");
        assert!(peer.is_closed().await, "{bad}");
        drop(peer);
        assert!(
            matches!(serving.await, Ok(Disconnect::Answered { .. })),
            "{bad}"
        );
    }
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    assert_eq!(peer.refusal(b"{\"type\": \"\xd6\xd0\"}").await, "bad_json");
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_message_that_does_not_fit_its_type_names_the_field_and_the_connection_lives() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    for (message, field) in [
        (r#"{"type": "echo"}"#, "`text`"),
        (r#"{"type": "echo", "text": NaN}"#, "`text`"),
        (r#"{"type": "echo", "text": "\ud800"}"#, "`text`"),
        (r#"{"type": "echo", "text": "x", "text": "y"}"#, "`text`"),
        (
            r#"{"type": "echo", "text": "x", "number": -Infinity}"#,
            "`number`",
        ),
        (
            r#"{"type": "echo", "text": "x", "number": 99999999999999999999}"#,
            "`number`",
        ),
    ] {
        let answer = peer.ask(message).await;
        assert_eq!(answer["code"], "bad_message", "{message}");
        assert!(
            answer["msg"]
                .as_str()
                .is_some_and(|msg| msg.contains(field)),
            "{answer}"
        );
    }
    let answer = peer
        .ask(r#"{"type": "echo", "text": "x", "odd": [NaN, "\udc00"]}"#)
        .await;
    assert_eq!(answer["text"], "x");
}

#[tokio::test]
async fn an_unknown_type_is_answered_and_closed_only_with_a_body_behind_it() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    assert_eq!(peer.refusal(r#"{"type": "fly"}"#).await, "unknown_type");
    assert_eq!(peer.refusal(r#"{"text": "no type"}"#).await, "missing_type");
    assert_eq!(peer.refusal(r#"{"type": 7}"#).await, "missing_type");
    assert!(peer.is_alive().await);
    assert_eq!(
        peer.refusal(r#"{"type": "fly", "file_size": 3}"#).await,
        "unknown_type"
    );
    assert!(peer.is_closed().await);
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    assert_eq!(
        peer.refusal(r#"{"type": 7, "file_size": 3}"#).await,
        "missing_type"
    );
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_key_of_the_envelope_that_stands_twice_is_answered_and_closed() {
    for bad in [
        r#"{"type": "echo", "text": "x", "type": "echo"}"#,
        r#"{"type": "echo", "text": "x", "\u0074ype": "echo"}"#,
        r#"{"type": "echo", "text": "x", "session": "a", "session": "a"}"#,
        r#"{"type": "upload", "name": "x", "file_size": 0, "file_size": 90}"#,
    ] {
        let (mut peer, _serving) = connect(&World::default(), Limits::default());
        assert_eq!(peer.refusal(bad).await, "repeated_key", "{bad}");
        assert!(peer.is_closed().await, "{bad}");
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_quickly_also_where_it_is_ignored() {
    let limits = Limits::default();
    let (mut peer, _serving) = connect(&World::default(), limits);
    let session = peer.log_in("ann").await;
    let deep = format!(
        r#"{{"type": "echo", "session": "{session}", "x": {}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let start = Instant::now();
    assert_eq!(peer.refusal(&deep).await, "too_deep");
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_message_may_be_longer_after_login() {
    let long = format!(r#"{{"type": "echo", "text": "{}"}}"#, "x".repeat(100_000));
    let (mut peer, serving) = connect(&World::default(), Limits::default());
    peer.send(&long).await;
    assert!(peer.is_closed().await, "a stranger has 64 KiB");
    assert!(matches!(serving.await, Ok(Disconnect::Failed(_))));

    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    peer.log_in("ann").await;
    assert_eq!(
        peer.ask(&long).await["text"].as_str().map(str::len),
        Some(100_000)
    );
}

#[tokio::test]
async fn replies_that_were_earned_arrive_before_a_bad_header_closes() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    let mut bytes = frame(br#"{"type": "echo", "text": "first"}"#);
    bytes.extend((-1i32).to_le_bytes());
    peer.send_raw(&bytes).await;
    assert_eq!(
        peer.reply().await.expect("the first answer")["text"],
        "first"
    );
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_panic_is_one_answer_and_nobody_else_notices() {
    let world = World::default();
    let (mut peer, _serving) = connect(&world, Limits::default());
    let (mut other, _other_serving) = connect(&world, Limits::default());
    for message in [
        r#"{"type": "panic"}"#,
        r#"{"type": "panic", "later": true}"#,
    ] {
        assert_eq!(peer.refusal(message).await, "internal");
        assert!(peer.is_alive().await);
        assert!(other.is_alive().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_answered_for_and_dropped() {
    let world = World::default();
    let limits = Limits {
        handler_time: Duration::from_secs(3),
        ..Limits::default()
    };
    let (mut peer, _serving) = connect(&world, limits);
    assert_eq!(
        peer.refusal(r#"{"type": "slow", "ms": 60000}"#).await,
        "timeout"
    );
    assert!(peer.is_alive().await);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.effects(), 0, "the handler did not go on");
}

#[tokio::test]
async fn a_disconnect_cancels_no_handler() {
    let world = World::default();
    let (mut peer, serving) = connect(&world, Limits::default());
    peer.send(r#"{"type": "gate"}"#).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(peer);
    // The reply has nowhere to go, and the connection ends before the handler.
    world.gate.notify_one();
    let disconnect = serving.await.expect("the connection ends");
    assert!(
        matches!(disconnect, Disconnect::Closed | Disconnect::Failed(_)),
        "{disconnect:?}"
    );
    for _ in 0..100 {
        if world.effects() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the handler did not end");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_begins_a_frame_and_stops_is_closed_at_the_header_time() {
    let (mut peer, serving) = connect(&World::default(), Limits::default());
    let start = tokio::time::Instant::now();
    let feed = async {
        for byte in frame(br#"{"type": "echo", "text": "x"}"#) {
            peer.send_raw(&[byte]).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    };
    tokio::select! {
        () = feed => panic!("a byte now and then extends nothing"),
        disconnect = serving => {
            assert!(matches!(disconnect, Ok(Disconnect::Failed(error)) if error.is_timeout()));
        }
    }
    assert!(
        start.elapsed() < Duration::from_secs(11),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_closed_at_the_idle_time_with_nothing_sent() {
    let (mut peer, serving) = connect(&World::default(), Limits::default());
    assert!(peer.is_alive().await);
    let start = tokio::time::Instant::now();
    assert!(peer.is_closed().await);
    assert_eq!(start.elapsed().as_secs(), 30 * 60);
    assert!(matches!(serving.await, Ok(Disconnect::Failed(error)) if error.is_timeout()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_closed_at_the_write_time() {
    let (mut peer, serving) = connect(&World::default(), Limits::default());
    for _ in 0..6 {
        peer.send(r#"{"type": "big", "len": 60000}"#).await;
    }
    let disconnect = serving.await.expect("the connection ends");
    assert!(matches!(disconnect, Disconnect::Failed(error) if error.is_timeout()));
}

#[tokio::test]
async fn a_peer_that_sends_all_before_it_reads_is_answered_in_full() {
    // 4 MB of replies through pipes of 256 KiB, while 30,000 requests wait to be read.
    let (peer, _serving) = connect(&World::default(), Limits::default());
    let (read, mut write) = tokio::io::split(peer.io);
    let sending = tokio::spawn(async move {
        let one = frame(format!(r#"{{"type": "echo", "text": "{}"}}"#, "x".repeat(100)).as_bytes());
        for _ in 0..300 {
            tokio::io::AsyncWriteExt::write_all(&mut write, &one.repeat(100))
                .await
                .expect("read");
        }
        write
    });
    let mut peer = RawPeer {
        io: tokio::io::join(read, tokio::io::sink()),
    };
    for _ in 0..30_000 {
        assert!(peer.reply().await.is_some());
    }
    drop(sending.await);
}

#[tokio::test]
async fn the_server_reads_on_while_it_waits_to_write() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    // 360 KB of replies for a pipe of 256 KiB: the server waits for us to read.
    for _ in 0..6 {
        peer.send(r#"{"type": "big", "len": 60000}"#).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    // We send on, 40 KiB more than the pipe holds, before we read.
    let echo = frame(format!(r#"{{"type": "echo", "text": "{}"}}"#, "x".repeat(986)).as_bytes());
    let sending = async {
        for _ in 0..296 {
            peer.send_raw(&echo).await;
        }
    };
    let sent = tokio::time::timeout(Duration::from_secs(2), sending).await;
    assert!(sent.is_ok(), "the server waits for us, and we for it");
    for _ in 0..302 {
        assert!(peer.reply().await.is_some());
    }
}

/// A stream that counts how often it is written to.
struct Counted {
    io: tokio::io::DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
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
async fn requests_that_come_together_are_answered_together() {
    let (ours, theirs) = tokio::io::duplex(256 * 1024);
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        io: theirs,
        writes: Arc::clone(&writes),
    };
    let app = App::from(dispatcher(World::default()));
    let _serving = tokio::spawn(serve_stream(counted, app, Limits::default()));
    let mut peer = RawPeer { io: ours };
    let echo = frame(br#"{"type": "echo", "text": "hello"}"#);
    peer.send_raw(&echo.repeat(1000)).await;
    for _ in 0..1000 {
        assert!(peer.reply().await.is_some());
    }
    let writes = writes.load(Ordering::SeqCst);
    assert!(writes < 100, "{writes} writes for 1000 replies");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_on_while_its_request_is_at_work_comes_to_wait() {
    let world = World::default();
    let (mut peer, _serving) = connect(&world, Limits::default());
    peer.send(r#"{"type": "gate"}"#).await;
    let (read, mut write) = tokio::io::split(peer.io);
    let sending = tokio::spawn(async move {
        let echo = format!(r#"{{"type": "echo", "text": "{}"}}"#, "x".repeat(1000));
        for _ in 0..2000 {
            tokio::io::AsyncWriteExt::write_all(&mut write, &frame(echo.as_bytes()))
                .await
                .expect("read");
        }
        write
    });
    // The clock goes on when nobody has anything to do. 2 MB are more than pipe and server hold.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!sending.is_finished(), "all of it was read ahead");
    world.gate.notify_one();
    let mut peer = RawPeer {
        io: tokio::io::join(read, tokio::io::sink()),
    };
    for _ in 0..2001 {
        assert!(peer.reply().await.is_some());
    }
    drop(sending.await);
}

#[tokio::test]
async fn a_reply_that_the_wire_cannot_carry_is_an_internal_error() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    assert_eq!(
        peer.refusal(r#"{"type": "big", "len": 2000000}"#).await,
        "internal"
    );
    assert!(peer.is_alive().await);
}

#[tokio::test]
async fn a_stranger_learns_no_schema() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    for message in [
        r#"{"type": "upload_for_admins", "file_size": 0}"#,
        r#"{"type": "upload_for_admins", "file_size": 0, "secret_field": 7, "role": "admin"}"#,
    ] {
        assert_eq!(peer.refusal(message).await, "not_logged_in");
    }
    let session = peer.log_in("ann").await;
    let message =
        format!(r#"{{"type": "upload_for_admins", "session": "{session}", "file_size": 0}}"#);
    assert_eq!(peer.refusal(message).await, "forbidden");
    let session = peer.log_in("admin").await;
    let message =
        format!(r#"{{"type": "upload_for_admins", "session": "{session}", "file_size": 0}}"#);
    let answer = peer.ask(message).await;
    assert!(
        answer["msg"]
            .as_str()
            .is_some_and(|msg| msg.contains("secret_field")),
        "{answer}"
    );
    // Not even an odd size says more to a stranger, though the connection ends.
    assert_eq!(
        peer.refusal(r#"{"type": "upload_for_admins"}"#).await,
        "not_logged_in"
    );
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_session_reaches_the_guard_and_is_valid_on_its_connection_alone() {
    let world = World::default();
    let (mut peer, _serving) = connect(&world, Limits::default());
    let session = peer.log_in("ann").await;
    let message = format!(r#"{{"type": "whoami", "session": "{session}", "subject": "admin"}}"#);
    assert_eq!(peer.ask(&message).await["text"], "ann");
    let (mut other, _other_serving) = connect(&world, Limits::default());
    assert_eq!(other.refusal(&message).await, "not_logged_in");
    let message = r#"{"type": "whoami", "session": 7}"#;
    assert_eq!(peer.refusal(message).await, "not_logged_in");
}
