//! Who is at the other end, for as long as the connection lives.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::bell::Bell;
use crate::push::Line;

/// Names one connection of this process; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionId(u64);

impl ConnectionId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// As a number.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The other end of a connection: an extractor, and an argument of the server's hooks.
#[derive(Clone, Debug)]
pub struct Peer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: ConnectionId,
    addr: Option<SocketAddr>,
    /// Set by a login or by a session that was found good; raises the limit of a message.
    logged_in: AtomicBool,
    /// Set when TLS has shaken hands, before the first request is read.
    encrypted: AtomicBool,
    /// Set where the wire has pushes, before the first request is read.
    line: OnceLock<Line>,
}

impl Peer {
    /// A new connection from `addr`; in memory there is none.
    #[must_use]
    pub fn new(addr: Option<SocketAddr>) -> Self {
        Self {
            inner: Arc::new(Inner {
                id: ConnectionId::next(),
                addr,
                logged_in: AtomicBool::new(false),
                encrypted: AtomicBool::new(false),
                line: OnceLock::new(),
            }),
        }
    }

    /// The connection.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.inner.id
    }

    /// Where the peer speaks from; `None` in memory.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.inner.addr
    }

    /// The address without its port.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.addr().map(|addr| addr.ip())
    }

    /// Whether the connection is encrypted by the server's own TLS. What stands before the server,
    /// a tunnel or the stream that was given to `serve_stream`, is not known here. When
    /// [`Server::on_connect`](crate::Server::on_connect) runs it is not decided yet.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.inner.encrypted.load(Ordering::Relaxed)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn set_encrypted(&self) {
        self.inner.encrypted.store(true, Ordering::Relaxed);
    }

    /// Its wire has pushes, and its task hears of them by this bell.
    pub(crate) fn set_line(&self, bell: &Arc<Bell>) {
        self.inner.line.get_or_init(|| Line::new(bell));
    }

    /// Where pushes go, if its wire has any.
    pub(crate) fn line(&self) -> Option<&Line> {
        self.inner.line.get()
    }

    /// Whether somebody has shown a good session on this connection.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        self.inner.logged_in.load(Ordering::Relaxed)
    }

    /// Says whether somebody is logged in on this connection, which decides how long a message
    /// may be. The sessions of this crate call it; an application with a login of its own does.
    pub fn set_logged_in(&self, logged_in: bool) {
        self.inner.logged_in.store(logged_in, Ordering::Relaxed);
    }
}
