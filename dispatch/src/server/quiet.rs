//! A flood of connections must not become a flood of log lines.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// One line in so long, with the number of those that were left out.
const BETWEEN: Duration = Duration::from_secs(10);

/// Warnings, a few of them.
#[derive(Debug)]
pub(super) struct Quiet {
    last: Option<Instant>,
    left_out: u64,
}

impl Quiet {
    pub(super) fn new() -> Self {
        Self {
            last: None,
            left_out: 0,
        }
    }

    pub(super) fn warn(&mut self, what: &'static str, reason: &dyn fmt::Display) {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            self.left_out += 1;
            return;
        }
        self.last = Some(Instant::now());
        tracing::warn!(%reason, left_out = std::mem::take(&mut self.left_out), "{what}");
    }
}
