//! The wire of `struct.pack`: prefix, message, a body by the application's rule.
//!
//! ```text
//!  request   | i32 LE n | n bytes of JSON | file, where the type has one     |
//!  reply     | i32 LE n | n bytes of JSON | file, where the JSON states one  |
//! ```
//!
//! What Python programs write with `struct.pack('i', len(data)) + data` and read with one
//! `recv(4)` and one `recv(n)`. Strictly one request, one reply, and nothing unsolicited.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), packetboat_framing::Error> {
//! use packetboat_framing::{BodyExt, Limits, Source, classic};
//! # let (client, server) = tokio::net::UnixStream::pair()?;
//! # let (ours, theirs) = (client.into_split(), server.into_split());
//!
//! /// Which messages have a body, and where its size stands.
//! fn rule(message: &[u8]) -> Option<u64> {
//!     let envelope: serde_json::Value = serde_json::from_slice(message).ok()?;
//!     match envelope["type"].as_str()? {
//!         "upload" => envelope["file_size"].as_u64(),
//!         _ => Some(0), // a stale `file_size` in any other message means nothing
//!     }
//! }
//!
//! # let mut client = classic::client(ours.0, ours.1, &Limits::classic(), |_: &[u8]| Some(0));
//! # let upload = |out: &mut packetboat_framing::MessageWriter<'_>| {
//! #     std::io::Write::write_all(out, br#"{"type": "upload", "file_size": 5}"#)
//! # };
//! # client.writer.send_with(Source::bytes("hello"), upload).await?;
//! let mut server = classic::server(theirs.0, theirs.1, &Limits::classic(), rule);
//! let request = server.receive().await?.expect("one request");
//! assert_eq!(request.attachment, Some(5));
//! let mut file = Vec::new();
//! server.body().copy_to(&mut file).await?;
//! server.writer.send(br#"{"flag": true}"#).await?;
//! assert_eq!(file, b"hello");
//! # Ok(()) }
//! ```

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    attachment::Attachment,
    connection::{Connection, linger},
    error::Error,
    header::Header,
    limits::Limits,
    prefix::Prefix,
    reader::Reader,
    writer::Writer,
};

/// The longest reply in bytes, prefix included, that clients with one `recv(n)` read whole.
/// Measured on loopback; across a network a packet's length (about 1.4 KB) is safer still.
pub const MAX_REPLY_BYTES: usize = 65_000;

/// What the application says of a message: the length of the file that follows it, 0 for none, or
/// `None` when it cannot be told (not JSON, no type, a size that is no number).
pub trait Rule: FnMut(&[u8]) -> Option<u64> {}

impl<F: FnMut(&[u8]) -> Option<u64>> Rule for F {}

/// A message, still in the reader's buffer, and what the rule said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// The message's bytes.
    pub message: &'a [u8],
    /// Bytes of the file behind it. `None` when the rule could not tell: nobody knows where the
    /// next message begins, so answer, then [`Classic::linger`].
    pub attachment: Option<u64>,
}

/// One end of a classic connection.
pub struct Classic<R, W, F> {
    /// What the peer sends.
    pub reader: Reader<R, Prefix>,
    /// What the peer is sent.
    pub writer: Writer<W, Prefix>,
    rule: F,
    /// The rule could not tell how long a file is.
    lost: bool,
}

/// The serving end. A reply over [`MAX_REPLY_BYTES`] is refused here, before the peer could read
/// half of it.
pub fn server<R, W, F>(read: R, write: W, limits: &Limits, rule: F) -> Classic<R, W, F>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
    F: Rule,
{
    let longest = MAX_REPLY_BYTES - Prefix::CLASSIC.size();
    let max_message_bytes = limits.max_message_bytes.min(longest);
    let replies = Limits {
        max_message_bytes,
        ..limits.clone()
    };
    Classic {
        reader: Reader::new(read, Prefix::CLASSIC, limits),
        writer: Writer::new(write, Prefix::CLASSIC, &replies),
        rule,
        lost: false,
    }
}

/// The asking end. It trusts its server with messages up to
/// [`max_message_bytes`](Limits::max_message_bytes) from the start.
pub fn client<R, W, F>(read: R, write: W, limits: &Limits, rule: F) -> Classic<R, W, F>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
    F: Rule,
{
    let Connection { mut reader, writer } = Connection::new(read, write, Prefix::CLASSIC, limits);
    reader.set_logged_in(true);
    Classic {
        reader,
        writer,
        rule,
        lost: false,
    }
}

impl<R, W, F> Classic<R, W, F>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
    F: Rule,
{
    /// The next message, or `None` when the peer closed between two frames. What is left of the
    /// last file is settled first.
    ///
    /// # Errors
    ///
    /// As [`Reader::message`]; [`Error::AttachmentTooLarge`]: answer, then
    /// [`linger`](Self::linger); [`Error::AttachmentUnknown`] at every call after a message whose
    /// file's length could not be told.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn receive(&mut self) -> Result<Option<Received<'_>>, Error> {
        let Self {
            reader, rule, lost, ..
        } = self;
        if *lost {
            return Err(Error::AttachmentUnknown);
        }
        let Some(message) = reader.message().await? else {
            return Ok(None);
        };
        let attachment = rule(message.bytes);
        *lost = attachment.is_none();
        reader.decoder_mut().attachment(attachment.unwrap_or(0))?;
        Ok(Some(Received {
            message: reader.last_message(),
            attachment,
        }))
    }

    /// What is left of the file behind the last message, which may be nothing.
    pub fn body(&mut self) -> Attachment<'_, R, Prefix> {
        self.reader.body()
    }

    /// Closes so that the last answer arrives: see [`crate::linger`].
    ///
    /// # Errors
    ///
    /// As [`crate::linger`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes at once.
    pub async fn linger(mut self) -> Result<u64, Error> {
        linger(&mut self.reader, &mut self.writer).await
    }
}

impl<R, W, F> fmt::Debug for Classic<R, W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classic")
            .field("reader", &self.reader)
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}
