//! One connection, whatever it speaks and whatever it runs over.

use packetboat_framing::{Dialect, Dialects, Error, Hint, Prefix, Reader, Verdict, Writer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tracing::Span;

use std::time::Duration;

use crate::app::Caller;
use crate::connection::Peer;
use crate::driver::{Held, Ordered, Shared, Unordered};
use crate::error::Disconnect;
use crate::metrics::Connection;
#[cfg(feature = "tls")]
use crate::server::encrypted::within_tls;
use crate::wire::{Speaks, Wire};

/// From its first byte on a connection has so long to show what it speaks.
const DECIDE: Duration = Duration::from_secs(6);

/// What a connection may begin with: on a port, or inside of TLS.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    plain: bool,
    tls: bool,
}

/// What a connection begins with.
pub(super) enum Begun {
    #[cfg(feature = "web")]
    Http,
    Wire(Wire),
    /// TLS, of which the peer has owed the handshake since then.
    #[cfg(feature = "tls")]
    Tls(Instant),
}

/// How far a connection was served.
pub(super) enum Served {
    Over(Disconnect),
    /// It has become a WebSocket, which gets a task of its own: the one that it began in has room
    /// for everything that a connection may turn out to be.
    #[cfg(feature = "web")]
    Upgraded(Box<crate::web::Opened>),
}

/// Bytes that were read to tell what a connection speaks.
#[derive(Default)]
pub(super) struct Beginning {
    bytes: [u8; Dialects::MAX_BYTES],
    len: usize,
}

/// Serves a connection to its end, on the wire that it speaks, or until it is a WebSocket.
pub(super) async fn serve_one<R, W>(
    shared: &Shared,
    peer: Peer,
    held: Held,
    mut read: R,
    write: W,
) -> Served
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let mut counted = Connection::accepted();
    let mut beginning = Beginning::default();
    let begun = beginning.wait(shared, Expected::by(shared), &mut read);
    let served = match begun.await {
        Ok(Begun::Wire(wire)) => {
            let begun = (wire, beginning.bytes());
            let serving = on_wire(shared, peer, held, &mut counted, begun, (read, write));
            Served::Over(serving.await)
        }
        #[cfg(feature = "web")]
        Ok(Begun::Http) => {
            let bytes = beginning.bytes();
            on_http(shared, peer, held, &mut counted, bytes, (read, write)).await
        }
        #[cfg(feature = "tls")]
        Ok(Begun::Tls(since)) => {
            // Boxed: a plain connection does not pay for it.
            let begun = (since, beginning.bytes());
            let within = within_tls(shared, peer, held, &mut counted, begun, (read, write));
            Box::pin(within).await
        }
        Err(disconnect) => Served::Over(disconnect),
    };
    match served {
        Served::Over(disconnect) => {
            counted.closed(&disconnect);
            Served::Over(disconnect)
        }
        #[cfg(feature = "web")]
        Served::Upgraded(mut opened) => {
            opened.counted_as(counted);
            Served::Upgraded(opened)
        }
    }
}

/// Serves a connection that begins with HTTP, of which these bytes have been read.
#[cfg(feature = "web")]
pub(super) async fn on_http<R, W>(
    shared: &Shared,
    peer: Peer,
    held: Held,
    counted: &mut Connection,
    bytes: &[u8],
    (read, write): (R, W),
) -> Served
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    use crate::web::Ended;

    counted.speaks(Speaks::Http);
    Span::current().record("wire", Speaks::Http.as_str());
    let carrier = Box::new(tokio::io::join(read, write));
    // Boxed: it is larger than what an idle classic connection takes, and is gone with the upgrade.
    match Box::pin(crate::web::serve_http(shared, peer, held, bytes, carrier)).await {
        Ended::Over(disconnect) => Served::Over(disconnect),
        Ended::Upgraded(opened) => Served::Upgraded(opened),
    }
}

/// Serves a connection of which it is known what it speaks, and these bytes have been read.
pub(super) async fn on_wire<R, W>(
    shared: &Shared,
    peer: Peer,
    held: Held,
    counted: &mut Connection,
    (wire, bytes): (Wire, &[u8]),
    (read, write): (R, W),
) -> Disconnect
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    let speaks = Speaks::Wire(wire);
    counted.speaks(speaks);
    Span::current().record("wire", speaks.as_str());
    let caller = shared.app.answering().connect(peer, wire);
    match wire {
        Wire::Classic => {
            // Borrowed by its own run: a future that took it would hold it twice.
            let mut connection = ordered(shared, caller, held, (read, write), bytes);
            connection.run().await
        }
        Wire::Native => {
            // Boxed: it is larger than what an idle classic connection takes.
            let limits = &shared.limits.wire;
            let connection = Unordered::new(shared, limits, caller, held, (read, write), bytes);
            let mut connection = Box::new(connection);
            Box::pin(connection.run()).await
        }
    }
}

