//! A frame encoded and decoded, against `memcpy` and tokio-util's `LengthDelimitedCodec`.
//!
//! Everybody does the same: messages are copied into a way out, whose bytes are copied to a way in as a socket would,
//! and each message is looked at there. `memcpy` does that and no more. A batch is as large as what a connection
//! writes at once, so what is measured lies in the cache as it does there.

use std::{hint::black_box, io::Write, time::Duration};

use bytes::{Bytes, BytesMut};
use packetboat_framing::{
    Decoder, Encoder, Event, Limits, Prefix,
    native::{Codec, Extensions, Frame, FrameDecoder, FrameEncoder, FrameHeader, Kind},
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio_util::codec::{
    Decoder as _, Encoder as _, LengthDelimitedCodec, length_delimited::Builder,
};

use crate::{
    error::BoxError,
    machine,
    statistics::{median, quantile, ratios, rounded, turn},
};

/// Options of `codec`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many rounds; at least 9 tell something.
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Prints one JSON object a line, and no table.
    #[arg(long)]
    json: bool,
}

/// Sizes of payloads, and how they are called. The last may not be over what a message may have.
const WORKS: [(&str, usize); 3] = [("64B", 64), ("1KiB", 1024), ("64KiB", 64 * 1024)];

/// Payload bytes in a batch, unless one message has more.
const BATCH: usize = 8 * 1024;

/// Payload bytes that a peer moves in a round, or so many frames if that is less.
const BYTES: usize = 64 << 20;
const FRAMES: usize = 500_000;

/// Moves a batch of messages, and gives how many came.
type Move<'a> = Box<dyn FnMut(usize) -> Result<usize, BoxError> + 'a>;

/// Measures, and prints a line for each work and peer.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    machine::pin(machine::End::Server);
    if !args.json {
        println!("{}", machine::line());
        println!("encode + decode; ratios are ours/peer in throughput, above 1 is faster\n");
        println!(
            "{:<7} {:<17} {:>12} {:>9} {:>7}  (spread)",
            "payload", "peer", "ns a frame", "GB/s", "ratio"
        );
    }
    for (work, size) in WORKS {
        measure(args, work, size)?;
    }
    Ok(())
}

fn measure(args: &Args, work: &str, size: usize) -> Result<(), BoxError> {
    let payload = vec![b'x'; size];
    let shared = Bytes::from(payload.clone());
    let mut peers: Vec<(&str, Move<'_>)> = vec![
        ("ours", classic(&payload)),
        ("native", native(&payload)),
        ("memcpy", memcpy(&payload)),
        ("length-delimited", length_delimited(&shared)),
    ];
    let batch = (BATCH / size).max(1);
    let batches = (BYTES / size).min(FRAMES) / batch;
    let mut times = vec![Vec::with_capacity(args.rounds); peers.len()];
    // One round to warm up.
    for round in 0..=args.rounds {
        for place in 0..peers.len() {
            let at = turn(round, place, peers.len());
            let (name, one) = &mut peers[at];
            let (start, mut seen) = (cpu(), 0);
            for _ in 0..batches {
                seen += one(batch)?;
            }
            let time = cpu() - start;
            if seen != batch * batches {
                return Err(format!("{name} decoded {seen} frames").into());
            }
            if round > 0 {
                times[at].push(time.as_secs_f64() * 1e9 / seen as f64);
            }
        }
    }
    for (at, (name, _)) in peers.iter().enumerate() {
        let ns = median(&times[at]);
        // A throughput is the time of the other.
        let ratio = ratios(&times[at], &times[0]);
        let (middle, low, high) = (
            quantile(&ratio, 0.5),
            quantile(&ratio, 0.25),
            quantile(&ratio, 0.75),
        );
        if !args.json {
            println!(
                "{:<7} {name:<17} {ns:>12.1} {:>9.2} {middle:>7.2}  ({low:.2} to {high:.2})",
                if at == 0 { work } else { "" },
                size as f64 / ns
            );
        } else if at == 0 {
            println!(
                "{}",
                json!({"bench": "codec", "work": work, "unit": "ns", "value": rounded(ns)})
            );
        } else {
            println!(
                "{}",
                json!({"bench": "codec", "work": work, "peer": name, "unit": "ns", "value": rounded(ns)})
            );
            println!(
                "{}",
                json!({"bench": "codec", "work": work, "peer": name, "unit": "throughput", "ratio": rounded(middle)})
            );
        }
    }
    Ok(())
}

/// CPU time of this thread so far: the clock does not run while others have the core.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The classic wire.
fn classic(payload: &[u8]) -> Move<'_> {
    let limits = Limits::default();
    let mut encoder = Encoder::new(Prefix::CLASSIC, &limits);
    let mut decoder = Decoder::new(Prefix::CLASSIC, &limits);
    decoder.set_logged_in(true);
    Box::new(move |batch| {
        let mut seen = 0;
        for _ in 0..batch {
            encoder.encode(black_box(payload), 0)?;
        }
        decoder.feed(encoder.pending());
        encoder.advance(encoder.pending().len());
        while let Some(Event::Message { message, .. }) = decoder.decode()? {
            seen += usize::from(black_box(message).len() == payload.len());
        }
        Ok(seen)
    })
}

/// The native wire.
fn native(payload: &[u8]) -> Move<'_> {
    let limits = Limits::default();
    let (mut encoder, mut decoder) = (FrameEncoder::new(&limits), FrameDecoder::new(&limits));
    decoder.set_logged_in(true);
    let none = Extensions::default();
    Box::new(move |batch| {
        let mut seen = 0;
        for id in 1..=batch {
            let header = FrameHeader {
                codec: Codec::JSON,
                ..FrameHeader::control(Kind::Message, u32::try_from(id)?, 1)
            };
            encoder.message(header, &none, |out| out.write_all(black_box(payload)))?;
        }
        decoder.feed(encoder.pending());
        encoder.advance(encoder.pending().len());
        while let Some(Frame::Whole { payload: got, .. }) = decoder.decode()? {
            seen += usize::from(black_box(got).len() == payload.len());
        }
        Ok(seen)
    })
}

/// The bytes alone.
fn memcpy(payload: &[u8]) -> Move<'_> {
    let (mut out, mut back) = (Vec::new(), Vec::new());
    Box::new(move |batch| {
        for _ in 0..batch {
            out.extend_from_slice(black_box(payload));
        }
        back.extend_from_slice(&out);
        out.clear();
        let mut seen = 0;
        for got in back.chunks_exact(payload.len()) {
            seen += usize::from(black_box(got).len() == payload.len());
        }
        back.clear();
        Ok(seen)
    })
}

/// tokio-util's, set to the classic wire's four bytes in little-endian order.
fn length_delimited(payload: &Bytes) -> Move<'_> {
    let codec: fn() -> LengthDelimitedCodec = || {
        Builder::new()
            .little_endian()
            .max_frame_length(1024 * 1024)
            .new_codec()
    };
    let (mut encoder, mut decoder) = (codec(), codec());
    let (mut out, mut back) = (BytesMut::new(), BytesMut::new());
    Box::new(move |batch| {
        let mut seen = 0;
        for _ in 0..batch {
            encoder.encode(black_box(payload).clone(), &mut out)?;
        }
        back.extend_from_slice(&out);
        out.clear();
        while let Some(message) = decoder.decode(&mut back)? {
            seen += usize::from(black_box(message).len() == payload.len());
        }
        Ok(seen)
    })
}
