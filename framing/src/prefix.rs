//! The length prefix: how wide, which byte order, signed or not.

use std::{ffi::c_long, fmt, str::FromStr};

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use crate::{error::Error, header::Header};

/// A length before every message, in any integer code of Python's `struct`.
///
/// | code | C type | bytes after `<` `>` `!` `=` | bytes after `@` or alone |
/// | --- | --- | --- | --- |
/// | `b` `B` | signed, unsigned char | 1 | 1 |
/// | `h` `H` | short | 2 | 2 |
/// | `i` `I` | int | 4 | 4 |
/// | `l` `L` | long | 4 | 8 on 64-bit Unix, else 4 |
/// | `q` `Q` | long long | 8 | 8 |
///
/// `<` is little-endian, `>` and `!` are big-endian, `=`, `@` and no sign are the machine's own.
/// As in Python, only `@` (which is what no sign means) takes the machine's own width of `l` and
/// `L`. A wire should be written with one of `<`, `>` and `!`, so that it is the same everywhere.
///
/// Lower-case codes are signed. A negative length is refused, and the largest that can be stated
/// is the code's own positive maximum.
///
/// ```
/// use packetboat_framing::Prefix;
///
/// let prefix: Prefix = "<i".parse()?;
/// assert_eq!(prefix, Prefix::CLASSIC);
/// assert_eq!((prefix.width(), prefix.max_len()), (4, 2_147_483_647));
/// # Ok::<(), packetboat_framing::ParsePrefixError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    width: u8,
    signed: bool,
    big_endian: bool,
    len: u64,
}

impl Prefix {
    /// `<i`, what `struct.pack('i', n)` writes on every machine in use: the classic wire.
    pub const CLASSIC: Self = Self::new(4, true, false);
    /// `!I` or `>I`: 32 bits, unsigned, in network order.
    pub const NETWORK: Self = Self::new(4, false, true);

    const fn new(width: u8, signed: bool, big_endian: bool) -> Self {
        Self {
            width,
            signed,
            big_endian,
            len: 0,
        }
    }

    /// Bytes on the wire: 1, 2, 4 or 8.
    pub const fn width(&self) -> usize {
        self.width as usize
    }

    /// Whether the code is signed.
    pub const fn is_signed(&self) -> bool {
        self.signed
    }

    /// Whether the most significant byte comes first.
    pub const fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// The largest length that it can state.
    pub const fn max_len(&self) -> u64 {
        let bits = self.width as u32 * 8 - self.signed as u32;
        u64::MAX >> (64 - bits)
    }
}

impl Header for Prefix {
    #[inline]
    fn size(&self) -> usize {
        self.width()
    }

    #[inline]
    fn read(&self, bytes: &[u8]) -> Result<Self, Error> {
        // By width and not by `read_uint`, whose loop over any width takes five times as long.
        let raw = match (self.width, self.big_endian) {
            (1, _) => bytes[0].into(),
            (2, true) => BigEndian::read_u16(bytes).into(),
            (2, false) => LittleEndian::read_u16(bytes).into(),
            (4, true) => BigEndian::read_u32(bytes).into(),
            (4, false) => LittleEndian::read_u32(bytes).into(),
            (_, true) => BigEndian::read_u64(bytes),
            (_, false) => LittleEndian::read_u64(bytes),
        };
        if self.signed && raw > self.max_len() {
            // Moves the sign bit to the top and fills up with it on the way back.
            let unused = 64 - u32::from(self.width) * 8;
            let value = ((raw << unused) as i64) >> unused;
            return Err(Error::BadLength { value, hint: None });
        }
        let len = raw;
        Ok(Self { len, ..*self })
    }

