//! Measures the crates against their peers.
fn main() {}
