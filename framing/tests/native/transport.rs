//! Connections on a socket: files between messages, slow sources, and both ends of it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use packetboat_framing::{
    Budget, Error, Limits, Source,
    native::{Attached, Code, Event, Moved, Outgoing, Role, Transport},
};
use tokio::io::{AsyncRead, DuplexStream, ReadBuf, ReadHalf, WriteHalf, split};

type Side = Transport<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

fn pair() -> (Side, Side) {
    let (ours, theirs) = tokio::io::duplex(16 * 1024);
    let (limits, budget) = (Limits::default(), Budget::default());
    let side = |io, role| {
        let (read, write) = split(io);
        Transport::new(read, write, role, &limits, &budget)
    };
    (side(ours, Role::Client), side(theirs, Role::Server))
}

/// Drives both sides until nothing moves for a while, and gives what happened at the server.
async fn run(client: &mut Side, server: &mut Side) -> Vec<(u32, Result<usize, Code>)> {
    let mut seen = Vec::new();
    loop {
        while let Some(event) = server.next_event().expect("no rule is broken") {
            match event {
                Event::Message(message) if message.attachment.is_some() => {
                    let request = message.request;
                    server.receive(request, None).expect("it was offered");
                }
                Event::Data { request, bytes, .. } => {
                    let n = bytes.len();
                    seen.push((request, Ok(n)));
                    server.consumed(request, n);
                }
                Event::End { request, outcome } => {
                    seen.push((request, outcome.map(|_| 0)));
                }
                _ => {}
            }
        }
        while client.next_event().expect("no rule is broken").is_some() {}
        let both = async {
            tokio::select! {
                moved = client.drive(true) => moved,
                moved = server.drive(true) => moved,
            }
        };
        match tokio::time::timeout(Duration::from_millis(300), both).await {
            Ok(moved) => drop(moved.expect("both live")),
            Err(_) => return seen,
        }
    }
}

fn attached(size: u64) -> Outgoing<'static> {
    Outgoing {
        attachment: Some(Attached {
            size: Some(size),
            ..Attached::default()
        }),
        ..Outgoing::json()
    }
}

fn ask(client: &mut Side, size: u64) -> u32 {
    let request = client
        .connection()
        .request(&attached(size), |out| serde_json::to_writer(out, "here"));
    request.expect("there is room for it")
}

fn bytes_of(seen: &[(u32, Result<usize, Code>)], request: u32) -> usize {
    let of = seen.iter().filter(|(of, _)| *of == request);
    of.filter_map(|(_, n)| n.ok()).sum()
}

/// Gives nothing for ever.
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Both prefaces have been said, so that more than one request may be in flight.
async fn greeted() -> (Side, Side) {
    let (mut client, mut server) = pair();
    run(&mut client, &mut server).await;
    (client, server)
}