    #[inline]
    fn write(&self, bytes: &mut [u8]) {
        // A length within `max_len` fits the width, and has the same bytes signed and unsigned.
        match (self.width, self.big_endian) {
            (1, _) => bytes[0] = self.len as u8,
            (2, true) => BigEndian::write_u16(bytes, self.len as u16),
            (2, false) => LittleEndian::write_u16(bytes, self.len as u16),
            (4, true) => BigEndian::write_u32(bytes, self.len as u32),
            (4, false) => LittleEndian::write_u32(bytes, self.len as u32),
            (_, true) => BigEndian::write_u64(bytes, self.len),
            (_, false) => LittleEndian::write_u64(bytes, self.len),
        }
    }

    #[inline]
    fn message_len(&self) -> u64 {
        self.len
    }

    #[inline]
    fn set_lengths(&mut self, message: u64, _attachment: u64) -> Result<(), Error> {
        if message > self.max_len() {
            return Err(Error::LengthOverflow {
                len: message,
                max: self.max_len(),
            });
        }
        self.len = message;
        Ok(())
    }

    fn swapped_len(&self) -> Option<u64> {
        (self.width > 1).then(|| self.len.swap_bytes() >> (64 - u32::from(self.width) * 8))
    }
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    /// Reads a format of Python's `struct` with one integer, such as `<i`, `!I` or `Q`.
    fn from_str(format: &str) -> Result<Self, ParsePrefixError> {
        let (order, code) = match format.as_bytes() {
            [code] => (b'@', *code),
            [order, code] => (*order, *code),
            _ => return Err(ParsePrefixError(())),
        };
        let big_endian = match order {
            b'<' => false,
            b'>' | b'!' => true,
            b'=' | b'@' => cfg!(target_endian = "big"),
            _ => return Err(ParsePrefixError(())),
        };
        let width = match code.to_ascii_lowercase() {
            b'b' => 1,
            b'h' => 2,
            b'i' => 4,
            b'l' if order == b'@' => size_of::<c_long>() as u8,
            b'l' => 4,
            b'q' => 8,
            _ => return Err(ParsePrefixError(())),
        };
        Ok(Self::new(width, code.is_ascii_lowercase(), big_endian))
    }
}

impl fmt::Display for Prefix {
    /// The format with standard sizes that means the same, such as `<i`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.big_endian { '>' } else { '<' };
        let code = match self.width {
            1 => 'b',
            2 => 'h',
            4 => 'i',
            _ => 'q',
        };
        let code = if self.signed {
            code
        } else {
            code.to_ascii_uppercase()
        };
        write!(f, "{order}{code}")
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({self}, {})", self.len)
    }
}

/// A text is not a `struct` format of one integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of b B h H i I l L q Q, alone or after one of < > ! = @")]
pub struct ParsePrefixError(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_codes_are_as_wide_as_the_machines_own() {
        let long = |format: &str| format.parse::<Prefix>().map(|p| p.width());
        assert_eq!(long("l"), Ok(size_of::<c_long>()));
        assert_eq!(long("@L"), Ok(size_of::<c_long>()));
        assert_eq!(long("=l"), Ok(4));
        assert_eq!(long("!L"), Ok(4));
    }

    #[test]
    fn other_formats_are_refused() {
        for format in ["", "i ", "<", "x", "<n", "ii", "<ii", "4s", "é", "^i", "f"] {
            assert!(format.parse::<Prefix>().is_err(), "{format}");
        }
    }

    #[test]
    fn display_parses_back() {
        for order in ["<", ">", "!", "=", "@", ""] {
            for code in "bBhHiIlLqQ".chars() {
                let prefix: Prefix = format!("{order}{code}")
                    .parse()
                    .expect("listed in the table");
                assert_eq!(prefix.to_string().parse(), Ok(prefix));
            }
        }
    }

    #[test]
    fn swapped_length_is_the_other_byte_order() {
        let read = |prefix: Prefix, bytes: &[u8]| prefix.read(bytes).map(|p| p.swapped_len());
        assert!(matches!(
            read(Prefix::CLASSIC, &[0, 0, 0, 42]),
            Ok(Some(42))
        ));
        assert!(matches!(
            read(Prefix::NETWORK, &[42, 0, 0, 0]),
            Ok(Some(42))
        ));
    }
}
