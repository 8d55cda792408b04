//! How much a peer may ask of us.

use std::time::Duration;

/// Every limit on one connection. Plain data, all on by default. A time of `Duration::MAX` is none.
///
/// ```
/// use std::time::Duration;
/// use packetboat_framing::Limits;
///
/// let limits = Limits {
///     max_attachment_bytes: 512 * 1024 * 1024,
///     idle_time: Duration::from_secs(300),
///     ..Limits::default()
/// };
/// assert_eq!(limits.max_message_bytes, 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one message once the peer has logged in. Default: 1 MiB, ample for a command and
    /// small enough that ten thousand peers cannot fill a machine.
    pub max_message_bytes: usize,

    /// Bytes in one message before the peer has logged in. Default: 64 KiB, since a stranger only
    /// has to say who they are.
    pub max_message_bytes_before_login: usize,

    /// The fewest bytes a message may have. Default: 1, because an empty message says nothing and
    /// a stream of zeros would otherwise be an endless row of valid frames.
    pub min_message_bytes: usize,

    /// Bytes in one attachment. Default: 20 GiB, a long film in high quality.
    pub max_attachment_bytes: u64,

    /// From the first byte of a frame to the last byte of its message. Default: 10 s. It is a
    /// total, so a byte now and then does not extend it.
    pub header_time: Duration,

    /// Without a byte between two frames. Default: 120 s. A native connection is
    /// pinged long before, and dead after three times [`ping_time`](Self::ping_time).
    /// [`Limits::classic`] has more, because there people sit at a menu and nothing pings them.
    pub idle_time: Duration,

    /// The lowest rate of an attachment, in bytes per second, either way. Default: 1 KiB/s, below
    /// the worst phone line. Only time spent waiting for the peer counts.
    pub min_body_rate: u64,

    /// What [`min_body_rate`](Self::min_body_rate) is averaged over. Default: 30 s, so that a
    /// tunnel or a lift ends nothing.
    pub body_rate_window: Duration,

    /// The longest that written messages may wait for a peer that takes nothing. Default: 10 s.
    pub write_time: Duration,

    /// Bytes of an unread attachment that are thrown away to keep a connection. Default: 16 MiB,
    /// what a slow line delivers in the [`drain_time`](Self::drain_time). Beyond it a new
    /// connection is cheaper than reading on.
    pub drain_bytes: u64,

    /// Requests that one native connection may have in flight. Default: 128, twice what a busy
    /// client keeps going, and a bound on what a connection makes the server remember.
    pub max_requests: u16,

    /// The most credit for one attachment on the native wire, in bytes, out of the budget.
    /// Default: 2 MiB, so that one mebibyte is written to disk while the next arrives. It is
    /// reached by doubling from 64 KiB, as long as the attachment is read.
    pub max_window_bytes: usize,

    /// Without a frame on a native connection before the other side is asked whether it is there.
    /// Default: 20 s, which keeps the tables of routers on the way warm. After three times as long,
    /// or [`idle_time`](Self::idle_time) where that is less, the connection is closed.
    pub ping_time: Duration,

    /// Time for throwing away an unread attachment, and again for a lingering close. Default: 5 s.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 1024 * 1024,
            max_message_bytes_before_login: 64 * 1024,
            min_message_bytes: 1,
            max_attachment_bytes: 20 * 1024 * 1024 * 1024,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(120),
            min_body_rate: 1024,
            body_rate_window: Duration::from_secs(30),
            write_time: Duration::from_secs(10),
            drain_bytes: 16 * 1024 * 1024,
            max_requests: 128,
            max_window_bytes: 2 * 1024 * 1024,
            ping_time: Duration::from_secs(20),
            drain_time: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// The defaults of the classic wire: idle for 30 minutes, as long as a session.
    pub fn classic() -> Self {
        Self {
            idle_time: Duration::from_secs(30 * 60),
            ..Self::default()
        }
    }
}
