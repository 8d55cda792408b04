//! The codes of a class in their time: the first at once, each other one when it is due.

use crate::clock::Clock;
use crate::codes::{self, Code};
use crate::models::Class;

/// The codes of a class, for one wall.
///
/// Each wait is until a point in time and not for a length of time, so nothing adds up; two walls
/// change in the same moment; and a code that could not be shown in its time is left out.
#[derive(Debug)]
pub struct Cadence {
    clock: Clock,
    class: Class,
    next: Option<i64>,
}

impl Cadence {
    /// The codes of this class from now on.
    pub fn new(clock: Clock, class: Class) -> Self {
        Self {
            clock,
            class,
            next: None,
        }
    }

    /// Waits until a code is due that has not been given, and gives it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has given nothing; the next call waits for the same code.
    pub async fn next(&mut self) -> Code {
        if let Some(next) = self.next {
            self.clock.until(next).await;
        }
        let now = self.clock.millis();
        self.next = Some(codes::next_change(&self.class, now));
        codes::current(&self.class, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, Utc};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::secrets;

    fn class(every_ms: i64) -> Class {
        Class {
            id: 1,
            course_id: 1,
            open_course_id: Some(1),
            opened: DateTime::UNIX_EPOCH,
            closed: None,
            late_after: 600,
            secret: secrets::random::<32>(),
            every_ms,
            grace_ms: 0,
        }
    }

    /// Ten minutes of a clock that is paused, with work of up to half a second between the codes.
    #[tokio::test(start_paused = true)]
    async fn ten_minutes_of_codes_do_not_drift() {
        for every_ms in [3_000, 5_000, 8_000] {
            let from = DateTime::<Utc>::from_timestamp_millis(1_700_000_001_234).expect("a time");
            let clock = Clock::tokio(from);
            let class = class(every_ms);
            let mut cadence = Cadence::new(clock, class.clone());
            cadence.next().await;
            let (begun, first) = (Instant::now(), codes::next_change(&class, clock.millis()));
            let mut shown = 0;
            while begun.elapsed() < Duration::from_secs(600) {
                let code = cadence.next().await;
                // When it came, against when it was due: the sum of all errors so far.
                let error = clock.millis() - (first + shown * every_ms);
                assert!(
                    (0..=100).contains(&error),
                    "{every_ms}: code {shown} is {error} ms late"
                );
                assert_eq!(code, codes::current(&class, first + shown * every_ms));
                shown += 1;
                sleep(Duration::from_millis((shown as u64 * 97) % 500)).await;
            }
            assert!(shown >= 600_000 / every_ms - 1, "{every_ms}: {shown} codes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_that_was_held_up_shows_the_newest_code_and_no_burst() {
        let clock = Clock::tokio(DateTime::UNIX_EPOCH);
        let class = class(1_000);
        let mut cadence = Cadence::new(clock, class.clone());
        cadence.next().await;
        sleep(Duration::from_millis(4_500)).await;
        assert_eq!(cadence.next().await, codes::current(&class, 4_500));
        assert_eq!(cadence.next().await, codes::current(&class, 5_000));
        assert_eq!(clock.millis(), 5_000);
    }
}
