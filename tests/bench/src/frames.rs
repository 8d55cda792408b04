//! A frame of 64 bytes, encoded and decoded.

use std::{error::Error, hint::black_box, time::Instant};

use packetboat_framing::{Decoder, Encoder, Event, Limits, Prefix};

/// Prints the median of 21 runs, in nanoseconds per frame.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    const FRAMES: u32 = 1_000_000;
    let mut encoder = Encoder::new(Prefix::CLASSIC, &Limits::default());
    let mut decoder = Decoder::new(Prefix::CLASSIC, &Limits::default());
    let message = [b'x'; 60];
    let mut runs = Vec::new();
    for _ in 0..21 {
        let (start, mut seen) = (Instant::now(), 0);
        for _ in 0..FRAMES / 64 {
            for _ in 0..64 {
                encoder.encode(black_box(&message), 0)?;
            }
            decoder.feed(encoder.pending());
            encoder.advance(encoder.pending().len());
            while let Some(Event::Message { message, .. }) = decoder.decode()? {
                seen += black_box(message).len();
            }
        }
        assert_eq!(seen, 60 * 64 * (FRAMES / 64) as usize);
        runs.push(start.elapsed().as_nanos() as f64 / f64::from(FRAMES));
    }
    runs.sort_by(f64::total_cmp);
    println!(
        "encode + decode, 64 bytes with the prefix: {:.1} ns per frame",
        runs[10]
    );
    Ok(())
}
