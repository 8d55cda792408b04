//! Who may open a WebSocket, and what it takes along.

use std::fmt;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

use crate::extensions::Extensions;

/// Takes a value over from a request.
type Carry = fn(&http::Extensions, &mut Extensions);

/// Who may open a WebSocket by [`socket`](crate::web::socket), and what its handlers are told of
/// the request that opened it.
///
/// A browser sends the cookies of a site with every request to it, whichever page makes the
/// request, and no rule of the browser keeps a page of another site from opening a WebSocket. What
/// tells the two apart is the `Origin` that the browser itself puts into the request. By default it
/// has to name the host to which the request goes, as for a page that came from this very server.
///
/// The host is what the `Host` header says. A name that an attacker has pointed at this server's
/// address (DNS rebinding) passes that rule: a server that trusts its network, on a loopback address
/// for instance, names its origins and calls [`same_host`](Self::same_host) with `false`.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a socket is made with them"]
pub struct SocketOptions {
    origins: Vec<Origin>,
    same_host: bool,
    any: bool,
    without: bool,
    carried: Vec<Carry>,
    id_key: &'static str,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SocketOptions {
    /// Pages of the same host alone.
    pub const fn new() -> Self {
        Self {
            origins: Vec::new(),
            same_host: true,
            any: false,
            without: false,
            carried: Vec::new(),
            id_key: "id",
        }
    }

    /// Lets pages of this origin in, too: `https://example.org`, or `http://localhost:8080`. It is
    /// compared whole; a page of another port or scheme is of another origin.
    ///
    /// # Panics
    ///
    /// If it is no origin: without a scheme, or with a path.
    pub fn origin(mut self, origin: &str) -> Self {
        match Origin::parse(origin) {
            Some(parsed) => self.origins.push(parsed),
            None => panic!("{origin:?} is no origin: it is a scheme, ://, a host and maybe a port"),
        }
        self
    }

    /// Whether pages of the host to which the request goes are let in. Default: they are.
    pub const fn same_host(mut self, allowed: bool) -> Self {
        self.same_host = allowed;
        self
    }

    /// Lets pages of every origin in, a sandboxed one's `null` included. Whoever is logged in by a
    /// cookie is then at the mercy of every page that they visit; with a token in each message, or
    /// where nobody logs in, this is harmless.
    pub const fn any_origin(mut self) -> Self {
        self.any = true;
        self
    }

    /// Lets in who sends no `Origin` at all: programs, which are no browsers and which no page can
    /// make send what it likes.
    pub const fn without_origin(mut self) -> Self {
        self.without = true;
        self
    }

    /// Takes the value of this type that a layer has put into the request's extensions along, for
    /// [`Upgraded`](crate::web::Upgraded) and [`Call::upgraded`](crate::Call::upgraded).
    ///
    /// Only what is named is kept, since it stays for as long as the WebSocket does.
    pub fn carry<T: Clone + Send + Sync + 'static>(mut self) -> Self {
        self.carried.push(|from, to| {
            if let Some(value) = from.get::<T>() {
                to.insert(value.clone());
            }
        });
        self
    }

    /// The key under which a text message has the name that its answer repeats. Default: `id`.
    /// Messages that have a field of that name themselves need another.
    ///
    /// # Panics
    ///
    /// If it is a key that means something else: `type`, `session`, `reply` or `error`.
    pub const fn id_key(mut self, key: &'static str) -> Self {
        assert!(
            !matches!(
                key.as_bytes(),
                b"type" | b"session" | b"reply" | b"error" | b""
            ),
            "the key of the id means something else already"
        );
        self.id_key = key;
        self
    }

    pub(super) const fn text_id_key(&self) -> &'static str {
        self.id_key
    }

    /// What is taken along of a request.
    pub(super) fn carried(&self, from: &http::Extensions) -> Option<Extensions> {
        let mut carried = Extensions::new();
        for carry in &self.carried {
            carry(from, &mut carried);
        }
        (!self.carried.is_empty()).then_some(carried)
    }

    /// Whether a request with these headers may open a WebSocket.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let (Some(first), None) = (origins.next(), origins.next()) else {
            // Two of them come from no browser.
            return self.without && headers.get(ORIGIN).is_none();
        };
        if self.any {
            return true;
        }
        let Some(origin) = first.to_str().ok().and_then(Origin::parse) else {
            return false;
        };
        self.origins.contains(&origin) || self.same_host && origin.is_of_host(headers)
    }
}

