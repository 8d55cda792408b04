//! A WebSocket on which the native driver serves the dispatcher's handlers.

mod clock;
mod halves;
mod over;
mod pipe;
mod stream;
mod text;

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use packetboat_framing::Limits;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tracing::Span;

use crate::carried::Carried;
use crate::carrier::Carrier;
use crate::connection::Peer;
use crate::driver::{Held, Shared, Unordered};
use crate::error::Disconnect;
use crate::metrics::Connection;
use crate::web::http::linger;
use crate::wire::{Speaks, Wire};
use halves::{ReadHalf, WriteHalf};
use over::farewell;
use stream::{Service, Socket};

/// Bytes of one message that a client takes at least.
const MAX_PIECE: usize = 1024 * 1024;

/// A connection that has become a WebSocket.
pub(crate) struct Opened {
    peer: Peer,
    held: Held,
    carrier: Box<dyn Carrier>,
    /// Bytes that were read behind the request.
    read: Vec<u8>,
    carried: Carried,
    id_key: &'static str,
    counted: Option<Connection>,
}

impl Opened {
    pub(super) fn new(
        peer: Peer,
        held: Held,
        carrier: Box<dyn Carrier>,
        read: Vec<u8>,
        carried: Carried,
        id_key: &'static str,
    ) -> Self {
        Self {
            peer,
            held,
            carrier,
            read,
            carried,
            id_key,
            counted: None,
        }
    }

    /// It goes on as this connection.
    pub(crate) fn counted_as(&mut self, mut counted: Connection) {
        counted.speaks(Speaks::WebSocket);
        self.counted = Some(counted);
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The span of its task.
    pub(crate) fn span(&self) -> Span {
        let addr = self.peer.addr();
        let addr = addr.map_or_else(|| "unix".to_owned(), |addr| addr.to_string());
        let wire = Speaks::WebSocket.as_str();
        tracing::info_span!("connection", id = %self.peer.id(), addr, wire)
    }
}

/// The limits of the native wire inside of a WebSocket, which has a ping of its own.
pub(super) fn inner_limits(wire: &Limits) -> Limits {
    Limits {
        ping_time: Duration::MAX,
        idle_time: Duration::MAX,
        // Looked at where bytes leave: an answer is written as a whole message, and a peer may take
        // a long one slowly.
        write_time: Duration::MAX,
        ..wire.clone()
    }
}

/// The two halves of a client's WebSocket.
pub(crate) fn client_halves(carrier: Box<dyn Carrier>, limits: &Limits) -> (ReadHalf, WriteHalf) {
    // A message is a piece of the wire, and a server may choose how large a one.
    let max_message = limits.max_message_bytes.max(MAX_PIECE);
    halves::Shared::new(Socket::client(carrier, Vec::new(), max_message)).halves()
}

/// Serves a WebSocket to its end.
pub(crate) async fn serve_socket(shared: &Shared, mut opened: Box<Opened>) -> Disconnect {
    tracing::debug!("upgraded");
    let counted = opened.counted.take();
    let (socket, mut driver) = begin(shared, *opened);
    let running = AssertUnwindSafe(Box::pin(driver.run())).catch_unwind();
    let disconnect = running.await.unwrap_or(Disconnect::Panicked);
    // Its pushes end with it, and its sessions.
    drop(driver);
    Box::pin(part(socket, disconnect, counted, &shared.limits.wire)).await
}

type Driver<'a> = Unordered<'a, ReadHalf, WriteHalf>;

/// Not within the task, whose future would have room for all that passes through here.
fn begin(shared: &Shared, opened: Opened) -> (halves::Shared, Box<Driver<'_>>) {
    let Opened {
        peer,
        held,
        carrier,
        read,
        carried,
        id_key,
        ..
    } = opened;
    let Some(site) = &shared.web else {
        unreachable!("an upgrade begins with HTTP")
    };
    let service = Service {
        app: shared.app.clone(),
        peer: peer.clone(),
        limits: Arc::clone(&site.wire),
        id_key,
    };
    let socket = halves::Shared::new(Socket::server(carrier, read, service));
    let caller = shared.app.answering().connect(peer, Wire::Native);
    let driver = Unordered::new(shared, &site.inner, caller, held, socket.halves(), &[]);
    (socket, Box::new(driver.with_carried(carried)))
}

/// Says why, and waits for a while until the peer has read it.
async fn part(
    socket: halves::Shared,
    disconnect: Disconnect,
    counted: Option<Connection>,
    limits: &Limits,
) -> Disconnect {
    let over = socket.lock().take_over();
    let disconnect = over.map_or(disconnect, |over| over.into_disconnect(limits));
    if let Some(counted) = counted {
        counted.closed(&disconnect);
    }
    let said = farewell(&disconnect);
    if said.is_none() && !matches!(disconnect, Disconnect::Closed) {
        return disconnect;
    }
    let mut frame = said.map(|(code, reason)| CloseFrame {
        code: code.into(),
        reason: reason.into_owned().into(),
    });
    let told = poll_fn(|cx| socket.lock().poll_farewell(cx, &mut frame));
    if timeout(limits.write_time, told).await.is_ok() {
        // Unread bytes would turn the close into a reset, and a reset eats what was said.
        let carrier = socket.lock().take_carrier();
        linger(carrier, limits).await;
    }
    disconnect
}
