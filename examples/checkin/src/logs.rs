//! What the operator reads: events on standard error, one a line.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging, at `info` unless the environment's `CHECKIN_LOG` says otherwise.
///
/// Standard output stays free for what programs read. No password, session, code or message is ever
/// part of an event. A second call does nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env("CHECKIN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
}
