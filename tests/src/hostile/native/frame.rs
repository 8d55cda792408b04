//! A frame, from its numbers to its bytes and back. Nothing is checked: that is the server's part.

/// A message of the client.
pub(super) const MESSAGE: u8 = 1;
/// Its answer.
pub(super) const REPLY: u8 = 2;
/// Its answer, where it is refused.
pub(super) const ERROR: u8 = 3;
/// A message of the server.
pub(super) const PUSH: u8 = 4;
/// Bytes of an attachment.
pub(super) const DATA: u8 = 5;
/// Its end.
pub(super) const END: u8 = 6;
/// How much of it may come.
pub(super) const CREDIT: u8 = 7;
/// Nothing more is wanted.
pub(super) const CANCEL: u8 = 8;
/// Whether somebody is there.
pub(super) const PING: u8 = 9;
/// The end of the connection.
pub(super) const GOING_AWAY: u8 = 10;

pub(super) const EXTENDED: u8 = 1;
pub(super) const ATTACHMENT: u8 = 2;
pub(super) const RESUMABLE: u8 = 4;
pub(super) const ABORTED: u8 = 8;
pub(super) const ANSWER: u8 = 16;

/// The codec of every message here, but where an unknown one is meant.
pub(super) const JSON: u16 = 1;

pub(super) const DEADLINE: u8 = 1;
pub(super) const SIZE: u8 = 2;
pub(super) const OFFSET: u8 = 3;
pub(super) const DIGEST: u8 = 4;
pub(super) const KEY: u8 = 5;
pub(super) const NAME: u8 = 6;
pub(super) const GROUP: u8 = 7;

/// A frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) codec: u16,
    pub(super) id: u32,
    /// The type field: a type, a code, or a number of bytes.
    pub(super) value: u32,
    /// What is behind the header, with the block of extension fields.
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) const HEADER: usize = 16;

    /// A frame that is all header.
    pub(super) fn bare(kind: u8, id: u32, value: u32) -> Self {
        Self {
            kind,
            id,
            value,
            ..Self::default()
        }
    }

    /// A message in JSON.
    pub(super) fn message(id: u32, text: impl Into<Vec<u8>>) -> Self {
        Self {
            codec: JSON,
            payload: text.into(),
            ..Self::bare(MESSAGE, id, 0)
        }
    }

    pub(super) fn data(id: u32, bytes: &[u8]) -> Self {
        Self {
            payload: bytes.to_vec(),
            ..Self::bare(DATA, id, 0)
        }
    }

    pub(super) fn with_flags(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    pub(super) fn with_codec(mut self, codec: u16) -> Self {
        self.codec = codec;
        self
    }

    /// The same with these extension fields in front of its payload.
    pub(super) fn with_fields(self, fields: &[(u8, &[u8])]) -> Self {
        let mut block = Vec::new();
        for (number, value) in fields {
            block.extend([*number, value.len() as u8]);
            block.extend_from_slice(value);
        }
        self.with_block(&block)
    }

    /// The same with this block, whatever is in it.
    pub(super) fn with_block(self, block: &[u8]) -> Self {
        let length = block.len() as u16;
        self.with_raw_block(length, block)
    }

    /// The same with a block that says that it is so long.
    pub(super) fn with_raw_block(mut self, length: u16, block: &[u8]) -> Self {
        self.flags |= EXTENDED;
        self.payload
            .splice(..0, [&length.to_be_bytes()[..], block].concat());
        self
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes_of_length(self.payload.len() as u32)
    }

    /// The same with another length in the header.
    pub(super) fn bytes_of_length(&self, length: u32) -> Vec<u8> {
        let mut bytes = vec![self.kind, self.flags];
        bytes.extend(self.codec.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.value.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// A header's numbers, and how much is behind it.
    pub(super) fn of_header(header: [u8; Self::HEADER]) -> (Self, usize) {
        let number = |at: usize| {
            let bytes: [u8; 4] = header[at..at + 4].try_into().expect("four of sixteen");
            u32::from_be_bytes(bytes)
        };
        let frame = Self {
            kind: header[0],
            flags: header[1],
            codec: u16::from_be_bytes([header[2], header[3]]),
            id: number(8),
            value: number(12),
            payload: Vec::new(),
        };
        (frame, number(4) as usize)
    }

    /// The payload without the block.
    pub(super) fn body(&self) -> &[u8] {
        if self.flags & EXTENDED == 0 {
            return &self.payload;
        }
        let length = self
            .payload
            .first_chunk()
            .map_or(0, |n| u16::from_be_bytes(*n));
        self.payload
            .get(2 + usize::from(length)..)
            .unwrap_or_default()
    }

    /// The value of an extension field.
    pub(super) fn field(&self, wanted: u8) -> Option<&[u8]> {
        if self.flags & EXTENDED == 0 {
            return None;
        }
        let length = u16::from_be_bytes(*self.payload.first_chunk()?);
        let mut block = self.payload.get(2..2 + usize::from(length))?;
        while let [number, length, rest @ ..] = block {
            let (value, rest) = rest.split_at_checked(usize::from(*length))?;
            if *number == wanted {
                return Some(value);
            }
            block = rest;
        }
        None
    }

    /// The size of its attachment, if it states it.
    pub(super) fn size(&self) -> Option<u64> {
        let bytes = self.field(SIZE)?.try_into().ok()?;
        Some(u64::from_be_bytes(bytes))
    }
}
