//! HTTP and WebSocket on the server's port.
//!
//! [`Server::web`](crate::Server::web) answers HTTP/1.1 by an `axum::Router` beside everything else
//! that the port serves, and [`socket`] is the route by which the dispatcher's handlers are reached
//! from a page.
//!
//! ```no_run
//! # use packetboat_dispatch::{Dispatcher, Error};
//! # async fn f(dispatcher: Dispatcher<()>) -> Result<(), Error> {
//! use axum::{Router, routing::get};
//! use packetboat_dispatch::{Server, web::{self, SocketOptions}};
//!
//! let router = Router::new()
//!     .route("/", get(|| async { "a page" }))
//!     .route("/socket", web::socket(SocketOptions::new().origin("https://example.org")));
//! Server::bind("127.0.0.1:7878").await?.web(router).serve(dispatcher).await
//! # }
//! ```
//!
//! # HTTP
//!
//! A connection that begins with a method is one of HTTP; inside of TLS ALPN says so, too
//! (`http/1.1`). HTTP/2 is not spoken: its preface is closed. A request sees
//! `Extension<`[`Peer`](crate::Peer)`>` and, over TCP, `ConnectInfo<SocketAddr>`. Its limits are
//! [`WebLimits`] and those of axum. A handler that panics is answered for with 500.
//!
//! A request that two servers in a row could read as two different ones is refused with 400, and its
//! connection closed: two hosts or none, chunks in HTTP/1.0, and whatever hyper refuses. Of one with a
//! length and chunks the chunks count, and its connection is closed behind the answer.
//!
//! Files are served by tower-http's `ServeFile` and `ServeDir`, behind the layer [`ranges`], without
//! which they look at no `If-Range` and answer a request for several ranges with 416.
//!
//! # WebSocket
//!
//! No extension and no subprotocol is agreed upon: compression costs memory for as long as a connection
//! lives, and lets a stranger choose how much of it.
//!
//! The first message decides what a connection speaks. A later one of the other kind ends it with
//! 1003.
//!
//! ## Binary
//!
//! Binary messages are the native wire, cut into messages anywhere: its preface, its frames, with
//! attachments, credit, pushes and resuming. [`NativeClient::connect_websocket`] is a client of it in
//! Rust.
//!
//! ## Text
//!
//! A text message is one message of the application, with an `id` that its answer repeats:
//!
//! ```json
//! {"id": 7, "type": "login", "name": "ann", "password": "..."}
//! {"id": 7, "reply": {"session": "..."}}
//! {"id": 8, "type": "delete", "session": "...", "film": 3}
//! {"id": 8, "error": {"code": "forbidden", "msg": "not allowed"}}
//! ```
//!
//! - The `id` is an integer up to 2^53 either side of zero, or a string of at most 64 bytes. It comes
//!   back as it was written, and is the client's alone: the handler does not see it. A message
//!   without one is answered without one. Where messages have an `id` of their own,
//!   [`SocketOptions::id_key`] chooses another key.
//! - Any number may be sent before the first is answered, and answers come in any order.
//!   [`max_requests`](packetboat_framing::Limits::max_requests) are in work at a time; what comes
//!   beyond is read later.
//! - Text carries no attachment. A message whose reply has one is refused with `binary_needed`
//!   ([`code::BINARY_NEEDED`](crate::rejection::code::BINARY_NEEDED)) before its handler is asked.
//! - Pushes and gap notices come as [`push`](crate::push) has them, and have no `id`:
//!   `{"type":"said","room":"lobby","epoch":"7f3a","seq":41,"data":{"text":"hello"}}`.
//! - Sessions are as on every wire: the `session` of a message. Those that were made with `keep`
//!   outlive the connection.
//!
//! ## Who may open one
//!
//! A page of the same host, by default; [`SocketOptions`] says why and who else. What a layer of the
//! router has found out about the request, whose cookie it is for instance, reaches handlers as
//! [`Upgraded`]. **A cookie alone is no authentication**: it comes with the requests of every page, and
//! only the check of the origin tells them apart. With [`any_origin`](SocketOptions::any_origin) no
//! cookie may count.
//!
//! ## How one ends
//!
//! | code | |
//! | --- | --- |
//! | 1001 | the server is stopping; what had begun has been answered |
//! | 1002 | not the protocol, or not the native wire |
//! | 1003 | text and binary on one connection |
//! | 1007 | text that is not UTF-8 |
//! | 1008 | a message that did not come whole in time, no answer to a ping, pushes that were not read |
//! | 1009 | a message over the limit: [`max_message_bytes`](packetboat_framing::Limits::max_message_bytes), and before a login `max_message_bytes_before_login`; of a binary connection also each piece |
//! | 1011 | something failed on the server |
//!
//! After [`ping_time`](packetboat_framing::Limits::ping_time) of silence the server sends a ping of
//! WebSocket, and closes when nothing comes for twice as long. A message has
//! [`header_time`](packetboat_framing::Limits::header_time) to come in, and a second more for each
//! [`min_body_rate`](packetboat_framing::Limits::min_body_rate) bytes of it. A peer that takes nothing
//! for [`write_time`](packetboat_framing::Limits::write_time) is closed.
//!
//! In logs and metrics such a connection is `websocket`; to handlers its
//! [`Wire`](crate::Wire) is the native one, which it carries.
//!
//! [`NativeClient::connect_websocket`]: crate::NativeClient::connect_websocket

mod handshake;
mod http;
mod limits;
mod options;
mod ranges;
mod socket;
mod stall;
mod upgraded;

pub use axum;
pub use handshake::socket;
pub use limits::WebLimits;
pub use options::SocketOptions;
pub use ranges::ranges;
pub use upgraded::Upgraded;

pub(crate) use self::http::{Ended, serve_http};
pub(crate) use self::socket::{Opened, client_halves, serve_socket};

use std::sync::Arc;

use packetboat_framing::Limits;

/// What answers HTTP on a server's port.
pub(crate) struct Site {
    router: axum::Router,
    wire: Arc<Limits>,
    /// Of the native wire inside of a WebSocket.
    inner: Limits,
}

impl Site {
    pub(crate) fn new(router: axum::Router, wire: &Limits) -> Self {
        let inner = socket::inner_limits(wire);
        let wire = Arc::new(wire.clone());
        Self {
            router,
            wire,
            inner,
        }
    }
}
