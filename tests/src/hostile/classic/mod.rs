//! The classic wire: a peer that speaks it, and what it does wrong.

mod bodies;
mod json;
mod lengths;
mod peer;
mod pieces;

use serde_json::Value;

use crate::hostile::line::End;
use crate::hostile::script::{Played, Script, Wire, wrong};
use crate::hostile::target::{Need, Target};
use peer::Peer;

pub(super) fn scripts() -> Vec<Script> {
    [
        lengths::scripts(),
        pieces::scripts(),
        json::scripts(),
        bodies::scripts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A script of this wire.
fn script(name: &str, play: impl Fn(&mut Peer<'_>) -> Played + Send + Sync + 'static) -> Script {
    Script::new(Wire::Classic, name, move |target| {
        play(&mut Peer::connect(target)?)
    })
}

/// A message behind its length.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = i32::try_from(message.len()).expect("a script's message is short");
    [&length.to_le_bytes()[..], message].concat()
}

pub(super) fn good_answer(target: &Target) -> Played<Value> {
    let mut peer = Peer::connect(target)?;
    let good = peer.good();
    peer.line.send(&good);
    peer.reply()
}

pub(super) fn probe(target: &Target) -> Played {
    let mut peer = Peer::connect(target)?;
    peer.lives()?;
    peer.line.shut();
    match peer.line.drained()? {
        End::Fin => Ok(()),
        End::Reset => wrong("a reset"),
    }
}

pub(super) fn prepare(target: &Target, messages: &[Value]) -> Played {
    Peer::connect(target)?.say_all(messages)
}

pub(super) fn put(target: &Target, file: &[u8]) -> Played {
    let mut peer = Peer::connect(target)?;
    let message = peer.message(Need::Upload, file.len() as u64)?;
    peer.say(message.to_string());
    peer.line.send(file);
    peer.reply().map(drop)
}
