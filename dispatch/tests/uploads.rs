//! What follows a message: read, refused, cut, too large; never taken for a frame.

mod common;

use std::time::Duration;

use common::{World, connect, frame};
use packetboat_dispatch::{App, Disconnect, Limits};
use serde_json::json;
use tokio::time::Instant;

fn upload(len: u64, more: &str) -> Vec<u8> {
    frame(format!(r#"{{"type": "upload", "name": "film", "file_size": {len}{more}}}"#).as_bytes())
}

fn smuggled() -> Vec<u8> {
    frame(br#"{"type": "delete_movie", "movie_id": 1}"#)
}

fn limits_with_drain(bytes: u64) -> Limits {
    let mut limits = Limits::default();
    limits.wire.drain_bytes = bytes;
    limits
}

#[tokio::test]
async fn an_upload_reaches_its_handler_whole_and_the_next_request_follows() {
    let world = World::default();
    let (mut peer, _serving) = connect(&world, Limits::default());
    for len in [0, 1, 70_000, 3_000_000] {
        let body: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        peer.send_raw(&upload(len, "")).await;
        peer.send_raw(&body).await;
        let text = format!("film has {len} bytes");
        assert_eq!(
            peer.reply().await,
            Some(json!({"flag": true, "text": text}))
        );
        assert!(
            world.uploads.lock().expect("no panic").pop() == Some(Ok(body)),
            "other bytes"
        );
        assert!(peer.is_alive().await);
    }
}

#[tokio::test]
async fn a_refused_upload_is_drained_and_nothing_inside_it_runs() {
    let world = World::default();
    let (mut peer, _serving) = connect(&world, Limits::default());
    let frames = smuggled();
    // At every offset, so that whatever a server took for a header would once be one.
    for n in 0..1000 {
        let mut body = vec![b'x'; n % 40];
        body.extend(frames.repeat(3));
        let (kind, code) = match n % 3 {
            0 => (r#""upload", "name": "x", "refuse": true"#, "refused"),
            1 => (r#""upload", "name": 7"#, "bad_message"),
            _ => (r#""upload_for_admins""#, "not_logged_in"),
        };
        let message = format!(r#"{{"type": {kind}, "file_size": {}}}"#, body.len());
        peer.send(message).await;
        peer.send_raw(&body).await;
        assert_eq!(peer.reply().await.expect("an answer")["code"], code);
    }
    assert!(peer.is_alive().await);
    assert_eq!(world.effects(), 0, "a smuggled command ran");
}

#[tokio::test]
async fn a_refused_upload_over_the_drain_limit_is_answered_and_closed() {
    let world = World::default();
    let (mut peer, serving) = connect(&world, limits_with_drain(1000));
    let body = smuggled().repeat(100);
    peer.send_raw(&upload(body.len() as u64, r#", "refuse": true"#))
        .await;
    peer.send_raw(&body).await;
    assert_eq!(
        peer.reply().await.expect("the answer arrives")["code"],
        "refused"
    );
    assert!(peer.is_closed().await);
    drop(peer);
    let disconnect = serving.await.expect("it ends");
    assert!(matches!(disconnect, Disconnect::Answered { code } if code == "refused"));
    assert_eq!(world.effects(), 0);
}

#[tokio::test]
async fn a_request_with_a_body_runs_without_a_socket() {
    let local = App::from(common::dispatcher(World::default())).connect();
    let message = br#"{"type": "upload", "name": "a", "file_size": 3}"#;
    let answer = local.request_with(message, "abc").await;
    assert_eq!(answer.text(), r#"{"flag":true,"text":"a has 3 bytes"}"#);
    let answer = local.request_with(message, "ab").await;
    assert!(
        answer.text().contains("attachment_cut"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn an_odd_size_is_refused_before_a_byte_is_read() {
    for odd in [
        "-1",
        "1.5",
        "\"5\"",
        "9223372036854775808",
        "18446744073709551616",
        "null",
        "1e3",
    ] {
        let world = World::default();
        let (mut peer, serving) = connect(&world, Limits::default());
        let message = format!(r#"{{"type": "upload", "name": "x", "file_size": {odd}}}"#);
        assert_eq!(peer.refusal(message).await, "bad_attachment_size", "{odd}");
        assert!(peer.is_closed().await, "{odd}");
        assert!(world.uploads.lock().expect("no panic").is_empty());
        drop(peer);
        let disconnect = serving.await.expect("it ends");
        assert!(
            matches!(disconnect, Disconnect::Answered { .. }),
            "{disconnect}"
        );
    }
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    let answer = peer.ask(r#"{"type": "upload", "name": "x"}"#).await;
    assert_eq!(answer["code"], "bad_attachment_size");
    assert!(
        answer["msg"]
            .as_str()
            .is_some_and(|msg| msg.contains("`file_size`"))
    );
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_before_its_body_with_the_limit() {
    let world = World::default();
    let mut limits = Limits::default();
    limits.wire.max_attachment_bytes = 1000;
    let (mut peer, _serving) = connect(&world, limits.clone());
    peer.send_raw(&upload(1_000_000_000_000, "")).await;
    let answer = peer.reply().await.expect("an answer before the body");
    assert_eq!(answer["code"], "attachment_too_large");
    assert!(
        answer["msg"]
            .as_str()
            .is_some_and(|msg| msg.contains("1000")),
        "{answer}"
    );
    assert!(peer.is_closed().await);
    // A little too large is drained, and the connection lives.
    let (mut peer, _serving) = connect(&world, limits);
    peer.send_raw(&upload(1001, "")).await;
    peer.send_raw(&[0; 1001]).await;
    assert_eq!(
        peer.reply().await.expect("an answer")["code"],
        "attachment_too_large"
    );
    assert!(peer.is_alive().await);
    assert!(world.uploads.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn an_upload_that_ends_early_is_an_error_for_its_handler() {
    let world = World::default();
    let (mut peer, serving) = connect(&world, Limits::default());
    peer.send_raw(&upload(1000, "")).await;
    peer.send_raw(&[0; 400]).await;
    drop(peer);
    let disconnect = serving.await.expect("it ends");
    assert!(
        matches!(disconnect, Disconnect::UploadCut { .. }),
        "{disconnect:?}"
    );
    let seen = world
        .uploads
        .lock()
        .expect("no panic")
        .pop()
        .expect("the handler ran");
    assert!(seen.expect_err("it was cut").contains("400 of 1000"));
}

#[tokio::test]
async fn a_peer_that_shuts_its_write_side_in_mid_upload_reads_the_answer() {
    let world = World::default();
    let (mut peer, _serving) = connect(&world, Limits::default());
    peer.send_raw(&upload(1000, "")).await;
    tokio::io::AsyncWriteExt::shutdown(&mut peer.io)
        .await
        .expect("shut");
    assert_eq!(
        peer.reply().await.expect("an answer")["code"],
        "attachment_cut"
    );
    assert!(peer.is_closed().await);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_comes_too_slowly_is_ended_in_its_window() {
    let world = World::default();
    let (mut peer, serving) = connect(&world, Limits::default());
    peer.send_raw(&upload(1_000_000, "")).await;
    let start = Instant::now();
    let dripping = async {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            if tokio::io::AsyncWriteExt::write_all(&mut peer.io, b"x")
                .await
                .is_err()
            {
                return;
            }
        }
    };
    let (disconnect, ()) = tokio::join!(serving, dripping);
    let disconnect = disconnect.expect("it ends");
    assert!(
        matches!(disconnect, Disconnect::UploadCut { .. }),
        "{disconnect:?}"
    );
    assert!(
        start.elapsed() <= Duration::from_secs(41),
        "{:?}",
        start.elapsed()
    );
    let seen = world
        .uploads
        .lock()
        .expect("no panic")
        .pop()
        .expect("the handler ran");
    assert!(seen.expect_err("it was cut").contains("bytes per second"));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_upload_is_not_the_handlers_own_time() {
    let world = World::default();
    let limits = Limits {
        handler_time: Duration::from_secs(3),
        ..Limits::default()
    };
    let (mut peer, _serving) = connect(&world, limits);
    peer.send_raw(&upload(50_000, "")).await;
    // Twenty seconds for the body, far beyond the handler's three.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        peer.send_raw(&[7; 5000]).await;
    }
    assert_eq!(
        peer.reply().await.expect("an answer")["text"],
        "film has 50000 bytes"
    );
    // Its own time still counts.
    peer.send_raw(&upload(1, r#", "pause_ms": 4000"#)).await;
    peer.send_raw(b"x").await;
    assert_eq!(peer.reply().await.expect("an answer")["code"], "timeout");
    assert!(peer.is_alive().await);
}

#[tokio::test]
async fn uploads_hold_back_a_peer_whose_handler_does_not_read() {
    let mut limits = Limits {
        attachment_buffers: 256 * 1024,
        ..Limits::default()
    };
    limits.wire.drain_bytes = 0;
    let world = World::default();
    let (mut peer, _serving) = connect(&world, limits);
    peer.send_raw(&upload(50_000_000, r#", "pause_ms": 300"#))
        .await;
    let mut taken = 0;
    let filling = async {
        let piece = vec![0; 64 * 1024];
        loop {
            peer.send_raw(&piece).await;
            taken += piece.len();
        }
    };
    let filled = tokio::time::timeout(Duration::from_millis(150), filling).await;
    assert!(filled.is_err(), "it is never full");
    assert!(
        taken < 1024 * 1024,
        "{taken} bytes were taken and nobody had asked for one"
    );
}

#[tokio::test]
async fn the_server_reads_on_after_it_has_thrown_an_upload_away() {
    let (mut peer, _serving) = connect(&World::default(), Limits::default());
    // 300 KB of replies for a pipe of 256 KiB, the last of them to an upload that nobody reads.
    for _ in 0..5 {
        peer.send(r#"{"type": "big", "len": 60000}"#).await;
    }
    peer.send_raw(&upload(1000, r#", "refuse": true"#)).await;
    peer.send_raw(&[0; 1000]).await;
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
