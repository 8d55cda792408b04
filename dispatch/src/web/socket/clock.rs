//! How long a WebSocket waits, and for what.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use packetboat_framing::{Error, Limits};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::web::socket::pipe::Pipe;

/// So many times the silence before a ping is waited for its answer: three in all, as on the
/// native wire.
const AFTER_PING: u32 = 2;

/// A message that is late is looked at once more, so much later: what came of it while nobody read is
/// read only then.
const GRACE: Duration = Duration::from_secs(1);

/// The clocks of a WebSocket at the server. The native wire's own ping and silence are off: a browser
/// answers a ping of WebSocket by itself, also when its page sleeps.
#[derive(Default)]
pub(super) struct Clock {
    /// Armed at or before the time that is meant, and set anew when it turns out to be early.
    sleep: Option<Pin<Box<Sleep>>>,
    heard_at: Option<Instant>,
    pinged_at: Option<Instant>,
    /// The message that began at this time was late once, and is given until then.
    graced: Option<(Instant, Instant)>,
}

/// What the time has come for.
pub(super) enum Due {
    Ping,
    Over(Error),
}

impl Clock {
    /// The peer is not read from, and its silence does not count.
    pub(super) fn excuse(&mut self) {
        self.heard_at = None;
        self.pinged_at = None;
    }

    /// Waits for the nearest time.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        limits: &Limits,
    ) -> Poll<Due> {
        let mut now = Instant::now();
        if pipe.take_heard() {
            self.excuse();
        }
        let heard_at = *self.heard_at.get_or_insert(now);
        loop {
            let (at, due) = self.next(heard_at, pipe, limits);
            let Some(at) = at else {
                return Poll::Pending;
            };
            if at <= now {
                match due {
                    Due::Ping => self.pinged_at = Some(now),
                    Due::Over(Error::HeaderTimeout { .. }) if self.graced.is_none() => {
                        self.graced = pipe.begun().map(|(since, _)| (since, now + GRACE));
                        continue;
                    }
                    Due::Over(_) => {}
                }
                return Poll::Ready(due);
            }
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if sleep.deadline() > at {
                sleep.as_mut().reset(at);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            now = Instant::now();
            if at > now {
                sleep.as_mut().reset(at);
            }
        }
    }

    fn next(&mut self, heard_at: Instant, pipe: &Pipe, limits: &Limits) -> (Option<Instant>, Due) {
        let (mut at, mut due) = match self.pinged_at {
            None => (heard_at.checked_add(limits.ping_time), Due::Ping),
            Some(pinged_at) => {
                let after = limits.ping_time.saturating_mul(AFTER_PING);
                let over = Error::IdleTimeout {
                    after: limits.ping_time.saturating_add(after),
                };
                (pinged_at.checked_add(after), Due::Over(over))
            }
        };
        let mut sooner = |other: Option<Instant>, what| {
            if let Some(other) = other
                && at.is_none_or(|at| other < at)
            {
                (at, due) = (Some(other), what);
            }
        };
        if limits.idle_time < limits.ping_time {
            let after = limits.idle_time;
            sooner(
                heard_at.checked_add(after),
                Due::Over(Error::IdleTimeout { after }),
            );
        }
        match pipe.begun() {
            Some((since, bytes)) => {
                self.graced = self.graced.filter(|(late, _)| *late == since);
                // A long one may take as long as the lowest rate of an attachment allows.
                let more = Duration::from_secs(bytes / limits.min_body_rate.max(1));
                let after = limits.header_time.saturating_add(more);
                let graced = self.graced.map(|(_, until)| until);
                let until = since
                    .checked_add(after)
                    .map(|at| graced.map_or(at, |until| at.max(until)));
                sooner(until, Due::Over(Error::HeaderTimeout { after }));
            }
            None => self.graced = None,
        }
        (at, due)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;

    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::time::advance;

    use super::*;
    use crate::web::socket::pipe::Turn;

    #[tokio::test(start_paused = true)]
    async fn a_message_is_not_late_when_it_was_not_read_for_longer_than_it_may_take() {
        let (mut peer, ours) = duplex(64);
        let limits = Limits::default();
        let mut pipe = Pipe::new(Box::new(ours), Vec::new(), limits.write_time);
        let mut clock = Clock::default();
        // What a frame of text begins with.
        peer.write_all(&[0x81, 0x85]).await.expect("there is room");
        poll_fn(|cx| {
            let (pipe, mut out) = (&mut pipe, [0; 16]);
            Poll::Ready(
                Turn { pipe, cx }
                    .read(&mut out)
                    .expect_err("it is not whole"),
            )
        })
        .await;
        advance(limits.header_time + 10 * GRACE).await;
        let mut due = async || poll_fn(|cx| Poll::Ready(clock.poll(cx, &mut pipe, &limits))).await;
        assert!(due().await.is_pending(), "it is looked at once more");
        advance(GRACE / 2).await;
        assert!(due().await.is_pending());
        advance(GRACE).await;
        let over = due().await;
        assert!(
            matches!(over, Poll::Ready(Due::Over(Error::HeaderTimeout { .. }))),
            "a peer that sends no more of it"
        );
    }
}
