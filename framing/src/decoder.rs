//! Bytes in, events out; touches no socket.

use std::{fmt, mem, ops::Range};

use crate::{
    error::{Error, Part},
    header::Header,
    hint::Hint,
    limits::Limits,
    spare,
};

/// The least room made for a read. A peer that has sent nothing but a header costs this much.
const MIN_ROOM: usize = 4 * 1024;
/// The most room made at once, reached by doubling while reads fill what they are given.
const MAX_ROOM: usize = 64 * 1024;

/// What [`Decoder::decode`] found. It borrows from the decoder's buffer, so nothing is copied.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a, H> {
    /// A header and its whole message. Where the header has no field for the attachment, call
    /// [`Decoder::attachment`] now if one follows.
    Message {
        /// The header.
        header: H,
        /// The message.
        message: &'a [u8],
    },
    /// Bytes of the attachment, in order; as many as had arrived.
    Attachment(&'a [u8]),
    /// The attachment's last byte has been handed out. Not given for an empty one.
    End,
}

/// Where in the stream a decoder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Between frames, and nothing of the next one has come.
    Idle,
    /// Some of a header or of a message has come, not all.
    Message,
    /// In an attachment.
    Attachment,
}

/// Turns bytes, however they were cut, into messages and attachments.
///
/// ```text
///  feed / space        decode                            decode          decode
///  ----------->  [ header | message ]  attachment(n)  [ n bytes .. ]  ..  End
///                  Event::Message     ------------->  Event::Attachment
/// ```
///
/// The buffer grows with the bytes that arrive and never by a length that a header claims. A
/// message over the limit is refused from its header alone. After an error the decoder does not
/// move, and every later call gives the same error: a stream out of step is never read on.
///
/// ```
/// use packetboat_framing::{Decoder, Event, Limits, Prefix};
///
/// let mut decoder = Decoder::new(Prefix::CLASSIC, &Limits::default());
/// decoder.feed(b"\x02\0\0\0{}abc");
/// assert!(matches!(decoder.decode()?, Some(Event::Message { message: b"{}", .. })));
/// decoder.attachment(3)?; // the application's rule has found this in the message
/// assert_eq!(decoder.decode()?, Some(Event::Attachment(b"abc")));
/// assert_eq!(decoder.decode()?, Some(Event::End));
/// assert_eq!(decoder.decode()?, None); // not enough bytes yet
/// # Ok::<(), packetboat_framing::Error>(())
/// ```
pub struct Decoder<H> {
    header: H,
    state: State<H>,
    buf: Vec<u8>,
    /// Where the bytes begin that have not been handed out.
    start: usize,
    /// Bytes lent out by the last event; they are gone at the next call.
    lent: usize,
    room: usize,
    logged_in: bool,
    min_message: u64,
    max_message: u64,
    max_message_before_login: u64,
    max_attachment: u64,
}

/// An [`Event`] by its position in the buffer.
pub(crate) enum Step<H> {
    Message { header: H, at: Range<usize> },
    Attachment { at: Range<usize> },
    End,
}

impl<H: Header> Step<H> {
    #[inline]
    pub(crate) fn event(self, decoder: &Decoder<H>) -> Event<'_, H> {
        match self {
            Self::Message { header, at } => Event::Message {
                header,
                message: decoder.bytes(at),
            },
            Self::Attachment { at } => Event::Attachment(decoder.bytes(at)),
            Self::End => Event::End,
        }
    }
}

/// What the next byte belongs to.
enum State<H> {
    Header,
    Message {
        header: H,
        len: usize,
    },
    /// A message has gone out and the owner may still say that an attachment follows.
    Rule,
    Attachment {
        len: u64,
        left: u64,
    },
}

impl<H: Header> Decoder<H> {
    /// A decoder for headers like this one. The peer counts as not logged in.
    ///
    /// # Panics
    ///
    /// If the header has no bytes.
    pub fn new(header: H, limits: &Limits) -> Self {
        assert!(header.size() > 0, "a header has at least one byte");
        Self {
            header,
            state: State::Header,
            buf: Vec::new(),
            start: 0,
            lent: 0,
            room: MIN_ROOM,
            logged_in: false,
            min_message: limits.min_message_bytes as u64,
            max_message: limits.max_message_bytes as u64,
            max_message_before_login: limits.max_message_bytes_before_login as u64,
            max_attachment: limits.max_attachment_bytes,
        }
    }

