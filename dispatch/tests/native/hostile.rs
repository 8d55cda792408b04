//! Peers that break rules: the documented error for them, and nothing for anybody else.

use std::time::Duration;

use packetboat_dispatch::{Disconnect, Limits};
use packetboat_framing::Error;
use packetboat_framing::native::{Attached, Code, Codec, Extensions, FrameHeader, Kind, Outgoing};
use proptest::prelude::*;

use crate::raw::Raw;
use crate::world::{Echo, World, client, connect};

fn message(id: u32) -> FrameHeader {
    FrameHeader {
        codec: Codec::JSON,
        ..FrameHeader::control(Kind::Message, id, 0)
    }
}

const FIRM: &[u8] = br#"{"type": "firm"}"#;

#[tokio::test]
async fn each_breach_is_answered_with_its_code_and_ends_one_connection() {
    let world = World::default();
    let (other, _other_serving) = client(&world);
    let control = FrameHeader::control;
    let mut odd_kind = message(1).to_bytes();
    odd_kind[0] = 99;
    let mut odd_flags = message(1).to_bytes();
    odd_flags[1] = 0x80;
    let bytes = |header: FrameHeader, payload: &[u8]| {
        let length = payload.len() as u32;
        let mut bytes = FrameHeader { length, ..header }.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    };
    let twice = [bytes(message(1), FIRM), bytes(message(1), FIRM)].concat();
    let many: Vec<u8> = (1..200).flat_map(|id| bytes(message(id), FIRM)).collect();
    let scripts: [(&str, Vec<u8>, Code); 13] = [
        ("a kind that is none", odd_kind.to_vec(), Code::UNKNOWN_KIND),
        ("a flag that is none", odd_flags.to_vec(), Code::BAD_FLAGS),
        ("no id", bytes(message(0), FIRM), Code::BAD_ID),
        ("the same id", twice, Code::BAD_ID),
        ("too many", many, Code::TOO_MANY_REQUESTS),
        ("no message", bytes(message(1), b""), Code::BAD_LENGTH),
        (
            "no codec",
            bytes(control(Kind::Message, 1, 0), FIRM),
            Code::BAD_FIELD,
        ),
        (
            "a reply to a server",
            bytes(
                FrameHeader {
                    codec: Codec::JSON,
                    ..control(Kind::Reply, 1, 0)
                },
                FIRM,
            ),
            Code::UNEXPECTED_FRAME,
        ),
        (
            "data of nothing",
            bytes(control(Kind::Data, 1, 0), b"x"),
            Code::BAD_ID,
        ),
        (
            "credit for nothing",
            bytes(control(Kind::Credit, 9, 5), b""),
            Code::BAD_ID,
        ),
        (
            "an empty credit",
            bytes(control(Kind::Credit, 9, 0), b""),
            Code::BAD_FIELD,
        ),
        (
            "a message beyond all limits",
            FrameHeader {
                length: u32::MAX,
                ..message(1)
            }
            .to_bytes()
            .to_vec(),
            Code::FRAME_TOO_LARGE,
        ),
        (
            "an end without a beginning",
            bytes(control(Kind::End, 3, 0), b""),
            Code::BAD_ID,
        ),
    ];
    for (what, bytes, code) in scripts {
        let (io, serving) = connect(&world, Limits::default());
        let mut raw = Raw::greet(io).await;
        raw.bytes(&bytes).await;
        assert_eq!(raw.goodbye().await, Some(code), "{what}");
        drop(raw);
        let disconnect = serving.await.expect("it ends");
        let told = matches!(&disconnect, Disconnect::Failed(Error::Protocol { code: c, .. }) if *c == code);
        assert!(told, "{what}: {disconnect}");
        let text = what.to_owned();
        let reply = other.call(Echo { text }).await;
        assert_eq!(reply.expect("nobody else notices").text, what);
    }
}

#[tokio::test]
async fn data_without_credit_ends_the_connection() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let outgoing = Outgoing {
        attachment: Some(Attached {
            size: Some(10),
            ..Attached::default()
        }),
        ..Outgoing::json()
    };
    let message = r#"{"type": "count", "size": 10, "pause_ms": 60000}"#;
    let request = raw.send(&outgoing, message).await;
    let data = FrameHeader::control(Kind::Data, request, 0);
    raw.frame(data, b"0123456789").await;
    assert_eq!(raw.goodbye().await, Some(Code::CREDIT_EXCEEDED));
}

#[tokio::test]
async fn an_upload_that_is_not_what_its_digest_says_is_refused() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let right = packetboat_framing::native::Digest::of(b"0123456789");
    for (digest, is_right) in [(right, true), ([7; 32].into(), false)] {
        let outgoing = Outgoing {
            extensions: Extensions {
                digest: Some(digest),
                ..Extensions::default()
            },
            attachment: Some(Attached {
                size: Some(10),
                ..Attached::default()
            }),
            ..Outgoing::json()
        };
        let message = r#"{"type": "count", "size": 10, "pause_ms": 0}"#;
        let request = raw.send(&outgoing, message).await;
        raw.next_of(Kind::Credit).await.expect("the handler reads");
        let data = FrameHeader::control(Kind::Data, request, 0);
        raw.frame(data, b"0123456789").await;
        raw.frame(FrameHeader::control(Kind::End, request, 0), b"")
            .await;
        if is_right {
            assert!(raw.reply(request).await.contains("10"));
        } else {
            let refused = (Code::DIGEST_MISMATCH, "digest_mismatch".to_owned());
            assert_eq!(raw.error(request).await, refused);
        }
    }
}

