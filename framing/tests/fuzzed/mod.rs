//! What the fuzz targets do with their input; the corpus is replayed through the same code.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target takes this in and uses a part of it"
)]

use packetboat_framing::{Decoder, Encoder, Event, Header, Limits, Phase, Prefix};

use crate::support::{Packet, Seen, prefixes, roomy, story};

/// `[prefix, seed, stream ..]`: the stream gives the same story in one piece and in many, under
/// tight limits and roomy ones, read by a prefix and by a device's header.
pub fn decode(data: &[u8]) {
    let [which, seed, stream @ ..] = data else {
        return;
    };
    let prefixes = prefixes();
    let prefix = prefixes[usize::from(*which) % prefixes.len()];
    let tight = Limits {
        max_message_bytes_before_login: 100,
        ..Limits::default()
    };
    for limits in [tight, roomy()] {
        same_story(prefix, &limits, stream, *seed);
        same_story(Packet::default(), &limits, stream, *seed);
    }
}

fn same_story<H: Header>(header: H, limits: &Limits, stream: &[u8], seed: u8) {
    let whole = story(header.clone(), limits, [stream]);
    assert_eq!(story(header, limits, pieces(stream, seed)), whole);
}

/// Pieces of one to eight bytes, as a small generator says.
fn pieces(mut stream: &[u8], seed: u8) -> Vec<&[u8]> {
    let (mut state, mut pieces) = (u32::from(seed) | 0x100, Vec::new());
    while !stream.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let (piece, rest) = stream.split_at(((state >> 16) as usize % 8 + 1).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// Operations on an encoder and a decoder, checked against what must come out.
///
/// Two bytes each: what to do, and how much.
pub fn session(data: &[u8]) {
    let limits = roomy();
    let mut encoder = Encoder::new(Prefix::NETWORK, &limits);
    let mut decoder = Decoder::new(Prefix::NETWORK, &limits);
    let (mut wire, mut fed) = (Vec::new(), 0);
    // What was sent, in order, and how far it has been seen.
    let (mut sent, mut seen) = (Vec::new(), Vec::new());
    let mut ahead: Vec<u64> = Vec::new();
    for operation in data.chunks_exact(2) {
        let n = usize::from(operation[1]);
        match operation[0] % 7 {
            0 => {
                // A message of n bytes, with an attachment of n * 3 when n is odd.
                let attachment = vec![n as u8; if n % 2 == 1 { n * 3 } else { 0 }];
                encoder
                    .encode(&vec![b'm'; n], attachment.len() as u64)
                    .expect("within limits");
                wire.extend_from_slice(encoder.pending());
                encoder.advance(encoder.pending().len());
                wire.extend_from_slice(&attachment);
                ahead.push(attachment.len() as u64);
                sent.push(Seen::Message(vec![b'm'; n]));
                if !attachment.is_empty() {
                    sent.extend([Seen::Attachment(attachment), Seen::End]);
                }
            }
            1 => {
                let end = wire.len().min(fed + n);
                decoder.feed(&wire[fed..end]);
                fed = end;
            }
            2 => {
                let end = wire.len().min(fed + n);
                let space = decoder.space();
                let end = end.min(fed + space.capacity() - space.len());
                space.extend_from_slice(&wire[fed..end]);
                fed = end;
            }
            3 => step(&mut decoder, &mut ahead, &mut seen),
            4 => {
                let bytes = decoder.attachment_bytes(n).to_vec();
                add(&mut seen, &bytes);
            }
            5 => decoder.release(),
            _ if decoder.phase() == Phase::Attachment && decoder.buffered() == 0 => {
                let end = wire
                    .len()
                    .min(fed + n.min(decoder.attachment_left() as usize));
                decoder.passed_by((end - fed) as u64);
                add(&mut seen, &wire[fed..end]);
                fed = end;
            }
            _ => {}
        }
    }
    decoder.feed(&wire[fed..]);
    while seen != sent {
        let before = seen.len();
        step(&mut decoder, &mut ahead, &mut seen);
        let same = matches!((seen.last(), sent.get(seen.len() - 1)), (Some(a), Some(b)) if a == b);
        assert!(seen.len() > before || same, "{seen:?} is not {sent:?}");
    }
    decoder.finish().expect("the wire ends after a frame");
}

fn step(decoder: &mut Decoder<Prefix>, ahead: &mut Vec<u64>, seen: &mut Vec<Seen>) {
    match decoder.decode().expect("only good frames were sent") {
        None => {}
        Some(Event::Message { message, .. }) => {
            seen.push(Seen::Message(message.to_vec()));
            decoder
                .attachment(ahead.remove(0))
                .expect("within the limit");
        }
        Some(Event::Attachment(bytes)) => {
            let bytes = bytes.to_vec();
            add(seen, &bytes);
        }
        Some(Event::End) => seen.push(Seen::End),
    }
}

/// Joins bytes to the attachment that is being seen.
fn add(seen: &mut Vec<Seen>, bytes: &[u8]) {
    match seen.last_mut() {
        Some(Seen::Attachment(whole)) => whole.extend_from_slice(bytes),
        _ if !bytes.is_empty() => seen.push(Seen::Attachment(bytes.to_vec())),
        _ => {}
    }
}
