//! What only the native wire has: many things at once, cancelled, limited in time, cut off.

#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod idempotency;
mod many;
mod pool;
mod raw;
mod resume;
mod stopping;
mod world;
