//! The networks whose word counts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

/// How long a proxy may take for its header: it is the first that it writes, in one packet.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// The networks from which a proxy is believed, and what it uses to say who its client is. Cheap to clone.
///
/// [`Server::trust_proxies`](crate::Server::trust_proxies) has a server believe them. Connections from them have no cap
/// by their own address, since one proxy carries the connections of many clients; where the PROXY protocol is used, each
/// client has the cap of its address instead.
///
/// By default nobody is trusted.
#[derive(Clone, Debug)]
#[must_use = "whom to trust is said to a server, or asked of this"]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    pub(crate) proxy_protocol: ProxyProtocol,
    pub(crate) header_time: Duration,
    #[cfg_attr(not(feature = "web"), allow(dead_code, reason = "HTTP alone has them"))]
    pub(super) headers: ForwardedHeaders,
}

/// Whether trusted proxies begin each connection with a header of the PROXY protocol, version 1 or 2.
///
/// There is nothing between: a server that takes the header or does without it believes any client of a proxy that passes
/// bytes on as they come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// They do not. What looks like one is what any other bytes are.
    #[default]
    Off,
    /// They do, and a connection of theirs without one is closed. A `LOCAL` header, by which a proxy asks for the
    /// server's health, leaves the connection the proxy's own.
    Required,
}

/// Which headers of HTTP trusted proxies write.
///
/// One family alone is read. A proxy adds to the one that it knows, and passes the other on as the client wrote it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ForwardedHeaders {
    /// `Forwarded`, of RFC 7239.
    Forwarded,
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`: what nginx, HAProxy, Caddy, Traefik and Envoy are
    /// commonly set up to write.
    #[default]
    XForwarded,
}

/// A text that is no network.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is no network: it is an address, or an address, a slash and a number of bits")]
pub struct BadNetwork {
    /// The text.
    pub text: String,
}

impl TrustedProxies {
    /// Trusts the machines of these networks: `10.0.0.0/8`, `fd00::/8`, or one address.
    ///
    /// # Errors
    ///
    /// [`BadNetwork`] for the first text that is none.
    pub fn new<T: AsRef<str>>(networks: impl IntoIterator<Item = T>) -> Result<Self, BadNetwork> {
        let parse = |text: T| {
            let text = text.as_ref();
            let network = text
                .parse()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| BadNetwork {
                text: text.to_owned(),
            })
        };
        let networks = networks.into_iter().map(parse);
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
            ..Self::default()
        })
    }

    /// Whether they begin each connection with a header of the PROXY protocol. Default: they do not.
    pub const fn proxy_protocol(mut self, proxy_protocol: ProxyProtocol) -> Self {
        self.proxy_protocol = proxy_protocol;
        self
    }

    /// How long a proxy may take for that header. Default: 5 s.
    pub const fn header_time(mut self, time: Duration) -> Self {
        self.header_time = time;
        self
    }

    /// Which headers of HTTP they write. Default: `X-Forwarded-For` and its like.
    pub const fn headers(mut self, headers: ForwardedHeaders) -> Self {
        self.headers = headers;
        self
    }

    /// Whether this address is a trusted proxy's. An address of IPv4 in IPv6's clothes is one of IPv4.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|network| network.contains(&ip))
    }

    /// Whether a connection from here begins with a header.
    pub(crate) fn expects_header(&self, ip: IpAddr) -> bool {
        self.proxy_protocol == ProxyProtocol::Required && self.trusts(ip)
    }
}

impl Default for TrustedProxies {
    /// Nobody.
    fn default() -> Self {
        Self {
            networks: Arc::default(),
            proxy_protocol: ProxyProtocol::default(),
            header_time: HEADER_TIME,
            headers: ForwardedHeaders::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_addresses_and_nobody_is_trusted_by_default() {
        let proxies =
            TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]).expect("networks");
        let trusts = |text: &str| proxies.trusts(text.parse().expect("an address"));
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "192.0.2.7"] {
            assert!(trusts(inside), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::1"] {
            assert!(!trusts(outside), "{outside}");
        }
        assert!(!TrustedProxies::default().trusts(IpAddr::from([127, 0, 0, 1])));
        for bad in ["", "10.0.0.0/33", "example.org", "10.0.0"] {
            let error = TrustedProxies::new([bad]).expect_err("no network");
            assert_eq!(error.text, bad);
        }
    }
}
