//! Why a push, or joining a room, did not happen.

use crate::push::broker::BrokerError;
use crate::push::presence::PresenceError;
use crate::rejection::{Rejection, code};

/// Why a push, or joining a room, did not happen.
///
/// In a handler `?` turns it into a rejection: `push_unavailable`, `too_many_rooms` or
/// `shutting_down` where the peer can do something about it, else `internal`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The room's name is empty or longer than 255 bytes.
    #[error("a room's name has 1 to 255 bytes, and this one {len}")]
    BadRoom {
        /// Its length.
        len: usize,
    },

    /// The broker failed.
    #[error("the broker failed")]
    Broker(#[from] BrokerError),

    /// What a room does not keep has nowhere to wait.
    #[error("a push that is not kept cannot wait: drop it, keep the latest, or disconnect")]
    CannotWait,

    /// The connection is over.
    #[error("the connection is over")]
    Closed,

    /// The message cannot be serialised.
    #[error("the message cannot be serialised")]
    Message(#[source] serde_json::Error),

    /// No such connection on this node.
    #[error("no such connection on this node")]
    NotHere,

    /// Who is present could not be said.
    #[error("the presence store failed")]
    Presence(#[from] PresenceError),

    /// The hub is stopping.
    #[error("the hub is stopping")]
    Stopped,

    /// The message is longer than [`PushLimits::message_bytes`](crate::push::PushLimits).
    #[error("the message has {len} bytes, and {max} are allowed")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },

    /// The connection has as many tasks as it may.
    #[error("{max} tasks are tied to the connection")]
    TooManyTasks {
        /// The limit.
        max: usize,
    },

    /// The connection is in as many rooms as it may be.
    #[error("the connection is in {max} rooms")]
    TooManyRooms {
        /// The limit.
        max: usize,
    },

    /// The connection's wire has no pushes: the classic one, on which whatever comes is read as
    /// the next reply; or it has not shown its wire yet.
    #[error("the connection's wire has no pushes")]
    Unavailable,
}

impl PushError {
    /// What the peer may read of it, where there is something.
    pub(crate) fn refusal(&self) -> Option<Rejection> {
        Some(match self {
            Self::Stopped => Rejection::ours(code::SHUTTING_DOWN, "the server is stopping"),
            Self::TooManyRooms { max } => {
                let text = format!("at most {max} rooms at a time");
                Rejection::ours(code::TOO_MANY_ROOMS, text).naming(&max.to_string())
            }
            Self::Unavailable => Rejection::ours(
                code::PUSH_UNAVAILABLE,
                "the server can speak first on the native wire only",
            ),
            _ => return None,
        })
    }
}
