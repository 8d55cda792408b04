//! Messages in pieces, many at once, late, and cut.

use std::time::{Duration, Instant};

use crate::hostile::classic::{Peer, frame, script};
use crate::hostile::script::{Played, Script, wrong};
use crate::hostile::target::{Target, in_time};

/// Requests in one write.
const MANY: usize = 500;

pub(super) fn scripts() -> Vec<Script> {
    vec![
        script("pieces.byte-by-byte", byte_by_byte),
        script("pieces.many-in-one-write", many_in_one_write),
        script("pieces.half-close-behind-a-request", half_close),
        script("pieces.nothing-at-all", |peer| {
            peer.line.shut();
            peer.closed()
        }),
        cut("pieces.cut-in-the-length", 2),
        cut("pieces.cut-behind-the-length", 4),
        cut("pieces.cut-in-the-message", 9),
        script("pieces.late-in-the-length", late_in_the_length),
        script("pieces.late-in-the-message", late_in_the_message),
        script("pieces.a-byte-now-and-then", a_byte_now_and_then),
        reset("pieces.reset-in-the-message", 9),
        reset("pieces.reset-behind-a-request", usize::MAX),
    ]
}

fn byte_by_byte(peer: &mut Peer<'_>) -> Played {
    let good = peer.good();
    peer.line.trickle(&good, Duration::ZERO);
    peer.answered()?;
    peer.lives()
}

fn many_in_one_write(peer: &mut Peer<'_>) -> Played {
    let many = peer.good().repeat(MANY);
    peer.line.send(&many);
    for _ in 0..MANY {
        peer.answered()?;
    }
    peer.lives()
}

fn half_close(peer: &mut Peer<'_>) -> Played {
    let good = peer.good();
    peer.line.send(&good);
    peer.line.shut();
    peer.answered()?;
    peer.closed()
}

/// A message of which so many bytes come, and then the end.
fn cut(name: &str, at: usize) -> Script {
    script(name, move |peer| {
        let good = peer.good();
        peer.line.send(&good[..at]);
        peer.line.shut();
        peer.gone()
    })
}

/// The same with a reset; nothing can come back.
fn reset(name: &str, at: usize) -> Script {
    Script::new(super::Wire::Classic, name, move |target: &Target| {
        let mut peer = Peer::connect(target)?;
        let good = peer.good();
        peer.line.send(&good[..at.min(good.len())]);
        peer.line.reset();
        Ok(())
    })
}

fn late_in_the_length(peer: &mut Peer<'_>) -> Played {
    let since = Instant::now();
    peer.line.send(b"\x20");
    let due = peer.target.header_time;
    peer.line.gone(due + Duration::from_secs(3))?;
    in_time(since.elapsed(), due)
}

fn late_in_the_message(peer: &mut Peer<'_>) -> Played {
    peer.lives()?;
    let since = Instant::now();
    peer.line.send(&frame(b"{\"type\": \"never\"}")[..8]);
    let due = peer.target.header_time;
    peer.line.gone(due + Duration::from_secs(3))?;
    in_time(since.elapsed(), due)
}

/// The time is that of the whole message, so a byte now and then extends nothing.
fn a_byte_now_and_then(peer: &mut Peer<'_>) -> Played {
    peer.lives()?;
    let since = Instant::now();
    let due = peer.target.header_time;
    let good = peer.good();
    let pause = due / 4;
    let rounds = good.len().min(12);
    if peer.line.trickle(&good[..rounds], pause) {
        return wrong(format!(
            "{rounds} bytes with {pause:?} between them were taken"
        ));
    }
    peer.line.gone(Duration::from_secs(3))?;
    if since.elapsed() < due / 2 {
        return wrong(format!("closed after {:?}", since.elapsed()));
    }
    Ok(())
}
