//! The sixteen bytes before every frame.

use crate::{
    error::Error,
    native::{
        Code,
        kind::{Flags, Kind},
        wire,
    },
};

/// What a message is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Codec(pub u16);

impl Codec {
    /// No message at all.
    pub const NONE: Self = Self(0);
    /// One JSON value in UTF-8.
    pub const JSON: Self = Self(1);
}

/// The header of a frame of the native wire.
///
/// ```text
///  0        1        2                 4                                   8
/// +--------+--------+-----------------+-----------------------------------+
/// | kind   | flags  | codec           | length: bytes behind the header   |
/// +--------+--------+-----------------+-----------------------------------+
/// | request id                        | type                              |
/// +-----------------------------------+-----------------------------------+
///  8                                   12                                 16
/// ```
///
/// All numbers are in network order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameHeader {
    /// What the frame is.
    pub kind: Kind,
    /// What it carries besides.
    pub flags: Flags,
    /// What its message is written in.
    pub codec: Codec,
    /// Bytes behind the header: the extension block and the payload.
    pub length: u32,
    /// The request that it belongs to; zero for the whole connection.
    pub request: u32,
    /// A hash of the message type's name in messages, replies and pushes. In error, end, cancel
    /// and going-away frames a [`Code`], in credit frames the bytes, in pings any number.
    pub argument: u32,
}

impl FrameHeader {
    /// Bytes on the wire.
    pub const BYTES: usize = 16;

    /// A frame that is nothing but its header.
    #[inline]
    pub const fn control(kind: Kind, request: u32, argument: u32) -> Self {
        Self {
            kind,
            flags: Flags::NONE,
            codec: Codec::NONE,
            length: 0,
            request,
            argument,
        }
    }

    /// Reads and checks a header. What is right in itself may still be out of place.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] with the code of the first rule that it breaks.
    #[inline]
    pub fn read(bytes: &[u8; Self::BYTES]) -> Result<Self, Error> {
        Self::parse(bytes).map_err(|(code, request)| Error::Protocol { code, request })
    }

    /// As [`read`](Self::read). What it may fail with is small, so that all of it stays in
    /// registers.
    #[inline(always)]
    pub(super) fn parse(bytes: &[u8; Self::BYTES]) -> Result<Self, (Code, u32)> {
        let all = u128::from_be_bytes(*bytes);
        let request = (all >> 32) as u32;
        let Some(kind) = Kind::from_u8((all >> 120) as u8) else {
            return Err((Code::UNKNOWN_KIND, request));
        };
        let header = Self {
            kind,
            flags: Flags((all >> 112) as u8),
            codec: Codec((all >> 96) as u16),
            length: (all >> 64) as u32,
            request,
            argument: all as u32,
        };
        match header.check() {
            Ok(()) => Ok(header),
            Err(code) => Err((code, request)),
        }
    }

    /// Its bytes.
    #[inline]
    pub const fn to_bytes(&self) -> [u8; Self::BYTES] {
        let all = (self.kind as u128) << 120
            | (self.flags.0 as u128) << 112
            | (self.codec.0 as u128) << 96
            | (self.length as u128) << 64
            | (self.request as u128) << 32
            | self.argument as u128;
        all.to_be_bytes()
    }

