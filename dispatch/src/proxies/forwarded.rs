//! What trusted proxies say of a request's client, from the nearest of them back to the first that is not trusted.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::connection::Peer;
use crate::proxies::trusted::{ForwardedHeaders, TrustedProxies};

/// Proxies that are looked at in one request. A chain is three long where it is long.
const MOST_HOPS: usize = 16;

/// Characters of a host at most, with its port.
const LONGEST_HOST: usize = 261;

const FORWARDED: HeaderName = http::header::FORWARDED;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whose request it is: an extractor of axum where the router's state has [`TrustedProxies`], and what
/// [`TrustedProxies::resolve`] gives.
///
/// ```text
///  client ----> proxy B ----> proxy A ----> here        X-Forwarded-For: forged, client, B
///               trusted       trusted, the peer
///
///  read from the right: A is trusted, so is B, which A names; B names the client, who is not: that is the client.
///  What stands left of it the client has written.
/// ```
///
/// From an address that is not trusted, nothing is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forwarded {
    client: Option<IpAddr>,
    is_https: Option<bool>,
    host: Option<String>,
    hops: usize,
}

impl Forwarded {
    /// The client's address: the connection's own where no trusted proxy names another. `None` in memory and on a Unix
    /// socket.
    #[must_use]
    pub const fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Whether the client encrypts, where a trusted proxy says so.
    #[must_use]
    pub const fn is_https(&self) -> Option<bool> {
        self.is_https
    }

    /// The host that the client asked for, with its port if it has one, where a trusted proxy says so. It has the
    /// characters of a host, and may be any.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// How many addresses were taken over from trusted proxies.
    #[must_use]
    pub const fn hops(&self) -> usize {
        self.hops
    }
}

impl TrustedProxies {
    /// Whose request this is, that came from `peer` with these headers.
    ///
    /// A proxy's word is taken for the address before it as long as the proxy is trusted. An entry that is no address
    /// (`unknown`, or a name that a proxy made up) ends the search: the client is then who is known last.
    #[must_use]
    pub fn resolve(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Forwarded {
        let mut found = Forwarded {
            client: peer.map(|ip| ip.to_canonical()),
            ..Forwarded::default()
        };
        if !peer.is_some_and(|ip| self.trusts(ip)) {
            return found;
        }
        match self.headers {
            ForwardedHeaders::XForwarded => self.by_x_forwarded(headers, &mut found),
            ForwardedHeaders::Forwarded => self.by_forwarded(headers, &mut found),
        }
        found
    }

    fn by_x_forwarded(&self, headers: &HeaderMap, found: &mut Forwarded) {
        for entry in from_the_right(headers, &X_FORWARDED_FOR).take(MOST_HOPS) {
            if !self.step(entry, found) {
                break;
            }
        }
        // The nearest proxy's word: it has seen the others', and passes it on where it means to.
        let mut proto = from_the_right(headers, &X_FORWARDED_PROTO);
        found.is_https = proto.next().and_then(is_https);
        let mut host = from_the_right(headers, &X_FORWARDED_HOST);
        found.host = host.next().and_then(as_host);
    }

    fn by_forwarded(&self, headers: &HeaderMap, found: &mut Forwarded) {
        let lines = lines_from_the_right(headers, &FORWARDED);
        let elements = lines.flat_map(|line| quoted(line, b','));
        // Where a string has no end, nothing left of it can be told apart.
        for element in elements.map_while(|element| element).take(MOST_HOPS) {
            let Some(element) = Element::parse(element) else {
                break;
            };
            // Written by a proxy that is trusted, whoever its client is.
            found.is_https = element.proto.and_then(is_https).or(found.is_https);
            found.host = element.host.and_then(as_host).or(found.host.take());
            if !element.client.is_some_and(|entry| self.step(entry, found)) {
                break;
            }
        }
    }

    /// Takes an entry over, and says whether the one before it counts too.
    fn step(&self, entry: &str, found: &mut Forwarded) -> bool {
        let Some(ip) = address(entry) else {
            return false;
        };
        found.client = Some(ip);
        found.hops += 1;
        self.trusts(ip)
    }
}

/// What one proxy says in `Forwarded`.
#[derive(Default)]
struct Element<'h> {
    client: Option<&'h str>,
    proto: Option<&'h str>,
    host: Option<&'h str>,
}

