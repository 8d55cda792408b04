//! How much pushes may cost.

use std::time::Duration;

use crate::push::broker::Keep;

/// Every limit of a [`Hub`](crate::push::Hub). Plain data, all on by default.
#[derive(Clone, Debug)]
pub struct PushLimits {
    /// Bytes of one push's message. Default: 64 KiB; a push announces, and is no way to send files.
    pub message_bytes: usize,

    /// Pushes that wait for one reader, and again for those of
    /// [`KeepLatest`](crate::push::SlowReader::KeepLatest). Default: 256, some seconds of a lively
    /// room.
    pub queued: usize,

    /// Bytes of the pushes that wait for one reader, and again for those of `KeepLatest`. Default:
    /// 256 KiB, so that a hundred stopped readers cost no more than 50 MiB. A single push may be
    /// larger.
    pub queued_bytes: usize,

    /// Rooms that one connection may be in. Default: 64.
    pub rooms: usize,

    /// Tasks tied to one connection. Default: 16.
    pub tasks: usize,

    /// What a room keeps for those who come again. Default: that of [`Keep`].
    pub keep: Keep,

    /// Between two signs of life of those who are present. Default: 20 s. Who gives none for three
    /// times as long has left: a node that is gone leaves no ghosts for more than a minute.
    pub heartbeat: Duration,

    /// Between two looks at whether the broker has lost a message on the way. Default: 25 s.
    pub check: Duration,
}

impl Default for PushLimits {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            queued: 256,
            queued_bytes: 256 * 1024,
            rooms: 64,
            tasks: 16,
            keep: Keep::default(),
            heartbeat: Duration::from_secs(20),
            check: Duration::from_secs(25),
        }
    }
}
