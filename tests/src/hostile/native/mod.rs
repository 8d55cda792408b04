//! The native wire: a peer that speaks it, and what it does wrong.

mod code;
mod downloads;
mod endings;
mod extensions;
mod frame;
mod headers;
mod ids;
mod ignored;
mod peer;
mod prefaces;
mod requests;
mod uploads;

use crate::hostile::script::{Played, Script, Wire};
use crate::hostile::target::Target;
use frame::{ATTACHMENT, CANCEL, ERROR, Frame, GOING_AWAY, MESSAGE, PING, REPLY};
use peer::Peer;

const MAGIC: [u8; 4] = [0xb0, 0xa7, 0xb0, 0xa7];
/// A client that speaks version 1.
const PREFACE: [u8; 8] = [0xb0, 0xa7, 0xb0, 0xa7, 1, 1, 0, 0];
/// A message that no server has a handler for.
const UNKNOWN: &str = r#"{"type":"no such type"}"#;

pub(super) fn scripts() -> Vec<Script> {
    [
        prefaces::scripts(),
        headers::scripts(),
        extensions::scripts(),
        ids::scripts(),
        requests::scripts(),
        uploads::scripts(),
        downloads::scripts(),
        ignored::scripts(),
        endings::scripts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A script of this wire, behind the prefaces.
fn script(name: &str, play: impl Fn(&mut Peer<'_>) -> Played + Send + Sync + 'static) -> Script {
    Script::new(Wire::Native, name, move |target| {
        play(&mut Peer::greet(target)?)
    })
}

/// Bytes that break one rule at once: they are answered by its code alone, and the connection is closed.
fn breach(name: &str, bytes: Vec<u8>, code: u32) -> Script {
    script(name, move |peer| {
        peer.line.send(&bytes);
        peer.goodbye(code)
    })
}

/// A frame in a sentence.
fn shown(frame: &Frame) -> String {
    let kind = match frame.kind {
        MESSAGE => "MESSAGE",
        REPLY => "REPLY",
        ERROR => "ERROR",
        frame::PUSH => "PUSH",
        frame::DATA => "DATA",
        frame::END => "END",
        frame::CREDIT => "CREDIT",
        CANCEL => "CANCEL",
        PING => "PING",
        GOING_AWAY => "GOING_AWAY",
        _ => "a frame of no kind",
    };
    let body = frame.body();
    let text = String::from_utf8_lossy(&body[..body.len().min(120)]);
    let (id, flags, value) = (frame.id, frame.flags, frame.value);
    format!("{kind} of {id}, flags {flags}, type {value}: {text}")
}

pub(super) fn good_answer(target: &Target) -> Played<(u8, u32, Vec<u8>)> {
    let mut peer = Peer::greet(target)?;
    let id = peer.ask_good();
    let frame = peer.any_answer(id)?;
    Ok((frame.kind, frame.value, frame.body().to_vec()))
}

pub(super) fn probe(target: &Target) -> Played {
    let mut peer = Peer::greet(target)?;
    peer.lives()?;
    peer.send(&Frame::bare(GOING_AWAY, 0, code::NONE));
    peer.line.drained().map(drop)
}
