//! What follows a message.

use std::time::Duration;

use packetboat_dispatch::{Limits, Wire};
use tokio::time::{Instant, sleep};

use crate::bed::Bed;
use crate::common::World;

fn upload(len: u64, more: &str) -> String {
    format!(r#"{{"type": "upload", "name": "film", "file_size": {len}{more}}}"#)
}

/// What the handler saw, as soon as it has ended.
async fn seen(world: &World) -> Result<Vec<u8>, String> {
    for _ in 0..500 {
        if let Some(seen) = world.uploads.lock().expect("no panic").pop() {
            return seen;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("no handler has ended");
}

pub(crate) async fn an_upload_reaches_its_handler_whole(bed: Bed) {
    let world = World::default();
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    for len in [0, 1, 70_000, 3_000_000] {
        let body: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let answer = peer.upload(upload(len, ""), Some(&body)).await;
        let text = format!("film has {len} bytes");
        assert_eq!(answer.expect("an answer").text(), text);
        assert!(seen(&world).await == Ok(body), "other bytes");
        assert!(peer.is_alive().await);
    }
}

pub(crate) async fn nothing_inside_a_refused_upload_runs(bed: Bed) {
    let world = World::default();
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    let command = br#"{"type": "delete_movie", "movie_id": 1}"#;
    let mut frame = (command.len() as i32).to_le_bytes().to_vec();
    frame.extend_from_slice(command);
    // At every offset, so that whatever a server took for a header would once be one.
    for n in 0..120 {
        let mut body = vec![b'x'; n % 40];
        body.extend(frame.repeat(3));
        let (kind, code) = match n % 3 {
            0 => (r#""upload", "name": "x", "refuse": true"#, "refused"),
            1 => (r#""upload", "name": 7"#, "bad_message"),
            _ => (r#""upload_for_admins""#, "not_logged_in"),
        };
        let message = format!(r#"{{"type": {kind}, "file_size": {}}}"#, body.len());
        let answer = peer.upload(message, Some(&body)).await;
        assert_eq!(answer.expect("an answer").code(), code);
    }
    assert!(peer.is_alive().await);
    assert_eq!(world.effects(), 0, "a smuggled command ran");
}

pub(crate) async fn an_odd_size_is_refused(bed: Bed) {
    let world = World::default();
    let server = bed.serve(&world, Limits::default()).await;
    for odd in ["-1", "1.5", "\"5\"", "18446744073709551616", "null", "1e3"] {
        let mut peer = server.peer().await;
        let message = format!(r#"{{"type": "upload", "name": "x", "file_size": {odd}}}"#);
        let code = peer.ask(&message).await.code().to_owned();
        assert_eq!(code, "bad_attachment_size", "{odd}");
    }
    let mut peer = server.peer().await;
    let answer = peer.ask(r#"{"type": "upload", "name": "x"}"#).await;
    assert_eq!(answer.code(), "bad_attachment_size");
    assert!(world.uploads.lock().expect("no panic").is_empty());
}

pub(crate) async fn an_upload_over_the_limit_is_refused(bed: Bed) {
    let world = World::default();
    let mut limits = Limits::default();
    limits.wire.max_attachment_bytes = 1000;
    let server = bed.serve(&world, limits).await;
    let mut peer = server.peer().await;
    let answer = peer.upload(upload(1001, ""), Some(&[0; 1001])).await;
    assert_eq!(answer.expect("an answer").code(), "attachment_too_large");
    assert!(peer.is_alive().await);
    let request = peer
        .send(&upload(1_000_000_000_000, ""), Some(1_000_000_000_000))
        .await;
    let answer = peer.answer(request.expect("the server reads")).await;
    let (answer, _) = answer.expect("an answer before the body");
    assert_eq!(answer.code(), "attachment_too_large");
    assert!(world.uploads.lock().expect("no panic").is_empty());
}

pub(crate) async fn an_upload_that_ends_early_is_an_error_for_its_handler(bed: Bed) {
    let world = World::default();
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    let request = peer.send(&upload(1000, ""), Some(1000)).await;
    peer.send_some(request.expect("the server reads"), &[0; 400])
        .await;
    drop(peer);
    let error = seen(&world).await.expect_err("it was cut");
    assert!(!error.is_empty());
}

pub(crate) async fn an_upload_that_comes_too_slowly_is_ended(bed: Bed) {
    let world = World::default();
    let mut limits = Limits::default();
    limits.wire.body_rate_window = Duration::from_millis(100);
    let server = bed.serve(&world, limits).await;
    let mut peer = server.peer().await;
    let request = peer.send(&upload(1_000_000, ""), Some(1_000_000)).await;
    peer.send_some(request.expect("the server reads"), b"x")
        .await;
    let error = seen(&world).await.expect_err("it was cut");
    assert!(error.contains("bytes per second"), "{error}");
}

pub(crate) async fn waiting_for_an_upload_is_not_the_handlers_own_time(bed: Bed) {
    let world = World::default();
    let limits = Limits {
        handler_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = bed.serve(&world, limits).await;
    let mut peer = server.peer().await;
    let request = peer.send(&upload(3000, ""), Some(3000)).await;
    let request = request.expect("the server reads");
    // Longer for the body than the handler has.
    for _ in 0..3 {
        sleep(Duration::from_millis(250)).await;
        peer.send_some(request, &[7; 1000]).await;
    }
    if let crate::peer::Peer::Native(native) = &mut peer {
        native
            .connection()
            .end(request, None)
            .expect("all of it has gone");
    }
    let (answer, _) = peer.answer(request).await.expect("an answer");
    assert_eq!(answer.text(), "film has 3000 bytes");
    // Its own time still counts.
    let message = upload(1, r#", "pause_ms": 3000"#);
    let answer = peer.upload(message, Some(b"x")).await;
    assert_eq!(answer.expect("an answer").code(), "timeout");
}

/// What is left of its time when the body is there, and not a new term.
pub(crate) async fn a_handlers_own_time_goes_on_after_its_upload(bed: Bed) {
    let world = World::default();
    let limits = Limits {
        handler_time: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = bed.serve(&world, limits).await;
    let mut peer = server.peer().await;
    let start = Instant::now();
    let request = peer
        .send(&upload(1, r#", "linger_ms": 9000"#), Some(1))
        .await;
    let request = request.expect("the server reads");
    sleep(Duration::from_millis(300)).await;
    peer.send_some(request, b"x").await;
    if let crate::peer::Peer::Native(native) = &mut peer {
        let ended = native.connection().end(request, None);
        ended.expect("all of it has gone");
    }
    let (answer, _) = peer.answer(request).await.expect("an answer");
    assert_eq!(answer.code(), "timeout");
    let took = start.elapsed();
    let expected = Duration::from_millis(1250)..Duration::from_millis(2200);
    assert!(expected.contains(&took), "after {took:?}");
}

pub(crate) async fn a_handler_that_does_not_read_holds_its_sender_back(bed: Bed) {
    let world = World::default();
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    let message = upload(60_000, r#", "pause_ms": 300"#);
    let start = Instant::now();
    let request = peer
        .send(&message, Some(60_000))
        .await
        .expect("the server reads");
    if bed.wire == Wire::Native {
        // Not a byte may be sent before the handler asks.
        let crate::peer::Peer::Native(native) = &mut peer else {
            unreachable!("the wire is native")
        };
        assert_eq!(native.connection().sendable(request), 0);
    }
    peer.send_some(request, &[1; 60_000]).await;
    if let crate::peer::Peer::Native(native) = &mut peer {
        assert!(
            start.elapsed() >= Duration::from_millis(250),
            "credit came early"
        );
        native
            .connection()
            .end(request, None)
            .expect("all of it has gone");
    }
    let (answer, _) = peer.answer(request).await.expect("an answer");
    assert_eq!(answer.text(), "film has 60000 bytes");
    assert!(peer.is_alive().await);
}