#[tokio::test]
async fn an_empty_upload_is_held_against_its_digest_as_any_other() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let right = packetboat_framing::native::Digest::of(b"");
    for (digest, is_right) in [(right, true), ([7; 32].into(), false)] {
        let outgoing = Outgoing {
            extensions: Extensions {
                digest: Some(digest),
                ..Extensions::default()
            },
            attachment: Some(Attached {
                size: Some(0),
                ..Attached::default()
            }),
            ..Outgoing::json()
        };
        let message = r#"{"type": "count", "size": 0, "pause_ms": 0}"#;
        let request = raw.send(&outgoing, message).await;
        raw.frame(FrameHeader::control(Kind::End, request, 0), b"")
            .await;
        if is_right {
            assert!(raw.reply(request).await.contains("\"bytes\":0"));
        } else {
            let refused = (Code::DIGEST_MISMATCH, "digest_mismatch".to_owned());
            assert_eq!(raw.error(request).await, refused);
        }
    }
}

#[tokio::test]
async fn a_size_that_the_message_states_otherwise_is_refused() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let attached = |size| Outgoing {
        attachment: Some(Attached {
            size,
            ..Attached::default()
        }),
        ..Outgoing::json()
    };
    for outgoing in [attached(Some(11)), Outgoing::json()] {
        let message = r#"{"type": "count", "size": 10, "pause_ms": 0}"#;
        let request = raw.send(&outgoing, message).await;
        let (code, text) = raw.error(request).await;
        assert_eq!((code, &*text), (Code::BAD_MESSAGE, "bad_attachment_size"));
    }
}

#[tokio::test]
async fn pings_are_answered_and_a_flood_of_them_that_nobody_reads_ends_it() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let ping = FrameHeader::control(Kind::Ping, 0, 77);
    raw.frame(ping, b"").await;
    let pong = raw.next_of(Kind::Ping).await.expect("an answer");
    assert_eq!(pong.header.argument, 77);
    // More answers than the pipe and the server together hold, and nobody reads one.
    let ping = ping.to_bytes();
    raw.bytes(&ping.repeat(20_000)).await;
    assert_eq!(raw.goodbye().await, Some(Code::FLOOD));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_then_told_and_closed() {
    let (io, serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let since = tokio::time::Instant::now();
    raw.next_of(Kind::Ping).await.expect("a ping");
    assert!(
        since.elapsed() < Duration::from_secs(21),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(raw.goodbye().await, Some(Code::TIMEOUT));
    assert!(
        since.elapsed() < Duration::from_secs(121),
        "{:?}",
        since.elapsed()
    );
    drop(raw);
    let disconnect = serving.await.expect("it ends");
    let idle = matches!(disconnect, Disconnect::Failed(Error::IdleTimeout { .. }));
    assert!(idle, "{disconnect}");
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_does_not_end_is_told_and_closed() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let since = tokio::time::Instant::now();
    let header = FrameHeader {
        length: 100,
        ..message(1)
    };
    raw.bytes(&header.to_bytes()).await;
    assert_eq!(raw.goodbye().await, Some(Code::TIMEOUT));
    assert!(
        since.elapsed() < Duration::from_secs(11),
        "{:?}",
        since.elapsed()
    );
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_told_by_the_preface() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut io, _serving) = connect(&World::default(), Limits::default());
    io.write_all(&[0xb0, 0xa7, 0xb0, 0xa7, 200, 201, 0, 0])
        .await
        .expect("it reads");
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.expect("it closes");
    assert_eq!(answer.len(), 8);
    assert_eq!((answer[4], answer[6], answer[7]), (0, 0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever frames come in whatever order, the server ends the connection in words, or goes on.
    #[test]
    fn junk_never_harms_the_server(
        frames in prop::collection::vec(
            (0u8..12, 0u8..32, 0u16..3, 0u32..6, prop_oneof![Just(0u32), 1u32..300], 0usize..40),
            0..40,
        ),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let world = World::default();
            let (io, serving) = connect(&world, Limits::default());
            let mut raw = Raw::greet(io).await;
            for (kind, flags, codec, id, argument, len) in frames {
                let payload = &br#"{"type": "firm", "size": 3, "pause_ms": 0}"#[..len];
                let mut bytes = vec![kind, flags];
                bytes.extend(codec.to_be_bytes());
                bytes.extend((payload.len() as u32).to_be_bytes());
                bytes.extend(id.to_be_bytes());
                bytes.extend(argument.to_be_bytes());
                bytes.extend_from_slice(payload);
                raw.bytes(&bytes).await;
            }
            raw.bytes(&tail).await;
            raw.shut().await;
            world.gate.notify_waiters();
            while raw.next().await.is_some() {}
            drop(raw);
            let disconnect = serving.await.expect("no panic");
            let ended = !matches!(disconnect, Disconnect::Panicked);
            prop_assert!(ended);
            Ok(())
        })?;
    }
}
