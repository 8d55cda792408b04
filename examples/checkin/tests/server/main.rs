//! The check-in system, asked over its socket: pages, forms, WebSockets.
//!
//! One program for all of it: each further one would be linked against three databases again.
#![allow(
    clippy::unwrap_used,
    reason = "a test that fails shall stop where it fails"
)]

#[macro_use]
mod support;

mod codes;
mod courses;
mod forms;
mod headers;
mod names;
mod signing;
mod sockets;
mod start;
mod walls;
