//! Front door: frames, attachments and limits.

mod budget;
mod decoder;
mod encoder;
mod error;
mod header;
mod hint;
mod limits;
mod prefix;

pub use budget::{Budget, Lease};
pub use decoder::{Decoder, Event, Phase};
pub use encoder::{Encoder, MessageWriter};
pub use error::{Error, Part};
pub use header::Header;
pub use hint::Hint;
pub use limits::Limits;
pub use prefix::{ParsePrefixError, Prefix};
