//! How long a native connection waits, and for what.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    error::Error,
    limits::Limits,
    native::{Code, Connection},
};

use super::{Moved, Transport};

/// So many times the silence before a ping, and the other side is taken for dead.
const PINGS: u32 = 3;

/// The clocks of a connection. They are looked at when there is nothing to do, so what is ready
/// costs no look.
#[derive(Default)]
pub(super) struct Clocks {
    /// Armed at or before the time that is meant, and set anew when it turns out to be early.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Something has come since the last look.
    heard: bool,
    /// When something last came, as far as was looked.
    heard_at: Option<Instant>,
    pinged: bool,
    /// When the peer first took nothing of what is written, and whether that was of a file.
    stalled: Option<(Option<Instant>, bool)>,
    /// When a frame was first found begun and not ended, and how many had come before.
    begun: Option<(u64, Instant)>,
    /// When the rates of attachments are looked at next.
    judge_at: Option<Instant>,
}

impl Clocks {
    /// Bytes have come.
    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    /// Notes whether the socket takes something.
    pub(super) fn taken<T, E>(&mut self, written: Poll<Result<T, E>>) -> Poll<Result<T, E>> {
        self.note(written.is_pending(), false);
        written
    }

    /// As [`taken`](Self::taken), of a file.
    pub(super) fn taken_of_file<T, E>(&mut self, sent: Poll<Result<T, E>>) -> Poll<Result<T, E>> {
        self.note(sent.is_pending(), true);
        sent
    }

    fn note(&mut self, stalls: bool, file: bool) {
        self.stalled = match (stalls, self.stalled) {
            (false, _) => None,
            (true, Some((since, was))) if was == file => Some((since, file)),
            (true, _) => Some((None, file)),
        };
    }

    /// The time that is nearest, and what it ends.
    fn next(
        &mut self,
        now: Instant,
        limits: &Limits,
        connection: &Connection,
        (reading, moving): (bool, bool),
    ) -> Option<(Instant, What)> {
        if std::mem::take(&mut self.heard) || !reading {
            self.heard_at = Some(now);
            self.pinged = false;
        }
        let heard_at = *self.heard_at.get_or_insert(now);
        let mut nearest = None;
        let mut add = |since: Instant, after, what| {
            if let Some(at) = since.checked_add(after)
                && nearest.is_none_or(|(nearest, _)| at < nearest)
            {
                nearest = Some((at, what));
            }
        };
        if let Some((since, file)) = &mut self.stalled {
            let after = match file {
                true => limits.body_rate_window,
                false => limits.write_time,
            };
            add(*since.get_or_insert(now), after, What::Stalled);
        }
        if reading && connection.is_in_message() {
            let frames = connection.frames();
            let begun = self.begun.filter(|(before, _)| *before == frames);
            let (_, since) = *self.begun.insert(begun.unwrap_or((frames, now)));
            add(since, limits.header_time, What::Begun);
        } else {
            self.begun = None;
        }
        if reading {
            if !self.pinged {
                add(heard_at, limits.ping_time, What::Ping);
            }
            add(heard_at, idle_time(limits), What::Idle);
        }
        if moving {
            let window = limits.body_rate_window;
            if self.judge_at.is_none() {
                self.judge_at = now.checked_add(window);
            }
            if let Some(at) = self.judge_at {
                add(at, Duration::ZERO, What::Rates);
            }
        } else {
            self.judge_at = None;
        }
        nearest
    }
}

/// What a clock is about.
#[derive(Clone, Copy)]
enum What {
    Begun,
    Idle,
    Ping,
    Rates,
    Stalled,
}

/// How much of an attachment has moved in this window of time.
pub(super) struct Rate {
    bytes: u64,
    /// Some of the window it was not the peer that was waited for.
    excused: bool,
}

impl Rate {
    /// Of an attachment that begins somewhere in a window.
    pub(super) fn new() -> Self {
        Self {
            bytes: 0,
            excused: true,
        }
    }

    pub(super) fn moved(&mut self, n: usize) {
        self.bytes += n as u64;
    }

