//! Messages in, bytes out; touches no socket.

use std::{error, fmt, io};

use crate::{error::Error, header::Header, limits::Limits, spare};

/// Serialises messages straight into one reused buffer, each behind a hole that its header then
/// fills. A header and its message therefore lie side by side and leave in one write.
///
/// ```text
///  | header | message | header | message | ..        pending() is all of it
///  ^ hole, filled when the message's length is known
/// ```
///
/// ```
/// use packetboat_framing::{Encoder, Limits, Prefix};
///
/// let mut encoder = Encoder::new(Prefix::CLASSIC, &Limits::default());
/// encoder.encode_with(0, |out| serde_json::to_writer(out, &[1, 2]))?;
/// assert_eq!(encoder.pending(), b"\x05\0\0\0[1,2]");
/// encoder.advance(9); // the socket took them all
/// assert!(encoder.is_empty());
/// # Ok::<(), packetboat_framing::Error>(())
/// ```
pub struct Encoder<H> {
    header: H,
    buf: Vec<u8>,
    /// Bytes at the front that have left.
    sent: usize,
    max_message: usize,
    min_message: usize,
    max_attachment: u64,
}

impl<H: Header> Encoder<H> {
    /// An encoder that begins each frame with a copy of this header.
    pub fn new(header: H, limits: &Limits) -> Self {
        Self {
            header,
            buf: Vec::new(),
            sent: 0,
            max_message: limits.max_message_bytes,
            min_message: limits.min_message_bytes,
            max_attachment: limits.max_attachment_bytes,
        }
    }

    /// Adds a frame whose message is these bytes and which an attachment of `attachment` bytes
    /// will follow.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with).
    #[inline]
    pub fn encode(&mut self, message: &[u8], attachment: u64) -> Result<(), Error> {
        self.encode_as(self.header.clone(), attachment, |out| {
            out.put(message);
            Ok::<(), Error>(())
        })
    }

    /// Adds a frame whose message is what `write` writes, for example
    /// `|out| serde_json::to_writer(out, &value)`.
    ///
    /// # Errors
    ///
    /// [`Error::Serialize`] when `write` fails, [`Error::MessageTooLarge`],
    /// [`Error::BadLength`] (shorter than the least), [`Error::AttachmentTooLarge`] and
    /// [`Error::LengthOverflow`]. Nothing is added then.
    #[inline]
    pub fn encode_with<E>(
        &mut self,
        attachment: u64,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.encode_as(self.header.clone(), attachment, write)
    }

    /// As [`encode_with`](Self::encode_with), with a header of its own for this frame.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with).
    pub fn encode_as<E>(
        &mut self,
        mut header: H,
        attachment: u64,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        if attachment > self.max_attachment {
            return Err(Error::AttachmentTooLarge {
                len: attachment,
                max: self.max_attachment,
            });
        }
        if self.buf.capacity() == 0 {
            self.buf = spare::take();
        }
        let hole = self.buf.len();
        let start = hole + header.size();
        // A number of bytes that is known here is one store, where one that is not is a call.
        self.buf.extend_from_slice(&[0; 8]);
        self.buf.resize(start, 0);
        let mut out = MessageWriter::new(&mut self.buf, self.max_message);
        let written = write(&mut out).map_err(|e| Error::Serialize(e.into()));
        let result = self.check(start, written).and_then(|()| {
            header.set_lengths((self.buf.len() - start) as u64, attachment)?;
            header.write(&mut self.buf[hole..start]);
            Ok(())
        });
        if result.is_err() {
            self.buf.truncate(hole);
        }
        result
    }

    /// The bytes to be written next.
    #[inline]
    pub fn pending(&self) -> &[u8] {
        &self.buf[self.sent..]
    }

    /// Whether everything has left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.sent == self.buf.len()
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
        if self.is_empty() {
            self.buf.clear();
            self.sent = 0;
        }
    }

    /// Gives back the buffer if everything has left. An idle connection then holds none.
    pub fn release(&mut self) {
        if self.is_empty() {
            spare::give(&mut self.buf);
            self.sent = 0;
        }
    }

    /// Holds the message that begins at `start` against the limits. An overlong one has been cut
    /// at the limit and one byte, so its whole length is not known; that it was cut also explains
    /// any error of its writer.
    fn check(&self, start: usize, written: Result<(), Error>) -> Result<(), Error> {
        let len = self.buf.len() - start;
        if len > self.max_message {
            let (len, max) = (len as u64, self.max_message as u64);
            return Err(Error::MessageTooLarge {
                len,
                max,
                hint: None,
            });
        }
        written?;
        if len < self.min_message {
            return Err(Error::BadLength {
                value: len as i64,
                hint: None,
            });
        }
        Ok(())
    }
}

impl<H> fmt::Debug for Encoder<H> {
    /// How much is pending, and none of it: it may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("pending", &(self.buf.len() - self.sent))
            .finish_non_exhaustive()
    }
}

/// Where a message is written to: the end of the encoder's buffer, up to the limit.
pub struct MessageWriter<'a> {
    buf: &'a mut Vec<u8>,
    end: usize,
}

impl<'a> MessageWriter<'a> {
    /// A writer of at most `max` bytes behind those that are there. Of a longer message one byte
    /// too many is kept, by which it is known.
    #[inline]
    pub(crate) fn new(buf: &'a mut Vec<u8>, max: usize) -> Self {
        let end = buf.len() + max;
        Self { buf, end }
    }

    /// Appends bytes. Over the limit, one byte too many is kept, by which the encoder knows.
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        let room = self.end - self.buf.len().min(self.end);
        let fits = bytes.len() <= room;
        let taken = if fits { bytes.len() } else { room + 1 };
        if self.buf.len() <= self.end {
            self.buf.extend_from_slice(&bytes[..taken]);
        }
        fits
    }
}

impl io::Write for MessageWriter<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.put(bytes) {
            true => Ok(()),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for MessageWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").finish_non_exhaustive()
    }
}
