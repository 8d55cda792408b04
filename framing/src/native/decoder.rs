//! Bytes in, frames out; touches no socket and knows no request.

use std::{fmt, mem, ops::Range};

use crate::{
    error::{Error, Part},
    limits::Limits,
    native::{
        Code, Digest, Extensions, FrameHeader,
        buffer::Buffer,
        extensions,
        kind::{Flags, Kind},
        wire,
    },
};

/// What [`FrameDecoder::decode`] found. It borrows from the decoder's buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole frame.
    Whole {
        /// Its header.
        header: FrameHeader,
        /// Its extension fields.
        extensions: Extensions<'a>,
        /// What stands behind them.
        payload: &'a [u8],
    },
    /// Some of a data frame, as much as had arrived. Given first as soon as the header is there,
    /// even without a byte, so that a frame can be refused from its header alone.
    Data {
        /// The frame's header; its length is that of the payload.
        header: FrameHeader,
        /// Some of its payload, in order.
        bytes: &'a [u8],
        /// Bytes of the payload that are still to come.
        left: usize,
        /// The chaining value of the group that the frame's last byte completes.
        group: Option<Digest>,
    },
    /// A message over the limit. It is not read: its bytes are skipped as they come.
    TooLarge {
        /// Its header.
        header: FrameHeader,
    },
}

/// Turns bytes, however they were cut, into frames.
///
/// A header that breaks a rule, and a message over the limit, are refused from the header alone.
/// Data is handed out as it arrives. After an error the decoder does not move.
pub struct FrameDecoder {
    buffer: Buffer,
    /// Bytes lent out by the last frame; they are consumed at the next call.
    lent: usize,
    state: State,
    logged_in: bool,
    max_message: usize,
    max_message_before_login: usize,
    max_skipped: u64,
}

/// What the next byte belongs to.
#[derive(Clone, Copy)]
enum State {
    Header,
    /// A whole frame that has not all arrived.
    Body(FrameHeader),
    /// The extension block of a data frame.
    Block(FrameHeader),
    Data {
        header: FrameHeader,
        left: usize,
        group: Option<Digest>,
        /// Nobody has been told of this frame yet.
        fresh: bool,
    },
    Skipped {
        left: usize,
    },
}

/// A frame by its place in the buffer, so that it can be looked at and then handed out.
#[derive(Clone)]
pub(super) enum Found {
    Whole {
        header: FrameHeader,
        block: Range<usize>,
        payload: Range<usize>,
    },
    Data {
        header: FrameHeader,
        /// How many bytes the frame has, the first time that it is told of.
        first: Option<usize>,
        bytes: Range<usize>,
        left: usize,
        group: Option<Digest>,
    },
    TooLarge {
        header: FrameHeader,
    },
}

impl Found {
    /// Its header.
    pub(super) fn header(&self) -> &FrameHeader {
        match self {
            Self::Whole { header, .. } | Self::Data { header, .. } | Self::TooLarge { header } => {
                header
            }
        }
    }
}

impl FrameDecoder {
    /// A decoder behind the preface. The peer counts as not logged in.
    pub fn new(limits: &Limits) -> Self {
        Self {
            buffer: Buffer::default(),
            lent: 0,
            state: State::Header,
            logged_in: false,
            max_message: limits.max_message_bytes,
            max_message_before_login: limits.max_message_bytes_before_login,
            max_skipped: limits.drain_bytes,
        }
    }

