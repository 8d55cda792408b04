//! A connection that begins with TLS.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::connection::Peer;
use crate::driver::{Held, Shared};
use crate::error::Disconnect;
use crate::metrics::Connection;
use crate::server::serving::{Beginning, Begun, Expected, on_wire, until};

/// Shakes hands on a connection of which these bytes have been read, and serves what is inside, on
/// the wire that was agreed upon or that it begins with.
pub(super) async fn within_tls<R, W>(
    shared: &Shared,
    peer: Peer,
    held: Held,
    counted: &mut Connection,
    (since, bytes): (Instant, &[u8]),
    (read, write): (R, W),
) -> Disconnect
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let Some(port) = &shared.tls else {
        unreachable!("TLS is told apart only where it is served")
    };
    let after = shared.limits.tls_handshake_time;
    let mut stopping = shared.stopping.clone();
    let accepted = tokio::select! {
        biased;
        accepted = port.accept(bytes, read, write) => accepted,
        _ = stopping.wait_for(|stop| *stop) => return Disconnect::Stopped,
        () = until(since.checked_add(after)) => return Disconnect::HandshakeTimeout { after },
    };
    let mut accepted = match accepted {
        Ok(accepted) => accepted,
        Err(error) => return Disconnect::Handshake(error),
    };
    peer.set_encrypted();
    let mut beginning = Beginning::default();
    let wire = match accepted.wire {
        Some(wire) => wire,
        None => {
            let begun = beginning.wait(shared, Expected::PLAIN, &mut accepted.read);
            match begun.await {
                Ok(Begun::Wire(wire)) => wire,
                // Inside of itself TLS is not looked for.
                Ok(Begun::Tls(_)) => return Disconnect::Plain { hint: None },
                Err(disconnect) => return disconnect,
            }
        }
    };
    let begun = (wire, beginning.bytes());
    let halves = (accepted.read, accepted.write);
    on_wire(shared, peer, held, counted, begun, halves).await
}
