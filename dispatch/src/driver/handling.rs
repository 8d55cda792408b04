//! A handler's run: polled once in place, then on a task of its own; panics caught in both.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{Instrument, Span};

use crate::app::{App, Arrival, Begun, Caller, Framed, unknown};
use crate::bell::{RingOnDrop, Ringer};
use crate::driver::{Held, Shared};
use crate::metrics::Measure;
use crate::middleware::Response;
use crate::outcome::Outcome;
use crate::rejection::{Rejection, code};
use crate::route::Handling;
use crate::upload::{Feed, Waited};
use crate::wire::Wire;

/// The deadline is looked at again no sooner than this, however little is left of it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A request on its way.
pub(crate) struct Running {
    pub(crate) state: State,
    /// What follows the message, and where it goes.
    pub(crate) upload: Option<(u64, Feed)>,
    /// The answer is the last: where the next message begins is not known.
    pub(crate) is_last: bool,
}

/// How far a handler is.
pub(crate) enum State {
    /// It answered at once.
    Answered(Response),
    /// It waits for something, and needs a task of its own.
    Waiting(Waiting),
}

/// A handler that has been polled once and did not answer.
pub(crate) struct Waiting {
    handling: Handling,
    span: Span,
    since: Instant,
    measure: Measure,
    waited: Option<Waited>,
    deadline: Option<Instant>,
    may_be_stopped: bool,
    wire: Wire,
}

/// Begins a request: decodes its message and polls its handler once, in place. What answers at
/// once costs no task and no timer.
pub(crate) fn begin(
    shared: &Shared,
    caller: &Caller,
    message: &[u8],
    framed: Option<Framed>,
) -> Running {
    let since = Instant::now();
    let max = shared.limits.wire.max_attachment_bytes;
    let (app, wire) = (&shared.app, caller.wire);
    let deadline = framed.as_ref().and_then(|framed| framed.deadline);
    let arrival = Arrival {
        at: since.into_std(),
        framed,
    };
    // A message's own `Deserialize` may panic, too.
    let begun = catch_unwind(AssertUnwindSafe(|| {
        app.answering().begin(caller, message, arrival, max)
    }));
    let Ok(Begun {
        message_type,
        meter,
        mut handling,
        upload,
        is_last,
        may_be_stopped,
    }) = begun
    else {
        let measure = Measure::begin(unknown(), wire, message.len());
        measure.end(Outcome::Panicked, || since.elapsed(), 0);
        // How much follows the message is not known any more.
        let state = State::Answered(panicked(app, wire));
        return Running {
            state,
            upload: None,
            is_last: true,
        };
    };
    let mut measure = Measure::begin(meter, wire, message.len());
    let outcome = tracing::field::Empty;
    let span = tracing::info_span!("request", message_type, outcome);
    let entered = span.enter();
    let mut cx = Context::from_waker(Waker::noop());
    let first = poll_caught(&mut handling, app, wire, &mut cx);
    drop(entered);
    let state = match first {
        Poll::Ready(Ended { outcome, response }) => {
            span.record("outcome", outcome.as_str());
            measure.end(outcome, || since.elapsed(), response.message.len());
            State::Answered(response)
        }
        Poll::Pending => {
            measure.waits();
            State::Waiting(Waiting {
                handling,
                span,
                since,
                measure,
                waited: upload.as_ref().map(|(_, feed)| feed.waited()),
                deadline: deadline.map(Instant::from_std),
                may_be_stopped,
                wire,
            })
        }
    };
    Running {
        state,
        upload,
        is_last,
    }
}

impl Waiting {
    /// Lets the handler go on by itself. Whoever drops the receiver does not stop it. `ringer`
    /// rings when it has ended.
    pub(crate) fn spawn(self, shared: &Shared, held: &Held, ringer: Option<Ringer>) -> Spawned {
        let (sender, receiver) = oneshot::channel();
        let stop = self.may_be_stopped.then(Arc::<Notify>::default);
        let (app, limit) = (shared.app.clone(), shared.limits.handler_time);
        let (held, span, stopped) = (held.clone(), self.span.clone(), stop.clone());
        let run = async move {
            // Dropped last: when it rings, the answer is there.
            let _ring = ringer.map(RingOnDrop::new);
            let _held = held;
            let response = self.run(&app, limit, stopped).await;
            if let Err(unsent) = sender.send(response) {
                tracing::debug!(response = ?unsent, "the peer is gone, its answer is dropped");
            }
        };
        shared.tasks.spawn(run.instrument(span));
        Spawned { receiver, stop }
    }