    /// Adds bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.settle();
        self.buffer.feed(bytes);
    }

    /// A buffer with room at its end, for a read that appends to it. What stands in it must stay.
    pub fn space(&mut self) -> &mut Vec<u8> {
        self.settle();
        self.buffer.space()
    }

    /// The next frame, or `None` when more bytes are needed for one.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] for a frame that version 1 does not have.
    pub fn decode(&mut self) -> Result<Option<Frame<'_>>, Error> {
        let Some(found) = self.next()? else {
            return Ok(None);
        };
        Ok(Some(match found {
            Found::Whole {
                header,
                ref block,
                payload,
            } => Frame::Whole {
                header,
                extensions: self.extensions(&header, block),
                payload: self.slice(&payload),
            },
            Found::Data {
                header,
                bytes,
                left,
                group,
                ..
            } => Frame::Data {
                header,
                bytes: self.slice(&bytes),
                left,
                group,
            },
            Found::TooLarge { header } => Frame::TooLarge { header },
        }))
    }

    /// The peer has logged in, or out: which of the two limits holds for the messages to come.
    pub fn set_logged_in(&mut self, logged_in: bool) {
        self.logged_in = logged_in;
    }

    /// Bytes that have arrived and were not handed out.
    pub fn buffered(&self) -> usize {
        self.buffer.bytes().len() - self.lent
    }

    /// Whether some of a frame has come, and not all of it.
    pub fn is_in_frame(&self) -> bool {
        self.buffered() > 0 || !matches!(self.state, State::Header)
    }

    /// Gives back the buffer if nothing stands in it.
    pub fn release(&mut self) {
        if self.buffered() == 0 {
            self.settle();
            self.buffer.release();
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] unless it ended between two frames.
    pub fn finish(&self) -> Result<(), Error> {
        let received = self.buffered() as u64;
        let (part, len, received) = match self.state {
            State::Header if received == 0 => return Ok(()),
            State::Header => (Part::Header, FrameHeader::BYTES as u64, received),
            State::Body(header) | State::Block(header) => {
                (Part::Message, u64::from(header.length), received)
            }
            State::Data { header, left, .. } => {
                let len = u64::from(header.length);
                (Part::Attachment, len, len - left as u64 + received)
            }
            State::Skipped { left } => (Part::Message, left as u64, received),
        };
        Err(Error::Truncated {
            part,
            len,
            received,
        })
    }

    /// The request and the bytes to come, where the stream stands in the payload of a data frame
    /// and none of it is in the buffer: then they may be read straight into where they belong.
    pub(super) fn direct(&self) -> Option<(u32, usize)> {
        match self.state {
            State::Data {
                header,
                left: left @ 1..,
                // Who reads past the decoder would not be told that a group is complete.
                group: None,
                fresh: false,
            } if self.buffered() == 0 => Some((header.request, left)),
            _ => None,
        }
    }

    /// Counts bytes that were read past the decoder.
    pub(super) fn passed_by(&mut self, n: usize) {
        match &mut self.state {
            State::Data { left, .. } if n <= *left => {
                *left -= n;
                if *left == 0 {
                    self.state = State::Header;
                }
            }
            _ => panic!("{n} bytes do not belong to a data frame"),
        }
    }

    /// Bytes behind what was handed out, for the preface.
    pub(super) fn front(&self) -> &[u8] {
        &self.buffer.bytes()[self.lent..]
    }

    /// Takes bytes off the front, for the preface.
    pub(super) fn skip(&mut self, n: usize) {
        self.settle();
        self.buffer.consume(n);
    }

    /// The bytes at a place, until the next call.
    pub(super) fn slice(&self, place: &Range<usize>) -> &[u8] {
        &self.buffer.bytes()[place.clone()]
    }

    /// The extension fields at a place, which were checked when the frame was found.
    pub(super) fn extensions(&self, header: &FrameHeader, block: &Range<usize>) -> Extensions<'_> {
        if block.is_empty() {
            return Extensions::default();
        }
        Extensions::read(header.kind, header.flags, self.slice(block)).unwrap_or_default()
    }

    /// As [`decode`](Self::decode), without a borrow.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Found>, Error> {
        loop {
            self.settle();
            let bytes = self.buffer.bytes();
            match self.state {
                State::Header => {
                    let Some(header) = bytes.first_chunk() else {
                        return Ok(None);
                    };
                    let header = FrameHeader::read(header)?;
                    let state = self.body_of(&header)?;
                    self.buffer.consume(FrameHeader::BYTES);
                    self.state = state;
                    if matches!(state, State::Skipped { .. }) {
                        return Ok(Some(Found::TooLarge { header }));
                    }
                }
                State::Body(header) => return self.whole(header),
                State::Block(header) => {
                    let Some(length) = extensions::block_len(bytes) else {
                        return Ok(None);
                    };
                    let refuse = |code| refusal(code, &header);
                    let length = length.map_err(refuse)?;
                    let left = (header.length as usize)
                        .checked_sub(2 + length)
                        .filter(|left| (1..=wire::MAX_DATA as usize).contains(left))
                        .ok_or_else(|| refuse(Code::BAD_LENGTH))?;
                    let Some(block) = bytes.get(2..2 + length) else {
                        return Ok(None);
                    };
                    let group = Extensions::read(header.kind, header.flags, block)
                        .map_err(refuse)?
                        .group;
                    self.buffer.consume(2 + length);
                    self.state = State::Data {
                        header: FrameHeader {
                            length: left as u32,
                            ..header
                        },
                        left,
                        group,
                        fresh: true,
                    };
                }
                State::Data {
                    header,
                    left,
                    group,
                    fresh,
                } => {
                    let n = bytes.len().min(left);
                    if n == 0 && !fresh {
                        return Ok(None);
                    }
                    let first = fresh.then_some(left);
                    let left = left - n;
                    self.lent = n;
                    self.state = match left {
                        0 => State::Header,
                        _ => State::Data {
                            header,
                            left,
                            group,
                            fresh: false,
                        },
                    };
                    return Ok(Some(Found::Data {
                        header,
                        first,
                        bytes: 0..n,
                        left,
                        group,
                    }));
                }
                State::Skipped { left } => {
                    let n = bytes.len().min(left);
                    self.buffer.consume(n);
                    if n < left {
                        self.state = State::Skipped { left: left - n };
                        return Ok(None);
                    }
                    self.state = State::Header;
                }
            }
        }
    }

    /// What follows a header, by its kind and the limits.
    #[inline]
    fn body_of(&self, header: &FrameHeader) -> Result<State, Error> {
        let extended = header.flags.contains(Flags::EXTENDED);
        let length = header.length as usize;
        if header.kind == Kind::Data {
            return Ok(match extended {
                true => State::Block(*header),
                false => State::Data {
                    header: *header,
                    left: length,
                    group: None,
                    fresh: true,
                },
            });
        }
        // The block is allowed for in full; once it has come, the message itself is measured.
        let block = if extended {
            2 + wire::MAX_EXTENSIONS
        } else {
            0
        };
        if !header.kind.has_message() || length <= self.max_message_now().saturating_add(block) {
            return Ok(State::Body(*header));
        }
        if u64::from(header.length) > self.max_skipped {
            return Err(refusal(Code::FRAME_TOO_LARGE, header));
        }
        Ok(State::Skipped { left: length })
    }

    /// A frame with all its bytes.
    #[inline]
    fn whole(&mut self, header: FrameHeader) -> Result<Option<Found>, Error> {
        let length = header.length as usize;
        let bytes = self.buffer.bytes();
        if bytes.len() < length {
            return Ok(None);
        }
        let (block, payload) = if header.flags.contains(Flags::EXTENDED) {
            let refuse = |code| refusal(code, &header);
            // The header's length has room for the two bytes.
            let stated = extensions::block_len(&bytes[..length])
                .ok_or_else(|| refuse(Code::BAD_EXTENSION))?
                .map_err(refuse)?;
            let end = 2 + stated;
            // Only messages have a payload behind the block, and they must have one.
            let fits = match header.kind {
                Kind::Message | Kind::Reply | Kind::Push => end < length,
                Kind::Error => end <= length,
                _ => end == length,
            };
            if !fits {
                return Err(refuse(Code::BAD_EXTENSION));
            }
            Extensions::read(header.kind, header.flags, &bytes[2..end]).map_err(refuse)?;
            (2..end, end..length)
        } else {
            (0..0, 0..length)
        };
        if header.kind == Kind::Error && payload.is_empty() != (header.codec.0 == 0) {
            return Err(refusal(Code::BAD_FIELD, &header));
        }
        self.lent = length;
        self.state = State::Header;
        if header.kind.has_message() && payload.len() > self.max_message_now() {
            return Ok(Some(Found::TooLarge { header }));
        }
        Ok(Some(Found::Whole {
            header,
            block,
            payload,
        }))
    }

    fn max_message_now(&self) -> usize {
        match self.logged_in {
            true => self.max_message,
            false => self.max_message_before_login,
        }
    }

    /// What was lent out is gone.
    #[inline]
    fn settle(&mut self) {
        self.buffer.consume(mem::take(&mut self.lent));
    }
}

#[cold]
fn refusal(code: Code, header: &FrameHeader) -> Error {
    Error::Protocol {
        code,
        request: header.request,
    }
}

impl fmt::Debug for FrameDecoder {
    /// How much waits, and none of it: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameDecoder")
            .field("buffered", &self.buffered())
            .field("logged_in", &self.logged_in)
            .finish_non_exhaustive()
    }
}
