//! The encrypted part of a connection: certificates, handshakes, streams.

mod certificates;
mod error;
mod port;
mod stream;
mod trust;

pub use certificates::Certificates;
pub use error::TlsError;
pub use port::TlsMode;
pub use stream::{ReadHalf, WriteHalf};
pub use tokio_rustls::rustls;
pub use trust::ClientTls;

pub(crate) use port::Port;

/// The native wire's name in ALPN. The classic wire has none.
const ALPN_NATIVE: &[u8] = b"packetboat/1";
/// HTTP's.
const ALPN_HTTP: &[u8] = b"http/1.1";
