//! A handler's run: polled once in place, then on a task of its own; panics caught in both.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, Span};

use crate::app::{App, Begun, Caller};
use crate::driver::{Held, Shared};
use crate::middleware::Response;
use crate::rejection::{Rejection, code};
use crate::route::Handling;
use crate::upload::{Feed, Waited};

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
    /// It runs on a task of its own, and is not cancelled when this is dropped.
    Spawned(oneshot::Receiver<Response>),
}

/// Begins a request: decodes its message and polls its handler once, in place. What answers at
/// once costs no task and no timer.
pub(crate) fn begin(shared: &Shared, caller: &Caller, held: &Held, message: &[u8]) -> Running {
    let since = Instant::now();
    let max = shared.limits.wire.max_attachment_bytes;
    let app = &shared.app;
    // A message's own `Deserialize` may panic, too.
    let begun = catch_unwind(AssertUnwindSafe(|| {
        app.answering()
            .begin(caller, message, since.into_std(), max)
    }));
    let Ok(Begun {
        message_type,
        mut handling,
        upload,
        is_last,
    }) = begun
    else {
        // How much follows the message is not known any more.
        let state = State::Answered(panicked(app));
        return Running {
            state,
            upload: None,
            is_last: true,
        };
    };
    let span = tracing::info_span!("request", message_type);
    let entered = span.enter();
    let first = poll_caught(&mut handling, app, &mut Context::from_waker(Waker::noop()));
    drop(entered);
    let state = match first {
        Poll::Ready(response) => State::Answered(response),
        Poll::Pending => {
            let waited = upload.as_ref().map(|(_, feed)| feed.waited());
            let timing = (since, waited);
            State::Spawned(spawn(shared, handling, timing, held, span))
        }
    };
    Running {
        state,
        upload,
        is_last,
    }
}

/// Lets a handler go on by itself. Whoever drops the receiver does not stop it.
fn spawn(
    shared: &Shared,
    handling: Handling,
    (since, waited): (Instant, Option<Waited>),
    held: &Held,
    span: Span,
) -> oneshot::Receiver<Response> {
    let (sender, receiver) = oneshot::channel();
    let (app, limit) = (shared.app.clone(), shared.limits.handler_time);
    let held = held.clone();
    let run = async move {
        let _held = held;
        let response = in_time(handling, &app, since, limit, waited).await;
        if let Err(unsent) = sender.send(response) {
            tracing::debug!(response = ?unsent, "the peer is gone, its answer is dropped");
        }
    };
    shared.tasks.spawn(run.instrument(span));
    receiver
}

/// Runs a handler to its end or to its deadline. Only its own time counts: the clock stands while
/// it waits for its upload, which the lowest body rate polices.
async fn in_time(
    mut handling: Handling,
    app: &App,
    since: Instant,
    limit: Duration,
    waited: Option<Waited>,
) -> Response {
    let mut run = std::future::poll_fn(|cx| poll_caught(&mut handling, app, cx));
    let mut left = limit.saturating_sub(since.elapsed());
    loop {
        tokio::select! {
            biased;
            response = &mut run => return response,
            () = sleep(left) => {}
        }
        let not_its_own = waited.as_ref().map_or(Duration::ZERO, Waited::so_far);
        let own = since.elapsed().saturating_sub(not_its_own);
        if own >= limit {
            tracing::warn!(?limit, "the handler took too long and is dropped");
            let text = "the server took too long";
            return app
                .answering()
                .refuse(&Rejection::ours(code::TIMEOUT, text));
        }
        left = (limit - own).max(LOOK_AGAIN);
    }
}

/// Polls a handler; a panic is an answer.
fn poll_caught(handling: &mut Handling, app: &App, cx: &mut Context<'_>) -> Poll<Response> {
    // After a panic the future is not polled again, so what it left in half is not seen.
    let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(handling).poll(cx)));
    polled.unwrap_or_else(|_| Poll::Ready(panicked(app)))
}

/// The answer of a handler that panicked. The panic's own text may hold anything, so it is left
/// to the panic hook.
pub(crate) fn panicked(app: &App) -> Response {
    tracing::error!("a handler panicked");
    app.answering().refuse(&Rejection::internal())
}
