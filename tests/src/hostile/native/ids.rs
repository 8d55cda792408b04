//! Ids: never opened, not later, around the end of the numbers, and too many of them.

use crate::hostile::native::code::{BAD_ID, TOO_MANY_REQUESTS, UNEXPECTED_FRAME};
use crate::hostile::native::frame::{CANCEL, CREDIT, END, Frame, SIZE};
use crate::hostile::native::{ATTACHMENT, Peer, UNKNOWN, breach, script};
use crate::hostile::script::{Played, Script};

pub(super) fn scripts() -> Vec<Script> {
    vec![
        breach(
            "ids.data-before-any-request",
            Frame::data(1, b"x").bytes(),
            BAD_ID,
        ),
        breach(
            "ids.end-before-any-request",
            Frame::bare(END, 3, 0).bytes(),
            BAD_ID,
        ),
        breach(
            "ids.credit-before-any-request",
            Frame::bare(CREDIT, 9, 5).bytes(),
            BAD_ID,
        ),
        breach(
            "ids.cancel-before-any-request",
            Frame::bare(CANCEL, 9, 65).bytes(),
            BAD_ID,
        ),
        breach(
            "ids.half-the-circle-ahead",
            Frame::message(1 << 31, "{}").bytes(),
            BAD_ID,
        ),
        breach(
            "ids.last-number-first",
            Frame::message(u32::MAX, "{}").bytes(),
            BAD_ID,
        ),
        after_good("ids.repeated", |peer, id| {
            peer.send(&Frame::message(id, "{}"))
        }),
        after_good("ids.not-later", |peer, id| {
            peer.send(&Frame::message(id - 1, "{}"))
        }),
        after_good("ids.credit-for-one-to-come", |peer, id| {
            peer.send(&Frame::bare(CREDIT, id + 1, 5));
        }),
        after_good("ids.cancel-of-one-to-come", |peer, id| {
            peer.send(&Frame::bare(CANCEL, id + 1, 65));
        }),
        // One that was skipped counts as one that is over.
        script("ids.data-of-one-skipped", |peer| {
            good(peer, 5)?;
            peer.send(&Frame::data(4, b"x"));
            peer.goodbye(UNEXPECTED_FRAME)
        }),
        script("ids.credit-for-one-skipped", |peer| {
            good(peer, 5)?;
            peer.send(&Frame::bare(CREDIT, 4, 9));
            peer.nothing_came()?;
            good(peer, 6)
        }),
        script("ids.repeated-in-flight", |peer| {
            let id = peer.hold()?;
            peer.send(&Frame::message(id, "{}"));
            peer.goodbye(BAD_ID)
        }),
        script("ids.around-the-end-of-the-numbers", around),
        script("ids.zero-at-the-end-of-the-numbers", |peer| {
            for id in [0x7fff_ffff, 0xffff_fffe, 0xffff_ffff] {
                good(peer, id)?;
            }
            peer.send(&Frame::message(0, "{}"));
            peer.goodbye(BAD_ID)
        }),
        script("requests.as-many-as-allowed", as_many),
        script("requests.one-too-many", |peer| {
            for _ in 0..peer.requests {
                peer.hold()?;
            }
            peer.ask("{}");
            peer.goodbye(TOO_MANY_REQUESTS)
        }),
        script("requests.one-too-many-in-one-write", |peer| {
            let many = u32::from(peer.requests) + 1;
            let size = 10u64.to_be_bytes();
            let held = |id| {
                let message = Frame::message(id, UNKNOWN).with_flags(ATTACHMENT);
                message.with_fields(&[(SIZE, &size)]).bytes()
            };
            let bytes: Vec<u8> = (1..=many).flat_map(held).collect();
            peer.line.send(&bytes);
            peer.goodbye_at_last(TOO_MANY_REQUESTS)
        }),
    ]
}

/// A good request with id 5, answered, and then something of another id.
fn after_good(name: &str, then: impl Fn(&mut Peer<'_>, u32) + Send + Sync + 'static) -> Script {
    script(name, move |peer| {
        good(peer, 5)?;
        then(peer, 5);
        peer.goodbye(BAD_ID)
    })
}

fn good(peer: &mut Peer<'_>, id: u32) -> Played {
    let good = peer.target.good.to_string();
    peer.send(&Frame::message(id, good));
    peer.answered(id)
}

/// Each is later than the one before, if by nearly half the circle.
fn around(peer: &mut Peer<'_>) -> Played {
    for id in [0x7fff_ffff, 0xffff_fffe, 0xffff_ffff, 1, 2] {
        good(peer, id)?;
    }
    peer.send(&Frame::message(0xffff_ffff, "{}"));
    peer.goodbye(BAD_ID)
}

fn as_many(peer: &mut Peer<'_>) -> Played {
    let held = (1..peer.requests)
        .map(|_| peer.hold())
        .collect::<Played<Vec<u32>>>()?;
    peer.lives()?;
    peer.lives()?;
    for id in held {
        peer.abort(id);
    }
    peer.lives()
}
