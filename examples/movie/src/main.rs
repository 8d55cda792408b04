//! Video on demand.
fn main() {}
