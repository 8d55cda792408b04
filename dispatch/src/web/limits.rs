//! How much HTTP a server takes, and for how long.

use std::time::Duration;

/// The limits of HTTP on a server's port: part of [`Limits`](crate::Limits). What the limits of the
/// wire say holds as well: an answer that its peer does not take for
/// [`write_time`](packetboat_framing::Limits::write_time) ends the connection, and so does a body
/// that comes slower than [`min_body_rate`](packetboat_framing::Limits::min_body_rate).
///
/// How long a body may be is said by axum's `DefaultBodyLimit`, 2 MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebLimits {
    /// Without a single byte on a new connection, on a port that serves HTTP and no classic wire.
    /// Default: 10 s. Clients of HTTP and of the native wire speak first. Where the classic wire is
    /// served, whose people connect and sit at a menu, the wire's
    /// [`idle_time`](packetboat_framing::Limits::idle_time) is in its place.
    pub first_byte_time: Duration,

    /// From when a request may begin until all of its head has come: how long a connection is kept
    /// between two requests, and how slowly a head may come. Default: 5 s, as common servers have it.
    pub head_time: Duration,

    /// Bytes of a request's head, at least 8 KiB. Default: 16 KiB, since a browser with many cookies
    /// needs more than 8.
    pub max_head_bytes: usize,

    /// Headers of a request. Default: 100.
    pub max_headers: usize,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            first_byte_time: Duration::from_secs(10),
            head_time: Duration::from_secs(5),
            max_head_bytes: 16 * 1024,
            max_headers: 100,
        }
    }
}
