//! Around a handler: before, after, instead.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use packetboat_framing::native::Code;

use crate::file::File;
use crate::rejection::Rejection;
use crate::request::Call;

/// What a handler has answered: its reply as it will stand on the wire, and the file after it.
pub struct Response {
    pub(crate) message: Vec<u8>,
    // Boxed: most replies have none, and every one is moved about.
    pub(crate) file: Option<Box<File>>,
    /// The code of the rejection that this is; `None` for a value.
    pub(crate) refused: Option<Box<str>>,
    /// Its number on the native wire, where this is a rejection.
    pub(crate) status: Code,
}

impl Response {
    /// A reply that nothing follows.
    pub(crate) fn value(message: Vec<u8>) -> Self {
        Self {
            message,
            file: None,
            refused: None,
            status: Code::NONE,
        }
    }

    /// Bytes of the reply, without what follows it.
    #[must_use]
    pub fn message_len(&self) -> usize {
        self.message.len()
    }

    /// Bytes that follow the reply; `None` when nothing does.
    #[must_use]
    pub fn file_len(&self) -> Option<u64> {
        self.file.as_ref().map(|file| file.len())
    }
}

impl fmt::Debug for Response {
    /// Its size and none of its bytes: they may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("message_len", &self.message_len())
            .field("file_len", &self.file_len())
            .field("refused", &self.refused)
            .finish()
    }
}

/// Stands around every handler that is registered after it, guards included.
///
/// It sees the call and not the message: it may hand something on in the call's extensions, answer
/// in the handler's place, look at the outcome, or change a rejection. Usually made by
/// [`from_fn`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no middleware",
    note = "`from_fn(async |call: Call, next: Next| next.run(call).await)` makes one"
)]
pub trait Middleware: Send + Sync + 'static {
    /// Handles a call, commonly by way of `next`.
    fn handle(&self, call: Call, next: Next) -> BoxFuture<'static, Result<Response, Rejection>>;
}

/// The rest of the way: further middleware, the guard, the handler.
pub struct Next {
    layers: Arc<[Arc<dyn Middleware>]>,
    /// How many of them have been passed.
    passed: usize,
    route: Box<dyn FnOnce(Call) -> BoxFuture<'static, Result<Response, Rejection>> + Send>,
}

impl Next {
    pub(crate) fn new(
        layers: Arc<[Arc<dyn Middleware>]>,
        route: impl FnOnce(Call) -> BoxFuture<'static, Result<Response, Rejection>> + Send + 'static,
    ) -> Self {
        Self {
            layers,
            passed: 0,
            route: Box::new(route),
        }
    }

    /// Goes on with the call.
    ///
    /// # Errors
    ///
    /// The rejection of whatever refused.
    pub fn run(mut self, call: Call) -> BoxFuture<'static, Result<Response, Rejection>> {
        let Some(layer) = self.layers.get(self.passed).cloned() else {
            return (self.route)(call);
        };
        self.passed += 1;
        layer.handle(call, self)
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("layers", &(self.layers.len() - self.passed))
            .finish_non_exhaustive()
    }
}

/// Middleware out of an async closure or function.
///
/// ```
/// use packetboat_dispatch::{Call, Dispatcher, Next, from_fn};
///
/// let app = Dispatcher::new(()).layer(from_fn(async |call: Call, next: Next| {
///     let (kind, begun) = (call.message_type(), call.received());
///     let response = next.run(call).await;
///     println!("{kind}: {:?}, {:?}", response.is_ok(), begun.elapsed());
///     response
/// }));
/// ```
pub fn from_fn<F, Fut>(function: F) -> FromFn<F>
where
    F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Rejection>> + Send + 'static,
{
    FromFn { function }
}

/// What [`from_fn`] gives.
#[derive(Clone, Copy)]
pub struct FromFn<F> {
    function: F,
}

impl<F, Fut> Middleware for FromFn<F>
where
    F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Rejection>> + Send + 'static,
{
    fn handle(&self, call: Call, next: Next) -> BoxFuture<'static, Result<Response, Rejection>> {
        Box::pin((self.function)(call, next))
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}
