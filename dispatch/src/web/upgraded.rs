//! What a WebSocket's handlers are told of the request that opened it.

use crate::extract::FromCall;
use crate::rejection::Rejection;
use crate::request::Call;

/// An extractor: a value that a layer of the router has put into the request which opened this
/// WebSocket, and that [`SocketOptions::carry`](crate::web::SocketOptions::carry) takes along.
///
/// A guard has the same by [`Call::upgraded`]. Whom a cookie says it is, is true only because the
/// origin was checked: a cookie alone comes with the requests of every page.
///
/// On a connection that is no WebSocket, or whose request had no such value, the request is refused
/// with `not_logged_in`; `Result<Upgraded<T>, Rejection>` lets a handler look for itself.
///
/// ```
/// use packetboat_dispatch::{Anyone, Dispatcher, Message, Rejection, web::Upgraded};
/// use serde::Deserialize;
///
/// #[derive(Clone)]
/// struct User(String);
///
/// #[derive(Deserialize, Message)]
/// #[message(type = "who", reply = String)]
/// struct Who {}
///
/// async fn who(Upgraded(user): Upgraded<User>, _: Who) -> Result<String, Rejection> {
///     Ok(user.0)
/// }
/// let dispatcher = Dispatcher::new(()).allow(Anyone, |group| group.on(who));
/// # drop(dispatcher);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Upgraded<T>(pub T);

impl<S: Sync, I: Sync, T: Clone + Send + Sync + 'static> FromCall<S, I> for Upgraded<T> {
    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        match call.upgraded::<T>() {
            Some(value) => Ok(Self(value.clone())),
            None => Err(Rejection::not_logged_in()),
        }
    }
}
