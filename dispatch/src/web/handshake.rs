//! The opening handshake: from a request of HTTP to a WebSocket.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::extensions::Extensions;
use crate::web::options::SocketOptions;

/// Characters of a key: 16 bytes in base64.
const KEY_LEN: usize = 24;

/// A WebSocket that the dispatcher serves, as a route of an ordinary router.
///
/// What stands before it in the router, a layer that looks at a cookie for instance, may refuse the
/// request before there is a WebSocket. What it carries is described at the [module](crate::web).
///
/// It answers 403 to an origin that the options do not let in, 426 to a request that asks for no
/// WebSocket or for another version than 13, and 400 to one that asks in the wrong way. Served by
/// anything but [`Server::web`](crate::Server::web) it answers 500.
///
/// ```
/// use axum::Router;
/// use packetboat_dispatch::web::{self, SocketOptions};
///
/// let router: Router = Router::new()
///     .route("/socket", web::socket(SocketOptions::new().origin("https://example.org")));
/// ```
pub fn socket<S>(options: SocketOptions) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let options = Arc::new(options);
    get(move |request: Request| {
        let answer = accept(&options, request).unwrap_or_else(Refusal::answer);
        async move { answer }
    })
}

/// Where a connection of HTTP learns that it is to become a WebSocket.
#[derive(Clone, Default)]
pub(super) struct Seat {
    // A std lock: held to put a ticket down or to take it, never across an await.
    ticket: Arc<Mutex<Option<Ticket>>>,
}

/// A WebSocket that has been agreed upon.
pub(super) struct Ticket {
    pub(super) upgrade: OnUpgrade,
    pub(super) carried: Option<Extensions>,
    pub(super) id_key: &'static str,
}

impl Seat {
    pub(super) fn take(&self) -> Option<Ticket> {
        let mut ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
        ticket.take()
    }

    fn put(&self, new: Ticket) {
        let mut ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
        *ticket = Some(new);
    }
}

/// Why a request does not become a WebSocket.
enum Refusal {
    /// It asks in a way that RFC 6455 does not allow.
    Bad(&'static str),
    Foreign,
    /// It asks for none, or for a version that is not spoken.
    NoUpgrade(&'static str),
    /// Something else than our server serves it.
    NotHere,
}

impl Refusal {
    fn answer(self) -> Response {
        let (status, text) = match self {
            Self::Bad(text) => (StatusCode::BAD_REQUEST, text),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "this origin may not open a WebSocket",
            ),
            Self::NoUpgrade(text) => (StatusCode::UPGRADE_REQUIRED, text),
            Self::NotHere => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "WebSockets are not served here",
            ),
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if status == StatusCode::UPGRADE_REQUIRED {
            // RFC 6455, 4.4: the versions that are spoken; RFC 9110, 15.5.22: the protocol.
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        response
    }
}

/// RFC 6455, 4.2.
fn accept(options: &SocketOptions, mut request: Request) -> Result<Response, Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refusal::Bad("a WebSocket is asked for by GET"));
    }
    if request.version() < Version::HTTP_11 {
        return Err(Refusal::Bad("a WebSocket needs HTTP/1.1"));
    }
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err(Refusal::NoUpgrade("this is a WebSocket"));
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::Bad("`Connection` does not say `upgrade`"));
    }
    // What stands in a body would be read as frames.
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|len| len != "0");
    if has_body {
        return Err(Refusal::Bad("a request for a WebSocket has no body"));
    }
    // Before the rest: who is foreign learns nothing else.
    if !options.admits(headers) {
        return Err(Refusal::Foreign);
    }
    match only(headers, &SEC_WEBSOCKET_VERSION) {
        Some(version) if version == "13" => {}
        _ => return Err(Refusal::NoUpgrade("the version of WebSocket is 13")),
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
    let Some(key) = key else {
        return Err(Refusal::Bad(
            "`Sec-WebSocket-Key` is not 16 bytes in base64",
        ));
    };
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::from_str(&accept).expect("base64 is ASCII");

    let extensions = request.extensions_mut();
    let (Some(seat), Some(upgrade)) = (
        extensions.remove::<Seat>(),
        extensions.remove::<OnUpgrade>(),
    ) else {
        tracing::error!("web::socket is served by something else than Server::web");
        return Err(Refusal::NotHere);
    };
    seat.put(Ticket {
        upgrade,
        carried: options.carried(extensions),
        id_key: options.text_id_key(),
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Whether a list of tokens has this one, in whatever case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tokens.any(|found| found.trim().eq_ignore_ascii_case(token))
}

/// A header's value, where it stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// Sixteen bytes in base64: 22 characters, of which the last has four bits, and two signs of
/// equality.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == KEY_LEN
        && key.ends_with(b"==")
        && key[..KEY_LEN - 2].iter().all(is_digit)
        && matches!(key[KEY_LEN - 3], b'A' | b'Q' | b'g' | b'w')
}
