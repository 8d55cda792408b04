//! The server side of the movie system, asked over its socket.
//!
//! One program for all of it: each further one would be linked against three databases again.
#![allow(
    clippy::unwrap_used,
    reason = "a test that fails shall stop where it fails"
)]

#[macro_use]
mod support;

mod accounts;
mod classic;
mod decisions;
mod disk;
mod health;
mod injection;
mod migrate;
mod movies;
mod once;
mod schema;
mod start;
mod tls;
