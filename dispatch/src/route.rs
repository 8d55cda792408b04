//! One type of message and what stands behind it: guard, handler, reply.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::{Envelope, Fields, decode};
use crate::guard::Guard;
use crate::handler::Handler;
use crate::idempotency::{InFlight, Joined};
use crate::message::Message;
use crate::metrics::Meter;
use crate::middleware::{Middleware, Next, Response};
use crate::rejection::Rejection;
use crate::request::Call;
use crate::scratch;
use crate::shape::Shape;
use crate::wire::{Wire, native_code};

/// A row of the dispatcher's table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The message's type.
    pub message_type: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// The guard of its group.
    pub guard: &'static str,
    /// Whether that guard lets everybody pass.
    pub open: bool,
    /// The field that states the size of what follows the message; `None` when nothing may.
    pub attachment: Option<&'static str>,
    /// The field of the reply that states the size of what follows that; `None` when nothing may.
    pub reply_attachment: Option<&'static str>,
}

/// The handling of a request; its output is what goes out.
pub(crate) type Handling = BoxFuture<'static, Response>;

/// A route whose types have been forgotten.
pub(crate) trait Endpoint: Send + Sync {
    fn route(&self) -> &Route;

    /// Whether its handler says that it may be stopped.
    fn may_be_stopped(&self) -> bool;

    fn meter(&self) -> &Meter;

    #[cfg(feature = "schema")]
    fn schema(&self) -> Option<crate::schema::Schemas>;

    /// Decodes the message, and gives the handling of the call. A `refusal` takes the message's
    /// place.
    fn begin(
        self: Arc<Self>,
        call: Call,
        envelope: &Envelope<'_>,
        refusal: Option<Rejection>,
    ) -> Handling;
}

/// A handler with all that stands around it.
pub(crate) struct Guarded<H, M, A, S, G, W> {
    pub(crate) route: Route,
    pub(crate) fields: Fields,
    pub(crate) meter: Meter,
    pub(crate) guard: Arc<G>,
    pub(crate) handler: H,
    pub(crate) state: Arc<S>,
    pub(crate) shape: W,
    pub(crate) layers: Arc<[Arc<dyn Middleware>]>,
    pub(crate) in_flight: InFlight,
    pub(crate) marker: PhantomData<fn(M, A)>,
}

impl<H, M, A, S, G, W> Guarded<H, M, A, S, G, W>
where
    H: Handler<M, A, S, G::Identity>,
    M: Message<Reply: Serialize>,
    S: Send + Sync + 'static,
    G: Guard<S>,
    W: Shape,
{
    /// The order that a stranger learns nothing by: guard, extractors, message, handler.
    ///
    /// The guard stands innermost, behind all middleware, and is called and not made one of them. As
    /// middleware it would hand its identity on in the call's extensions, where a handler finds it by
    /// type at run time, or does not; here `G::Identity` is a type that the handler must agree with.
    /// And each request would pay for three boxes: the rest of the way, the middleware's future and
    /// the route's.
    ///
    /// The call is lent, here and below: a future that takes it by value has room for it twice, and
    /// so has each around it.
    async fn run(
        &self,
        call: &mut Call,
        message: Result<M, Rejection>,
    ) -> Result<Response, Rejection> {
        let identity = self.guard.check(call, &self.state).await?;
        if call.idempotency_key().is_some() {
            // In a box, so that only who sends a key has the larger future.
            return Box::pin(self.run_once(call, &identity, message)).await;
        }
        self.handle(call, &identity, message).await
    }

    /// Runs it unless another request with its key is at work; then this gets that one's answer.
    async fn run_once(
        &self,
        call: &mut Call,
        identity: &G::Identity,
        message: Result<M, Rejection>,
    ) -> Result<Response, Rejection> {
        let Some(key) = call.idempotency_key() else {
            return self.handle(call, identity, message).await;
        };
        // Behind the guard: an answer goes to nobody but who may have it.
        let subject = call
            .session()
            .await?
            .map_or_else(String::new, |s| s.subject);
        match self.in_flight.join(subject, key, call.wire()).await {
            Joined::Answered(outcome) => outcome,
            Joined::First(first) => {
                let outcome = self.handle(call, identity, message).await;
                first.answered(&outcome);
                outcome
            }
        }
    }

    async fn handle(
        &self,
        call: &mut Call,
        identity: &G::Identity,
        message: Result<M, Rejection>,
    ) -> Result<Response, Rejection> {
        let wire = call.wire();
        let reply = self
            .handler
            .call(call, &self.state, identity, message)
            .await?;
        let mut out = scratch::take();
        if let Err(error) = wire.accept(&self.shape, &reply.value, &mut out) {
            scratch::give(out);
            return Err(error.into());
        }
        Ok(Response {
            file: reply.file,
            ..Response::value(out)
        })
    }
}

impl<H, M, A, S, G, W> Endpoint for Guarded<H, M, A, S, G, W>
where
    H: Handler<M, A, S, G::Identity>,
    M: Message<Reply: Serialize> + DeserializeOwned,
    A: 'static,
    S: Send + Sync + 'static,
    G: Guard<S>,
    W: Shape,
{
    fn route(&self) -> &Route {
        &self.route
    }

    fn may_be_stopped(&self) -> bool {
        H::MAY_BE_STOPPED
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    #[cfg(feature = "schema")]
    fn schema(&self) -> Option<crate::schema::Schemas> {
        M::schema()
    }

    fn begin(
        self: Arc<Self>,
        mut call: Call,
        envelope: &Envelope<'_>,
        refusal: Option<Rejection>,
    ) -> Handling {
        let message = match refusal {
            Some(refusal) => Err(refusal),
            None => decode::<M>(envelope, self.fields),
        };
        let wire = call.wire();
        if self.layers.is_empty() {
            // Most routes: one future, one allocation.
            return Box::pin(async move {
                let result = self.run(&mut call, message).await;
                result.unwrap_or_else(|rejection| refuse(&self.shape, wire, &rejection))
            });
        }
        Box::pin(async move {
            let route = Arc::clone(&self);
            let next = Next::new(Arc::clone(&self.layers), move |mut call| {
                Box::pin(async move { route.run(&mut call, message).await })
            });
            let result = next.run(call).await;
            result.unwrap_or_else(|rejection| refuse(&self.shape, wire, &rejection))
        })
    }
}

/// The reply that a rejection is. Its reason goes to the log, with no word of the message.
pub(crate) fn refuse(shape: &impl Shape, wire: Wire, rejection: &Rejection) -> Response {
    let code = rejection.code();
    match rejection.source() {
        Some(source) => tracing::error!(code, error = %Chain(source), "request failed"),
        None => tracing::debug!(code, "request refused"),
    }
    let mut message = scratch::take();
    wire.reject(shape, rejection, &mut message);
    Response {
        message,
        file: None,
        refused: Some(code.into()),
        status: native_code(rejection),
    }
}

/// An error and all that caused it, on one line.
struct Chain<'a>(&'a (dyn std::error::Error + Send + Sync + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
