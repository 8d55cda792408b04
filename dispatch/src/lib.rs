//! Front door: a server and a client.

pub mod connection;
pub mod extensions;
pub mod message;
pub mod rejection;
pub mod request;
pub mod session;
pub mod shape;

pub use connection::{ConnectionId, Peer};
pub use extensions::Extensions;
pub use message::Message;
pub use packetboat_dispatch_derive::Message;
pub use rejection::Rejection;
pub use request::Call;
pub use session::{Session, SessionId, SessionManager, SessionPolicy, SessionStore, Sessions};
pub use shape::{Flagged, Plain, Shape};
