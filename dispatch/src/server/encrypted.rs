//! A connection that begins with TLS.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::connection::Peer;
use crate::driver::{Held, Shared};
use crate::error::Disconnect;
use crate::metrics::Connection;
#[cfg(feature = "web")]
use crate::server::serving::on_http;
use crate::server::serving::{Beginning, Begun, Expected, Served, on_wire, until};
use crate::wire::Speaks;

/// Shakes hands on a connection of which these bytes have been read, and serves what is inside, on
/// the wire that was agreed upon or that it begins with.
pub(super) async fn within_tls<R, W>(
    shared: &Shared,
    peer: Peer,
    held: Held,
    counted: &mut Connection,
    (since, bytes): (Instant, &[u8]),
    (read, write): (R, W),
) -> Served
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
        _ = stopping.wait_for(|stop| *stop) => return Served::Over(Disconnect::Stopped),
        () = until(since.checked_add(after)) => {
            return Served::Over(Disconnect::HandshakeTimeout { after });
        }
    };
    let mut accepted = match accepted {
        Ok(accepted) => accepted,
        Err(error) => return Served::Over(Disconnect::Handshake(error)),
    };
    peer.set_encrypted();
    let mut beginning = Beginning::default();
    let speaks = match accepted.speaks {
        Some(speaks) => speaks,
        None => {
            let begun = beginning.wait(shared, Expected::PLAIN, &mut accepted.read);
            match begun.await {
                Ok(Begun::Wire(wire)) => Speaks::Wire(wire),
                #[cfg(feature = "web")]
                Ok(Begun::Http) => Speaks::Http,
                // Inside of itself TLS is not looked for.
                Ok(Begun::Tls(_)) => return Served::Over(Disconnect::Plain { hint: None }),
                Err(disconnect) => return Served::Over(disconnect),
            }
        }
    };
    let bytes = beginning.bytes();
    let halves = (accepted.read, accepted.write);
    match speaks {
        Speaks::Wire(wire) => {
            let serving = on_wire(shared, peer, held, counted, (wire, bytes), halves);
            Served::Over(serving.await)
        }
        #[cfg(feature = "web")]
        Speaks::Http | Speaks::WebSocket => {
            on_http(shared, peer, held, counted, bytes, halves).await
        }
    }
}
