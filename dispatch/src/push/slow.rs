//! What happens to a push when its reader is slow.

use serde::{Deserialize, Serialize};

/// What happens to a push when the queue of a reader is full. Each push says it.
///
/// Whatever is lost of what a room keeps is told to the reader by a gap notice in its place, and
/// everything that is lost is [counted](crate::push::PushStats).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlowReader {
    /// The reader is disconnected. It may come again, and go on where it was.
    Disconnect,

    /// The oldest push that may be dropped makes room. Where there is none, this one is dropped.
    DropOldest,

    /// A push of the same room that waits under the same key is replaced by this one: of each key
    /// a slow reader gets the last. These have a queue's room of their own, in which the oldest key makes room.
    KeepLatest(String),

    /// It waits, and is lost to nobody. In a room it waits in the history, and so holds up neither
    /// its sender nor another reader; a reader that falls further behind than the history reaches
    /// is told of the gap. To one connection its sender waits.
    Wait,
}

impl SlowReader {
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::KeepLatest(key) => Some(key),
            _ => None,
        }
    }
}
