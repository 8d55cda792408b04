//! What a connection tells its owner.

use crate::native::{Attached, Block, Code, Codec, Digest};

/// A message that came, with all that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// The request that it is, or answers; zero for a push.
    pub request: u32,
    /// The hash of its type's name, or zero: then look into the message.
    pub message_type: u32,
    /// What the message is written in.
    pub codec: Codec,
    /// Its extension fields.
    pub extensions: Block<'a>,
    /// The message.
    pub message: &'a [u8],
    /// The attachment that follows, if one does. Nothing of it comes before the owner calls
    /// [`Connection::receive`](super::Connection::receive).
    pub attachment: Option<Attached>,
}

/// What [`Connection::next_event`](super::Connection::next_event) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The other side's preface has come and suits.
    Ready {
        /// The version that both speak from here on.
        version: u8,
        /// Requests that the client may have in flight.
        requests: u16,
    },
    /// A request, at a server.
    Message(Received<'a>),
    /// A reply, at a client.
    Reply(Received<'a>),
    /// A refusal, at a client. The message may be empty.
    Error {
        /// The request.
        request: u32,
        /// Why.
        code: Code,
        /// What the message is written in.
        codec: Codec,
        /// What the application says to it.
        message: &'a [u8],
    },
    /// A push, at a client.
    Push(Received<'a>),
    /// A request that was refused, and answered, before the owner saw it; or a push over the
    /// limit, at a client. For the log.
    Refused {
        /// The request; zero for a push.
        request: u32,
        /// Why.
        code: Code,
    },
    /// Bytes of an attachment. Say [`consumed`](super::Connection::consumed) when they have been
    /// dealt with, so that more may come.
    Data {
        /// The request.
        request: u32,
        /// Some of it, in order.
        bytes: &'a [u8],
        /// The chaining value of the group that these bytes complete.
        group: Option<Digest>,
    },
    /// The end of an attachment.
    End {
        /// The request.
        request: u32,
        /// The digest that its sender gave, if it gave one, to be verified before anyone is told
        /// that the attachment is complete; or why it was broken off.
        outcome: Result<Option<Digest>, Code>,
    },
    /// More of an attachment may be sent.
    Credit {
        /// The request.
        request: u32,
        /// The position in the whole from which to go on.
        from: u64,
    },
    /// The other side wants nothing more of a request: at a server neither the reply nor the rest
    /// of its attachment, at a client not the rest of the attachment that it sends. An attachment
    /// that was going out has been broken off.
    Cancelled {
        /// The request.
        request: u32,
        /// Why.
        code: Code,
    },
    /// The answer to a ping.
    Pong {
        /// What the ping carried.
        argument: u32,
    },
    /// The other side is about to end the connection.
    GoingAway {
        /// Why. Below 64 and not [`Code::NONE`]: this side broke a rule.
        code: Code,
        /// The last request that a server has taken on. Later ones were not begun.
        last: u32,
    },
}
