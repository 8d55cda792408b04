//! How long to wait before the next try: longer each time, and never as long as others do.

use std::time::Duration;

/// Full jitter: a wait is drawn evenly between nothing and a bound that doubles with each try.
///
/// Clients that lost their server at one moment then come back spread over the whole bound; a wait
/// of fixed length would have them all come back at one moment again (Brooker, "Exponential Backoff
/// And Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The bound of the first wait. Default: 500 ms.
    pub base: Duration,
    /// The largest bound. Default: 30 s.
    pub cap: Duration,
    /// How often a call is tried again. Default: 4, which takes 7.5 s at the most.
    pub retries: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            retries: 4,
        }
    }
}

impl Backoff {
    /// The longest wait after so many failures, of which there is one at least.
    pub(super) fn bound(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
        let bound = doubled.and_then(|times| self.base.checked_mul(times));
        bound.map_or(self.cap, |bound| bound.min(self.cap))
    }

    /// A wait after so many failures.
    pub(crate) fn wait(&self, failures: u32) -> Duration {
        // Without randomness the whole bound: late is better than all at once.
        let part = getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX));
        self.bound(failures).mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let backoff = Backoff::default();
        let bounds = [1, 2, 3, 6, 7, 8, 33, u32::MAX].map(|n| backoff.bound(n).as_millis());
        assert_eq!(
            bounds,
            [500, 1000, 2000, 16_000, 30_000, 30_000, 30_000, 30_000]
        );
    }

    #[test]
    fn waits_are_spread_over_the_whole_bound() {
        let backoff = Backoff::default();
        let mut quarters = [0; 4];
        for _ in 0..4000 {
            let wait = backoff.wait(3).as_millis();
            assert!(wait <= 2000);
            quarters[(wait / 501).min(3) as usize] += 1;
        }
        // Each has about 1000; five deviations of a binomial are 137.
        assert!(
            quarters.iter().all(|n| (860..1140).contains(n)),
            "{quarters:?}"
        );
    }
}
