//! How much a server takes on, and for how long.

use std::time::Duration;

use packetboat_framing::Budget;

/// Every limit of a server. Plain data, all on by default. A time of `Duration::MAX` is none.
///
/// ```
/// use std::time::Duration;
/// use packetboat_dispatch::Limits;
///
/// let limits = Limits { handler_time: Duration::from_secs(5), ..Limits::default() };
/// assert_eq!(limits.connections_per_ip, 64);
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    /// The limits of each connection's frames. Default:
    /// [`Limits::classic`](packetboat_framing::Limits::classic), idle for 30 minutes. A native
    /// connection is pinged, and closed when nothing has come for three times as long, after 60 s.
    pub wire: packetboat_framing::Limits,

    /// Connections open at once. Default: 10,000; each costs a file descriptor and about 4 KiB, on
    /// the native wire 5, and through TLS about 12 KiB more. One that closed counts on while its
    /// handler is at work.
    pub connections: usize,

    /// Connections open at once from one IP address. Default: 64; a classroom shares one address,
    /// and a flood from one machine must not take every place.
    pub connections_per_ip: usize,

    /// A handler's own time: the clock stands while it waits for its upload, and its reply goes
    /// out after it has ended. Default: 30 s, beyond which people have long given up.
    pub handler_time: Duration,

    /// From a connection's first byte, or on a port where TLS is required from when it is accepted,
    /// until TLS has shaken hands. Default: 5 s; it takes two round trips and a millisecond of work,
    /// and whoever stalls in it has shown nothing yet.
    pub tls_handshake_time: Duration,

    /// After a stop is asked for, how long requests that have begun may go on. Default: 30 s, what
    /// service managers commonly grant before they kill.
    pub shutdown_time: Duration,

    /// Bytes of all attachment buffers of the server together. Default: 64 MiB
    /// ([`Budget::DEFAULT_BYTES`]).
    pub attachment_buffers: usize,

    /// The limits of HTTP.
    #[cfg(feature = "web")]
    pub web: crate::web::WebLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wire: packetboat_framing::Limits::classic(),
            connections: 10_000,
            connections_per_ip: 64,
            handler_time: Duration::from_secs(30),
            tls_handshake_time: Duration::from_secs(5),
            shutdown_time: Duration::from_secs(30),
            attachment_buffers: Budget::DEFAULT_BYTES,
            #[cfg(feature = "web")]
            web: crate::web::WebLimits::default(),
        }
    }
}
