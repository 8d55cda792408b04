//! Handler arguments.

use std::future::Future;
use std::time::Instant;

use crate::connection::Peer;
use crate::rejection::Rejection;
use crate::request::Call;
use crate::session::Sessions;
use crate::upload::Upload;

/// What a handler may ask for before its message, made from the call.
///
/// `S` is the dispatcher's state and `I` the identity that the group's guard gives. An own
/// extractor is generic over both where it needs neither:
///
/// ```
/// use packetboat_dispatch::{Call, FromCall, Rejection};
///
/// struct Language(String);
///
/// impl<S: Sync, I: Sync> FromCall<S, I> for Language {
///     async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
///         let language = call.extensions.get::<&str>().copied();
///         Ok(Self(language.unwrap_or("en").to_owned()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument that a handler of this group can have",
    label = "not made from a call here",
    note = "before its message a handler takes `State<T>` (T: FromRef<the state>), `Identity<T>`, `Sessions`, `Peer`, `Metadata`, `Deadline`, `Stoppable`, `Upload`, `Hub`, `Pusher`, or an own `FromCall`",
    note = "`Identity<T>` exists only in a group whose guard has `type Identity = T`; this group's guard gives `{I}`"
)]
pub trait FromCall<S, I>: Sized + Send {
    /// Whether this takes what follows the message. Registering such a handler for a message
    /// without an attachment panics.
    const TAKES_ATTACHMENT: bool = false;

    /// Whether a handler with this argument may be dropped when its client cancels the request:
    /// see [`Stoppable`](crate::Stoppable).
    const MAY_BE_STOPPED: bool = false;

    /// Makes the argument.
    ///
    /// # Errors
    ///
    /// A rejection, which is then the reply; neither the message nor the handler is looked at.
    fn from_call(
        call: &mut Call,
        state: &S,
        identity: &I,
    ) -> impl Future<Output = Result<Self, Rejection>> + Send;
}

/// A part of the dispatcher's state, cloned out of it. The whole state is a part of itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no part of the dispatcher's state `{S}`",
    note = "implement `FromRef<{S}> for {Self}`"
)]
pub trait FromRef<S> {
    /// Takes the part.
    fn from_ref(state: &S) -> Self;
}

impl<S: Clone> FromRef<S> for S {
    fn from_ref(state: &S) -> S {
        state.clone()
    }
}

/// The dispatcher's state, or a part of it.
#[derive(Clone, Copy, Debug)]
pub struct State<T>(pub T);

impl<S: Sync, I: Sync, T: FromRef<S> + Send> FromCall<S, I> for State<T> {
    async fn from_call(_: &mut Call, state: &S, _: &I) -> Result<Self, Rejection> {
        Ok(Self(T::from_ref(state)))
    }
}

/// Who is calling, as the group's guard has found. It exists in no other group.
#[derive(Clone, Copy, Debug)]
pub struct Identity<T>(pub T);

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Clone + Send + Sync> FromCall<S, I> for Identity<I> {
    async fn from_call(_: &mut Call, _: &S, identity: &I) -> Result<Self, Rejection> {
        Ok(Self(identity.clone()))
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Peer {
    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        Ok(call.peer().clone())
    }
}

/// What is known of a request beside its message.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The message's own type.
    pub message_type: &'static str,
    /// How many bytes follow the message, where its type has an attachment.
    pub attachment_len: Option<u64>,
    /// When the last byte of the message had arrived.
    pub received: Instant,
}

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Metadata {
    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        let message_type = call.message_type();
        let attachment_len = call.attachment_len();
        Ok(Self {
            message_type,
            attachment_len,
            received: call.received(),
        })
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Sessions {
    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        let Some(sessions) = call.sessions() else {
            return Err(Rejection::from(NoSessions));
        };
        Ok(Self::new(sessions.clone(), call.session_id()))
    }
}

/// A handler asks for [`Sessions`], and the dispatcher was given no session manager.
#[derive(Debug, thiserror::Error)]
#[error("the dispatcher keeps no sessions: see Dispatcher::sessions")]
struct NoSessions;

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Upload {
    const TAKES_ATTACHMENT: bool = true;

    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        call.take_upload().ok_or_else(|| Rejection::from(NoUpload))
    }
}

/// A handler asks twice for what follows its message.
#[derive(Debug, thiserror::Error)]
#[error("the attachment has been taken by an earlier argument")]
struct NoUpload;

/// An argument that may be refused without refusing the request.
impl<S: Sync, I: Sync, T: FromCall<S, I>> FromCall<S, I> for Result<T, Rejection> {
    const TAKES_ATTACHMENT: bool = T::TAKES_ATTACHMENT;
    const MAY_BE_STOPPED: bool = T::MAY_BE_STOPPED;

    async fn from_call(call: &mut Call, state: &S, identity: &I) -> Result<Self, Rejection> {
        Ok(T::from_call(call, state, identity).await)
    }
}
