//! A room on this node: one task that owns its members, takes what the broker delivers and hands
//! it to each member's queue.
//!
//! ```text
//!             commands: join, leave, catch up
//!                 │
//!  broker ────▶ room ────▶ queue ────▶ the task of a connection ────▶ wire
//!    ▲            │          │ full, and the push waits
//!    └─ history ◀─┴──────────┘ when there is room again: catch up
//! ```
//!
//! A member that falls behind costs nothing: what it has not got stands in the history, which all
//! share. It catches up from there, as one does who comes again with a position.

mod alone;
mod attendance;
mod catching_up;
mod task;

use tokio::sync::oneshot;

use std::sync::Arc;

use crate::connection::ConnectionId;
use crate::push::broker::Publication;
use crate::push::error::PushError;
use crate::push::outbox::Outbox;
use crate::push::position::Position;
use crate::push::presence::Present;

pub(crate) use task::Task;

/// What is asked of a room. The queue of these is not bounded by itself: a connection has at most
/// one of each on its way.
pub(crate) enum Command {
    Join(Box<Joining>),
    Leave {
        connection: ConnectionId,
        done: Option<oneshot::Sender<()>>,
    },
    /// This member's queue has room again.
    CatchUp(ConnectionId),
    /// Hand this to the members on this node alone, and tell to how many. Whoever asks waits for
    /// the answer, so that it asks once at a time.
    Local {
        publication: Publication,
        /// Whether the room would have kept it: then its readers are told of a gap.
        is_kept: bool,
        handed: oneshot::Sender<usize>,
    },
    /// Tell who of this node is present.
    Present(oneshot::Sender<Vec<Present>>),
    /// Tell up to where all has been handed out.
    Position(oneshot::Sender<Position>),
    /// Tell when all up to this position has been handed to the members' queues.
    Reach(Position, oneshot::Sender<()>),
    /// Everybody leaves, and the room ends.
    Stop,
}

pub(crate) struct Joining {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) after: Option<Position>,
    pub(crate) present: Option<Present>,
    pub(crate) joined: oneshot::Sender<Result<Position, PushError>>,
}

impl Command {
    pub(crate) fn leave(connection: ConnectionId, done: Option<oneshot::Sender<()>>) -> Self {
        Self::Leave { connection, done }
    }
}
