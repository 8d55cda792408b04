//! How much is kept of what was never finished, and for how long.

use std::time::Duration;

/// Bounds of the parts in one folder. Beyond any of them the oldest ones go; those that are being
/// received stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsPolicy {
    /// How long a part is kept after its last byte came. Default: 24 h, so that what was cut in
    /// the evening can go on the next day.
    pub keep: Duration,

    /// Parts at most. Default: 256.
    pub max_parts: usize,

    /// Bytes of all parts at most. Default: 64 GiB, three of the largest attachments that
    /// [`Limits`](crate::Limits) take unless told otherwise.
    pub max_bytes: u64,
}

impl Default for PartsPolicy {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(24 * 60 * 60),
            max_parts: 256,
            max_bytes: 64 * 1024 * 1024 * 1024,
        }
    }
}
