//! Reader and writer over streams that cut, stall and end as they like.

mod support;

use std::io;

use packetboat_framing::{
    Body, BodyExt, Budget, Connection, Error, Limits, Part, Phase, Prefix, Reader, Source, Writer,
    linger,
};
use support::{Packet, roomy};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Bytes in which every position tells where it is.
fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i % 251) as u8 ^ (i / 251) as u8)
        .collect()
}

#[test]
fn futures_can_be_spawned() {
    fn spawnable<T: Send>(_: T) {}
    let (io, _peer) = duplex(1);
    let mut connection = Connection::stream(io, Prefix::CLASSIC, &Limits::default());
    spawnable(connection.writer.step());
    spawnable(
        connection
            .writer
            .send_with(Source::bytes(""), |_| Ok::<(), io::Error>(())),
    );
    spawnable(connection.reader.message());
    spawnable(connection.reader.gather());
    spawnable(connection.reader.body().save("x"));
    spawnable(connection.linger());
}

#[tokio::test]
async fn messages_and_attachments_arrive_through_any_buffer() {
    let attachments = [0, 1, 100, 5000, 70_000, 300_000, 2_500_000].map(pattern);
    for buffer in [1, 7, 4096, 1 << 20] {
        let (near, far) = duplex(buffer);
        let sent = match buffer {
            1 | 7 => &attachments[..4],
            _ => &attachments[..],
        };
        let mut writer = Writer::new(near, Prefix::CLASSIC, &Limits::default());
        let mut reader = Reader::new(far, Prefix::CLASSIC, &Limits::default());
        let send = async {
            for attachment in sent {
                let len = attachment.len();
                let source = Source::bytes(attachment.clone());
                writer
                    .send_with(source, |out| serde_json::to_writer(out, &len))
                    .await?;
                assert!(!writer.has_work());
            }
            writer.shutdown().await
        };
        let receive = async {
            for attachment in sent {
                let message = reader.message().await?.expect("as many as were sent");
                let len: u64 = serde_json::from_slice(message.bytes).expect("a number");
                let mut got = Vec::new();
                let copied = reader.attachment(len)?.copy_to(&mut got).await?;
                assert_eq!(copied, len);
                assert!(got == *attachment, "{len} bytes through {buffer}");
            }
            assert_eq!(reader.message().await?, None);
            Ok::<_, Error>(())
        };
        let (sent, received) = tokio::join!(send, receive);
        sent.expect("nothing stops it");
        received.expect("nothing stops it");
    }
}

#[tokio::test]
async fn a_device_header_states_its_attachment_itself() {
    let (near, far) = duplex(64);
    let header = Packet {
        player: 9,
        kind: 4,
        ..Packet::default()
    };
    let mut writer = Writer::new(near, header, &Limits::default());
    let mut reader = Reader::new(far, Packet::default(), &Limits::default());
    let send = async {
        let picture = Source::bytes(pattern(1000));
        writer
            .send_with(picture, |out| io::Write::write_all(out, b"look"))
            .await?;
        writer.shutdown().await
    };
    let receive = async {
        let message = reader.message().await?.expect("one frame");
        assert_eq!((message.header.player, message.bytes), (9, &b"look"[..]));
        let mut body = reader.body();
        assert_eq!(body.remaining(), 1000);
        let mut got = Vec::new();
        body.copy_to(&mut got).await?;
        assert_eq!(got, pattern(1000));
        Ok::<_, Error>(())
    };
    let (sent, received) = tokio::join!(send, receive);
    sent.expect("nothing stops it");
    received.expect("nothing stops it");
}

