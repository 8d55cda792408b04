//! Whether an application is well, asked by whoever watches over it.
//!
//! [`Dispatcher::health`] answers the message `packetboat.health`: everybody whom its first guard
//! lets pass learns the status, and whom its second one knows also the details.
//!
//! ```
//! use packetboat_dispatch::{Anyone, App, Dispatcher, HealthChecks, LoggedIn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let checks = HealthChecks::new().check("disk", || async {
//!     std::fs::metadata(".").map(drop)
//! });
//! let app = App::from(Dispatcher::new(()).health(Anyone, LoggedIn, checks));
//! let answer = app.connect().request(br#"{"type": "packetboat.health"}"#).await;
//! assert_eq!(answer.text(), r#"{"flag":true,"status":"ok"}"#);
//! # }
//! ```

mod checks;
mod life;

pub use checks::HealthChecks;
pub(crate) use life::{Life, Open};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use packetboat_dispatch_derive::Message;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::dispatcher::Dispatcher;
use crate::extract::Identity;
use crate::guard::Guard;
use crate::rejection::Rejection;
use crate::request::Call;
use crate::shape::Shape;
use checks::Probe;

/// The guard of the details has so long: it may ask the database that is about to be found dead.
const TO_KNOW: Duration = Duration::from_secs(1);

/// Asks how an application is: see [`Dispatcher::health`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Message, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[message(type = "packetboat.health", reply = Health, crate = crate)]
#[cfg_attr(feature = "schema", message(schema))]
pub struct GetHealth {}

/// How an application is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Health {
    /// All in one word.
    pub status: HealthStatus,
    /// What each check has found; only for whom the second guard knows, as all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<BTreeMap<String, CheckHealth>>,
    /// Whole seconds since the dispatcher was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<u64>,
    /// Connections that are open and have shown which wire they speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
}

/// All in one word.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HealthStatus {
    /// A check has failed.
    Degraded,
    /// A server of the application is stopping. It comes before all others.
    Draining,
    /// Every check has passed.
    Ok,
}

/// What a check has found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckHealth {
    /// Whether it passed.
    pub status: CheckStatus,
    /// How long it took.
    pub milliseconds: u64,
}

/// Whether a check passed. Why it did not stands in the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckStatus {
    /// It gave an error, or panicked.
    Failed,
    /// It passed.
    Ok,
    /// It was not done in its time.
    TimedOut,
}

/// Lets pass whom `guard` lets pass, and asks `details` whether to tell more.
struct Told<G, D> {
    guard: G,
    details: D,
}

/// Whether the caller is told the details.
#[derive(Clone, Copy)]
struct InDetail(bool);

#[async_trait::async_trait]
impl<S: Sync, G: Guard<S>, D: Guard<S>> Guard<S> for Told<G, D> {
    type Identity = InDetail;

    async fn check(&self, call: &Call, state: &S) -> Result<InDetail, Rejection> {
        self.guard.check(call, state).await?;
        let known = timeout(TO_KNOW, self.details.check(call, state)).await;
        Ok(InDetail(known.is_ok_and(|known| known.is_ok())))
    }

    fn name(&self) -> &'static str {
        self.guard.name()
    }

    fn is_open(&self) -> bool {
        self.guard.is_open()
    }
}

impl<S: Send + Sync + 'static, W: Shape> Dispatcher<S, W> {
    /// Answers [`GetHealth`] (`packetboat.health`) to whom `guard` lets pass; whom `details` lets
    /// pass as well learns more than the status.
    ///
    /// The checks run at once, each within its time, and not more often than once a second however
    /// many ask: in between the last result is the answer.
    ///
    /// # Panics
    ///
    /// The second time.
    #[must_use]
    pub fn health<G, D>(self, guard: G, details: D, checks: HealthChecks) -> Self
    where
        G: Guard<S>,
        D: Guard<S>,
    {
        let (life, probe) = (Arc::clone(self.life()), Arc::new(Probe::new(checks)));
        self.allow(Told { guard, details }, |group| {
            group.on(
                move |Identity(InDetail(in_detail)): Identity<InDetail>, _: GetHealth| {
                    let (life, probe) = (Arc::clone(&life), Arc::clone(&probe));
                    async move { look(&life, &probe, in_detail).await }
                },
            )
        })
    }
}

async fn look(life: &Life, probe: &Probe, in_detail: bool) -> Health {
    let checks = probe.look().await;
    let is_ok = |check: &CheckHealth| check.status == CheckStatus::Ok;
    let status = match checks.values().all(is_ok) {
        // Asked last: it may have begun to stop meanwhile.
        _ if life.is_draining() => HealthStatus::Draining,
        true => HealthStatus::Ok,
        false => HealthStatus::Degraded,
    };
    Health {
        status,
        checks: in_detail.then(|| BTreeMap::clone(&checks)),
        uptime_seconds: in_detail.then(|| life.uptime().as_secs()),
        connections: in_detail.then(|| life.connections()),
    }
}
