//! Numbered fields between a header and its payload.

use std::{fmt, str, time::Duration};

use crate::native::{
    Code, Digest,
    kind::{Flags, Kind},
    wire,
};

/// The extension fields of a frame. Each is optional.
///
/// ```text
/// +----------------+--------+--------+---------+--------+--------+---------+ ..
/// | block length   | number | length | value   | number | length | value   |
/// | u16            | u8     | u8     |         | u8     | u8     |         |
/// +----------------+--------+--------+---------+--------+--------+---------+ ..
/// ```
///
/// Numbers rise, so none comes twice. A reader skips numbers from 128 on that it does not know,
/// and refuses the frame for an unknown one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions<'a> {
    /// 1: how long the sender of a request still waits, in milliseconds.
    pub deadline_ms: Option<u32>,
    /// 2: bytes of the attachment, from its offset to its end. Unknown if absent.
    pub size: Option<u64>,
    /// 3: where in the whole the attachment begins; in a credit frame where to begin sending.
    pub offset: Option<u64>,
    /// 4: the BLAKE3 digest of the whole of which the attachment is the end.
    pub digest: Option<Digest>,
    /// 5: makes a request that is sent twice count once.
    pub idempotency_key: Option<[u8; 16]>,
    /// 6: what the attachment is called, at most 255 bytes. Never a path.
    pub name: Option<&'a str>,
    /// 7: the chaining value of the group that this data frame's last byte completes.
    pub group: Option<Digest>,
}

/// The extension block of a frame that came, checked and not yet read. Most frames have none, and
/// a message should not pay for moving seven empty fields.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Block<'a>(&'a [u8]);

impl<'a> Block<'a> {
    /// What was checked when its frame was found.
    #[inline]
    pub(super) const fn checked(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// Its fields.
    pub fn fields(self) -> Extensions<'a> {
        Extensions::parse(self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Block<'_> {
    /// Its fields without the idempotency key: who has it can take the place of its request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = self.fields();
        fields.idempotency_key = None;
        fields.fmt(f)
    }
}

/// The numbers of the fields.
mod number {
    pub(super) const DEADLINE: u8 = 1;
    pub(super) const SIZE: u8 = 2;
    pub(super) const OFFSET: u8 = 3;
    pub(super) const DIGEST: u8 = 4;
    pub(super) const IDEMPOTENCY_KEY: u8 = 5;
    pub(super) const NAME: u8 = 6;
    pub(super) const GROUP: u8 = 7;
    /// From here on a field may be skipped.
    pub(super) const OPTIONAL: u8 = 128;
}

impl<'a> Extensions<'a> {
    /// The time left until the deadline.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline_ms
            .map(|ms| Duration::from_millis(u64::from(ms)))
    }

    /// Whether it holds no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Every message asks, and comparing with an empty one would cost as much as writing it.
        self.deadline_ms.is_none()
            && self.size.is_none()
            && self.offset.is_none()
            && self.digest.is_none()
            && self.idempotency_key.is_none()
            && self.name.is_none()
            && self.group.is_none()
    }

    /// Reads a block without the two bytes that state its length, and checks that each field
    /// belongs in a frame of this kind.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_EXTENSION`] for anything amiss.
    pub fn read(kind: Kind, flags: Flags, block: &'a [u8]) -> Result<Self, Code> {
        let fields = Self::parse(block)?;
        match fields.belong(kind, flags) {
            true => Ok(fields),
            false => Err(Code::BAD_EXTENSION),
        }
    }

    /// Reads a block, wherever its fields belong.
    fn parse(mut block: &'a [u8]) -> Result<Self, Code> {
        const BAD: Code = Code::BAD_EXTENSION;
        let mut fields = Self::default();
        let mut last = 0;
        while let [number, length, rest @ ..] = block {
            if *number <= last {
                return Err(BAD);
            }
            last = *number;
            let (value, rest) = rest.split_at_checked(usize::from(*length)).ok_or(BAD)?;
            block = rest;
            match *number {
                number::DEADLINE => fields.deadline_ms = Some(u32::from_be_bytes(exact(value)?)),
                number::SIZE => fields.size = Some(u64::from_be_bytes(exact(value)?)),
                number::OFFSET => fields.offset = Some(u64::from_be_bytes(exact(value)?)),
                number::DIGEST => fields.digest = Some(Digest(exact(value)?)),
                number::IDEMPOTENCY_KEY => {
                    fields.idempotency_key = Some(exact(value)?);
                }
                number::NAME => {
                    let name = str::from_utf8(value).map_err(|_| BAD)?;
                    fields.name = Some(name).filter(|name| !name.is_empty());
                    fields.name.ok_or(BAD)?;
                }
                number::GROUP => fields.group = Some(Digest(exact(value)?)),
                number::OPTIONAL.. => {}
                _ => return Err(BAD),
            }
        }
        match block.is_empty() {
            true => Ok(fields),
            false => Err(BAD),
        }
    }

    /// Appends the block, its length first.
    ///
    /// # Panics
    ///
    /// If the name is empty or longer than 255 bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let hole = out.len();
        out.extend_from_slice(&[0; 2]);
        let mut field = |number: u8, value: &[u8]| {
            let length = u8::try_from(value.len()).expect("a field has at most 255 bytes");
            out.extend_from_slice(&[number, length]);
            out.extend_from_slice(value);
        };
        if let Some(ms) = self.deadline_ms {
            field(number::DEADLINE, &ms.to_be_bytes());
        }
        if let Some(size) = self.size {
            field(number::SIZE, &size.to_be_bytes());
        }
        if let Some(offset) = self.offset {
            field(number::OFFSET, &offset.to_be_bytes());
        }
        if let Some(digest) = self.digest {
            field(number::DIGEST, digest.as_bytes());
        }
        if let Some(key) = self.idempotency_key {
            field(number::IDEMPOTENCY_KEY, &key);
        }
        if let Some(name) = self.name {
            assert!(!name.is_empty(), "a name has at least one byte");
            field(number::NAME, name.as_bytes());
        }
        if let Some(group) = self.group {
            field(number::GROUP, group.as_bytes());
        }
        // All seven fields come to 2 * 7 + 4 + 8 + 8 + 32 + 16 + 255 + 32 bytes at most.
        let length = (out.len() - hole - 2) as u16;
        out[hole..hole + 2].copy_from_slice(&length.to_be_bytes());
    }

    /// Whether every field belongs in a frame of this kind.
    pub(super) fn belong(&self, kind: Kind, flags: Flags) -> bool {
        let Self {
            deadline_ms,
            size,
            offset,
            digest,
            idempotency_key,
            name,
            group,
        } = *self;
        let request = kind == Kind::Message;
        let attached = flags.contains(Flags::ATTACHMENT);
        let ends_whole = kind == Kind::End && !flags.contains(Flags::ABORTED);
        // The end of what is attached must be a position that can be stated.
        let ends = offset.unwrap_or(0).checked_add(size.unwrap_or(0));
        (deadline_ms.is_none() || request)
            && (size.is_none() || attached)
            && (offset.is_none() || attached || kind == Kind::Credit)
            && (digest.is_none() || attached || ends_whole)
            && (idempotency_key.is_none() || request)
            && (name.is_none() || attached)
            && (group.is_none() || kind == Kind::Data)
            && ends.is_some()
    }
}

