//! The classic wire from end to end, with a rule of the application.

use std::io::Write as _;

use packetboat_framing::{BodyExt, Error, Limits, Source, classic};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};

type Server<F> = classic::Classic<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>, F>;

/// Which types have a body, and where its size stands.
fn rule(message: &[u8]) -> Option<u64> {
    let envelope: serde_json::Value = serde_json::from_slice(message).ok()?;
    match envelope["type"].as_str()? {
        "upload" | "upload_movie" => envelope["file_size"].as_u64(),
        _ => Some(0),
    }
}

fn server() -> (DuplexStream, Server<impl classic::Rule>) {
    let (peer, io) = duplex(1 << 20);
    let (read, write) = split(io);
    (peer, classic::server(read, write, &Limits::classic(), rule))
}

fn frame(message: &str, body: &[u8]) -> Vec<u8> {
    [
        &(message.len() as i32).to_le_bytes(),
        message.as_bytes(),
        body,
    ]
    .concat()
}

#[tokio::test]
async fn a_body_follows_only_where_the_rule_says_so() {
    let (mut peer, mut server) = server();
    let stale = r#"{"type": "get_movie_list", "file_size": 500}"#;
    let upload = r#"{"type": "upload_movie", "file_size": 6}"#;
    peer.write_all(&frame(stale, b""))
        .await
        .expect("room for it");
    peer.write_all(&frame(upload, b"\x02\0\0\0rm"))
        .await
        .expect("room for it");
    peer.write_all(&frame(stale, b""))
        .await
        .expect("room for it");
    let first = server.receive().await.expect("a message").expect("one");
    assert_eq!(
        (first.message, first.attachment),
        (stale.as_bytes(), Some(0))
    );
    let second = server.receive().await.expect("a message").expect("one");
    assert_eq!(
        (second.message, second.attachment),
        (upload.as_bytes(), Some(6))
    );
    let mut film = Vec::new();
    server.body().copy_to(&mut film).await.expect("it came");
    assert_eq!(film, b"\x02\0\0\0rm");
    let third = server.receive().await.expect("a message").expect("one");
    assert_eq!(third.message, stale.as_bytes());
}

#[tokio::test]
async fn a_refused_upload_runs_nothing_that_its_body_holds() {
    let (mut peer, mut server) = server();
    let inner = frame(r#"{"type": "delete_movie", "movie_id": 1}"#, b"").repeat(20);
    let upload = format!(r#"{{"type": "upload", "file_size": {}}}"#, inner.len());
    let mut seen = 0;
    for _ in 0..50 {
        peer.write_all(&frame(&upload, &inner))
            .await
            .expect("room for it");
        let request = server.receive().await.expect("a message").expect("one");
        assert_eq!(request.message, upload.as_bytes(), "never the inner one");
        server
            .writer
            .send(br#"{"flag": false}"#)
            .await
            .expect("room for it");
        seen += 1;
    }
    assert_eq!(seen, 50);
}

#[tokio::test]
async fn a_size_that_cannot_be_told_is_answered_and_closed() {
    for size in ["-1", "1.5", "\"5\"", "null", "18446744073709551616"] {
        let (mut peer, mut server) = server();
        let upload = format!(r#"{{"type": "upload", "file_size": {size}}}"#);
        let hidden = frame(r#"{"type": "delete_movie"}"#, b"");
        peer.write_all(&frame(&upload, &hidden))
            .await
            .expect("room for it");
        peer.shutdown().await.expect("half closed");
        let request = server.receive().await.expect("a message").expect("one");
        assert_eq!(request.attachment, None, "{size}");
        server
            .writer
            .send(br#"{"flag": false}"#)
            .await
            .expect("room for it");
        let error = server
            .receive()
            .await
            .expect_err("nothing behind it is read");
        assert!(matches!(error, Error::AttachmentUnknown) && error.is_peer_fault());
        server.linger().await.expect("closed");
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.expect("no reset");
        assert_eq!(answer, frame(r#"{"flag": false}"#, b""));
    }
}

#[tokio::test]
async fn a_reply_that_one_recv_cannot_take_is_refused_on_the_serving_side() {
    let (_peer, mut server) = server();
    let error = server
        .writer
        .encode(&[b' '; classic::MAX_REPLY_BYTES], 0)
        .expect_err("too long");
    assert!(matches!(error, Error::MessageTooLarge { .. }));
    server
        .writer
        .encode(&[b' '; classic::MAX_REPLY_BYTES - 4], 0)
        .expect("the longest");
    assert_eq!(server.writer.queued(), classic::MAX_REPLY_BYTES);
}

#[tokio::test]
async fn a_reply_with_a_file_leaves_nothing_after_the_file() {
    let (peer, mut server) = server();
    let (read, write) = split(peer);
    let sized = |reply: &[u8]| {
        let reply: serde_json::Value = serde_json::from_slice(reply).ok()?;
        Some(reply["file_size"].as_u64().unwrap_or(0))
    };
    let mut client = classic::client(read, write, &Limits::classic(), sized);
    client
        .writer
        .send(br#"{"type": "download_movie"}"#)
        .await
        .expect("room for it");
    server.receive().await.expect("a message").expect("one");
    let film = vec![42; 100_000];
    let reply = br#"{"flag": true, "file_size": 100000}"#;
    let source = Source::bytes(film.clone());
    server
        .writer
        .send_with(source, |out| out.write_all(reply))
        .await
        .expect("room for it");
    drop(server);
    let told = client.receive().await.expect("a reply").expect("one");
    assert_eq!(told.attachment, Some(100_000));
    let mut got = Vec::new();
    client.body().copy_to(&mut got).await.expect("it came");
    assert!(got == film);
    assert!(client.receive().await.expect("a clean end").is_none());
}
