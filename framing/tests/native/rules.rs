//! Each broken rule has its code, and the peer is told.

use packetboat_framing::{
    Budget, Error, Limits,
    native::{Attached, Code, Connection, Preface, Role},
};

use crate::pair::{Pair, Seen, frame, look, take};

const MESSAGE: u8 = 1;
const REPLY: u8 = 2;
const PUSH: u8 = 4;
const DATA: u8 = 5;
const END: u8 = 6;
const CREDIT: u8 = 7;
const CANCEL: u8 = 8;
const PING: u8 = 9;
const GOING_AWAY: u8 = 10;

/// What it is, the frames, and the code that they end with.
type Row = (&'static str, Vec<Vec<u8>>, Option<Code>);

/// A server that has been greeted and has these frames before it, and how it fails.
fn server_fails(frames: &[Vec<u8>]) -> Option<Code> {
    let mut server = Connection::new(Role::Server, &Limits::default(), &Budget::default());
    server.feed(&Preface::client().to_bytes());
    for frame in frames {
        server.feed(frame);
    }
    fails(&mut server)
}

fn fails(connection: &mut Connection) -> Option<Code> {
    loop {
        // A server asks for every attachment.
        match connection.next_event() {
            Ok(None) => return None,
            Ok(Some(event)) => {
                if let Seen::Message(id, _, Some(_)) = event.into() {
                    connection.receive(id, None).expect("it was offered");
                }
            }
            Err(Error::Protocol { code, .. }) => {
                let told = take(connection);
                let goodbye = &told[told.len() - 16..];
                assert_eq!(goodbye[0], GOING_AWAY);
                assert_eq!(goodbye[12..], code.0.to_be_bytes());
                connection.feed(&frame(PING, 0, 0, 0, 1, b""));
                let again = connection.next_event();
                assert!(matches!(again, Err(Error::Protocol { code: c, .. }) if c == code));
                assert!(take(connection).is_empty(), "it is said once");
                return Some(code);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// A message with id 1 and an attachment of ten bytes.
fn upload() -> Vec<u8> {
    let body = b"\x00\x0a\x02\x08\0\0\0\0\0\0\0\x0a{}";
    frame(MESSAGE, 1 | 2, 1, 1, 0, body)
}

#[test]
fn a_server_names_the_rule_that_a_client_broke() {
    let ask = |id| frame(MESSAGE, 0, 1, id, 0, b"{}");
    let data = |len| frame(DATA, 0, 0, 1, 0, &vec![0; len]);
    let end = frame(END, 0, 0, 1, 0, b"");
    let credit = |id, bytes| frame(CREDIT, 0, 0, id, bytes, b"");
    let offset = frame(CREDIT, 1, 0, 1, 5, b"\x00\x0a\x03\x08\0\0\0\0\0\0\0\x01");
    let table: Vec<Row> = vec![
        (
            "unknown kind",
            vec![frame(11, 0, 0, 0, 0, b"")],
            Some(Code::UNKNOWN_KIND),
        ),
        (
            "flag of no kind",
            vec![frame(PING, 64, 0, 0, 0, b"")],
            Some(Code::BAD_FLAGS),
        ),
        (
            "ping with a request",
            vec![frame(PING, 0, 0, 9, 0, b"")],
            Some(Code::BAD_ID),
        ),
        (
            "message without codec",
            vec![frame(MESSAGE, 0, 0, 1, 0, b"{}")],
            Some(Code::BAD_FIELD),
        ),
        (
            "ping with a payload",
            vec![frame(PING, 0, 0, 0, 0, b"!")],
            Some(Code::BAD_LENGTH),
        ),
        (
            "empty message",
            vec![frame(MESSAGE, 0, 1, 1, 0, b"")],
            Some(Code::BAD_LENGTH),
        ),
        (
            "unknown field",
            vec![frame(MESSAGE, 1, 1, 1, 0, b"\x00\x02\x09\x00{}")],
            Some(Code::BAD_EXTENSION),
        ),
        (
            "block beyond its frame",
            vec![frame(MESSAGE, 1, 1, 1, 0, b"\x00\x05{}")],
            Some(Code::BAD_EXTENSION),
        ),
        (
            "block over its limit",
            vec![frame(
                MESSAGE,
                1,
                1,
                1,
                0,
                &[&[4, 1][..], &[0; 1030]].concat(),
            )],
            Some(Code::BAD_EXTENSION),
        ),
        (
            "size without an attachment",
            vec![frame(
                MESSAGE,
                1,
                1,
                1,
                0,
                b"\x00\x0a\x02\x08\0\0\0\0\0\0\0\x0a{}",
            )],
            Some(Code::BAD_EXTENSION),
        ),
        (
            "the same id twice",
            vec![ask(1), ask(1)],
            Some(Code::BAD_ID),
        ),
        ("an id that falls", vec![ask(5), ask(4)], Some(Code::BAD_ID)),
        (
            "an id half the circle ahead",
            vec![ask(1 << 31)],
            Some(Code::BAD_ID),
        ),
        (
            "credit for an id to come",
            vec![ask(1), credit(2, 5)],
            Some(Code::BAD_ID),
        ),
        ("data before any request", vec![data(1)], Some(Code::BAD_ID)),
        (
            "data of nothing",
            vec![ask(1), data(1)],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "end of nothing",
            vec![ask(1), end.clone()],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "a reply to a server",
            vec![frame(REPLY, 0, 1, 1, 0, b"{}")],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "a push to a server",
            vec![frame(PUSH, 0, 1, 0, 0, b"{}")],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "an error to a server",
            vec![frame(3, 0, 0, 1, 64, b"")],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "text without a codec",
            vec![frame(3, 0, 0, 1, 64, b"{}")],
            Some(Code::BAD_FIELD),
        ),
        (
            "more data than credit",
            vec![upload(), data(11)],
            Some(Code::CREDIT_EXCEEDED),
        ),
        (
            "less data than stated",
            vec![upload(), data(9), end.clone()],
            Some(Code::WRONG_SIZE),
        ),
        (
            "as much data as stated",
            vec![upload(), data(10), end.clone()],
            None,
        ),
        (
            "two ends",
            vec![upload(), data(10), end.clone(), end.clone()],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "data after the end",
            vec![upload(), data(10), end.clone(), data(1)],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "credit without end",
            vec![ask(1), credit(1, 16 << 20), credit(1, 1)],
            Some(Code::CREDIT_OVERFLOW),
        ),
        (
            "an offset too late",
            vec![ask(1), credit(1, 1), offset.clone()],
            Some(Code::UNEXPECTED_FRAME),
        ),
        ("an offset in time", vec![ask(1), offset], None),
        (
            "a message of 4 GiB",
            vec![{
                let mut huge = ask(1);
                huge[4..8].fill(0xff);
                huge
            }],
            Some(Code::FRAME_TOO_LARGE),
        ),
        (
            "a data frame over 1 MiB",
            vec![{
                let mut huge = data(1);
                huge[4..8].copy_from_slice(&(1024 * 1024_u32 + 1).to_be_bytes());
                huge
            }],
            Some(Code::BAD_LENGTH),
        ),
        (
            "129 requests at once",
            (1..=129).map(ask).collect(),
            Some(Code::TOO_MANY_REQUESTS),
        ),
        ("128 requests at once", (1..=128).map(ask).collect(), None),
        (
            "pings whose answers are not read",
            vec![frame(PING, 0, 0, 0, 7, b""); 4097],
            Some(Code::FLOOD),
        ),
        (
            "refused requests whose refusals are not read",
            (1..=4097)
                .map(|id| frame(MESSAGE, 0, 9, id, 0, b"x"))
                .collect(),
            Some(Code::FLOOD),
        ),
    ];
    for (name, frames, code) in table {
        assert_eq!(server_fails(&frames), code, "{name}");
    }
}

#[test]
fn frames_that_come_late_are_no_fault() {
    let mut pair = Pair::new();
    let id = pair.asked("x", None);
    pair.reply(id, "y", None);
    pair.reach_client();
    pair.assert_at_rest();
    pair.server.feed(&frame(CANCEL, 0, 0, id, 65, b""));
    pair.server.feed(&frame(CREDIT, 0, 0, id, 100, b""));
    assert_eq!(look(&mut pair.server).ok(), Some(vec![]));
    pair.client.feed(&frame(CANCEL, 0, 0, id, 75, b""));
    pair.client.feed(&frame(CREDIT, 0, 0, id, 100, b""));
    assert_eq!(look(&mut pair.client).ok(), Some(vec![]));
}

#[test]
fn a_client_names_the_rule_that_a_server_broke() {
    let reply = |id, flags| frame(REPLY, flags, 1, id, 0, b"{}");
    let table: Vec<Row> = vec![
        (
            "a request to a client",
            vec![frame(MESSAGE, 0, 1, 9, 0, b"{}")],
            Some(Code::UNEXPECTED_FRAME),
        ),
        ("a reply to nothing", vec![reply(2, 0)], Some(Code::BAD_ID)),
        (
            "two replies",
            vec![reply(1, 0), reply(1, 0)],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "data before the reply",
            vec![frame(DATA, 0, 0, 1, 0, b"x")],
            Some(Code::UNEXPECTED_FRAME),
        ),
        (
            "data without credit",
            vec![reply(1, 2), frame(DATA, 0, 0, 1, 0, b"x")],
            Some(Code::CREDIT_EXCEEDED),
        ),
        (
            "an empty attachment",
            vec![reply(1, 2), frame(END, 0, 0, 1, 0, b"")],
            None,
        ),
        (
            "an error below 64",
            vec![frame(3, 0, 0, 1, 9, b"")],
            Some(Code::BAD_FIELD),
        ),
        (
            "a goodbye of a request",
            vec![frame(GOING_AWAY, 0, 0, 0, 65, b"")],
            Some(Code::BAD_FIELD),
        ),
    ];
    for (name, frames, code) in table {
        let mut pair = Pair::new();
        pair.request("x", None);
        take(&mut pair.client);
        for frame in &frames {
            pair.client.feed(frame);
        }
        assert_eq!(fails(&mut pair.client), code, "{name}");
    }
}

#[test]
fn an_offset_for_what_cannot_be_resumed_is_refused() {
    let mut pair = Pair::new();
    let plain = Attached {
        size: Some(9),
        offset: 0,
        resumable: false,
    };
    let id = pair.request("up", Some(plain));
    take(&mut pair.client);
    let offset = b"\x00\x0a\x03\x08\0\0\0\0\0\0\0\x01";
    pair.client.feed(&frame(CREDIT, 1, 0, id, 5, offset));
    assert_eq!(fails(&mut pair.client), Some(Code::UNEXPECTED_FRAME));
    assert!(matches!(
        pair.client.data(id, b"x", None),
        Err(Error::NotInFlight { .. })
    ));
}

#[test]
fn versions_without_overlap_end_with_the_servers_preface() {
    let (limits, budget) = (Limits::default(), Budget::default());
    let mut server = Connection::new(Role::Server, &limits, &budget);
    server.feed(&[0xb0, 0xa7, 0xb0, 0xa7, 2, 9, 0, 0]);
    let code = Code::UNSUPPORTED_VERSION;
    assert!(matches!(server.next_event(), Err(Error::Protocol { code: c, .. }) if c == code));
    assert_eq!(take(&mut server), [0xb0, 0xa7, 0xb0, 0xa7, 0, 1, 0, 0]);
    let mut client = Connection::new(Role::Client, &limits, &budget);
    client.feed(&[0xb0, 0xa7, 0xb0, 0xa7, 0, 9, 0, 0]);
    assert!(matches!(client.next_event(), Err(Error::Protocol { code: c, .. }) if c == code));
    let mut client = Connection::new(Role::Client, &limits, &budget);
    client.feed(b"HTTP/1.1 400 Bad Request");
    assert!(matches!(
        client.next_event(),
        Err(Error::InvalidHeader { .. })
    ));
}

#[test]
fn a_stream_cut_in_a_frame_is_truncated() {
    let whole = [upload(), frame(DATA, 0, 0, 1, 0, b"0123456789")].concat();
    let between = [0, upload().len(), whole.len()];
    for n in 0..=whole.len() {
        let mut server = Connection::new(Role::Server, &Limits::default(), &Budget::default());
        server.feed(&Preface::client().to_bytes());
        server.feed(&whole[..n]);
        assert_eq!(fails(&mut server), None);
        assert_eq!(server.finish().is_ok(), between.contains(&n), "{n}");
    }
}
