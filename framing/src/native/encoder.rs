//! Frames in, bytes out; touches no socket.

use std::{error, fmt, mem};

use crate::{
    encoder::MessageWriter,
    error::Error,
    limits::Limits,
    native::{
        Extensions, FrameHeader, Preface,
        kind::{Flags, Kind},
        wire,
    },
    spare,
};

/// Serialises frames straight into one reused buffer, each message behind a hole that its header
/// then fills.
///
/// The payload of a data frame need not pass through here. [`slice`](Self::slice) opens one: what
/// is pending then ends with its header, its owner sends the bytes (by sendfile, say), and frames
/// that are added meanwhile wait behind it.
///
/// ```text
///  pending()                          slice_left()      pending() after the slice
///  | reply | credit | data header |   file bytes ..     | reply | ping | ..
/// ```
pub struct FrameEncoder {
    buf: Vec<u8>,
    /// Bytes at the front that have left.
    sent: usize,
    /// Bytes of the open slice that its owner has still to send.
    slice: usize,
    /// What waits for the end of the slice.
    behind: Vec<u8>,
    max_message: usize,
}

impl FrameEncoder {
    /// An encoder for messages up to the limit.
    pub fn new(limits: &Limits) -> Self {
        Self {
            buf: Vec::new(),
            sent: 0,
            slice: 0,
            behind: Vec::new(),
            max_message: limits.max_message_bytes,
        }
    }

    /// Adds what stands before all frames.
    pub(super) fn preface(&mut self, preface: Preface) {
        self.buf.extend_from_slice(&preface.to_bytes());
    }

    /// Adds a frame with a message that `write` writes. The header's length and the flag for the
    /// extension block are filled in.
    ///
    /// # Errors
    ///
    /// [`Error::Serialize`] when `write` fails, [`Error::MessageTooLarge`], and
    /// [`Error::BadLength`] for an empty message. Nothing is added then.
    #[inline]
    pub fn message<E>(
        &mut self,
        mut header: FrameHeader,
        extensions: &Extensions<'_>,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let max = self.max_message;
        let out = self.out();
        let hole = out.len();
        out.extend_from_slice(&[0; FrameHeader::BYTES]);
        if !extensions.is_empty() {
            header.flags = header.flags.with(Flags::EXTENDED, true);
            extensions.write(out);
        }
        let start = out.len();
        let written = write(&mut MessageWriter::new(out, max));
        let len = out.len() - start;
        let empty = len == 0 && header.kind != Kind::Error;
        if len > max || written.is_err() || empty {
            out.truncate(hole);
        }
        if len > max {
            let (len, max) = (len as u64, max as u64);
            return Err(Error::MessageTooLarge {
                len,
                max,
                hint: None,
            });
        }
        written.map_err(|e| Error::Serialize(e.into()))?;
        if empty {
            return Err(Error::BadLength {
                value: 0,
                hint: None,
            });
        }
        let body = out.len() - hole - FrameHeader::BYTES;
        let Ok(length) = u32::try_from(body) else {
            out.truncate(hole);
            let (len, max) = (body as u64, u64::from(u32::MAX));
            return Err(Error::LengthOverflow { len, max });
        };
        header.length = length;
        out[hole..hole + FrameHeader::BYTES].copy_from_slice(&header.to_bytes());
        Ok(())
    }

    /// Adds a frame without a message.
    #[inline]
    pub fn control(&mut self, mut header: FrameHeader, extensions: &Extensions<'_>) {
        let out = self.out();
        let hole = out.len();
        out.extend_from_slice(&[0; FrameHeader::BYTES]);
        if !extensions.is_empty() {
            header.flags = header.flags.with(Flags::EXTENDED, true);
            extensions.write(out);
        }
        // A block is far below 4 GiB.
        header.length = (out.len() - hole - FrameHeader::BYTES) as u32;
        out[hole..hole + FrameHeader::BYTES].copy_from_slice(&header.to_bytes());
    }

    /// Adds a data frame.
    ///
    /// # Panics
    ///
    /// If there are no bytes, or more than [`wire::MAX_DATA`].
    pub fn data(&mut self, request: u32, bytes: &[u8], extensions: &Extensions<'_>) {
        self.data_header(request, bytes.len(), extensions);
        self.out().extend_from_slice(bytes);
    }

    /// Adds the header of a data frame whose `len` bytes the owner sends when all that is pending
    /// has left.
    ///
    /// # Panics
    ///
    /// If a slice is open already, or `len` is zero or over [`wire::MAX_DATA`].
    pub fn slice(&mut self, request: u32, len: usize, extensions: &Extensions<'_>) {
        assert_eq!(self.slice, 0, "one slice at a time");
        self.data_header(request, len, extensions);
        self.slice = len;
    }

