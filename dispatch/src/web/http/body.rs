//! The body of a request, which has to come at a rate.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use packetboat_framing::Limits;
use tokio::time::{Instant, Sleep, sleep};

/// What reading a body may end with.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A body that is broken off when it comes too slowly. Only the time in which its reader waits for it
/// counts.
pub(super) struct Timed {
    body: Incoming,
    window: Duration,
    min_bytes: u64,
    /// Of this window.
    bytes: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Timed {
    pub(super) fn new(body: Incoming, limits: &Limits) -> Self {
        let window = limits.body_rate_window;
        Self {
            body,
            window,
            min_bytes: limits.min_body_rate.saturating_mul(window.as_secs().max(1)),
            bytes: 0,
            waited: Duration::ZERO,
            waiting: None,
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some((since, _)) = this.waiting.take() {
                this.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame
                && let Some(data) = frame.data_ref()
            {
                this.bytes += data.len() as u64;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        loop {
            let (window, waited) = (this.window, this.waited);
            let (since, clock) = this.waiting.get_or_insert_with(|| {
                let left = window.saturating_sub(waited);
                (Instant::now(), Box::pin(sleep(left)))
            });
            if clock.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let waited = waited + since.elapsed();
            this.waiting = None;
            if waited < window {
                this.waited = waited;
                continue;
            }
            if this.bytes < this.min_bytes {
                let slow = io::Error::new(io::ErrorKind::TimedOut, "the body comes too slowly");
                return Poll::Ready(Some(Err(slow.into())));
            }
            (this.bytes, this.waited) = (0, Duration::ZERO);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
