//! A connection that speaks HTTP, until it closes or becomes a WebSocket.

mod body;
mod io;

use std::convert::Infallible;
use std::error::Error as _;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use packetboat_framing::{Error, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tower_service::Service;

use crate::carried::Carried;
use crate::carrier::Carrier;
use crate::connection::Peer;
use crate::driver::{Held, Shared};
use crate::error::Disconnect;
use crate::web::handshake::Seat;
use crate::web::socket::Opened;
use body::Timed;
use io::HttpIo;

/// How a connection of HTTP ended.
pub(crate) enum Ended {
    Over(Disconnect),
    Upgraded(Box<Opened>),
}

/// What answers the requests of a connection.
#[derive(Clone)]
struct Answering {
    router: Router,
    peer: Peer,
    seat: Seat,
    limits: Limits,
}

/// Serves a connection of which these bytes have been read.
pub(crate) async fn serve_http(
    shared: &Shared,
    peer: Peer,
    held: Held,
    bytes: &[u8],
    carrier: Box<dyn Carrier>,
) -> Ended {
    let Some(site) = &shared.web else {
        unreachable!("HTTP is told apart only where it is served")
    };
    let (limits, wire) = (&shared.limits.web, &shared.limits.wire);
    let seat = Seat::default();
    let answering = Answering {
        router: site.router.clone(),
        peer: peer.clone(),
        seat: seat.clone(),
        limits: wire.clone(),
    };
    let service = hyper::service::service_fn(move |request| answering.clone().answer(request));
    let io = TokioIo::new(HttpIo::new(bytes, carrier, wire.write_time, held));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.max_head_bytes.max(8 * 1024))
        .max_headers(limits.max_headers)
        .serve_connection(io, service)
        .with_upgrades();

    let mut stopping = shared.stopping.clone();
    let mut told = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut connection => break ended,
            _ = stopping.wait_for(|stop| *stop), if !told => {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        let disconnect = reason(&error, shared);
        // Unread bytes would turn the close into a reset, and a reset eats the answer.
        if error.is_parse()
            && let Some(parts) = connection.into_parts()
        {
            let (_, carrier, _held) = parts.io.into_inner().into_parts();
            linger(carrier, wire).await;
        }
        return Ended::Over(disconnect);
    }
    // It has ended in good order: what there is to know about an upgrade is known by now.
    let ticket = seat.take();
    drop(connection);
    let upgraded = ticket.and_then(|ticket| {
        let upgraded = ticket.upgrade.now_or_never()?.ok()?;
        let parts = upgraded.downcast::<TokioIo<HttpIo>>().ok()?;
        Some((parts, Carried::new(ticket.carried), ticket.id_key))
    });
    let Some((parts, carried, id_key)) = upgraded else {
        return Ended::Over(match told {
            true => Disconnect::Stopped,
            false => Disconnect::Closed,
        });
    };
    let (unread, carrier, held) = parts.io.into_inner().into_parts();
    let mut read = parts.read_buf.to_vec();
    read.extend_from_slice(&unread);
    Ended::Upgraded(Box::new(Opened::new(
        peer, held, carrier, read, carried, id_key,
    )))
}

impl Answering {
    async fn answer(mut self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if let Some(text) = malformed(&request) {
            let mut refusal = plain(StatusCode::BAD_REQUEST, text);
            refusal
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(refusal);
        }
        // One that was refused by a layer in front of it, after all.
        drop(self.seat.take());
        let limits = &self.limits;
        let mut request = request.map(|body| Body::new(Timed::new(body, limits)));
        let extensions = request.extensions_mut();
        if let Some(addr) = self.peer.addr() {
            extensions.insert(ConnectInfo(addr));
        }
        extensions.insert(self.peer);
        extensions.insert(self.seat);
        let answering = async { self.router.call(request).await };
        match AssertUnwindSafe(answering).catch_unwind().await {
            Ok(Ok(response)) => Ok(response),
            // The panic's own text may hold anything, so it is left to the panic hook.
            Err(_panic) => {
                tracing::error!("a handler of HTTP panicked");
                let text = "something went wrong on the server";
                Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, text))
            }
        }
    }
}

/// What hyper lets pass, and two servers in a row could read as two different requests.
fn malformed<B>(request: &Request<B>) -> Option<&'static str> {
    let (headers, version) = (request.headers(), request.version());
    // RFC 9112, 3.2.
    if headers.get_all(HOST).iter().count() > 1 {
        return Some("more than one `Host`");
    }
    if version == Version::HTTP_11 && !headers.contains_key(HOST) {
        return Some("no `Host`");
    }
    // RFC 9112, 6.1. Where there is a length as well, hyper takes the chunks, and closes behind them.
    if version < Version::HTTP_11 && headers.contains_key(TRANSFER_ENCODING) {
        return Some("`Transfer-Encoding` in HTTP/1.0");
    }
    None
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// Why a connection failed.
fn reason(error: &hyper::Error, shared: &Shared) -> Disconnect {
    let (web, wire) = (&shared.limits.web, &shared.limits.wire);
    if error.is_timeout() {
        let after = web.head_time;
        return Disconnect::Failed(Error::HeaderTimeout { after });
    }
    if error.is_parse() {
        return Disconnect::Failed(Error::InvalidHeader {
            reason: "no request of HTTP/1.1",
            hint: None,
        });
    }
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>());
    match io.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::TimedOut) => Disconnect::Failed(Error::WriteTimeout {
            after: wire.write_time,
        }),
        Some(kind) => Disconnect::Failed(Error::Io(kind.into())),
        // Of a request that its peer broke off, and of an answer that the application did.
        None => Disconnect::Failed(Error::Io(std::io::Error::other(error.to_string()))),
    }
}

/// Shuts the write side and throws away what comes, for a while.
pub(super) async fn linger(mut carrier: Box<dyn Carrier>, limits: &Limits) {
    let lingering = async {
        carrier.shutdown().await?;
        let mut left = limits.drain_bytes;
        let mut space = [0; 1024];
        while left > 0 {
            match carrier.read(&mut space).await? {
                0 => break,
                n => left = left.saturating_sub(n as u64),
            }
        }
        Ok::<_, std::io::Error>(())
    };
    // In a box: the space for what is thrown away would stay in the connection's future.
    let _ = timeout(limits.drain_time, Box::pin(lingering)).await;
}
