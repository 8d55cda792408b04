//! Requests that are refused while the connection goes on, and frames that no client sends.

use std::time::{Duration, Instant};

use crate::hostile::native::code::{
    ATTACHMENT_TOO_LARGE, BAD_MESSAGE, CANCELLED, DEADLINE_EXCEEDED, MESSAGE_TOO_LARGE,
    UNEXPECTED_FRAME, UNKNOWN_TYPE, UNSUPPORTED_CODEC,
};
use crate::hostile::native::frame::{
    ATTACHMENT, CANCEL, DEADLINE, END, ERROR, Frame, JSON, PUSH, REPLY, SIZE,
};
use crate::hostile::native::{Peer, UNKNOWN, breach, script};
use crate::hostile::script::{Played, Script, wrong};
use crate::hostile::target::Need;

/// What it is, and the message: refused as what cannot be decoded.
const BAD: [(&str, &[u8]); 9] = [
    ("requests.no-json", b"nope"),
    ("requests.array", b"[]"),
    ("requests.unfinished-json", b"{\"type\": \"a\""),
    ("requests.byte-order-mark", b"\xef\xbb\xbf{}"),
    ("requests.latin-1", b"{\"type\": \"caf\xe9\"}"),
    ("requests.type-missing", b"{}"),
    ("requests.type-is-a-number", b"{\"type\": 7}"),
    ("requests.type-twice", b"{\"type\": \"a\", \"type\": \"b\"}"),
    ("requests.nul", b"\0"),
];

pub(super) fn scripts() -> Vec<Script> {
    let bad = BAD.iter().map(|(name, message)| {
        script(name, move |peer| {
            let id = peer.ask(*message);
            peer.refused(id, BAD_MESSAGE)?;
            peer.lives()
        })
    });
    let loaded = |kind, id, value| Frame {
        codec: JSON,
        payload: b"{}".to_vec(),
        ..Frame::bare(kind, id, value)
    };
    bad.chain([
        breach(
            "frames.reply-to-a-server",
            loaded(REPLY, 1, 0).bytes(),
            UNEXPECTED_FRAME,
        ),
        breach(
            "frames.error-to-a-server",
            loaded(ERROR, 1, 64).bytes(),
            UNEXPECTED_FRAME,
        ),
        breach(
            "frames.push-to-a-server",
            loaded(PUSH, 0, 0).bytes(),
            UNEXPECTED_FRAME,
        ),
        script("requests.too-deep", |peer| {
            let depth = peer.target.max_message / 3;
            let deep = format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            let id = peer.ask(deep);
            peer.refused(id, BAD_MESSAGE)?;
            peer.lives()
        }),
        script("requests.unknown-type", |peer| {
            let id = peer.ask(UNKNOWN);
            peer.refused(id, UNKNOWN_TYPE)?;
            peer.lives()
        }),
        script("requests.unknown-type-number", |peer| {
            let id = peer.id();
            let message = Frame::message(id, "{}");
            peer.send(&Frame {
                value: 0xdead_beef,
                ..message
            });
            peer.refused(id, UNKNOWN_TYPE)?;
            peer.lives()
        }),
        script("requests.unknown-codec", |peer| {
            let id = peer.id();
            peer.send(&Frame::message(id, "x").with_codec(0xfffe));
            peer.refused(id, UNSUPPORTED_CODEC)?;
            peer.lives()
        }),
        script("requests.unknown-codec-and-attachment", |peer| {
            refused_attachment(peer, 10, 0xfffe, UNSUPPORTED_CODEC)
        }),
        script("requests.unknown-type-and-attachment", |peer| {
            refused_attachment(peer, 10, JSON, UNKNOWN_TYPE)
        }),
        script("requests.attachment-too-large", |peer| {
            refused_attachment(peer, u64::MAX, JSON, ATTACHMENT_TOO_LARGE)
        }),
        script("requests.message-too-large", too_large),
        script("requests.deadline-of-nothing", |peer| {
            let id = peer.id();
            let good = Frame::message(id, peer.target.good.to_string());
            peer.send(&good.with_fields(&[(DEADLINE, &[0; 4])]));
            peer.refused(id, DEADLINE_EXCEEDED)?;
            peer.lives()
        }),
        script("requests.deadline-passed", deadline_passed).needs(Need::Wait),
        script("requests.cancelled", cancelled).needs(Need::Wait),
        script("requests.others-are-answered-meanwhile", |peer| {
            let message = peer.message(Need::Wait, 0)?;
            let id = peer.ask(message);
            peer.lives()?;
            peer.lives()?;
            peer.send(&Frame::bare(CANCEL, id, CANCELLED));
            peer.refused(id, CANCELLED)?;
            peer.lives()
        })
        .needs(Need::Wait),
        script("requests.data-of-a-request-without-attachment", |peer| {
            peer.lives()?;
            peer.send(&Frame::data(peer.last, b"x"));
            peer.goodbye(UNEXPECTED_FRAME)
        }),
        script("requests.end-of-a-request-without-attachment", |peer| {
            peer.lives()?;
            peer.send(&Frame::bare(END, peer.last, 0));
            peer.goodbye(UNEXPECTED_FRAME)
        }),
        script("requests.frame-smuggled-behind-a-refusal", smuggled),
        script("requests.many-in-one-write", many),
        script("requests.byte-by-byte", |peer| {
            let id = peer.id();
            let good = Frame::message(id, peer.target.good.to_string());
            peer.line.trickle(&good.bytes(), Duration::ZERO);
            peer.answered(id)?;
            peer.lives()
        }),
    ])
    .collect()
}