    /// The owner has sent `n` bytes of the slice.
    ///
    /// # Panics
    ///
    /// If something is still pending before them, or the slice has not so many left.
    pub fn slice_sent(&mut self, n: usize) {
        assert!(self.pending().is_empty(), "the header goes first");
        assert!(n <= self.slice, "more sent than the slice has");
        self.slice -= n;
        if self.slice == 0 {
            mem::swap(&mut self.buf, &mut self.behind);
        }
    }

    /// Bytes of the open slice that its owner has still to send, once nothing is pending.
    #[inline]
    pub fn slice_left(&self) -> usize {
        self.slice
    }

    /// The bytes to be written next.
    #[inline]
    pub fn pending(&self) -> &[u8] {
        &self.buf[self.sent..]
    }

    /// The socket took the first `n` bytes of [`pending`](Self::pending).
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.pending().len(), "more sent than was pending");
        self.sent += n;
        if self.sent == self.buf.len() {
            self.buf.clear();
            self.sent = 0;
        }
    }

    /// Bytes that wait in buffers, before and behind the slice.
    #[inline]
    pub fn queued(&self) -> usize {
        self.buf.len() - self.sent + self.behind.len()
    }

    /// Whether everything has left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slice == 0 && self.queued() == 0
    }

    /// Gives back the buffers if everything has left.
    pub fn release(&mut self) {
        if self.is_empty() {
            spare::give(&mut self.buf);
            spare::give(&mut self.behind);
            self.sent = 0;
        }
    }

    fn data_header(&mut self, request: u32, len: usize, extensions: &Extensions<'_>) {
        assert!(
            (1..=wire::MAX_DATA as usize).contains(&len),
            "a data frame has 1 byte to 1 MiB"
        );
        let out = self.out();
        let hole = out.len();
        self.control(FrameHeader::control(Kind::Data, request, 0), extensions);
        let out = self.out();
        let place = hole + 4..hole + 8;
        let block = (out.len() - hole - FrameHeader::BYTES) as u32;
        out[place].copy_from_slice(&(block + len as u32).to_be_bytes());
    }

    /// Where the next frame goes.
    #[inline]
    fn out(&mut self) -> &mut Vec<u8> {
        let out = match self.slice {
            0 => &mut self.buf,
            _ => &mut self.behind,
        };
        if out.capacity() == 0 {
            *out = spare::take();
        }
        out
    }
}

impl fmt::Debug for FrameEncoder {
    /// How much waits, and none of it: it may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameEncoder")
            .field("queued", &self.queued())
            .field("slice", &self.slice)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{Codec, Digest, Frame, FrameDecoder};

    #[test]
    fn frames_added_during_a_slice_wait_behind_it() {
        let mut encoder = FrameEncoder::new(&Limits::default());
        let ping = FrameHeader::control(Kind::Ping, 0, 5);
        encoder.slice(3, 4, &Extensions::default());
        encoder.control(ping, &Extensions::default());
        let mut wire = encoder.pending().to_vec();
        encoder.advance(wire.len());
        assert!(encoder.pending().is_empty() && encoder.slice_left() == 4);
        encoder.slice_sent(1);
        encoder.slice_sent(3);
        wire.extend_from_slice(b"film");
        wire.extend_from_slice(encoder.pending());
        let mut decoder = FrameDecoder::new(&Limits::default());
        decoder.feed(&wire);
        assert!(matches!(
            decoder.decode(),
            Ok(Some(Frame::Data { bytes: b"film", .. }))
        ));
        assert!(
            matches!(decoder.decode(), Ok(Some(Frame::Whole { header, .. })) if header == ping)
        );
    }

    #[test]
    fn message_over_the_limit_leaves_nothing_behind() {
        let limits = Limits {
            max_message_bytes: 3,
            ..Limits::default()
        };
        let mut encoder = FrameEncoder::new(&limits);
        let header = FrameHeader {
            codec: Codec::JSON,
            ..FrameHeader::control(Kind::Message, 1, 0)
        };
        let fields = Extensions {
            digest: Some(Digest([0; 32])),
            ..Extensions::default()
        };
        let error = encoder.message(header, &fields, |out| serde_json::to_writer(out, "long"));
        assert!(matches!(error, Err(Error::MessageTooLarge { max: 3, .. })));
        assert!(encoder.is_empty());
    }
}