impl<'h> Element<'h> {
    /// None where it says one thing twice: a proxy that quotes nothing has then passed on what its
    /// client wrote.
    fn parse(text: &'h str) -> Option<Self> {
        let mut element = Self::default();
        for pair in quoted(text, b';') {
            let Some((name, value)) = pair?.split_once('=') else {
                continue;
            };
            let said = match name.trim().to_ascii_lowercase().as_str() {
                "for" => &mut element.client,
                "proto" => &mut element.proto,
                "host" => &mut element.host,
                _ => continue,
            };
            if said.replace(value.trim().trim_matches('"')).is_some() {
                return None;
            }
        }
        Some(element)
    }
}

impl<S: Sync> FromRequestParts<S> for Forwarded
where
    TrustedProxies: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<Peer>().and_then(Peer::ip);
        Ok(TrustedProxies::from_ref(state).resolve(peer, &parts.headers))
    }
}

/// The entries of a list, the last first, over all lines of that name. A line that is no text ends it.
fn from_the_right<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h str> + use<'h> {
    let lines = lines_from_the_right(headers, name);
    lines.flat_map(|line| line.rsplit(',')).map(str::trim)
}

fn lines_from_the_right<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h str> + use<'h> {
    let lines = headers.get_all(name).into_iter().rev();
    lines.map_while(|line| line.to_str().ok())
}

/// The parts between separators that stand in no quoted string, the last first. A string that is
/// not whole ends them with a `None`.
///
/// From the right, since the client writes the left: a quote that it opens there must not change
/// what was said behind it.
fn quoted(text: &str, separator: u8) -> impl Iterator<Item = Option<&str>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let mut in_string = false;
        for (at, byte) in text.bytes().enumerate().rev() {
            if byte == b'"' {
                let before = text.as_bytes()[..at].iter().rev();
                let is_escaped = before.take_while(|byte| **byte == b'\\').count() % 2 == 1;
                match (in_string, is_escaped) {
                    (true, true) => {}
                    (false, true) => return Some(None),
                    (_, false) => in_string = !in_string,
                }
            } else if byte == separator && !in_string {
                rest = Some(&text[..at]);
                return Some(Some(&text[at + 1..]));
            }
        }
        Some((!in_string).then_some(text))
    })
}

