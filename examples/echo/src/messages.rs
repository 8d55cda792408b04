//! The messages that both sides share, and which of them a file follows.

use serde::{Deserialize, Serialize};

/// What either side says: the server answers each message with its like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Echo {
    /// A line of text.
    Line {
        /// The text.
        text: String,
    },
    /// A file, whose bytes follow this message.
    File {
        /// How many bytes follow.
        size: u64,
    },
}

/// The rule of this wire: how many bytes follow a message, `None` if it says nothing we know.
pub(crate) fn attachment(message: &[u8]) -> Option<u64> {
    match serde_json::from_slice(message).ok()? {
        Echo::Line { .. } => Some(0),
        Echo::File { size } => Some(size),
    }
}
