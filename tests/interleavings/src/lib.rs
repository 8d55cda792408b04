//! What tasks of dispatch tell each other, in every order that their threads can run in.
//!
//! The files of dispatch themselves are taken in here, with a mutex in them that is loom's
//! (`sync.rs` beside this one): each model below runs its threads in every order that can make a
//! difference. Where a wake-up is lost, the last thread that could run waits for ever, and loom
//! says so.

// The files of dispatch have tests and examples of their own, which are not for here; and
// `cargo test --doc` runs also what the manifest says has none.
#![cfg(not(any(test, doctest)))]

mod metrics;
mod sync;
mod task;

#[allow(dead_code, reason = "a part of it is used here")]
#[path = "../../../dispatch/src/bell.rs"]
mod bell;
#[allow(dead_code, unused_imports, reason = "a part of it is used here")]
#[allow(
    unnameable_types,
    unreachable_pub,
    reason = "dispatch names it for its users, and this crate has none"
)]
#[path = "../../../dispatch/src/upload/mod.rs"]
mod upload;

pub mod bells;
pub mod uploads;
