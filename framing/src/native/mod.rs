//! The native wire: many requests and attachments at once on one connection.
//!
//! `WIRE.md` beside this crate has it byte by byte. [`Connection`] is the state of either side,
//! without a socket; [`Transport`] is that on one; [`FrameDecoder`] and [`FrameEncoder`] are the
//! frames alone.

mod buffer;
mod code;
mod connection;
mod credit;
mod decoder;
mod digest;
mod encoder;
mod event;
mod exchange;
mod extensions;
mod flow;
mod groups;
mod header;
mod kind;
mod preface;
mod transport;
mod types;
mod verifier;
pub mod wire;

pub use code::Code;
pub use connection::{Connection, Outgoing, Role};
pub use decoder::{Frame, FrameDecoder};
pub use digest::{Digest, ParseDigestError};
pub use encoder::FrameEncoder;
pub use event::{Event, Received};
pub use extensions::{Block, Extensions};
pub use flow::Attached;
pub use groups::Groups;
pub use header::{Codec, FrameHeader};
pub use kind::{Flags, Kind};
pub use preface::Preface;
pub use transport::{Moved, Transport};
pub use types::{Types, type_hash};
pub use verifier::Verifier;
