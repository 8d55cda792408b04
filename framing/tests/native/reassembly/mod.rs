//! Attachments that come in several goes, over the wire into parts on disk, and a model of what
//! must come of it: exactly the right bytes or an error, never wrong ones as complete.
//!
//! The property tests and the fuzz target drive it. What does not hold panics. Files stay below
//! [`Parts::UNSYNCED_BYTES`](packetboat_framing::Parts::UNSYNCED_BYTES), for speed;
//! `tests/parts.rs` has the longer ones.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target takes this in and uses a part of it"
)]

mod bed;
mod films;
mod sender;
mod steps;
mod tear;

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

use crate::world::Dice;
use bed::Bed;
use films::{Films, GROUP};
use steps::Step;

/// Bytes that one input may have sent: the fuzzer is to try many, not long ones.
const MOST: u64 = GROUP + GROUP / 2;

/// What the fuzz target `reassembly` does: a number that says which films there are, and then a
/// step for every eight bytes.
pub fn fuzz_reassembly(data: &[u8]) {
    let (numbers, _) = data.as_chunks();
    let numbers: Vec<_> = numbers.iter().map(|n| u64::from_le_bytes(*n)).collect();
    let [films, steps @ ..] = &numbers[..] else {
        return;
    };
    run(*films, steps.get(..12).unwrap_or(steps));
}

/// All that these steps do comes to a good end, whatever they are.
pub fn run(films: u64, steps: &[u64]) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().build();
        runtime.expect("a runtime")
    });
    RUNTIME.block_on(async {
        let mut bed = Bed::new(Films::pick_all(&mut Dice(films))).await;
        for step in steps {
            let step = Step::of(Dice(*step), &bed.films);
            bed.step(&step).await;
            if bed.sent > MOST {
                break;
            }
        }
        bed.honest().await;
    });
}