    /// Adds bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.buf.extend_from_slice(bytes);
    }

    /// A buffer with room at its end, for a read that appends to it.
    ///
    /// What stands in it already must stay. There is room for at least one byte; a read that
    /// fills the room is given twice as much next time, up to 64 KiB.
    pub fn space(&mut self) -> &mut Vec<u8> {
        let mut least = 1;
        if self.buf.capacity() > 0 && self.buf.len() == self.buf.capacity() {
            self.room = (self.room * 2).min(MAX_ROOM);
            // Inside a message its length says how much is still to come; between messages only
            // the last read does.
            if !matches!(self.state, State::Message { .. }) {
                least = self.room;
            }
        }
        self.make_room(least);
        &mut self.buf
    }

    /// The next event, or `None` when more bytes are needed for one.
    ///
    /// # Errors
    ///
    /// A header that is refused, by its format or by a limit.
    #[inline]
    pub fn decode(&mut self) -> Result<Option<Event<'_, H>>, Error> {
        let step = self.step()?;
        Ok(step.map(|step| step.event(self)))
    }

    /// [`decode`](Self::decode) by positions in the buffer, which borrow nothing: a loop around it
    /// can go on reading.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<Option<Step<H>>, Error> {
        self.start += mem::take(&mut self.lent);
        if let State::Attachment { left, .. } = self.state {
            if left == 0 {
                self.state = State::Header;
                return Ok(Some(Step::End));
            }
            let n = self.attachment_bytes(usize::MAX).len();
            return Ok((n > 0).then(|| Step::Attachment {
                at: self.start..self.start + n,
            }));
        }
        let (header, len) = match mem::replace(&mut self.state, State::Header) {
            State::Message { header, len } => (header, len),
            _ => {
                let size = self.header.size();
                let Some(bytes) = self.buf[self.start..].get(..size) else {
                    return Ok(None);
                };
                let found = self.check(bytes).map_err(|e| self.explain(e))?;
                self.start += size;
                found
            }
        };
        if self.buf.len() - self.start < len {
            self.state = State::Message { header, len };
            return Ok(None);
        }
        self.state = match header.attachment_len() {
            Some(len @ 1..) => State::Attachment { len, left: len },
            _ => State::Rule,
        };
        self.lent = len;
        Ok(Some(Step::Message {
            header,
            at: self.start..self.start + len,
        }))
    }

    /// The bytes at a position that the last [`step`](Self::step) gave.
    #[inline]
    pub(crate) fn bytes(&self, at: Range<usize>) -> &[u8] {
        &self.buf[at]
    }

    /// The bytes lent out by the last event.
    pub(crate) fn lent(&self) -> &[u8] {
        &self.buf[self.start..self.start + self.lent]
    }

    /// Whether it holds a buffer.
    pub(crate) fn is_warm(&self) -> bool {
        self.buf.capacity() > 0
    }

    /// Says that the message just handed out is followed by an attachment of `len` bytes. No call
    /// means that none follows, unless the header itself states one.
    ///
    /// # Errors
    ///
    /// [`Error::AttachmentTooLarge`] over the limit. The bytes are then still taken for the
    /// attachment's, never for a frame, so that the connection can be answered, drained or closed.
    ///
    /// # Panics
    ///
    /// If the last event was not a message, or its header stated an attachment.
    pub fn attachment(&mut self, len: u64) -> Result<(), Error> {
        assert!(
            matches!(self.state, State::Rule),
            "an attachment is announced right after its message"
        );
        if len > 0 {
            self.state = State::Attachment { len, left: len };
        }
        if len > self.max_attachment {
            return Err(Error::AttachmentTooLarge {
                len,
                max: self.max_attachment,
            });
        }
        Ok(())
    }

    /// Takes up to `max` bytes of the attachment out of the buffer; empty when none are there.
    pub fn attachment_bytes(&mut self, max: usize) -> &[u8] {
        self.start += mem::take(&mut self.lent);
        let State::Attachment { left, .. } = &mut self.state else {
            return &[];
        };
        let have = self.buf.len() - self.start;
        let n = have
            .min(max)
            .min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= n as u64;
        self.lent = n;
        &self.buf[self.start..self.start + n]
    }

    /// Counts `n` bytes of the attachment that the owner read past this decoder, straight into
    /// where they belong. Only when [`attachment_bytes`](Self::attachment_bytes) has none left.
    ///
    /// # Panics
    ///
    /// If the attachment has not so many bytes left, or the decoder still holds some.
    pub fn passed_by(&mut self, n: u64) {
        assert_eq!(
            self.buffered(),
            0,
            "buffered bytes come before those on the socket"
        );
        match &mut self.state {
            State::Attachment { left, .. } if n <= *left => *left -= n,
            _ => panic!("{n} bytes do not belong to an attachment"),
        }
    }

    /// Bytes of the attachment that have not been handed out.
    pub fn attachment_left(&self) -> u64 {
        match self.state {
            State::Attachment { left, .. } => left,
            _ => 0,
        }
    }

    /// Bytes in the buffer that have not been handed out.
    pub fn buffered(&self) -> usize {
        self.buf.len() - self.start - self.lent
    }

    /// Where in the stream the decoder stands.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Attachment { left: 1.., .. } => Phase::Attachment,
            State::Message { .. } => Phase::Message,
            _ if self.buffered() > 0 => Phase::Message,
            _ => Phase::Idle,
        }
    }

    /// Gives back the buffer if nothing stands in it. An idle connection then holds none.
    pub fn release(&mut self) {
        if self.buffered() == 0 {
            spare::give(&mut self.buf);
            (self.start, self.lent) = (0, 0);
            self.room = MIN_ROOM;
        }
    }

    /// The peer has logged in, or out: which of the two limits holds for the messages to come.
    pub fn set_logged_in(&mut self, logged_in: bool) {
        self.logged_in = logged_in;
    }

    /// The stream has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] unless it ended between two frames.
    pub fn finish(&self) -> Result<(), Error> {
        let received = self.buffered() as u64;
        match &self.state {
            State::Attachment { len, left } if *left > 0 => Err(Error::Truncated {
                part: Part::Attachment,
                len: *len,
                received: len - left + received,
            }),
            State::Message { len, .. } => Err(Error::Truncated {
                part: Part::Message,
                len: *len as u64,
                received,
            }),
            _ if received > 0 => Err(Error::Truncated {
                part: Part::Header,
                len: self.header.size() as u64,
                received,
            }),
            _ => Ok(()),
        }
    }

    /// Reads a header and holds it against the limits.
    #[inline]
    fn check(&self, bytes: &[u8]) -> Result<(H, usize), Error> {
        let header = self.header.read(bytes)?;
        let len = header.message_len();
        let max = self.max_message_now();
        if len > max {
            return Err(Error::MessageTooLarge {
                len,
                max,
                hint: None,
            });
        }
        if len < self.min_message {
            return Err(Error::BadLength {
                value: len as i64,
                hint: None,
            });
        }
        if let Some(len) = header.attachment_len()
            && len > self.max_attachment
        {
            return Err(Error::AttachmentTooLarge {
                len,
                max: self.max_attachment,
            });
        }
        // `len` is at most `max`, which was made from a `usize`.
        Ok((header, len as usize))
    }

    fn max_message_now(&self) -> u64 {
        if self.logged_in {
            self.max_message
        } else {
            self.max_message_before_login
        }
    }

    /// Adds what the refused bytes look like. Off the fast path.
    #[cold]
    fn explain(&self, error: Error) -> Error {
        let bytes = &self.buf[self.start..];
        let hint = Hint::of(bytes).or_else(|| {
            let read = self.header.read(&bytes[..self.header.size()]);
            let len = read.unwrap_or_else(|_| self.header.clone()).swapped_len()?;
            let fits = self.min_message.max(1)..=self.max_message_now();
            fits.contains(&len).then_some(Hint::ByteOrder { len })
        });
        error.with_hint(hint)
    }

    /// Makes room for at least `least` bytes behind those that are there.
    fn make_room(&mut self, least: usize) {
        self.start += mem::take(&mut self.lent);
        if self.start == self.buf.len() {
            self.buf.clear();
            self.start = 0;
        }
        if self.buf.capacity() == 0 && matches!(self.state, State::Header) {
            self.buf = spare::take();
        }
        if self.buf.capacity() - self.buf.len() >= least {
            return;
        }
        self.buf.drain(..mem::take(&mut self.start));
        let spare = self.buf.capacity() - self.buf.len();
        if spare >= least && spare >= self.room / 2 {
            return;
        }
        // At most twice of what has arrived: a claimed length may make this smaller, never larger.
        let doubled = self.buf.len().max(self.room);
        let wanted = match &self.state {
            State::Message { len, .. } => doubled.min(len.saturating_sub(self.buf.len())),
            _ => self.room,
        };
        self.buf.reserve_exact(wanted.max(least));
    }
}

impl<H> fmt::Debug for Decoder<H> {
    /// Where it stands, and none of the bytes: they may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("buffered", &(self.buf.len() - self.start - self.lent))
            .field("logged_in", &self.logged_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