impl Expected {
    /// A wire alone, as inside of TLS.
    pub(super) const PLAIN: Self = Self {
        plain: true,
        tls: false,
    };

    /// What the port serves.
    #[cfg(not(feature = "tls"))]
    fn by(_: &Shared) -> Self {
        Self::PLAIN
    }

    /// What the port serves.
    #[cfg(feature = "tls")]
    fn by(shared: &Shared) -> Self {
        match &shared.tls {
            None => Self::PLAIN,
            Some(port) => Self {
                plain: !port.is_required(),
                tls: true,
            },
        }
    }

    fn dialects(self, shared: &Shared) -> Dialects {
        let all = Dialects::all(&shared.limits.wire);
        let is_served = |wire| self.plain && shared.only.is_none_or(|only| only == wire);
        Dialects {
            classic: all.classic.filter(|_| is_served(Wire::Classic)),
            http: self.plain && serves_http(shared),
            native: is_served(Wire::Native),
            tls: self.tls,
        }
    }
}

/// Whether there is anything that answers HTTP.
#[cfg(feature = "web")]
pub(super) fn serves_http(shared: &Shared) -> bool {
    shared.web.is_some()
}

/// Whether there is anything that answers HTTP.
#[cfg(not(feature = "web"))]
pub(super) const fn serves_http(_: &Shared) -> bool {
    false
}

/// A classic connection of which these bytes have been read already. Made here, since what an async
/// function makes something of stays in its future.
fn ordered<'a, R, W>(
    shared: &'a Shared,
    caller: Caller,
    held: Held,
    (read, write): (R, W),
    bytes: &[u8],
) -> Ordered<'a, R, W, Prefix>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    let limits = &shared.limits.wire;
    let mut reader = Reader::new(read, Prefix::CLASSIC, limits);
    reader.decoder_mut().feed(bytes);
    let writer = Writer::new(write, Prefix::CLASSIC, limits);
    Ordered::new(shared, caller, held, reader, writer)
}

impl Beginning {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Reads until it is known what this is. A connection that says nothing has the idle limit:
    /// people connect, and then sit at a menu. Where TLS is required it has the handshake's, for a
    /// client of TLS speaks first.
    pub(super) async fn wait<R: AsyncRead + Unpin>(
        &mut self,
        shared: &Shared,
        expected: Expected,
        read: &mut R,
    ) -> Result<Begun, Disconnect> {
        if let Some(wire) = shared.only
            && !expected.tls
            && !serves_http(shared)
        {
            return Ok(Begun::Wire(wire));
        }
        let limits = &shared.limits.wire;
        let dialects = expected.dialects(shared);
        let mut stopping = shared.stopping.clone();
        let mut since = Instant::now();
        let mut after = match expected.plain {
            #[cfg(feature = "web")]
            true if dialects.http && dialects.classic.is_none() => {
                shared.limits.web.first_byte_time.min(limits.idle_time)
            }
            true => limits.idle_time,
            false => shared.limits.tls_handshake_time,
        };
        loop {
            match dialects.detect(self.bytes()) {
                Verdict::Speaks(Dialect::Native) => return Ok(Begun::Wire(Wire::Native)),
                #[cfg(feature = "web")]
                Verdict::Speaks(Dialect::Http) => return Ok(Begun::Http),
                #[cfg(feature = "tls")]
                Verdict::Speaks(Dialect::Tls) => return Ok(Begun::Tls(since)),
                Verdict::Foreign(hint) if !expected.plain => {
                    return Err(Disconnect::Plain { hint });
                }
                // What no wire begins with is refused by a wire's decoder, which knows why.
                Verdict::Speaks(_) | Verdict::Foreign(_) => {
                    return Ok(Begun::Wire(shared.only.unwrap_or(Wire::Classic)));
                }
                Verdict::Undecided => {}
            }
            let n = tokio::select! {
                biased;
                n = read.read(&mut self.bytes[self.len..]) => n.map_err(|e| Disconnect::Failed(e.into()))?,
                _ = stopping.wait_for(|stop| *stop), if self.len == 0 => return Err(Disconnect::Stopped),
                () = until(since.checked_add(after)) => {
                    return Err(Disconnect::Failed(match self.len {
                        _ if !expected.plain => return Err(Disconnect::HandshakeTimeout { after }),
                        0 => Error::IdleTimeout { after },
                        _ => Error::HeaderTimeout { after },
                    }));
                }
            };
            if n == 0 {
                // Nothing at all is a close between two requests; the rest is cut off, and the
                // decoder says so.
                return match self.len {
                    0 => Err(Disconnect::Closed),
                    _ if !expected.plain => Err(Disconnect::Plain {
                        hint: Hint::of(self.bytes()),
                    }),
                    _ => Ok(Begun::Wire(shared.only.unwrap_or(Wire::Classic))),
                };
            }
            if self.len == 0 && expected.plain {
                since = Instant::now();
                after = limits.header_time.min(DECIDE);
            }
            self.len += n;
        }
    }
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
