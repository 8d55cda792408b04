//! Bytes in, frames out; touches no socket and knows no request.

use std::{fmt, mem};

use crate::{
    error::{Error, Part},
    limits::Limits,
    native::{
        Block, Code, Digest, Extensions, FrameHeader,
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
        extensions: Block<'a>,
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
    /// Of the frame that the stream stands in; of a data frame the length is that of its payload.
    header: FrameHeader,
    /// The value that the data frame carries.
    group: Option<Digest>,
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
    Body,
    /// The extension block of a data frame.
    Block,
    Data {
        left: usize,
        /// Nobody has been told of this frame yet.
        fresh: bool,
    },
    Skipped {
        left: usize,
    },
}

/// A frame without a borrow, so that it can be looked at and then handed out. Its bytes are what
/// is [`lent`](FrameDecoder::lent) until the next call.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) header: FrameHeader,
    pub(super) what: What,
}

/// Which part of a frame was found.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// All of it. The block ends there, and the payload begins.
    Whole { block: usize },
    /// Some of a data frame.
    Data { first: bool, left: usize },
    /// A message over the limit, whose bytes are skipped.
    TooLarge,
}

impl FrameDecoder {
    /// A decoder behind the preface. The peer counts as not logged in.
    pub fn new(limits: &Limits) -> Self {
        Self {
            buffer: Buffer::default(),
            lent: 0,
            state: State::Header,
            header: FrameHeader::control(Kind::Ping, 0, 0),
            group: None,
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
    #[inline]
    pub fn decode(&mut self) -> Result<Option<Frame<'_>>, Error> {
        // Built in its own branch, the usual frame stays in registers until it is handed out.
        if let Some(found) = self.at_once() {
            return Ok(Some(self.frame(&found)));
        }
        let found = self.later()?;
        Ok(found.map(|found| self.frame(&found)))
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

    /// Whether the stream stands in the payload of a data frame.
    pub(super) fn is_in_data(&self) -> bool {
        matches!(self.state, State::Data { .. })
    }

    /// The request in whose data frame the stream stands.
    pub(super) fn data_of(&self) -> Option<u32> {
        self.is_in_data().then_some(self.header.request)
    }

    /// Whether it holds a buffer.
    pub(super) fn is_warm(&self) -> bool {
        self.buffer.is_warm()
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
        let len = u64::from(self.header.length);
        let (part, len, received) = match self.state {
            State::Header if received == 0 => return Ok(()),
            State::Header => (Part::Header, FrameHeader::BYTES as u64, received),
            State::Body | State::Block => (Part::Message, len, received),
            State::Data { left, .. } => (Part::Attachment, len, len - left as u64 + received),
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
                left,
                fresh: false,
                // Who reads past the decoder would not be told that a group is complete.
            } if self.buffered() == 0 && self.group.is_none() => Some((self.header.request, left)),
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

    /// The bytes of what was found, until the next call.
    #[inline]
    pub(super) fn lent(&self) -> &[u8] {
        &self.buffer.bytes()[..self.lent]
    }

    /// The extension fields of what was found, which were checked when it was.
    #[inline]
    pub(super) fn extensions(&self, found: &Found) -> Block<'_> {
        match found.what {
            What::Whole { block: end @ 2.. } => Block::checked(&self.lent()[2..end]),
            _ => Block::default(),
        }
    }

    /// The value of the group that the data frame's last byte completes.
    pub(super) fn group(&self) -> Option<Digest> {
        self.group
    }

    /// As [`decode`](Self::decode), without a borrow.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Found>, Error> {
        match self.at_once() {
            Some(found) => Ok(Some(found)),
            None => self.later(),
        }
    }

    /// The next frame if it is one like most: all there, without extension fields, within the
    /// limit and no data. Otherwise nothing has changed.
    #[inline(always)]
    pub(super) fn at_once(&mut self) -> Option<Found> {
        self.settle();
        let State::Header = self.state else {
            return None;
        };
        let bytes = self.buffer.bytes();
        let header = FrameHeader::parse(bytes.first_chunk()?).ok()?;
        let length = header.length as usize;
        let usual = header.kind != Kind::Data
            && header.kind != Kind::Error
            && !header.flags.contains(Flags::EXTENDED)
            && length <= self.max_message_now()
            && length <= bytes.len() - FrameHeader::BYTES;
        if !usual {
            return None;
        }
        self.buffer.consume(FrameHeader::BYTES);
        self.lent = length;
        let what = What::Whole { block: 0 };
        Some(Found { header, what })
    }

    /// The next frame, whatever it is.
    #[inline(never)]
    pub(super) fn later(&mut self) -> Result<Option<Found>, Error> {
        self.settle();
        if let State::Header = self.state {
            let Some(header) = self.buffer.bytes().first_chunk() else {
                return Ok(None);
            };
            let header = FrameHeader::read(header)?;
            let state = self.body_of(&header)?;
            self.buffer.consume(FrameHeader::BYTES);
            self.header = header;
            self.state = state;
            if let State::Skipped { .. } = state {
                let what = What::TooLarge;
                return Ok(Some(Found { header, what }));
            }
        }
        match self.state {
            State::Body => self.whole(),
            _ => self.part(),
        }
    }

    /// What was found, as it is handed out.
    #[inline(always)]
    fn frame(&self, found: &Found) -> Frame<'_> {
        let header = found.header;
        match found.what {
            What::Whole { block } => Frame::Whole {
                header,
                extensions: self.extensions(found),
                payload: &self.lent()[block..],
            },
            What::Data { left, .. } => Frame::Data {
                header,
                bytes: self.lent(),
                left,
                group: self.group,
            },
            What::TooLarge => Frame::TooLarge { header },
        }
    }