#[tokio::test]
async fn an_unread_attachment_is_drained_before_the_next_message() {
    let inner = b"\x0e\0\0\0{\"type\":\"rm\"}".repeat(500);
    let mut stream = b"\x02\0\0\0up".to_vec();
    stream.extend_from_slice(&inner);
    stream.extend_from_slice(b"\x04\0\0\0next");
    let mut reader = Reader::new(&stream[..], Prefix::CLASSIC, &Limits::default());
    reader.message().await.expect("a message");
    let mut body = reader
        .attachment(inner.len() as u64)
        .expect("within the limit");
    let some = body
        .chunk()
        .await
        .expect("bytes are there")
        .expect("not at the end");
    assert!(!some.is_empty() && some[..] == inner[..some.len()]);
    let next = reader.message().await.expect("drained").expect("one more");
    assert_eq!(next.bytes, b"next");
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_ends_with_truncated_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("film");
    let mut whole = b"\x10\0\0\0{\"type\": \"rest\"}".to_vec();
    whole.extend_from_slice(&pattern(40));
    for end in 0..whole.len() {
        let mut reader = Reader::new(&whole[..end], Prefix::CLASSIC, &Limits::default());
        let error = match reader.message().await {
            Ok(None) => {
                assert_eq!(end, 0);
                continue;
            }
            Ok(Some(_)) => {
                let mut body = reader.attachment(40).expect("within the limit");
                body.save(&path).await.expect_err("the body is cut")
            }
            Err(error) => error,
        };
        let part = match end {
            ..4 => Part::Header,
            4..20 => Part::Message,
            _ => Part::Attachment,
        };
        assert!(
            matches!(error, Error::Truncated { part: at, .. } if at == part),
            "{end}: {error}"
        );
        assert!(error.is_disconnect() && error.is_peer_fault());
        let left = std::fs::read_dir(folder.path())
            .expect("the folder is there")
            .count();
        assert_eq!(left, 0, "cut at {end}");
    }
}

#[tokio::test]
async fn a_dropped_future_loses_nothing() {
    let attachment = pattern(200_000);
    let (near, far) = duplex(3000);
    let mut writer = Writer::new(near, Prefix::CLASSIC, &Limits::default());
    let mut reader = Reader::new(far, Prefix::CLASSIC, &Limits::default());
    writer
        .encode(b"up", attachment.len() as u64)
        .expect("within the limit");
    let slow = uneven(attachment.clone());
    writer
        .attach(Source::reader(slow, attachment.len() as u64))
        .expect("as announced");
    let (mut got, mut dropped) = (Vec::new(), 0);
    let mut announced = false;
    while got.len() < attachment.len() {
        // Both futures are made anew in each turn, and the slower one is dropped.
        let read = async {
            match announced {
                true => reader.gather().await.map(drop),
                false => reader.fill().await.map(drop),
            }
        };
        tokio::select! {
            more = writer.step(), if writer.has_work() => drop(more.expect("nothing stops it")),
            read = read => read.expect("nothing stops it"),
        }
        dropped += 1;
        if !announced && reader.decode().expect("a good frame").is_some() {
            reader
                .decoder_mut()
                .attachment(attachment.len() as u64)
                .expect("within the limit");
            announced = true;
        }
        if let Some(chunk) = reader.take() {
            got.extend_from_slice(&chunk);
        }
    }
    assert!(got == attachment);
    assert!(dropped > 100);
    assert_eq!((reader.remaining(), writer.attachment_left()), (0, 0));
    assert_eq!(reader.phase(), Phase::Idle);
}

/// A reader that gives its bytes in uneven pieces.
fn uneven(bytes: Vec<u8>) -> tokio::io::DuplexStream {
    let (mut near, far) = duplex(1111);
    tokio::spawn(async move {
        for piece in bytes.chunks(777) {
            near.write_all(piece).await.expect("the other end is alive");
            tokio::task::yield_now().await;
        }
    });
    far
}

#[tokio::test]
async fn a_source_of_another_length_than_announced_is_an_error() {
    let send = async |announced: u64, source: Source| {
        let mut writer = Writer::new(Vec::new(), Prefix::CLASSIC, &Limits::default());
        writer.encode(b"up", announced)?;
        writer.attach(source)?;
        writer.flush().await
    };
    let short = send(10, Source::bytes("123456789"))
        .await
        .expect_err("one is missing");
    assert!(matches!(short, Error::SourceTooShort { len: 10, sent: 9 }));
    let long = send(10, Source::bytes("12345678901"))
        .await
        .expect_err("one too many");
    assert!(matches!(long, Error::SourceTooLong { len: 10 }));
    let short = send(10, Source::reader(&b"123456789"[..], 10))
        .await
        .expect_err("one is missing");
    assert!(matches!(short, Error::SourceTooShort { len: 10, sent: 9 }));
    assert!(short.is_caller_fault());
    let long = send(10, Source::reader(&b"12345678901"[..], 10))
        .await
        .expect_err("one too many");
    assert!(matches!(long, Error::SourceTooLong { len: 10 }));
    send(10, Source::reader(&b"1234567890"[..], 10))
        .await
        .expect("as announced");
    send(9, Source::bytes("1234567890").range(1..10).expect("within"))
        .await
        .expect("announced");
}

