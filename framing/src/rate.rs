//! The lowest rate of a body, over time spent waiting for the peer.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{error::Error, limits::Limits};

/// Counts bytes and waiting time, window by window.
///
/// The clock runs only inside [`watch`](Self::watch): while a handler is busy, or a buffer waits
/// for its turn in the budget, the peer is not to blame.
#[derive(Debug)]
pub(crate) struct Meter {
    min_rate: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            min_rate: limits.min_body_rate,
            window: limits.body_rate_window,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Begins anew, for another body.
    pub(crate) fn reset(&mut self) {
        self.waited = Duration::ZERO;
        self.bytes = 0;
    }

    /// Counts bytes that moved.
    pub(crate) fn moved(&mut self, n: usize) {
        self.bytes += n as u64;
    }

    /// Waits for the peer, up to the end of a window in which too little has moved.
    ///
    /// # Cancel safety
    ///
    /// As `future`'s. The time waited so far is kept.
    pub(crate) async fn watch<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Error> {
        let mut future = pin!(future);
        // What is ready at once costs no look at the clock.
        if let Poll::Ready(value) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Ok(value);
        }
        loop {
            let waiting = Waiting {
                since: Instant::now(),
                meter: self,
            };
            let left = waiting.meter.window.saturating_sub(waiting.meter.waited);
            let end = waiting.since.checked_add(left);
            tokio::select! {
                biased;
                value = &mut future => return Ok(value),
                () = until(end) => {}
            }
            drop(waiting);
            self.close_window()?;
        }
    }

    /// Judges the window if it is over, and begins the next.
    fn close_window(&mut self) -> Result<(), Error> {
        if self.waited < self.window {
            return Ok(());
        }
        let rate = (self.bytes as f64 / self.waited.as_secs_f64()) as u64;
        self.reset();
        if rate < self.min_rate {
            return Err(Error::BodyTooSlow {
                rate,
                min: self.min_rate,
                window: self.window,
            });
        }
        Ok(())
    }
}

/// Waits for an instant, or for ever: a limit that no clock reaches is none.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// Time spent waiting, counted even when the waiting future is dropped.
struct Waiting<'a> {
    since: Instant,
    meter: &'a mut Meter,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.meter.waited += self.since.elapsed();
    }
}