    pub(super) fn excuse(&mut self) {
        self.excused = true;
    }

    /// Closes a window. `owed`: whether it is the peer that is waited for now.
    fn close(&mut self, limits: &Limits, owed: bool) -> Result<(), Error> {
        let window = limits.body_rate_window;
        let rate = (self.bytes as f64 / window.as_secs_f64()) as u64;
        let slow = !self.excused && owed && rate < limits.min_body_rate;
        *self = Self {
            bytes: 0,
            excused: !owed,
        };
        match slow {
            true => Err(Error::BodyTooSlow {
                rate,
                min: limits.min_body_rate,
                window,
            }),
            false => Ok(()),
        }
    }
}

impl<R, W> Transport<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    /// Waits for the nearest time, and does what it asks for.
    pub(super) fn poll_clocks(
        &mut self,
        cx: &mut Context<'_>,
        reading: bool,
    ) -> Poll<Result<Moved, Error>> {
        let mut now = Instant::now();
        loop {
            let moving = !self.senders.is_empty() || !self.receivers.is_empty();
            let states = (reading, moving);
            let next = self
                .clocks
                .next(now, &self.limits, &self.connection, states);
            let Some((at, what)) = next else {
                return Poll::Pending;
            };
            if at <= now {
                if let Some(moved) = self.on_time(what)? {
                    return Poll::Ready(Ok(moved));
                }
                continue;
            }
            let sleep = self
                .clocks
                .sleep
                .get_or_insert_with(|| Box::pin(sleep_until(at)));
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

    fn on_time(&mut self, what: What) -> Result<Option<Moved>, Error> {
        let limits = &self.limits;
        match what {
            What::Begun => Err(Error::HeaderTimeout {
                after: limits.header_time,
            }),
            What::Idle => Err(Error::IdleTimeout {
                after: idle_time(limits),
            }),
            What::Ping => {
                self.clocks.pinged = true;
                // From here on, however late this is: after a pause of this side's own process the
                // other has to have its time to answer.
                let now = Instant::now();
                self.clocks.heard_at = now.checked_sub(limits.ping_time).or(Some(now));
                self.connection.ping(0);
                Ok(Some(Moved::Pinged))
            }
            What::Stalled if self.slice.is_some() && self.connection.pending().is_empty() => {
                Err(Error::BodyTooSlow {
                    rate: 0,
                    min: limits.min_body_rate,
                    window: limits.body_rate_window,
                })
            }
            What::Stalled => Err(Error::WriteTimeout {
                after: limits.write_time,
            }),
            What::Rates => {
                self.clocks.judge_at = None;
                self.judge()?;
                Ok(self.late.pop_front())
            }
        }
    }

    /// Looks at how fast each attachment moves.
    fn judge(&mut self) -> Result<(), Error> {
        let mut slow = Vec::new();
        for (request, rate) in &mut self.receivers {
            let owed = self.connection.is_owed(*request);
            if let Err(error) = rate.close(&self.limits, owed) {
                slow.push((*request, error));
            }
        }
        for (request, error) in slow.drain(..) {
            // It is still being received, or its rate would be gone.
            let _ = self.cancel(request, Code::TOO_SLOW);
            self.late.push_back(Moved::TooSlow { request, error });
        }
        for (request, sender) in &mut self.senders {
            let in_slice = self.slice == Some(*request);
            let owed = in_slice || self.connection.sendable(*request) == 0;
            if let Err(error) = sender.rate.close(&self.limits, owed) {
                if in_slice {
                    // In the middle of a frame nothing else can be said.
                    return Err(error);
                }
                slow.push((*request, error));
            }
        }
        for (request, error) in slow {
            self.break_off(request, Code::TOO_SLOW);
            self.late.push_back(Moved::Unsent { request, error });
        }
        Ok(())
    }
}

/// How long the other side may be silent.
fn idle_time(limits: &Limits) -> Duration {
    limits.idle_time.min(limits.ping_time.saturating_mul(PINGS))
}