/// An address, with or without a port, in brackets or not.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim().trim_matches('"');
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip = bare.unwrap_or(entry).parse::<IpAddr>();
    let ip = ip.or_else(|_| entry.parse::<SocketAddr>().map(|addr| addr.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

fn is_https(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("https") => Some(true),
        _ if text.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

fn as_host(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    let is_host = !text.is_empty() && text.len() <= LONGEST_HOST && text.bytes().all(fits);
    is_host.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(["10.0.0.0/8"]).expect("a network")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    /// The client of a request from a trusted proxy.
    fn client(all: &[(&'static str, &str)]) -> String {
        let found = proxies().resolve(Some(ip("10.0.0.1")), &headers(all));
        found.client().expect("an address").to_string()
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_not_trusted() {
        for (value, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1, 10.0.0.9", "192.0.2.1"),
            ("10.0.0.8, 10.0.0.9", "10.0.0.8"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, unknown", "10.0.0.1"),
            ("6.6.6.6, , 10.0.0.9", "10.0.0.9"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(client(&[("x-forwarded-for", value)]), expected, "{value}");
        }
        // Several lines are one list.
        let two = [
            ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
            ("x-forwarded-for", "10.0.0.9"),
        ];
        assert_eq!(client(&two), "192.0.2.1");
    }

    #[test]
    fn one_family_of_headers_is_read_and_the_other_is_the_clients() {
        let both = [
            ("forwarded", "for=6.6.6.6"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        assert_eq!(client(&both), "192.0.2.1");
        let rfc = proxies().headers(ForwardedHeaders::Forwarded);
        let both = [
            ("x-forwarded-for", "6.6.6.6"),
            (
                "forwarded",
                "for=6.6.6.6;host=evil, for=\"[2001:db8::1]:47\";proto=https;host=shop.example",
            ),
            ("forwarded", "for=10.0.0.9;proto=http"),
        ];
        let found = rfc.resolve(Some(ip("10.0.0.1")), &headers(&both));
        assert_eq!(found.client(), Some(ip("2001:db8::1")));
        assert_eq!(
            (found.is_https(), found.host(), found.hops()),
            (Some(true), Some("shop.example"), 2)
        );
    }

    #[test]
    fn what_a_proxy_quotes_says_nothing_for_it() {
        let rfc = proxies().headers(ForwardedHeaders::Forwarded);
        for (value, expected) in [
            // A host that the client made up, as a proxy quotes it.
            (r#"for=192.0.2.1;host="x;for=6.6.6.6""#, "192.0.2.1"),
            (r#"for=192.0.2.1;host="x,for=6.6.6.6""#, "192.0.2.1"),
            (r#"for=192.0.2.1;host="x\",for=6.6.6.6;y=\"""#, "192.0.2.1"),
            (r#"for=192.0.2.1;host="x\\\";for=6.6.6.6""#, "192.0.2.1"),
            // And as one writes it that does not quote.
            ("host=x;for=6.6.6.6;for=192.0.2.1", "10.0.0.1"),
            ("for=192.0.2.1;host=x;FOR=6.6.6.6", "10.0.0.1"),
            // What the client itself wrote reaches nothing behind it.
            (r#"for=6.6.6.6;x=", for=192.0.2.1"#, "192.0.2.1"),
            (r#"for=6.6.6.6;x=", for=10.0.0.9"#, "10.0.0.9"),
            (r#"for=6.6.6.6, for=10.0.0.8\", for=10.0.0.9"#, "10.0.0.9"),
        ] {
            let found = rfc.resolve(Some(ip("10.0.0.1")), &headers(&[("forwarded", value)]));
            assert_eq!(found.client(), Some(ip(expected)), "{value}");
        }
        // Nor is there anything to be read in lines before it.
        let lines = [
            ("forwarded", "for=6.6.6.6"),
            ("forwarded", r#"x", for=10.0.0.9"#),
        ];
        let found = rfc.resolve(Some(ip("10.0.0.1")), &headers(&lines));
        assert_eq!(found.client(), Some(ip("10.0.0.9")));
    }

    #[test]
    fn nothing_counts_from_an_address_that_is_not_trusted() {
        let all = headers(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=6.6.6.6;host=evil.example;proto=https"),
        ]);
        for proxies in [
            proxies(),
            proxies().headers(ForwardedHeaders::Forwarded),
            TrustedProxies::default(),
        ] {
            let found = proxies.resolve(Some(ip("192.0.2.9")), &all);
            let expected = Forwarded {
                client: Some(ip("192.0.2.9")),
                ..Forwarded::default()
            };
            assert_eq!(found, expected);
            assert_eq!(proxies.resolve(None, &all), Forwarded::default());
        }
    }

    #[test]
    fn a_host_has_the_characters_of_one() {
        for bad in ["", "a/b", "a b", "a@b", "a\"b", &"x".repeat(262)] {
            assert_eq!(as_host(bad), None, "{bad}");
        }
        assert_eq!(
            as_host("shop.example:80").as_deref(),
            Some("shop.example:80")
        );
    }

    #[test]
    fn a_chain_that_has_no_end_is_not_followed() {
        let long = vec!["10.0.0.9"; 1_000].join(",");
        let all = headers(&[("x-forwarded-for", &format!("6.6.6.6,{long}"))]);
        let found = proxies().resolve(Some(ip("10.0.0.1")), &all);
        assert_eq!(
            (found.client(), found.hops()),
            (Some(ip("10.0.0.9")), MOST_HOPS)
        );
    }
}
