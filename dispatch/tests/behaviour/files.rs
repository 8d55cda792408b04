//! What follows a reply.

use std::sync::atomic::Ordering;
use std::time::Duration;

use packetboat_dispatch::{Limits, Outcome, Wire};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::bed::Bed;
use crate::common::World;

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

async fn end(outcomes: &mut mpsc::UnboundedReceiver<Outcome>) -> Outcome {
    let outcome = timeout(Duration::from_secs(20), outcomes.recv()).await;
    outcome.expect("in time").expect("the end is told")
}

fn pattern(len: u64) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

pub(crate) async fn a_file_follows_its_reply_and_its_end_is_told(bed: Bed) {
    let (world, mut outcomes) = world();
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    for len in [0u64, 1, 65_536, 3_000_000] {
        let message = format!(r#"{{"type": "download", "len": {len}}}"#);
        let (answer, file) = peer.download(&message).await;
        assert_eq!(answer.value["file_size"], len);
        assert!(file == pattern(len), "other bytes");
        let outcome = end(&mut outcomes).await;
        assert!(
            outcome.is_complete() && outcome.sent() == len,
            "{outcome:?}"
        );
        assert!(peer.is_alive().await, "nothing follows the file");
    }
    assert_eq!(world.started.load(Ordering::SeqCst), 4);
}

pub(crate) async fn a_held_file_waits_while_its_reply_goes_out(bed: Bed) {
    let (mut world, mut outcomes) = world();
    world.hold = Duration::from_millis(600);
    let mut limits = Limits::default();
    limits.wire.body_rate_window = Duration::from_millis(100);
    limits.wire.write_time = Duration::from_millis(100);
    let server = bed.serve(&world, limits).await;
    let mut peer = server.peer().await;
    let start = Instant::now();
    let request = peer
        .send(r#"{"type": "download", "len": 50000}"#, None)
        .await;
    let request = request.expect("the server reads");
    let (answer, size) = peer.answer(request).await.expect("an answer");
    assert_eq!(
        (answer.value["file_size"].as_u64(), size),
        (Some(50_000), 50_000)
    );
    let begun = world.started.load(Ordering::SeqCst);
    assert!(start.elapsed() >= Duration::from_millis(500) || begun == 0);
    let file = peer.file(request, 50_000).await;
    assert!(
        start.elapsed() >= Duration::from_millis(550),
        "it was not held"
    );
    assert!(file == pattern(50_000), "other bytes");
    assert!(end(&mut outcomes).await.is_complete());
    assert!(peer.is_alive().await);
}

pub(crate) async fn a_file_whose_start_fails_is_not_sent(bed: Bed) {
    let (mut world, mut outcomes) = world();
    world.refuse_start = true;
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    let (answer, file) = peer.download(r#"{"type": "download", "len": 5}"#).await;
    assert_eq!(answer.value["file_size"], 5);
    assert!(file.is_empty());
    assert!(!end(&mut outcomes).await.has_started());
    // The classic wire cannot say so, but by closing.
    assert_eq!(peer.is_alive().await, bed.wire == Wire::Native);
}

pub(crate) async fn a_peer_that_leaves_while_its_file_is_held_is_noticed(bed: Bed) {
    let (mut world, mut outcomes) = world();
    world.hold = Duration::from_secs(100);
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    let request = peer
        .send(r#"{"type": "download", "len": 50000}"#, None)
        .await;
    peer.answer(request.expect("the server reads"))
        .await
        .expect("an answer");
    drop(peer);
    let outcome = end(&mut outcomes).await;
    assert!(!outcome.has_started() && outcome.sent() == 0, "{outcome:?}");
    assert_eq!(world.started.load(Ordering::SeqCst), 0);
}

pub(crate) async fn a_peer_that_leaves_in_mid_file_leaves_an_unfinished_outcome(bed: Bed) {
    let (world, mut outcomes) = world();
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    let request = peer
        .send(r#"{"type": "download", "len": 30000000}"#, None)
        .await;
    let request = request.expect("the server reads");
    peer.answer(request).await.expect("an answer");
    peer.file(request, 1000).await;
    drop(peer);
    let outcome = end(&mut outcomes).await;
    assert!(
        outcome.has_started() && !outcome.is_complete(),
        "{outcome:?}"
    );
    assert!(outcome.sent() >= 1000 && outcome.len() == 30_000_000);
}
