//! The sampled md5 that clients of this kind send: a hint, not a content hash.

use std::io::{self, Read, Seek, SeekFrom};

use md5::{Digest, Md5};

/// Bytes read at each of the four places.
const SAMPLE: u64 = 10;

/// Hashes ten bytes at each of the offsets `0`, `size / 3`, `size / 3 * 2` and `size - 10`.
///
/// ```text
///  0         size/3      size/3*2      size-10
///  |          |            |            |
///  ##########-##########---##########---##########
/// ```
///
/// An offset below zero becomes zero, and where fewer than ten bytes are left those are read.
/// Two different files can share this value, so it never decides anything but "ask again".
///
/// # Errors
/// Those of reading and seeking.
///
/// ```
/// let mut file = std::io::Cursor::new(b"12345");
/// assert_eq!(movie::sampled::md5(&mut file)?, "02d220f0f6795db148b48ea23119bd4d");
/// # std::io::Result::Ok(())
/// ```
pub fn md5(file: &mut (impl Read + Seek)) -> io::Result<String> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut hasher = Md5::new();
    for offset in [0, size / 3, size / 3 * 2, size.saturating_sub(SAMPLE)] {
        file.seek(SeekFrom::Start(offset))?;
        let mut sample = Vec::with_capacity(SAMPLE as usize);
        file.by_ref().take(SAMPLE).read_to_end(&mut sample)?;
        hasher.update(&sample);
    }
    Ok(hex(&hasher.finalize()))
}

/// The lower-case md5 hex that our own client sends in place of a password.
///
/// It hides nothing from anyone who hears the wire; it is what clients of this kind send, so that
/// an account made by one opens in another.
pub fn password(clear: &str) -> String {
    hex(&Md5::digest(clear.as_bytes()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> String {
        md5(&mut io::Cursor::new(bytes)).expect("a cursor never fails")
    }

    #[test]
    fn vectors_of_the_classic_wire_hold() {
        let counted: Vec<u8> = (0..64).collect();
        let long: Vec<u8> = (0..5_000_u32).map(|i| (i % 251) as u8).collect();
        assert_eq!(of(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(of(b"12345"), "02d220f0f6795db148b48ea23119bd4d");
        assert_eq!(of(&counted), "c1b12a67544e52a167030b0d23e7b6ba");
        assert_eq!(of(&long), "659bd31d2a9a1845354b468193eee2df");
    }

    #[test]
    fn different_files_can_share_it() {
        let mut one = vec![0; 4_000];
        let same = of(&one);
        one[700] = 1;
        assert_eq!(of(&one), same);
    }

    #[test]
    fn password_is_lower_case_md5_hex() {
        assert_eq!(password("123"), "202cb962ac59075b964b07152d234b70");
    }
}
