//! Attachments of replies: nothing without credit, no more than it, and offsets out of range.

use crate::hostile::native::code::{CANCELLED, CREDIT_OVERFLOW, UNEXPECTED_FRAME};
use crate::hostile::native::frame::{ABORTED, CANCEL, CREDIT, DATA, END, Frame, OFFSET, RESUMABLE};
use crate::hostile::native::{ATTACHMENT, Peer, REPLY, script};
use crate::hostile::script::{Played, Script, wrong};
use crate::hostile::target::Need;

/// Enough for any file of a test.
const PLENTY: u32 = 4 << 20;

pub(super) fn scripts() -> Vec<Script> {
    [
        script("downloads.nothing-without-credit", |peer| {
            begun(peer)?;
            peer.nothing_came()?;
            peer.lives()
        }),
        script("downloads.no-more-than-credit", no_more_than_credit),
        script("downloads.whole", |peer| {
            let (id, size, _) = begun(peer)?;
            whole(peer, id, size, 0)
        }),
        script("downloads.credit-right-behind-the-message", |peer| {
            let message = peer.message(Need::Download, 0)?;
            let id = peer.ask(message);
            peer.send(&Frame::bare(CREDIT, id, 5));
            let reply = peer.expect(REPLY, id)?;
            five(peer, id)?;
            whole(peer, id, reply.size().unwrap_or_default(), 5)
        }),
        script("downloads.credit-overflow", |peer| {
            let (id, ..) = begun(peer)?;
            // Together more than the most by the size of any file that had gone meanwhile.
            peer.send(&Frame::bare(CREDIT, id, u32::MAX));
            peer.goodbye_at_last(CREDIT_OVERFLOW)
        }),
        script("downloads.cancelled", cancelled),
        script("downloads.cancelled-before-the-reply", |peer| {
            let message = peer.message(Need::Download, 0)?;
            let id = peer.id();
            let cancel = Frame::bare(CANCEL, id, CANCELLED).bytes();
            peer.line
                .send(&[Frame::message(id, message).bytes(), cancel].concat());
            let answer = peer.any_answer(id)?;
            if answer.flags & ATTACHMENT != 0 {
                aborted(peer, id)?;
            }
            peer.lives()
        }),
        // The server cannot tell whether these have crossed its reply.
        ignored("downloads.offset-behind-the-end", |size| size + 1),
        ignored("downloads.last-offset-of-all", |_| u64::MAX),
        script("downloads.offset-in-a-later-credit", |peer| {
            let (id, ..) = begun(peer)?;
            peer.send(&Frame::bare(CREDIT, id, 5));
            five(peer, id)?;
            offset(peer, id, 6);
            peer.goodbye(UNEXPECTED_FRAME)
        }),
        script("downloads.offset-within", |peer| {
            let (id, size, resumable) = begun(peer)?;
            offset(peer, id, 3);
            let at = if resumable { 3 } else { 0 };
            five(peer, id)?;
            whole(peer, id, size, at + 5)
        }),
        script("downloads.wish-out-of-range", |peer| {
            let message = peer.message(Need::Download, 0)?;
            let id = peer.ask(message);
            // Before the reply it is a wish, and is not heard where it makes no sense.
            offset(peer, id, u64::MAX);
            let reply = peer.expect(REPLY, id)?;
            five(peer, id)?;
            whole(peer, id, reply.size().unwrap_or_default(), 5)
        }),
        script("downloads.half-close", |peer| {
            begun(peer)?;
            peer.line.shut();
            peer.line.drained().map(drop)
        }),
        script("downloads.data-to-a-server", |peer| {
            let (id, ..) = begun(peer)?;
            peer.send(&Frame::data(id, b"x"));
            peer.goodbye(UNEXPECTED_FRAME)
        }),
    ]
    .into_iter()
    .map(|script| script.needs(Need::Download))
    .collect()
}

/// A download up to its reply: the id, the size, and whether it may begin later.
fn begun(peer: &mut Peer<'_>) -> Played<(u32, u64, bool)> {
    let message = peer.message(Need::Download, 0)?;
    let id = peer.ask(message);
    let reply = peer.expect(REPLY, id)?;
    let size = reply.size().unwrap_or_default();
    if reply.flags & ATTACHMENT == 0 || size < 8 {
        return wrong(format!(
            "{}, a file of 8 bytes or more was due",
            super::shown(&reply)
        ));
    }
    Ok((id, size, reply.flags & RESUMABLE != 0))
}

/// A first credit with an offset at which no file begins: it is one without.
fn ignored(name: &str, at: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Script {
    script(name, move |peer| {
        let (id, size, _) = begun(peer)?;
        offset(peer, id, at(size));
        five(peer, id)?;
        whole(peer, id, size, 5)
    })
}

/// Credit of five bytes with an offset.
fn offset(peer: &mut Peer<'_>, id: u32, offset: u64) {
    let credit = Frame::bare(CREDIT, id, 5);
    peer.send(&credit.with_fields(&[(OFFSET, &offset.to_be_bytes())]));
}

/// Five bytes come, and then nothing.
fn five(peer: &mut Peer<'_>, id: u32) -> Played {
    let mut came = 0;
    while came < 5 {
        came += peer.expect(DATA, id)?.body().len();
    }
    if came > 5 {
        return wrong(format!("{came} bytes for a credit of 5"));
    }
    peer.nothing_came()
}

fn no_more_than_credit(peer: &mut Peer<'_>) -> Played {
    let (id, size, _) = begun(peer)?;
    peer.send(&Frame::bare(CREDIT, id, 5));
    five(peer, id)?;
    whole(peer, id, size, 5)
}

/// The rest comes, and its end.
fn whole(peer: &mut Peer<'_>, id: u32, size: u64, mut at: u64) -> Played {
    let mut credit = 0;
    loop {
        if credit == 0 {
            credit = PLENTY;
            peer.send(&Frame::bare(CREDIT, id, credit));
        }
        let frame = peer.next()?;
        match frame.kind {
            DATA if frame.id == id => {
                let len = frame.body().len() as u32;
                at += u64::from(len);
                credit = credit.saturating_sub(len);
            }
            END if (frame.id, frame.value, at) == (id, 0, size) => return peer.lives(),
            _ => return wrong(format!("{} at {at} of {size}", super::shown(&frame))),
        }
    }
}

/// The next frame breaks the attachment off.
fn aborted(peer: &mut Peer<'_>, id: u32) -> Played {
    let end = peer.expect(END, id)?;
    if end.flags & ABORTED == 0 || end.value < 64 {
        return wrong(format!("{}, an aborted end was due", super::shown(&end)));
    }
    Ok(())
}

fn cancelled(peer: &mut Peer<'_>) -> Played {
    let (id, ..) = begun(peer)?;
    peer.send(&Frame::bare(CREDIT, id, 5));
    five(peer, id)?;
    let cancel = Frame::bare(CANCEL, id, CANCELLED);
    peer.send(&cancel);
    aborted(peer, id)?;
    // What is over is not cancelled again, nor is anything sent for more credit.
    peer.send(&cancel);
    peer.send(&Frame::bare(CREDIT, id, 5));
    peer.nothing_came()?;
    peer.lives()
}
