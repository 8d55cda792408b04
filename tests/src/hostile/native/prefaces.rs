//! The first eight bytes, and what may stand right behind them.

use std::time::{Duration, Instant};

use crate::hostile::line::Line;
use crate::hostile::native::{MAGIC, PREFACE, Peer, frame::Frame};
use crate::hostile::script::{Played, Script, Wire, wrong};
use crate::hostile::target::{Target, in_time};

/// What it is, and the lowest and highest version: told by the server's preface, and closed.
const NO_VERSION: [(&str, u8, u8); 4] = [
    ("prefaces.later-versions-only", 2, 9),
    ("prefaces.reversed-range", 1, 0),
    ("prefaces.reversed-wide-range", 255, 1),
    ("prefaces.version-zero", 0, 0),
];

pub(super) fn scripts() -> Vec<Script> {
    let mut scripts: Vec<Script> = NO_VERSION
        .iter()
        .map(|(name, lowest, highest)| {
            raw(name, move |line, _| {
                line.send(&client(*lowest, *highest));
                let mut answer = [0; 8];
                line.read(&mut answer)?;
                if answer[..4] != MAGIC || [answer[4], answer[6], answer[7]] != [0; 3] {
                    return wrong(format!("{answer:02x?}, a choice of none was due"));
                }
                line.fin()
            })
        })
        .collect();
    scripts.extend([
        greeted("prefaces.wide-range", client(0, 255).to_vec()),
        greeted(
            "prefaces.last-bytes-not-zero",
            [&PREFACE[..6], &[0xab, 0xcd]].concat(),
        ),
        raw("prefaces.nothing-before-the-client's", |line, _| {
            line.send(&PREFACE[..7]);
            match line.end(Duration::from_millis(300)) {
                Err(wrong) if wrong.to_string().starts_with("still open") => {}
                Err(other) => return Err(other),
                Ok(end) => return wrong(format!("{end:?} within the client's preface")),
            }
            line.send(&PREFACE[7..]);
            line.read(&mut [0; 8])
        }),
        raw("prefaces.cut", |line, _| {
            line.send(&PREFACE[..5]);
            line.shut();
            line.gone(Duration::from_secs(3))
        }),
        raw("prefaces.late", |line, target| {
            let since = Instant::now();
            line.send(&PREFACE[..3]);
            let due = target.header_time;
            line.gone(due + Duration::from_secs(3))?;
            in_time(since.elapsed(), due)
        }),
        raw("prefaces.late-behind-the-magic", |line, target| {
            let since = Instant::now();
            line.send(&PREFACE[..6]);
            let due = target.header_time;
            // A going-away frame would have nothing to stand behind.
            line.gone(due + Duration::from_secs(3))?;
            in_time(since.elapsed(), due)
        }),
        raw("prefaces.byte-by-byte", |line, target| {
            let good = Frame::message(1, target.good.to_string());
            line.trickle(&[&PREFACE[..], &good.bytes()].concat(), Duration::ZERO);
            line.read(&mut [0; 8])
        }),
        behind("prefaces.one-request-behind", |peer| {
            let good = peer.target.good.to_string();
            let first = Frame::message(1, good).bytes();
            peer.line.send(&[&PREFACE[..], &first].concat());
            peer.preface()?;
            peer.last = 1;
            peer.answered(1)?;
            peer.lives()
        }),
    ]);
    scripts
}

/// A client that speaks these versions.
fn client(lowest: u8, highest: u8) -> [u8; 8] {
    let mut preface = PREFACE;
    (preface[4], preface[5]) = (lowest, highest);
    preface
}

/// Nothing has been said yet.
fn raw(name: &str, play: impl Fn(&mut Line, &Target) -> Played + Send + Sync + 'static) -> Script {
    Script::new(Wire::Native, name, move |target| {
        play(&mut Line::connect(target)?, target)
    })
}

/// The same with a peer, for what comes behind the prefaces.
fn behind(name: &str, play: impl Fn(&mut Peer<'_>) -> Played + Send + Sync + 'static) -> Script {
    Script::new(Wire::Native, name, move |target| {
        play(&mut Peer {
            target,
            line: Line::connect(target)?,
            requests: 0,
            last: 0,
            session: None,
        })
    })
}

/// A preface that is as good as any.
fn greeted(name: &str, preface: Vec<u8>) -> Script {
    behind(name, move |peer| {
        peer.line.send(&preface);
        peer.preface()?;
        peer.lives()
    })
}
