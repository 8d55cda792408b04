//! The first eight bytes of either side: who speaks, and which version.

use crate::{
    error::Error,
    hint::Hint,
    native::{Code, wire},
};

/// What each side says before its first frame.
///
/// ```text
///           0    1    2    3    4          5          6    7
///         +----+----+----+----+----------+----------+---------+
/// client  | B0 | A7 | B0 | A7 | lowest   | highest  |  0    0 |
///         +----+----+----+----+----------+----------+---------+
/// server  | B0 | A7 | B0 | A7 | chosen   | highest  | requests|
///         +----+----+----+----+----------+----------+---------+
/// ```
///
/// The fourth byte is over 127, so that read as a classic `<i` length it is negative: no limit
/// makes it a legal one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Preface {
    /// The lowest version that the client speaks, or the one that the server has chosen. Zero
    /// from a server that has none in common with the client.
    pub version: u8,
    /// The highest version that this side speaks.
    pub highest: u8,
    /// From the server: how many requests the client may have in flight. Zero from a client.
    pub requests: u16,
}

impl Preface {
    /// The bytes by which the wire is known.
    pub const MAGIC: [u8; 4] = [0xb0, 0xa7, 0xb0, 0xa7];
    /// Bytes on the wire.
    pub const BYTES: usize = 8;

    /// What a client of this crate says: version 1 alone.
    pub const fn client() -> Self {
        Self {
            version: wire::VERSION,
            highest: wire::VERSION,
            requests: 0,
        }
    }

    /// What a server of this crate answers to a client that said this.
    pub const fn answer(client: Self, requests: u16) -> Self {
        let spoken = client.version <= wire::VERSION && wire::VERSION <= client.highest;
        Self {
            version: if spoken { wire::VERSION } else { 0 },
            highest: wire::VERSION,
            requests: if spoken { requests } else { 0 },
        }
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; Self::BYTES] {
        let [a, b, c, d] = Self::MAGIC;
        let [high, low] = self.requests.to_be_bytes();
        [a, b, c, d, self.version, self.highest, high, low]
    }

    /// Reads it from the beginning of a stream; `None` while it is not all there.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHeader`] at the first byte that is not its own.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let have = bytes.len().min(Self::MAGIC.len());
        if bytes[..have] != Self::MAGIC[..have] {
            return Err(Error::InvalidHeader {
                reason: "not the preface of the native wire",
                hint: Hint::of(bytes),
            });
        }
        let Some(&[_, _, _, _, version, highest, high, low]) = bytes.first_chunk() else {
            return Ok(None);
        };
        Ok(Some(Self {
            version,
            highest,
            requests: u16::from_be_bytes([high, low]),
        }))
    }

    /// Checks a server's answer.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] with [`Code::UNSUPPORTED_VERSION`] when there is no version in common.
    pub(super) fn accept(self) -> Result<(), Error> {
        if self.version == wire::VERSION && self.requests > 0 {
            return Ok(());
        }
        Err(Error::Protocol {
            code: Code::UNSUPPORTED_VERSION,
            request: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(lowest: u8, highest: u8) -> Preface {
        Preface {
            version: lowest,
            highest,
            requests: 0,
        }
    }

    #[test]
    fn highest_common_version_is_chosen() {
        assert_eq!(Preface::answer(offer(1, 1), 9).version, 1);
        assert_eq!(Preface::answer(offer(1, 255), 9).version, 1);
        assert_eq!(Preface::answer(offer(2, 3), 9), offer(0, 1));
        // A range that is none, or ends below what is spoken, has nothing in common either.
        assert_eq!(Preface::answer(offer(3, 1), 9), offer(0, 1));
        assert_eq!(Preface::answer(offer(0, 0), 9), offer(0, 1));
    }

    #[test]
    fn refused_at_the_first_foreign_byte() {
        for n in 0..8 {
            let mut bytes = Preface::client().to_bytes();
            assert!(matches!(Preface::read(&bytes[..n]), Ok(None)));
            if n < 4 {
                bytes[n] ^= 1;
                assert!(Preface::read(&bytes[..=n]).is_err());
            }
        }
        let told = Preface::answer(Preface::client(), 0x0102);
        assert!(matches!(Preface::read(&told.to_bytes()), Ok(Some(p)) if p == told));
    }
}