#[tokio::test]
async fn no_message_comes_between_another_and_its_attachment() {
    let mut writer = Writer::new(Vec::new(), Prefix::CLASSIC, &Limits::default());
    writer.encode(b"up", 3).expect("within the limit");
    writer.flush().await.expect("a Vec takes everything");
    let error = writer
        .encode(b"{}", 0)
        .expect_err("the attachment is still to come");
    assert!(matches!(error, Error::AttachmentPending { remaining: 3 }));
    writer.attach(Source::bytes("abc")).expect("as announced");
    assert!(matches!(
        writer.encode(b"{}", 0),
        Err(Error::AttachmentPending { remaining: 3 })
    ));
    writer.flush().await.expect("a Vec takes everything");
    writer.send(b"{}").await.expect("a Vec takes everything");
    assert_eq!(writer.get_ref(), b"\x02\0\0\0upabc\x02\0\0\0{}");
}

#[tokio::test]
async fn chunks_are_leased_and_a_hoarder_waits_for_itself() {
    let budget = Budget::new(128 * 1024);
    let stream = [&b"\x02\0\0\0up"[..], &pattern(1 << 20)].concat();
    let mut reader =
        Reader::new(&stream[..], Prefix::CLASSIC, &roomy()).with_budget(budget.clone());
    reader.message().await.expect("a message");
    let mut body = reader.attachment(1 << 20).expect("within the limit");
    let mut hoard = Vec::new();
    while let Ok(chunk) =
        tokio::time::timeout(std::time::Duration::from_millis(50), body.chunk()).await
    {
        hoard.push(
            chunk
                .expect("a good stream")
                .expect("not at the end")
                .into_bytes(),
        );
    }
    assert_eq!(hoard.iter().map(|b| b.len()).sum::<usize>(), 128 * 1024);
    assert_eq!(budget.available(), 0);
    hoard.clear();
    assert!(body.chunk().await.expect("a good stream").is_some());
    drop(reader);
    assert_eq!(budget.available(), budget.total());
}

#[tokio::test]
async fn a_body_is_lent_to_a_function_that_takes_any() {
    async fn collect(mut body: impl Body) -> Result<(u64, Vec<u8>), Error> {
        let announced = body.remaining();
        let mut bytes = Vec::new();
        while body.gather().await? {}
        let first = body.take().expect("something has been gathered");
        bytes.extend_from_slice(&first);
        body.copy_to(&mut bytes).await?;
        Ok((announced, bytes))
    }
    let (near, far) = duplex(1 << 16);
    let mut writer = Writer::new(near, Prefix::CLASSIC, &Limits::default());
    let mut reader = Reader::new(far, Prefix::CLASSIC, &Limits::default());
    let sent = pattern(3_000_000);
    let source = Source::bytes(sent.clone());
    let send = writer.send_with(source, |out| serde_json::to_writer(out, "film"));
    let receive = async {
        reader.message().await?.expect("a message");
        let mut attachment = reader.attachment(3_000_000)?;
        let got = collect(&mut attachment).await?;
        assert_eq!(attachment.remaining(), 0);
        Ok::<_, Error>(got)
    };
    let (sending, received) = tokio::join!(send, receive);
    sending.expect("sent");
    let (announced, got) = received.expect("received");
    assert_eq!(announced, 3_000_000);
    assert!(got == sent, "other bytes");
}

#[tokio::test]
async fn a_half_closed_peer_still_gets_its_reply() {
    let (mut peer, io) = duplex(1 << 16);
    peer.write_all(b"\x04\0\0\0list")
        .await
        .expect("room for it");
    peer.shutdown().await.expect("half closed");
    let mut connection = Connection::stream(io, Prefix::CLASSIC, &Limits::default());
    assert!(
        connection
            .reader
            .message()
            .await
            .expect("a message")
            .is_some()
    );
    assert!(
        connection
            .reader
            .message()
            .await
            .expect("a clean end")
            .is_none()
    );
    connection
        .writer
        .send(b"[1]")
        .await
        .expect("the other direction is open");
    linger(&mut connection.reader, &mut connection.writer)
        .await
        .expect("closed");
    drop(connection);
    let mut reply = Vec::new();
    peer.read_to_end(&mut reply)
        .await
        .expect("readable to its end");
    assert_eq!(reply, b"\x03\0\0\0[1]");
}
