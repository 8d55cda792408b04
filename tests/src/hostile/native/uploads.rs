//! Attachments of requests: credit, size, digest, offset, and how they end.

use crate::hostile::native::code::{
    CREDIT_EXCEEDED, CREDIT_OVERFLOW, DIGEST_MISMATCH, UNEXPECTED_FRAME, UNKNOWN_TYPE, WRONG_SIZE,
};
use crate::hostile::native::frame::{
    ABORTED, CANCEL, CREDIT, DATA, DIGEST, END, Frame, OFFSET, RESUMABLE,
};
use crate::hostile::native::{ATTACHMENT, ERROR, Peer, REPLY, script};
use crate::hostile::script::{Played, Script, wrong};
use crate::hostile::target::{Need, body};

/// What a digest may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stated {
    Nothing,
    Right,
    Wrong,
}

pub(super) fn scripts() -> Vec<Script> {
    let uploads = [
        script("uploads.whole", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::data(id, &body()));
            peer.end(id);
            taken(peer, id)
        }),
        script("uploads.byte-by-byte-with-others-between", between),
        script("uploads.empty", |peer| {
            let id = peer.offer(0, 0, &[])?;
            peer.end(id);
            // An application may refuse what it has already.
            answer_behind_credit(peer, id)?;
            lives(peer, id)
        }),
        script("uploads.data-of-an-empty-one", |peer| {
            let id = peer.offer(0, 0, &[])?;
            peer.send(&Frame::data(id, b"x"));
            // Without credit, and over the size: the header alone tells the former.
            peer.goodbye_at_last(CREDIT_EXCEEDED)
        }),
        script("uploads.before-any-credit", |peer| {
            let size = 64 << 20;
            let id = peer.offer(size, 0, &[])?;
            peer.line
                .send(&Frame::bare(DATA, id, 0).bytes_of_length(1 << 20));
            peer.goodbye_at_last(CREDIT_EXCEEDED)
        }),
        script("uploads.more-than-credit", |peer| {
            let (id, credit) = peer.upload(1 << 30, 0, &[])?;
            if credit >= 1 << 20 {
                let full = Frame::data(id, &vec![0; 1 << 20]).bytes();
                (0..credit >> 20).for_each(|_| peer.line.send(&full));
            }
            let over = Frame::bare(DATA, id, 0).bytes_of_length((credit % (1 << 20)) + 1);
            peer.line.send(&over);
            peer.goodbye_at_last(CREDIT_EXCEEDED)
        }),
        script("uploads.more-than-stated", |peer| {
            let (id, credit) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::data(id, b"0123456789!"));
            // A server that gives credit for the size alone has the header to tell it from.
            peer.goodbye(if credit > 10 {
                WRONG_SIZE
            } else {
                CREDIT_EXCEEDED
            })
        }),
        script("uploads.less-than-stated", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::data(id, &body()[..9]));
            peer.end(id);
            peer.goodbye_at_last(WRONG_SIZE)
        }),
        script("uploads.nothing-of-it", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.end(id);
            peer.goodbye_at_last(WRONG_SIZE)
        }),
        script("uploads.two-ends", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::data(id, &body()));
            peer.end(id);
            peer.end(id);
            peer.goodbye_at_last(UNEXPECTED_FRAME)
        }),
        script("uploads.data-behind-the-end", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::data(id, &body()));
            peer.end(id);
            peer.send(&Frame::data(id, b"x"));
            peer.goodbye_at_last(UNEXPECTED_FRAME)
        }),
        script("uploads.broken-off", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::data(id, &body()[..5]));
            peer.abort(id);
            let answer = answer_behind_credit(peer, id)?;
            if answer.kind != ERROR {
                return wrong("an upload that was broken off was taken");
            }
            peer.lives()
        }),
        script("uploads.broken-off-with-a-code-to-come", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::bare(END, id, 9_999).with_flags(ABORTED));
            answer_behind_credit(peer, id)?;
            peer.lives()
        }),
        script("uploads.offset-of-an-upload-s-sender", |peer| {
            // A credit with an offset is the receiver's; this one would be for a reply.
            let (id, _) = peer.upload(10, RESUMABLE, &[])?;
            let credit = Frame::bare(CREDIT, id, 5);
            peer.send(&credit.clone().with_fields(&[(OFFSET, &1u64.to_be_bytes())]));
            peer.send(&credit.with_fields(&[(OFFSET, &1u64.to_be_bytes())]));
            peer.goodbye_at_last(UNEXPECTED_FRAME)
        }),
        script("uploads.credit-overflow", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::bare(CREDIT, id, 16 << 20));
            peer.send(&Frame::bare(CREDIT, id, 1));
            peer.goodbye_at_last(CREDIT_OVERFLOW)
        }),
        script("uploads.credit-overflow-at-once", |peer| {
            let (id, _) = peer.upload(10, 0, &[])?;
            peer.send(&Frame::bare(CREDIT, id, u32::MAX));
            peer.goodbye_at_last(CREDIT_OVERFLOW)
        }),
        digest("digests.right", Stated::Right, Stated::Right),
        digest(
            "digests.wrong-in-the-message",
            Stated::Wrong,
            Stated::Nothing,
        ),
        script("digests.wrong-of-an-empty-one", |peer| {
            let id = peer.offer(0, 0, &[(DIGEST, &[7; 32])])?;
            peer.end(id);
            let answer = answer_behind_credit(peer, id)?;
            if (answer.kind, answer.value) != (ERROR, DIGEST_MISMATCH) {
                return wrong(format!("{}, a mismatch was due", super::shown(&answer)));
            }
            lives(peer, id)
        }),
        digest("digests.wrong-in-both", Stated::Wrong, Stated::Wrong),
    ];
    uploads
        .into_iter()
        .map(|script| script.needs(Need::Upload))
        .chain([
            script("uploads.data-that-nobody-wants", |peer| {
                let id = peer.hold()?;
                peer.send(&Frame::data(id, b"x"));
                peer.goodbye(CREDIT_EXCEEDED)
            }),
            script("uploads.end-of-what-nobody-wants", |peer| {
                let id = peer.hold()?;
                peer.end(id);
                // What nobody wants is thrown away and not counted.
                peer.lives()
            }),
            script("uploads.of-unstated-size-that-nobody-wants", |peer| {
                let id = peer.id();
                let message = Frame::message(id, super::UNKNOWN);
                peer.send(&message.with_flags(ATTACHMENT));
                peer.refused(id, UNKNOWN_TYPE)?;
                peer.cancelled(id)?;
                peer.end(id);
                peer.lives()
            }),
        ])
        .collect()
}