    /// The rules that a header must keep whatever came before it, in the order of `WIRE.md`.
    #[inline(always)]
    fn check(&self) -> Result<(), Code> {
        let Self { kind, flags, .. } = *self;
        if !kind.flags().contains(flags)
            || (flags.contains(Flags::RESUMABLE) && !flags.contains(Flags::ATTACHMENT))
        {
            return Err(Code::BAD_FLAGS);
        }
        let zero_id = matches!(kind, Kind::Push | Kind::Ping);
        let any_id = matches!(kind, Kind::GoingAway);
        if !any_id && zero_id != (self.request == 0) {
            return Err(Code::BAD_ID);
        }
        let field = match kind {
            Kind::Message | Kind::Reply | Kind::Push => self.codec != Codec::NONE,
            Kind::Error => self.argument >= 64,
            Kind::Data => self.codec == Codec::NONE && self.argument == 0,
            // A code where it was broken off, and only there.
            Kind::End => {
                self.codec == Codec::NONE
                    && (self.argument >= 64) == flags.contains(Flags::ABORTED)
                    && (self.argument >= 64 || self.argument == 0)
            }
            Kind::Cancel => self.codec == Codec::NONE && self.argument >= 64,
            Kind::Credit => self.codec == Codec::NONE && self.argument > 0,
            Kind::GoingAway => self.codec == Codec::NONE && self.argument < 64,
            Kind::Ping => self.codec == Codec::NONE,
        };
        if !field {
            return Err(Code::BAD_FIELD);
        }
        // The block is at least the two bytes of its own length.
        let (block, block_max) = match flags.contains(Flags::EXTENDED) {
            true => (2, 2 + wire::MAX_EXTENSIONS as u32),
            false => (0, 0),
        };
        let fits = match kind {
            Kind::Message | Kind::Reply | Kind::Push => self.length > block,
            // Text and codec come together or not at all; the block's length decides it later.
            Kind::Error => self.length >= block,
            Kind::Data => self.length > block && self.length <= block_max + wire::MAX_DATA,
            _ => (block..=block_max).contains(&self.length),
        };
        if fits { Ok(()) } else { Err(Code::BAD_LENGTH) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(bytes: [u8; 16]) -> Option<Code> {
        match FrameHeader::read(&bytes) {
            Err(Error::Protocol { code, .. }) => Some(code),
            _ => None,
        }
    }

    #[test]
    fn every_rule_has_its_code() {
        let ping = FrameHeader::control(Kind::Ping, 0, 7);
        let data = FrameHeader {
            length: 1,
            ..FrameHeader::control(Kind::Data, 1, 0)
        };
        let message = FrameHeader {
            codec: Codec::JSON,
            length: 2,
            ..FrameHeader::control(Kind::Message, 1, 0)
        };
        let end = FrameHeader::control(Kind::End, 1, 0);
        let flagged = |header: FrameHeader, flags: Flags| FrameHeader { flags, ..header };
        let long = |header: FrameHeader, length| FrameHeader { length, ..header };
        for header in [ping, data, message, end, long(data, wire::MAX_DATA)] {
            assert_eq!(code_of(header.to_bytes()), None, "{header:?}");
        }
        for (header, code) in [
            (flagged(ping, Flags::EXTENDED), Code::BAD_FLAGS),
            (flagged(message, Flags(32)), Code::BAD_FLAGS),
            (flagged(message, Flags::RESUMABLE), Code::BAD_FLAGS),
            (flagged(data, Flags::ATTACHMENT), Code::BAD_FLAGS),
            (FrameHeader { request: 1, ..ping }, Code::BAD_ID),
            (FrameHeader { request: 0, ..data }, Code::BAD_ID),
            (
                FrameHeader {
                    codec: Codec::NONE,
                    ..message
                },
                Code::BAD_FIELD,
            ),
            (
                FrameHeader {
                    argument: 1,
                    ..data
                },
                Code::BAD_FIELD,
            ),
            (flagged(end, Flags::ABORTED), Code::BAD_FIELD),
            (
                FrameHeader {
                    argument: 70,
                    ..end
                },
                Code::BAD_FIELD,
            ),
            (FrameHeader::control(Kind::Credit, 1, 0), Code::BAD_FIELD),
            (FrameHeader::control(Kind::Cancel, 1, 3), Code::BAD_FIELD),
            (FrameHeader::control(Kind::Error, 1, 3), Code::BAD_FIELD),
            (
                FrameHeader::control(Kind::GoingAway, 1, 64),
                Code::BAD_FIELD,
            ),
            (long(ping, 1), Code::BAD_LENGTH),
            (long(data, 0), Code::BAD_LENGTH),
            (long(data, wire::MAX_DATA + 1), Code::BAD_LENGTH),
            (long(message, 0), Code::BAD_LENGTH),
            (flagged(message, Flags::EXTENDED), Code::BAD_LENGTH),
        ] {
            assert_eq!(code_of(header.to_bytes()), Some(code), "{header:?}");
        }
        let mut unknown = ping.to_bytes();
        for kind in (11..=255).chain([0]) {
            unknown[0] = kind;
            assert_eq!(code_of(unknown), Some(Code::UNKNOWN_KIND));
        }
    }
}