    /// What follows a header, by its kind and the limits.
    #[inline]
    fn body_of(&self, header: &FrameHeader) -> Result<State, Error> {
        let extended = header.flags.contains(Flags::EXTENDED);
        let length = header.length as usize;
        if header.kind == Kind::Data {
            return Ok(match extended {
                true => State::Block,
                false => State::Data {
                    left: length,
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
            return Ok(State::Body);
        }
        if u64::from(header.length) > self.max_skipped {
            return Err(refusal(Code::FRAME_TOO_LARGE, header));
        }
        Ok(State::Skipped { left: length })
    }

    /// A frame with all its bytes.
    fn whole(&mut self) -> Result<Option<Found>, Error> {
        let header = self.header;
        let length = header.length as usize;
        if self.buffer.bytes().len() < length {
            return Ok(None);
        }
        let block = match header.flags.contains(Flags::EXTENDED) {
            true => self.block_end(&header)?,
            false => 0,
        };
        let payload = length - block;
        if header.kind == Kind::Error && (payload == 0) != (header.codec.0 == 0) {
            return Err(refusal(Code::BAD_FIELD, &header));
        }
        self.lent = length;
        self.state = State::Header;
        let what = match header.kind.has_message() && payload > self.max_message_now() {
            true => What::TooLarge,
            false => What::Whole { block },
        };
        Ok(Some(Found { header, what }))
    }

    /// Some of a data frame, or of what is skipped.
    fn part(&mut self) -> Result<Option<Found>, Error> {
        if let State::Block = self.state
            && !self.data_block()?
        {
            return Ok(None);
        }
        let have = self.buffer.bytes().len();
        match self.state {
            State::Data { left, fresh } => {
                let n = have.min(left);
                if n == 0 && !fresh {
                    return Ok(None);
                }
                if fresh && !self.header.flags.contains(Flags::EXTENDED) {
                    self.group = None;
                }
                let left = left - n;
                self.lent = n;
                self.state = match left {
                    0 => State::Header,
                    _ => State::Data { left, fresh: false },
                };
                let what = What::Data { first: fresh, left };
                let header = self.header;
                Ok(Some(Found { header, what }))
            }
            State::Skipped { left } if have < left => {
                self.buffer.consume(have);
                self.state = State::Skipped { left: left - have };
                Ok(None)
            }
            State::Skipped { left } => {
                self.buffer.consume(left);
                self.state = State::Header;
                self.later()
            }
            _ => Ok(None),
        }
    }

    /// Reads the extension block of a data frame, if it is all there.
    fn data_block(&mut self) -> Result<bool, Error> {
        let header = self.header;
        let refuse = |code| refusal(code, &header);
        let bytes = self.buffer.bytes();
        let Some(length) = extensions::block_len(bytes) else {
            return Ok(false);
        };
        let length = length.map_err(refuse)?;
        let left = (header.length as usize)
            .checked_sub(2 + length)
            .filter(|left| (1..=wire::MAX_DATA as usize).contains(left))
            .ok_or_else(|| refuse(Code::BAD_LENGTH))?;
        let Some(block) = bytes.get(2..2 + length) else {
            return Ok(false);
        };
        let fields = Extensions::read(header.kind, header.flags, block).map_err(refuse)?;
        self.group = fields.group;
        self.buffer.consume(2 + length);
        self.header.length = left as u32;
        self.state = State::Data { left, fresh: true };
        Ok(true)
    }

    /// Where the extension block of a whole frame ends, once it has been checked.
    fn block_end(&self, header: &FrameHeader) -> Result<usize, Error> {
        let refuse = |code| refusal(code, header);
        let length = header.length as usize;
        let bytes = &self.buffer.bytes()[..length];
        // The header's length has room for the two bytes.
        let stated = extensions::block_len(bytes)
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
        Ok(end)
    }

    #[inline]
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