/// A request that is refused before its attachment is looked at. An END is due all the same.
fn refused_attachment(peer: &mut Peer<'_>, size: u64, codec: u16, code: u32) -> Played {
    let id = peer.id();
    let message = Frame::message(id, UNKNOWN).with_flags(ATTACHMENT);
    let message = message.with_fields(&[(SIZE, &size.to_be_bytes())]);
    peer.send(&message.with_codec(codec));
    peer.refused(id, code)?;
    peer.cancelled(id)?;
    peer.lives()?;
    peer.abort(id);
    peer.lives()
}

fn too_large(peer: &mut Peer<'_>) -> Played {
    let id = peer.id();
    let message = vec![b' '; peer.target.max_message + 1];
    peer.send(&Frame::message(id, message));
    peer.refused(id, MESSAGE_TOO_LARGE)?;
    peer.lives()
}

fn deadline_passed(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Wait, 0)?;
    let id = peer.id();
    let since = Instant::now();
    let message = Frame::message(id, message);
    peer.send(&message.with_fields(&[(DEADLINE, &100u32.to_be_bytes())]));
    peer.refused(id, DEADLINE_EXCEEDED)?;
    if since.elapsed() < Duration::from_millis(90) {
        return wrong(format!(
            "refused after {:?}, due after 100 ms",
            since.elapsed()
        ));
    }
    peer.lives()
}

/// Cancelled twice, and again when it is over.
fn cancelled(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Wait, 0)?;
    let id = peer.ask(message);
    let cancel = Frame::bare(CANCEL, id, CANCELLED);
    peer.send(&cancel);
    peer.send(&cancel);
    peer.refused(id, CANCELLED)?;
    peer.send(&cancel);
    peer.nothing_came()?;
    peer.lives()
}

/// Within a message that is skipped there stand whole frames. None of them is one.
fn smuggled(peer: &mut Peer<'_>) -> Played {
    let id = peer.id();
    let within = Frame::message(id + 1, peer.target.good.to_string()).bytes();
    let times = peer.target.max_message / within.len() + 1;
    peer.send(&Frame::message(id, within.repeat(times)));
    peer.refused(id, MESSAGE_TOO_LARGE)?;
    peer.lives()
}

/// As many as are allowed at once, in one write, answered in any order.
fn many(peer: &mut Peer<'_>) -> Played {
    let count = u32::from(peer.requests);
    let good = peer.target.good.to_string();
    let bytes: Vec<u8> = (1..=count)
        .flat_map(|id| Frame::message(id, good.clone()).bytes())
        .collect();
    peer.line.send(&bytes);
    let mut open: Vec<u32> = (1..=count).collect();
    while !open.is_empty() {
        let frame = peer.next()?;
        let answers = matches!(frame.kind, REPLY | ERROR);
        match open.iter().position(|id| answers && *id == frame.id) {
            Some(at) => open.swap_remove(at),
            None => return wrong(super::shown(&frame)),
        };
    }
    peer.last = count;
    peer.lives()
}
