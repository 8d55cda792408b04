//! The time that sessions go by: steady while the process lives.

use std::time::SystemTime;

use tokio::time::Instant;

/// The wall clock as it was at the start, carried on by the monotonic clock.
///
/// A wall clock that is set by an hour or a day therefore logs nobody out and revives nothing; it
/// counts from the next start of the process on.
#[derive(Debug)]
pub(super) struct Clock {
    wall: SystemTime,
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            wall: SystemTime::now(),
            start: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.wall + self.start.elapsed()
    }
}
