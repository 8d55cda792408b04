//! Any async fn of extractors is a handler.

use std::future::Future;

use crate::extract::FromCall;
use crate::message::Message;
use crate::rejection::Rejection;
use crate::reply::{IntoReply, Reply};
use crate::request::Call;

/// An async function whose last argument is a message and whose others are extractors.
///
/// It returns the message's reply, with or without a file, or a `Result` of it. Which message it
/// takes, and so under which type it is found, is read off its last argument.
///
/// ```
/// use packetboat_dispatch::{Message, Rejection, State};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize, Message)]
/// #[message(type = "greet", reply = Greeting)]
/// struct Greet { name: String }
///
/// #[derive(Serialize)]
/// struct Greeting { text: String }
///
/// async fn greet(State(hello): State<String>, request: Greet) -> Result<Greeting, Rejection> {
///     Ok(Greeting { text: format!("{hello}, {}", request.name) })
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "this function is no handler in a group whose guard gives `{I}`",
    label = "not a handler here",
    note = "a handler is an `async fn` of up to eight extractors and, last, one `Message`",
    note = "it returns the message's reply, `(reply, File)`, or a `Result` of them whose error turns into a `Rejection`",
    note = "`Identity<T>` exists only in a group whose guard has `type Identity = T`"
)]
pub trait Handler<M: Message, A, S, I>: Clone + Send + Sync + 'static {
    /// Whether one of its arguments takes what follows the message.
    const TAKES_ATTACHMENT: bool;

    /// Whether one of its arguments says that it may be stopped.
    const MAY_BE_STOPPED: bool;

    /// Makes the arguments, then looks at the message, then runs. What no argument took of what
    /// follows the message is given back before that.
    fn call(
        &self,
        call: &mut Call,
        state: &S,
        identity: &I,
        message: Result<M, Rejection>,
    ) -> impl Future<Output = Result<Reply<M::Reply>, Rejection>> + Send;
}

macro_rules! handler {
    ($($extractor:ident),*) => {
        #[allow(non_snake_case, reason = "an argument is named after its type")]
        #[diagnostic::do_not_recommend]
        impl<F, Fut, M, S, I, $($extractor,)*> Handler<M, ($($extractor,)*), S, I> for F
        where
            F: Fn($($extractor,)* M) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output: IntoReply<M::Reply>> + Send,
            M: Message,
            S: Sync,
            I: Sync,
            $($extractor: FromCall<S, I>,)*
        {
            const TAKES_ATTACHMENT: bool = false $(|| $extractor::TAKES_ATTACHMENT)*;
            const MAY_BE_STOPPED: bool = false $(|| $extractor::MAY_BE_STOPPED)*;

            #[allow(unused_variables, reason = "without extractors nothing is asked")]
            async fn call(
                &self,
                call: &mut Call,
                state: &S,
                identity: &I,
                message: Result<M, Rejection>,
            ) -> Result<Reply<M::Reply>, Rejection> {
                $(let $extractor = $extractor::from_call(call, state, identity).await?;)*
                // The connection may then drain it while the handler works.
                drop(call.take_upload());
                self($($extractor,)* message?).await.into_reply()
            }
        }
    };
}

handler!();
handler!(E1);
handler!(E1, E2);
handler!(E1, E2, E3);
handler!(E1, E2, E3, E4);
handler!(E1, E2, E3, E4, E5);
handler!(E1, E2, E3, E4, E5, E6);
handler!(E1, E2, E3, E4, E5, E6, E7);
handler!(E1, E2, E3, E4, E5, E6, E7, E8);
