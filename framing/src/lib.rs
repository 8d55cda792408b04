//! Front door: frames, attachments and limits.
//!
#![doc = include_str!("../README.md")]

mod attachment;
pub mod blocking;
mod body;
mod budget;
mod chunk;
pub mod classic;
mod connection;
mod decoder;
mod dialect;
mod encoder;
mod error;
mod header;
mod hint;
mod limits;
pub mod native;
mod parts;
mod prefix;
mod rate;
mod reader;
mod save;
mod sendfile;
mod source;
mod spare;
mod transmit;
mod writer;

pub use attachment::Attachment;
pub use body::{Body, BodyExt};
pub use budget::{Budget, Lease};
pub use chunk::Chunk;
pub use connection::{Connection, linger};
pub use decoder::{Decoder, Event, Phase};
pub use dialect::{Dialect, Dialects, Verdict};
pub use encoder::{Encoder, MessageWriter};
pub use error::{Error, Part};
pub use header::Header;
pub use hint::Hint;
pub use limits::Limits;
pub use parts::{PartFile, Parts, PartsPolicy};
pub use prefix::{ParsePrefixError, Prefix};
pub use reader::{Message, Reader};
pub use save::TempFile;
pub use source::Source;
pub use writer::{Pace, Writer};
