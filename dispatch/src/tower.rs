//! The door for tower layers: timeouts, limits and others, around the routes that ask for them.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::future::BoxFuture;
use tower_layer::Layer;
use tower_service::Service;

use crate::middleware::{Middleware, Next, Response};
use crate::rejection::Rejection;
use crate::request::Call;

/// Middleware out of a tower layer.
///
/// The layer is applied once, so what it shares (a limit, a rate) is shared by all routes that it
/// stands around. Its errors become rejections: one of a handler passes unchanged, any other is
/// `internal` unless [`map_err`](TowerLayer::map_err) says what it means.
///
/// ```
/// use packetboat_dispatch::{Anyone, Dispatcher, Message, Rejection, tower_layer};
/// use serde::Deserialize;
/// use tower::limit::ConcurrencyLimitLayer;
///
/// #[derive(Deserialize, Message)]
/// #[message(type = "list", reply = ())]
/// struct List {}
///
/// async fn list(_: List) {}
///
/// let app = Dispatcher::new(()).allow(Anyone, |group| {
///     group.layer(tower_layer(&ConcurrencyLimitLayer::new(64))).on(list)
/// });
/// ```
pub fn tower_layer<L>(layer: &L) -> TowerLayer<L::Service>
where
    L: Layer<Handle>,
    L::Service: Service<Forward, Response = Response, Error: Into<BoxError>>,
{
    TowerLayer {
        service: Mutex::new(layer.layer(Handle)),
        map_err: into_rejection,
    }
}

/// Any error that can be sent between threads.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What [`tower_layer()`] gives.
pub struct TowerLayer<V> {
    // Services are not always `Sync`; the lock is held to clone one.
    service: Mutex<V>,
    map_err: fn(BoxError) -> Rejection,
}

impl<V> TowerLayer<V> {
    /// Says what the layer's own errors mean to a peer.
    #[must_use]
    pub fn map_err(mut self, map_err: fn(BoxError) -> Rejection) -> Self {
        self.map_err = map_err;
        self
    }
}

impl<V> Middleware for TowerLayer<V>
where
    V: Service<Forward, Response = Response, Error: Into<BoxError>> + Clone + Send + 'static,
    V::Future: Send,
{
    fn handle(&self, call: Call, next: Next) -> BoxFuture<'static, Result<Response, Rejection>> {
        let mut service = self
            .service
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let map_err = self.map_err;
        Box::pin(async move {
            let ready = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
            let result = match ready.map_err(Into::into) {
                Ok(()) => service
                    .call(Forward { call, next })
                    .await
                    .map_err(Into::into),
                Err(error) => Err(error),
            };
            result.map_err(|error: BoxError| match error.downcast::<Refused>() {
                Ok(refused) => refused.0,
                Err(other) => map_err(other),
            })
        })
    }
}

fn into_rejection(error: BoxError) -> Rejection {
    Rejection::internal().with_source(error)
}

/// A call on its way through a tower layer: the request of the services that it makes.
#[derive(Debug)]
pub struct Forward {
    /// What is known of the request.
    pub call: Call,
    next: Next,
}

/// The service inside a tower layer: it runs the rest of the way.
#[derive(Clone, Copy, Debug)]
pub struct Handle;

impl Service<Forward> for Handle {
    type Response = Response;
    type Error = Refused;
    type Future = BoxFuture<'static, Result<Response, Refused>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, forward: Forward) -> Self::Future {
        let response = forward.next.run(forward.call);
        Box::pin(async move { response.await.map_err(Refused) })
    }
}

/// A rejection as the error that tower needs.
#[derive(Debug)]
pub struct Refused(Rejection);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Refused {}

impl<V> fmt::Debug for TowerLayer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerLayer").finish_non_exhaustive()
    }
}
