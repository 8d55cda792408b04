//! How a connection ends: goodbyes, floods, silence within a frame, cuts.

use std::time::{Duration, Instant};

use crate::hostile::line::Line;
use crate::hostile::native::code::{
    BAD_ID, CONNECTION_INTERNAL, FLOOD, NONE, TIMEOUT, UNKNOWN_KIND,
};
use crate::hostile::native::frame::{CREDIT, Frame, GOING_AWAY, PING};
use crate::hostile::native::{Peer, UNKNOWN, script};
use crate::hostile::script::{Script, Wire, wrong};
use crate::hostile::target::in_time;

/// More than the buffers of both systems hold, and little enough that what is said of it is read in time.
const FLOOD_BYTES: usize = 8 << 20;

pub(super) fn scripts() -> Vec<Script> {
    vec![
        script("endings.goodbye-in-good-order", |peer| {
            peer.lives()?;
            peer.send(&Frame::bare(GOING_AWAY, 0, NONE));
            peer.line.drained().map(drop)
        }),
        script("endings.request-in-flight-at-a-goodbye", |peer| {
            let good = Frame::message(1, peer.target.good.to_string()).bytes();
            let goodbye = Frame::bare(GOING_AWAY, 0, NONE).bytes();
            peer.line.send(&[good, goodbye].concat());
            peer.answered(1)?;
            peer.line.drained().map(drop)
        }),
        script("endings.goodbye-with-a-fault", |peer| {
            peer.send(&Frame::bare(GOING_AWAY, 0, CONNECTION_INTERNAL));
            peer.line.drained().map(drop)
        }),
        script("endings.half-close-behind-a-request", |peer| {
            let id = peer.ask_good();
            peer.line.shut();
            peer.answered(id)?;
            peer.line.drained().map(drop)
        }),
        script("endings.half-close-at-once", |peer| {
            peer.line.shut();
            peer.gone()
        }),
        cut("endings.cut-in-a-header", 7),
        cut("endings.cut-behind-a-header", 16),
        cut("endings.cut-in-a-message", 20),
        reset("endings.reset-in-a-header", 7),
        reset("endings.reset-in-a-message", 20),
        reset("endings.reset-behind-a-request", usize::MAX),
        late("endings.late-in-a-header", 9),
        late("endings.late-in-a-message", 18),
        script("endings.a-byte-now-and-then", |peer| {
            let since = Instant::now();
            let due = peer.target.header_time;
            let message = Frame::message(1, "never to be read in full").bytes();
            if peer.line.trickle(&message[..12], due / 4) {
                // It may have been told while the last bytes were on their way.
                peer.goodbye(TIMEOUT)?;
            } else {
                peer.goodbye_at_last(TIMEOUT)?;
            }
            if since.elapsed() < due / 2 {
                return wrong(format!("after {:?}", since.elapsed()));
            }
            Ok(())
        }),
        flood("floods.pings", |n| Frame::bare(PING, 0, n).bytes()),
        flood("floods.refused-requests", |n| {
            Frame::message(n + 1, "x").with_codec(0xfffe).bytes()
        }),
        script("endings.other-connections-notice-nothing", |peer| {
            let mut other = Peer::greet(peer.target)?;
            other.lives()?;
            peer.line.send(&[0xff; 64]);
            peer.goodbye(UNKNOWN_KIND)?;
            other.lives()
        }),
        script("endings.answers-come-before-the-goodbye", |peer| {
            let good = Frame::message(1, peer.target.good.to_string()).bytes();
            let unknown = Frame::message(2, UNKNOWN).bytes();
            let bad = Frame::bare(CREDIT, 9, 1).bytes();
            peer.line.send(&[good, unknown, bad].concat());
            peer.goodbye_at_last(BAD_ID)
        }),
    ]
}

fn good(peer: &Peer<'_>) -> Vec<u8> {
    Frame::message(1, peer.target.good.to_string()).bytes()
}

/// A frame of which so many bytes come, and then the end.
fn cut(name: &str, at: usize) -> Script {
    script(name, move |peer| {
        let bytes = good(peer);
        peer.line.send(&bytes[..at]);
        peer.line.shut();
        peer.line.drained().map(drop)
    })
}

/// The same with a reset; nothing can come back.
fn reset(name: &str, at: usize) -> Script {
    Script::new(Wire::Native, name, move |target| {
        let mut peer = Peer::greet(target)?;
        let bytes = good(&peer);
        peer.line.send(&bytes[..at.min(bytes.len())]);
        peer.line.reset();
        Ok(())
    })
}

/// The same with nothing.
fn late(name: &str, at: usize) -> Script {
    script(name, move |peer| {
        let bytes = Frame::message(1, "never to be read in full").bytes();
        let since = Instant::now();
        peer.line.send(&bytes[..at]);
        let due = peer.target.header_time;
        peer.line.wait_for(due + Duration::from_secs(3))?;
        peer.goodbye(TIMEOUT)?;
        in_time(since.elapsed(), due)
    })
}

/// Frames that want answers, which are not read.
fn flood(name: &str, frame: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Script {
    Script::new(Wire::Native, name, move |target| {
        let mut peer = Peer::greet_over(target, Line::narrow(target)?)?;
        pour(&mut peer, &frame);
        peer.goodbye_at_last(FLOOD)
    })
}

/// Sends until the server takes no more, or has been sent enough.
fn pour(peer: &mut Peer<'_>, frame: &impl Fn(u32) -> Vec<u8>) {
    let (mut sent, mut n) = (0, 0);
    while sent < FLOOD_BYTES {
        let bytes: Vec<u8> = (n..n + 4096).flat_map(frame).collect();
        n += 4096;
        sent += bytes.len();
        if !peer.line.try_send(&bytes) {
            return;
        }
    }
}
