//! Which machines may say who the client is, and what they say it with.
//!
//! A server behind a reverse proxy sees one address, the proxy's. Who the client is says the proxy: in front of the
//! connection, by the PROXY protocol, or in each request of HTTP, by `X-Forwarded-For` and its like. Whoever else says
//! such a thing is believed nothing: [`TrustedProxies`] has the networks from which it counts.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use packetboat_dispatch::proxies::{ProxyProtocol, TrustedProxies};
//! use packetboat_dispatch::{Dispatcher, Server};
//!
//! let proxies = TrustedProxies::new(["10.0.0.0/8", "fd00::/8"])?.proxy_protocol(ProxyProtocol::Required);
//! Server::bind("0.0.0.0:7878").await?.trust_proxies(proxies).serve(Dispatcher::new(())).await?;
//! # Ok(()) }
//! ```

#[cfg(feature = "web")]
mod forwarded;
mod header;
mod trusted;

#[cfg(feature = "web")]
pub use self::forwarded::Forwarded;
pub use self::header::ProxyHeaderError;
pub(crate) use self::header::read;
pub use self::trusted::{BadNetwork, ForwardedHeaders, ProxyProtocol, TrustedProxies};