/// A scheme, a host and a port.
#[derive(Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        if scheme.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = host_and_port(authority)?;
        let port = port.or_else(|| default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Whether it is the host of a request, which has no scheme: without a port it is that of the
    /// origin's.
    fn is_of_host(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Some((host, port)) = host.to_str().ok().and_then(host_and_port) else {
            return false;
        };
        let is_web = self.scheme == "http" || self.scheme == "https";
        is_web && host == self.host && port.or_else(|| default_port(&self.scheme)) == self.port
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let uri: Uri = authority.parse().ok()?;
    let parsed = uri.authority()?;
    if parsed.as_str() != authority || parsed.as_str().contains('@') {
        return None;
    }
    let host = parsed.host();
    let port = match authority.strip_prefix(host)? {
        "" => None,
        rest => Some(rest.strip_prefix(':')?.parse().ok()?),
    };
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(origin: Option<&str>, host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).expect("a value"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).expect("a value"));
        }
        headers
    }

    #[test]
    fn an_origin_is_compared_whole() {
        let options = SocketOptions::new()
            .origin("https://Example.org")
            .same_host(false);
        for (origin, admitted) in [
            ("https://example.org", true),
            ("https://example.org:443", true),
            ("HTTPS://EXAMPLE.ORG", true),
            ("http://example.org", false),
            ("https://example.org:8443", false),
            ("https://example.org.evil.net", false),
            ("https://evil-example.org", false),
            ("https://example.org/", false),
            ("https://example.org@evil.net", false),
            ("https://evil.net/https://example.org", false),
            ("example.org", false),
            ("null", false),
            ("", false),
        ] {
            let headers = headers(Some(origin), "example.org");
            assert_eq!(options.admits(&headers), admitted, "{origin}");
        }
        assert!(!options.admits(&headers(None, "example.org")));
    }

    #[test]
    fn the_host_of_the_request_is_an_origin_by_default() {
        let options = SocketOptions::new();
        for (origin, host, admitted) in [
            ("http://127.0.0.1:7878", "127.0.0.1:7878", true),
            ("http://[::1]:7878", "[::1]:7878", true),
            ("https://example.org", "example.org", true),
            ("https://example.org", "example.org:443", true),
            ("http://example.org", "example.org:443", false),
            ("https://example.org", "EXAMPLE.org", true),
            ("http://127.0.0.1:7878", "127.0.0.1:7879", false),
            ("http://localhost:7878", "127.0.0.1:7878", false),
            ("https://example.org", "example.org.", false),
            ("file://example.org", "example.org", false),
            ("null", "null", false),
        ] {
            let headers = headers(Some(origin), host);
            assert_eq!(options.admits(&headers), admitted, "{origin} at {host}");
        }
    }

    #[test]
    fn what_is_no_browser_has_to_be_allowed() {
        let none = headers(None, "example.org");
        assert!(SocketOptions::new().without_origin().admits(&none));
        assert!(!SocketOptions::new().any_origin().admits(&none));
        let foreign = headers(Some("https://evil.net"), "example.org");
        assert!(!SocketOptions::new().without_origin().admits(&foreign));
        assert!(SocketOptions::new().any_origin().admits(&foreign));
        let mut twice = headers(Some("https://example.org"), "example.org");
        twice.append(ORIGIN, HeaderValue::from_static("https://evil.net"));
        assert!(
            !SocketOptions::new()
                .any_origin()
                .without_origin()
                .admits(&twice)
        );
    }

    #[test]
    #[should_panic(expected = "is no origin")]
    fn what_is_no_origin_is_refused_at_the_start() {
        let _ = SocketOptions::new().origin("https://example.org/chat");
    }
}
