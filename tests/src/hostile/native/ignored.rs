//! What comes late or is not known and is no fault.

use crate::hostile::native::code::CANCELLED;
use crate::hostile::native::frame::{ANSWER, CANCEL, CREDIT, Frame, KEY, OFFSET, PING};
use crate::hostile::native::script;
use crate::hostile::script::{Script, wrong};

pub(super) fn scripts() -> Vec<Script> {
    vec![
        script("ignored.credit-for-what-is-over", |peer| {
            peer.lives()?;
            let credit = Frame::bare(CREDIT, peer.last, 16 << 20);
            (0..3).for_each(|_| peer.send(&credit));
            peer.nothing_came()?;
            peer.lives()
        }),
        script("ignored.offset-for-what-is-over", |peer| {
            peer.lives()?;
            let credit = Frame::bare(CREDIT, peer.last, 9);
            peer.send(&credit.with_fields(&[(OFFSET, &[0xff; 8])]));
            peer.nothing_came()?;
            peer.lives()
        }),
        script("ignored.cancel-of-what-is-over", |peer| {
            peer.lives()?;
            let cancel = Frame::bare(CANCEL, peer.last, CANCELLED);
            (0..3).for_each(|_| peer.send(&cancel));
            peer.nothing_came()?;
            peer.lives()
        }),
        script("ignored.cancel-with-a-code-to-come", |peer| {
            peer.lives()?;
            peer.send(&Frame::bare(CANCEL, peer.last, u32::MAX));
            peer.nothing_came()?;
            peer.lives()
        }),
        script("ignored.credit-for-a-reply-without-attachment", |peer| {
            let id = peer.id();
            let good = Frame::message(id, peer.target.good.to_string()).bytes();
            let credit = Frame::bare(CREDIT, id, 65536).bytes();
            peer.line.send(&[good, credit].concat());
            peer.answered(id)?;
            peer.nothing_came()?;
            peer.lives()
        }),
        script("ignored.idempotency-key-of-a-good-request", |peer| {
            let id = peer.id();
            let good = Frame::message(id, peer.target.good.to_string());
            peer.send(&good.with_fields(&[(KEY, &[9; 16])]));
            peer.answered(id)?;
            peer.lives()
        }),
        script("pings.answered-with-their-number", |peer| {
            for number in [0, 1, u32::MAX] {
                peer.send(&Frame::bare(PING, 0, number));
                let pong = peer.next()?;
                if pong != Frame::bare(PING, 0, number).with_flags(ANSWER) {
                    return wrong(super::shown(&pong));
                }
            }
            peer.lives()
        }),
        script("pings.answer-to-none", |peer| {
            peer.send(&Frame::bare(PING, 0, 77).with_flags(ANSWER));
            peer.nothing_came()?;
            peer.lives()
        }),
    ]
}