/// The length that the block at the beginning of `body` states, or `None` while it is not there.
#[inline]
pub(super) fn block_len(body: &[u8]) -> Option<Result<usize, Code>> {
    let length = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    Some(match length <= wire::MAX_EXTENSIONS {
        true => Ok(length),
        false => Err(Code::BAD_EXTENSION),
    })
}

fn exact<const N: usize>(value: &[u8]) -> Result<[u8; N], Code> {
    value.try_into().map_err(|_| Code::BAD_EXTENSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = Flags(Flags::EXTENDED.0 | Flags::ATTACHMENT.0);

    #[test]
    fn all_fields_come_back() {
        let (digest, key) = (Digest([7; 32]), [9; 16]);
        let fields = Extensions {
            deadline_ms: Some(30_000),
            size: Some(1 << 40),
            offset: Some(3 << 20),
            digest: Some(digest),
            idempotency_key: Some(key),
            name: Some("电影.mp4"),
            group: None,
        };
        let mut block = Vec::new();
        fields.write(&mut block);
        assert_eq!(block_len(&block), Some(Ok(block.len() - 2)));
        let read = Extensions::read(Kind::Message, FLAGS, &block[2..]);
        assert_eq!(read, Ok(fields));
        for cut in 3..block.len() {
            let cut = Extensions::read(Kind::Message, FLAGS, &block[2..cut]);
            // A cut between two fields leaves fewer of them; within one, nothing can be read.
            assert!(cut.is_err() || cut.is_ok_and(|some| some != fields));
        }
    }

    #[test]
    fn malformed_blocks_are_refused() {
        let long_name = [&[6, 255][..], &[b'x'; 254]].concat();
        let refused: [&[u8]; 12] = [
            &[1],
            &[1, 4, 0, 0, 0],
            &[1, 3, 0, 0, 0],
            &[0, 0],
            &[8, 0],
            &[127, 1, 0],
            &[6, 0],
            &[6, 2, 0xc3, 0x28],
            &[3, 8, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0],
            &[1, 4, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0],
            &[
                2, 8, 255, 255, 255, 255, 255, 255, 255, 255, 3, 8, 0, 0, 0, 0, 0, 0, 0, 1,
            ],
            &long_name,
        ];
        for block in refused {
            let read = Extensions::read(Kind::Message, FLAGS, block);
            assert_eq!(read, Err(Code::BAD_EXTENSION), "{block:?}");
        }
        let skipped = Extensions::read(Kind::Message, FLAGS, &[200, 3, 1, 2, 3, 201, 0]);
        assert_eq!(skipped, Ok(Extensions::default()));
    }

    #[test]
    fn fields_out_of_place_are_refused() {
        let digest = Digest([1; 32]);
        let deadline = Extensions {
            deadline_ms: Some(1),
            ..Extensions::default()
        };
        let size = Extensions {
            size: Some(1),
            ..Extensions::default()
        };
        let group = Extensions {
            group: Some(digest),
            ..Extensions::default()
        };
        let whole = Extensions {
            digest: Some(digest),
            ..Extensions::default()
        };
        assert!(deadline.belong(Kind::Message, Flags::EXTENDED));
        assert!(!deadline.belong(Kind::Reply, FLAGS));
        assert!(size.belong(Kind::Reply, FLAGS));
        assert!(!size.belong(Kind::Reply, Flags::EXTENDED));
        assert!(group.belong(Kind::Data, Flags::EXTENDED));
        assert!(!group.belong(Kind::Message, FLAGS));
        assert!(whole.belong(Kind::End, Flags::EXTENDED));
        let broken = Flags::EXTENDED.with(Flags::ABORTED, true);
        assert!(!whole.belong(Kind::End, broken));
    }
}
