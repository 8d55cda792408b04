//! How long a peer may take nothing of what is written.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Ends writing to a peer that takes nothing for too long. What it takes, however little, is progress.
pub(super) struct Stall {
    limit: Duration,
    since: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, since: None }
    }

    /// Looks at what came of a write.
    pub(super) fn taken<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        if self.since.is_none() {
            let until = Instant::now().checked_add(self.limit);
            self.since = until.map(|until| Box::pin(sleep_until(until)));
        }
        let Some(sleep) = &mut self.since else {
            return Poll::Pending;
        };
        let late = sleep.as_mut().poll(cx);
        late.map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