/// The answer to an upload, before which there may be credit.
fn answer_behind_credit(peer: &mut Peer<'_>, id: u32) -> Played<Frame> {
    loop {
        let frame = peer.next()?;
        match frame.kind {
            CREDIT if frame.id == id => {}
            REPLY | ERROR if frame.id == id => return Ok(frame),
            _ => return wrong(format!("{}, an answer was due", super::shown(&frame))),
        }
    }
}

fn is_reply(answer: &Frame) -> Played {
    if answer.kind != REPLY {
        return wrong(format!("{}, a reply was due", super::shown(answer)));
    }
    Ok(())
}

fn taken(peer: &mut Peer<'_>, id: u32) -> Played {
    let answer = answer_behind_credit(peer, id)?;
    is_reply(&answer)?;
    lives(peer, id)
}

/// The connection goes on. A server that answers before it has seen the END cancels the rest.
fn lives(peer: &mut Peer<'_>, id: u32) -> Played {
    let good = peer.ask_good();
    let frame = peer.next()?;
    let is_cancel = (frame.kind, frame.id) == (CANCEL, id);
    match is_cancel {
        true => peer.answered(good),
        false => peer.is_answer(&frame, good),
    }
}

/// A file a byte at a time; between them others are asked and answered.
fn between(peer: &mut Peer<'_>) -> Played {
    let (id, _) = peer.upload(10, 0, &[])?;
    let body = body();
    for (at, byte) in body.chunks(1).enumerate() {
        peer.send(&Frame::data(id, byte));
        if at + 1 == body.len() {
            break;
        }
        let other = peer.ask_good();
        let mut frame = peer.next()?;
        while (frame.kind, frame.id) == (CREDIT, id) {
            frame = peer.next()?;
        }
        peer.is_answer(&frame, other)?;
    }
    peer.end(id);
    taken(peer, id)
}

/// A file of ten bytes with what is said of it: taken, or refused where that is wrong.
fn digest(name: &str, message: Stated, end: Stated) -> Script {
    script(name, move |peer| {
        let body = body();
        let digest = |stated| match stated {
            Stated::Nothing => None,
            Stated::Right => Some(*blake3::hash(&body).as_bytes()),
            Stated::Wrong => Some([7; 32]),
        };
        let (in_message, in_end) = (digest(message), digest(end));
        let fields: Vec<(u8, &[u8])> = in_message.iter().map(|it| (DIGEST, &it[..])).collect();
        let (id, _) = peer.upload(10, 0, &fields)?;
        peer.send(&Frame::data(id, &body));
        let bare = Frame::bare(END, id, 0);
        peer.send(&match &in_end {
            Some(digest) => bare.with_fields(&[(DIGEST, digest)]),
            None => bare,
        });
        let answer = answer_behind_credit(peer, id)?;
        let due = match message == Stated::Wrong {
            true => (ERROR, DIGEST_MISMATCH),
            false => (REPLY, 0),
        };
        if (answer.kind, answer.value) != due && (answer.kind, due.0) != (REPLY, REPLY) {
            return wrong(format!("{}, {due:?} was due", super::shown(&answer)));
        }
        lives(peer, id)
    })
}
