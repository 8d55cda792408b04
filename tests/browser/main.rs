//! Pages in Chromium: what only a browser shows.
//!
//! Without chromedriver these tests are left out, and say so; under `tests/run` it is there, and its lack fails them.
#![allow(
    clippy::unwrap_used,
    reason = "a test that fails shall stop where it fails"
)]

mod checkin;
mod chrome;
mod client;
mod look;
mod seeking;
mod website;
