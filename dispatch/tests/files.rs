//! What follows a reply: at once, held back, begun, ended.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{World, connect};
use packetboat_dispatch::{
    Anyone, App, Disconnect, Dispatcher, File, Limits, Message, Outcome, serve_stream,
};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

fn world() -> (World, mpsc::UnboundedReceiver<Outcome>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (
        World {
            outcomes: Some(sender),
            ..World::default()
        },
        receiver,
    )
}

fn pattern(len: u64) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[tokio::test]
async fn a_file_follows_its_reply_and_its_end_is_told() {
    let (world, mut outcomes) = world();
    let (mut peer, _serving) = connect(&world, Limits::default());
    for len in [0u64, 1, 65_536, 2_000_000] {
        let answer = peer
            .ask(format!(r#"{{"type": "download", "len": {len}}}"#))
            .await;
        assert_eq!(answer["file_size"], len);
        let mut body = vec![0; len as usize];
        peer.io.read_exact(&mut body).await.expect("the file");
        assert!(body == pattern(len), "other bytes");
        let outcome = outcomes.recv().await.expect("the end");
        assert!(
            outcome.is_complete() && outcome.sent() == len,
            "{outcome:?}"
        );
        assert!(peer.is_alive().await, "nothing follows the file");
    }
    assert_eq!(world.started.load(Ordering::SeqCst), 4);
}

/// Held for longer than every limit of time there is.
#[tokio::test(start_paused = true)]
async fn a_held_file_waits_while_its_reply_goes_out_and_no_limit_counts() {
    let (mut world, mut outcomes) = world();
    world.hold = Duration::from_secs(100);
    let mut limits = Limits {
        handler_time: Duration::from_secs(5),
        ..Limits::default()
    };
    limits.wire.idle_time = Duration::from_secs(5);
    limits.wire.write_time = Duration::from_secs(5);
    limits.wire.body_rate_window = Duration::from_secs(5);
    let (mut peer, _serving) = connect(&world, limits);
    let start = Instant::now();
    let answer = peer.ask(r#"{"type": "download", "len": 50000}"#).await;
    assert_eq!(answer["file_size"], 50_000);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "the reply is not held"
    );
    assert_eq!(
        world.started.load(Ordering::SeqCst),
        0,
        "nothing begins before its time"
    );
    // What comes meanwhile is answered after the file.
    peer.send(r#"{"type": "echo", "text": "later"}"#).await;
    let mut body = vec![0; 50_000];
    peer.io
        .read_exact(&mut body[..1])
        .await
        .expect("the first byte");
    assert!(
        start.elapsed() >= Duration::from_secs(99),
        "{:?}",
        start.elapsed()
    );
    peer.io.read_exact(&mut body[1..]).await.expect("the rest");
    assert!(body == pattern(50_000), "other bytes");
    assert!(outcomes.recv().await.expect("the end").is_complete());
    assert_eq!(
        peer.reply().await.expect("the next answer")["text"],
        "later"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_while_its_file_is_held_is_noticed_at_once() {
    let (mut world, mut outcomes) = world();
    world.hold = Duration::from_secs(100);
    let (mut peer, serving) = connect(&world, Limits::default());
    let start = Instant::now();
    peer.ask(r#"{"type": "download", "len": 50000}"#).await;
    drop(peer);
    assert!(matches!(serving.await, Ok(Disconnect::Failed(_))));
    let outcome = outcomes.recv().await.expect("the end");
    assert!(!outcome.has_started() && outcome.sent() == 0, "{outcome:?}");
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(world.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_file_whose_start_fails_closes_without_a_byte() {
    let (mut world, mut outcomes) = world();
    world.refuse_start = true;
    let (mut peer, _serving) = connect(&world, Limits::default());
    assert_eq!(
        peer.ask(r#"{"type": "download", "len": 5}"#).await["file_size"],
        5
    );
    assert!(peer.is_closed().await);
    assert!(!outcomes.recv().await.expect("the end").has_started());
}

#[tokio::test]
async fn a_peer_that_leaves_in_mid_file_leaves_an_unfinished_outcome() {
    let (world, mut outcomes) = world();
    let (mut peer, serving) = connect(&world, Limits::default());
    peer.ask(r#"{"type": "download", "len": 5000000}"#).await;
    peer.io
        .read_exact(&mut [0; 1000])
        .await
        .expect("some of it");
    drop(peer);
    assert!(matches!(serving.await, Ok(Disconnect::Failed(_))));
    let outcome = outcomes.recv().await.expect("the end");
    assert!(
        outcome.has_started() && !outcome.is_complete(),
        "{outcome:?}"
    );
    assert!(outcome.sent() >= 1000 && outcome.len() == 5_000_000);
}

#[tokio::test]
async fn a_request_that_half_closes_gets_its_reply_and_its_file() {
    let (world, mut outcomes) = world();
    let (mut peer, serving) = connect(&world, Limits::default());
    peer.send(r#"{"type": "slow", "ms": 30}"#).await;
    peer.send(r#"{"type": "download", "len": 700000}"#).await;
    tokio::io::AsyncWriteExt::shutdown(&mut peer.io)
        .await
        .expect("shut");
    assert_eq!(peer.reply().await.expect("an answer")["text"], "slow");
    assert_eq!(peer.reply().await.expect("an answer")["file_size"], 700_000);
    let mut body = Vec::new();
    peer.io.read_to_end(&mut body).await.expect("the file");
    assert!(body == pattern(700_000), "other bytes");
    assert!(outcomes.recv().await.expect("the end").is_complete());
    assert!(matches!(serving.await, Ok(Disconnect::Closed)));
}

#[derive(Debug, serde::Deserialize, Message)]
#[message(type = "bad_end", reply = ())]
struct BadEnd {}

#[tokio::test]
async fn what_panics_at_the_end_of_a_file_ends_no_connection() {
    async fn bad_end(_: BadEnd) -> ((), File) {
        // The closure itself panics, and not the future that it would give.
        #[expect(unreachable_code, reason = "it panics on purpose")]
        let file = File::bytes("abc").on_end(|_| {
            panic!("the end panics on purpose");
            async {}
        });
        ((), file)
    }
    let app = Dispatcher::new(()).allow(Anyone, |group| group.on(bad_end));
    let (ours, theirs) = tokio::io::duplex(1024);
    let _serving = tokio::spawn(serve_stream(theirs, App::from(app), Limits::default()));
    let mut peer = common::RawPeer { io: ours };
    for _ in 0..2 {
        assert_eq!(peer.ask(r#"{"type": "bad_end"}"#).await["flag"], true);
        let mut body = [0; 3];
        peer.io.read_exact(&mut body).await.expect("the file");
        assert_eq!(&body, b"abc");
    }
}
