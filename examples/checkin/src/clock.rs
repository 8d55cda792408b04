//! What time it is, and waiting for a point in time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};

/// The longest sleep before the clock is looked at again: a machine that was asleep, or whose
/// clock was set, is right again after that time.
const LOOK: Duration = Duration::from_secs(1);

/// The clock of a server; copies are the same one.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// That of the system.
    #[default]
    System,
    /// One that began at this time, and goes as tokio's does: a test can pause and advance it.
    Tokio(DateTime<Utc>, Instant),
}

impl Clock {
    /// A clock that goes as tokio's does, from this time on.
    pub fn tokio(from: DateTime<Utc>) -> Self {
        Self::Tokio(from, Instant::now())
    }

    /// Now.
    pub fn now(self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            Self::Tokio(from, since) => from + since.elapsed(),
        }
    }

    /// Now, in milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.now().timestamp_millis()
    }

    /// Waits until this millisecond since 1970 has begun.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future waits no longer.
    pub async fn until(self, millis: i64) {
        loop {
            let left = millis - self.millis();
            if left <= 0 {
                return;
            }
            let left = Duration::from_millis(left.unsigned_abs());
            sleep(left.min(LOOK)).await;
        }
    }
}
