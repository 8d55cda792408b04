//! One connection, whatever it speaks and whatever it runs over.

use packetboat_framing::{Dialect, Dialects, Error, Limits, Prefix, Reader, Verdict, Writer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use std::time::Duration;

use crate::connection::Peer;
use crate::driver::{Held, Ordered, Shared, Unordered};
use crate::error::Disconnect;
use crate::wire::Wire;

/// From its first byte on a connection has so long to show what it speaks.
const DECIDE: Duration = Duration::from_secs(6);

/// Bytes that were read to tell what a connection speaks.
#[derive(Default)]
struct Beginning {
    bytes: [u8; Dialects::MAX_BYTES],
    len: usize,
}

/// Serves a connection to its end, on the wire that it speaks.
pub(super) async fn serve_one<R, W>(
    shared: &Shared,
    peer: Peer,
    held: Held,
    mut read: R,
    write: W,
) -> Disconnect
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    let mut beginning = Beginning::default();
    let wire = match beginning.wire(shared, &mut read).await {
        Ok(wire) => wire,
        Err(disconnect) => return disconnect,
    };
    let bytes = &beginning.bytes[..beginning.len];
    let caller = shared.app.answering().connect(peer, wire);
    match wire {
        Wire::Classic => {
            let limits = &shared.limits.wire;
            let mut reader = Reader::new(read, Prefix::CLASSIC, limits);
            reader.decoder_mut().feed(bytes);
            let writer = Writer::new(write, Prefix::CLASSIC, limits);
            Ordered::new(shared, caller, held, reader, writer)
                .run()
                .await
        }
        Wire::Native => {
            // Boxed: it is twice as large as what an idle classic connection takes.
            let connection = Unordered::new(shared, caller, held, (read, write), bytes);
            Box::pin(connection.run()).await
        }
    }
}

impl Beginning {
    /// Reads until it is known which wire this is. A connection that says nothing has the idle
    /// limit: people connect, and then sit at a menu.
    async fn wire<R: AsyncRead + Unpin>(
        &mut self,
        shared: &Shared,
        read: &mut R,
    ) -> Result<Wire, Disconnect> {
        if let Some(wire) = shared.only {
            return Ok(wire);
        }
        let limits = &shared.limits.wire;
        let dialects = dialects(limits);
        let mut stopping = shared.stopping.clone();
        let mut after = limits.idle_time;
        let mut deadline = Instant::now().checked_add(after);
        loop {
            match dialects.detect(&self.bytes[..self.len]) {
                Verdict::Speaks(Dialect::Native) => return Ok(Wire::Native),
                // What no wire begins with is refused by the classic decoder, which knows why.
                Verdict::Speaks(_) | Verdict::Foreign(_) => return Ok(Wire::Classic),
                Verdict::Undecided => {}
            }
            let n = tokio::select! {
                biased;
                n = read.read(&mut self.bytes[self.len..]) => n.map_err(|e| Disconnect::Failed(e.into()))?,
                _ = stopping.wait_for(|stop| *stop), if self.len == 0 => return Err(Disconnect::Stopped),
                () = until(deadline) => {
                    let error = match self.len {
                        0 => Error::IdleTimeout { after },
                        _ => Error::HeaderTimeout { after },
                    };
                    return Err(Disconnect::Failed(error));
                }
            };
            if n == 0 {
                // Nothing at all is a close between two requests; the rest is cut off, and the
                // classic decoder says so.
                return match self.len {
                    0 => Err(Disconnect::Closed),
                    _ => Ok(Wire::Classic),
                };
            }
            if self.len == 0 {
                after = limits.header_time.min(DECIDE);
                deadline = Instant::now().checked_add(after);
            }
            self.len += n;
        }
    }
}

/// What a port tells apart.
fn dialects(limits: &Limits) -> Dialects {
    Dialects {
        http: false,
        tls: false,
        ..Dialects::all(limits)
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