    /// Runs a handler to its end or to its deadline. Only its own time counts for the server's
    /// limit: the clock stands while it waits for its upload, which the lowest body rate polices.
    /// The client's deadline counts all time.
    async fn run(mut self, app: &App, limit: Duration, stop: Option<Arc<Notify>>) -> Response {
        let Ended { outcome, response } = self.finish(app, limit, stop).await;
        self.span.record("outcome", outcome.as_str());
        let (since, waited) = (self.since, &self.waited);
        let own = || own_time(since, waited.as_ref());
        self.measure.end(outcome, own, response.message.len());
        response
    }

    async fn finish(&mut self, app: &App, limit: Duration, stop: Option<Arc<Notify>>) -> Ended {
        let wire = self.wire;
        let mut run = std::future::poll_fn(|cx| poll_caught(&mut self.handling, app, wire, cx));
        let mut left = limit.saturating_sub(self.since.elapsed());
        let (outcome, refusal) = loop {
            tokio::select! {
                biased;
                ended = &mut run => return ended,
                () = asked(stop.as_deref()) => {
                    let text = "the request was cancelled";
                    break (Outcome::Cancelled, Rejection::ours(code::CANCELLED, text));
                }
                () = until(self.deadline) => {
                    tracing::debug!("the deadline has passed, the handler is dropped");
                    let text = "the deadline has passed";
                    let refusal = Rejection::ours(code::DEADLINE_EXCEEDED, text);
                    break (Outcome::DeadlineExceeded, refusal);
                }
                () = sleep(left) => {}
            }
            let own = own_time(self.since, self.waited.as_ref());
            if own >= limit {
                tracing::warn!(?limit, "the handler took too long and is dropped");
                let text = "the server took too long";
                break (Outcome::Timeout, Rejection::ours(code::TIMEOUT, text));
            }
            left = (limit - own).max(LOOK_AGAIN);
        };
        Ended {
            outcome,
            response: app.answering().refuse(wire, &refusal),
        }
    }
}

/// What a handler came to.
struct Ended {
    outcome: Outcome,
    response: Response,
}

/// Time since a request began, without that spent waiting for its upload.
fn own_time(since: Instant, waited: Option<&Waited>) -> Duration {
    let not_its_own = waited.map_or(Duration::ZERO, Waited::so_far);
    since.elapsed().saturating_sub(not_its_own)
}

/// A handler on its own task.
pub(crate) struct Spawned {
    pub(crate) receiver: oneshot::Receiver<Response>,
    /// Stops it, if it says that it may be stopped.
    pub(crate) stop: Option<Arc<Notify>>,
}

async fn asked(stop: Option<&Notify>) {
    match stop {
        Some(stop) => stop.notified().await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// Polls a handler; a panic is an answer.
fn poll_caught(
    handling: &mut Handling,
    app: &App,
    wire: Wire,
    cx: &mut Context<'_>,
) -> Poll<Ended> {
    // After a panic the future is not polled again, so what it left in half is not seen.
    let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(handling).poll(cx)));
    match polled {
        Ok(polled) => polled.map(|response| Ended {
            outcome: Outcome::of(&response),
            response,
        }),
        Err(_panic) => Poll::Ready(Ended {
            outcome: Outcome::Panicked,
            response: panicked(app, wire),
        }),
    }
}

/// The answer of a handler that panicked. The panic's own text may hold anything, so it is left
/// to the panic hook.
pub(crate) fn panicked(app: &App, wire: Wire) -> Response {
    tracing::error!("a handler panicked");
    app.answering().refuse(wire, &Rejection::internal())
}
