//! First bytes that are no length, and lengths that are no good.

use crate::hostile::classic::{Peer, frame, script};
use crate::hostile::script::{Played, Script};

/// What it is, and its first bytes: refused without a word.
const FOREIGN: [(&str, &[u8]); 12] = [
    ("lengths.minus-one", b"\xff\xff\xff\xff{}"),
    ("lengths.zero", b"\0\0\0\0"),
    ("lengths.zeros", &[0; 1000]),
    ("lengths.least-number", b"\0\0\0\x80"),
    ("lengths.greatest-number", b"\xff\xff\xff\x7f"),
    ("lengths.all-ones", &[0xff; 64]),
    (
        "lengths.almost-the-native-preface",
        b"\xb0\xa7\xb0\xa8\x01\x01\0\0",
    ),
    (
        "preludes.http",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    ("preludes.http-2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("preludes.ssh", b"SSH-2.0-OpenSSH_9.6\r\n"),
    ("preludes.smtp", b"EHLO localhost\r\n"),
    ("preludes.redis", b"*1\r\n$4\r\nPING\r\n"),
];

/// The beginning of a client hello: 512 bytes in a record of version 3.1.
const TLS: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

pub(super) fn scripts() -> Vec<Script> {
    let mut scripts: Vec<Script> = FOREIGN
        .iter()
        .map(|(name, bytes)| {
            script(name, move |peer| {
                peer.line.send(bytes);
                peer.gone()
            })
        })
        .collect();
    scripts.extend([
        script("preludes.tls", tls),
        script("lengths.big-endian", big_endian),
        script("lengths.one-over-the-limit", one_over_the_limit),
        script("lengths.just-at-the-limit", just_at_the_limit),
        script("lengths.earned-replies-come-before-the-close", earned),
    ]);
    scripts
}

/// A port without TLS is silent, one with it may send an alert.
fn tls(peer: &mut Peer<'_>) -> Played {
    peer.line.send(TLS);
    peer.line.send(&[0; 600]);
    peer.line.drained().map(drop)
}

/// As `struct.pack('>i')` would write it.
fn big_endian(peer: &mut Peer<'_>) -> Played {
    let mut good = peer.good();
    good[..4].reverse();
    peer.line.send(&good);
    peer.gone()
}

fn one_over_the_limit(peer: &mut Peer<'_>) -> Played {
    let length = peer.target.max_message as i32 + 1;
    peer.line.send(&length.to_le_bytes());
    peer.gone()
}

fn just_at_the_limit(peer: &mut Peer<'_>) -> Played {
    let mut message = peer.target.good.to_string().into_bytes();
    message.resize(peer.target.max_message, b' ');
    peer.line.send(&frame(&message));
    peer.answered()?;
    peer.lives()
}

fn earned(peer: &mut Peer<'_>) -> Played {
    let bytes = [peer.good(), peer.good(), vec![0xff; 4]].concat();
    peer.line.send(&bytes);
    peer.answered()?;
    peer.answered()?;
    peer.closed()
}
