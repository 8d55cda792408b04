//! Values at random, and the seed to see them again.

use std::env;

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use uuid::Uuid;

/// Values drawn from a seed, which is printed and can be given by `PACKETBOAT_SEED`.
pub(crate) fn draw<S: Strategy>(strategy: &S, cases: usize) -> Vec<S::Value> {
    let seed = env::var("PACKETBOAT_SEED")
        .map_or_else(|_| rand_seed(), |seed| seed.parse().expect("a number"));
    println!("PACKETBOAT_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..cases)
        .map(|_| strategy.new_tree(&mut runner).expect("a value").current())
        .collect()
}

fn rand_seed() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}
