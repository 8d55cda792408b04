//! Until when a request is waited for, and whether its handler may be stopped.

use std::time::{Duration, Instant};

use crate::extract::FromCall;
use crate::rejection::Rejection;
use crate::request::Call;

/// Until when the client waits for the reply, where it has said so: an argument of a handler.
///
/// The wire that carries deadlines is the native one. A handler that is still at work when its
/// deadline passes is dropped, and answered with `deadline_exceeded`; one that hands work on may
/// hand on what is left of the time.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Option<Instant>);

impl Deadline {
    /// The time that is left, zero when it has passed; `None` where there is no deadline.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let at = self.0?;
        Some(at.saturating_duration_since(Instant::now()))
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Deadline {
    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        Ok(Self(call.deadline()))
    }
}

/// As an argument, says that this handler may be stopped: when its client cancels the request, the
/// handler is dropped at its next await, and so is the guard before it.
///
/// Without it a handler runs to its end, whatever its client does. The native wire can cancel, the
/// classic one cannot.
///
/// ```
/// use packetboat_dispatch::{Message, Stoppable};
/// use serde::Deserialize;
///
/// #[derive(Deserialize, Message)]
/// #[message(type = "search", reply = Vec<u64>)]
/// struct Search { words: String }
///
/// async fn search(_: Stoppable, request: Search) -> Vec<u64> {
///     tokio::time::sleep(std::time::Duration::from_secs(5)).await; // ends here
///     Vec::new()
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stoppable;

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Stoppable {
    const MAY_BE_STOPPED: bool = true;

    async fn from_call(_: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        Ok(Self)
    }
}