#[tokio::test(start_paused = true)]
async fn attachments_have_their_turns_and_a_slow_source_holds_up_none() {
    let (mut client, mut server) = greeted().await;
    let silent = ask(&mut client, 1000);
    let source = Source::reader(Silent, 1000);
    client.send(silent, source, None).expect("as announced");
    let ids = [ask(&mut client, 700_000), ask(&mut client, 700_000)];
    for id in ids {
        let source = Source::bytes(vec![id as u8; 700_000]);
        client.send(id, source, None).expect("as announced");
    }
    let seen = run(&mut client, &mut server).await;
    assert_eq!(bytes_of(&seen, silent), 0);
    for id in ids {
        assert_eq!(bytes_of(&seen, id), 700_000);
        assert!(seen.contains(&(id, Ok(0))), "its end");
    }
    let first = |id| seen.iter().position(|(of, _)| *of == id);
    let end = |id| seen.iter().rposition(|(of, _)| *of == id);
    assert!(first(ids[1]) < end(ids[0]), "one after the other");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_breaks_off_its_own_attachment() {
    let (mut client, mut server) = greeted().await;
    let short = ask(&mut client, 1000);
    let source = Source::reader(&b"too little"[..], 1000);
    client.send(short, source, None).expect("as announced");
    let good = ask(&mut client, 10);
    client
        .send(good, Source::bytes("0123456789"), None)
        .expect("as announced");
    let seen = run(&mut client, &mut server).await;
    assert_eq!(bytes_of(&seen, good), 10);
    assert!(
        seen.contains(&(short, Err(Code::SOURCE_FAILED))),
        "{seen:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_of_another_length_is_not_begun() {
    let (mut client, _server) = greeted().await;
    let request = ask(&mut client, 4);
    let short = client.send(request, Source::bytes("abc"), None);
    assert!(matches!(
        short,
        Err(Error::SourceTooShort { len: 4, sent: 3 })
    ));
    let long = client.send(request, Source::bytes("abcde"), None);
    assert!(matches!(long, Err(Error::SourceTooLong { len: 4 })));
    client
        .send(request, Source::bytes("abcd"), None)
        .expect("as announced");
    assert_eq!(client.left(request), Some(4));
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_off_in_mid_frame_ends_at_the_frames_end() {
    let (mut client, mut server) = greeted().await;
    let request = ask(&mut client, 5_000_000);
    let source = Source::bytes(vec![0; 5_000_000]);
    client.send(request, source, None).expect("as announced");
    // Until a frame has begun and not ended: the pipe is smaller than any.
    let mut received = false;
    while client.connection().slice_left() == 0 {
        while let Some(event) = server.next_event().expect("no rule is broken") {
            received |= matches!(event, Event::Message(_));
        }
        if std::mem::take(&mut received) {
            server.receive(request, None).expect("it was offered");
        }
        while client.next_event().expect("no rule is broken").is_some() {}
        tokio::select! {
            biased;
            moved = server.drive(true) => drop(moved.expect("it lives")),
            moved = client.drive(true) => drop(moved.expect("it lives")),
        }
    }
    client.break_off(request, Code::SOURCE_FAILED);
    assert_eq!(client.left(request), None);
    let seen = run(&mut client, &mut server).await;
    assert!(
        seen.contains(&(request, Err(Code::SOURCE_FAILED))),
        "{seen:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_gives_no_credit_is_too_slow() {
    let (mut client, mut server) = greeted().await;
    let request = ask(&mut client, 5);
    client
        .send(request, Source::bytes("01234"), None)
        .expect("as announced");
    while client.has_pending() {
        client.drive(false).await.expect("it lives");
    }
    let error = loop {
        while server.next_event().expect("no rule is broken").is_some() {}
        tokio::select! {
            moved = client.drive(true) => match moved.expect("it lives") {
                Moved::Unsent { error, .. } => break error,
                _ => while client.next_event().expect("no rule").is_some() {},
            },
            moved = server.drive(true) => drop(moved.expect("it lives")),
        }
    };
    assert!(matches!(error, Error::BodyTooSlow { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_side_that_is_alive_is_not_idle() {
    let (mut client, mut server) = greeted().await;
    let both = async {
        loop {
            tokio::select! {
                moved = client.drive(true) => drop(moved.expect("pings keep it")),
                moved = server.drive(true) => drop(moved.expect("pings keep it")),
            }
            while server.next_event().expect("no rule is broken").is_some() {}
            while client.next_event().expect("no rule is broken").is_some() {}
        }
    };
    let hour = tokio::time::timeout(Duration::from_secs(3600), both).await;
    assert!(hour.is_err(), "it goes on for ever");
}

#[tokio::test(start_paused = true)]
async fn closing_lets_the_last_frame_arrive() {
    let (mut client, mut server) = greeted().await;
    server.connection().go_away(Code::TIMEOUT);
    let (closed, code) = tokio::join!(server.close(), async {
        loop {
            if let Some(Event::GoingAway { code, .. }) = client.next_event().expect("a frame") {
                client.close().await.expect("the server reads");
                return code;
            }
            client.drive(true).await.expect("a frame comes");
        }
    });
    closed.expect("it was written");
    assert_eq!(code, Code::TIMEOUT);
}
