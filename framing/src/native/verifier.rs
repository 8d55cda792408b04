//! Hashing an attachment as it comes, from any offset.

use std::{fmt, io};

use blake3::{Hasher, hazmat::HasherExt};

use crate::{
    error::Error,
    native::{Digest, Groups},
};

/// Hashes what is received, group by group, and holds it against what the sender says.
///
/// It computes and nothing else: feed it where blocking is allowed, with the job that writes the
/// bytes to disk. 1 MiB takes about half a millisecond.
pub struct Verifier {
    /// Of the group that the next byte belongs to, or that is just full.
    hasher: Hasher,
    /// Bytes that the hasher has seen of its group.
    filled: u64,
    /// Bytes to let pass until a group begins.
    skip: u64,
    /// The position of the next byte.
    at: u64,
    /// From the beginning of the file on; `None` for a range that begins later.
    groups: Option<Groups>,
}

impl Verifier {
    /// For an attachment that begins at the beginning of the whole.
    pub fn new() -> Self {
        Self::at(0, Some(Groups::new()))
    }

    /// For what follows these groups.
    pub fn resume(groups: Groups) -> Self {
        Self::at(groups.covered(), Some(groups))
    }

    /// For a range that begins at this offset, of whose beginning nothing is known. The values of
    /// groups that lie wholly within can be checked, a digest cannot.
    pub fn range(offset: u64) -> Self {
        match offset {
            0 => Self::new(),
            _ => Self::at(offset, None),
        }
    }

    /// Adds bytes, in order.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.filled == Groups::BYTES {
                self.begin_group();
            }
            let room = match self.skip {
                0 => Groups::BYTES - self.filled,
                skip => skip,
            };
            let n = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(n);
            bytes = later;
            self.at += n as u64;
            if self.skip > 0 {
                self.skip -= n as u64;
                if self.skip == 0 {
                    self.begin_group();
                }
                continue;
            }
            self.hasher.update(now);
            self.filled += n as u64;
            if self.filled == Groups::BYTES
                && let Some(groups) = &mut self.groups
            {
                groups.push(Digest(self.hasher.finalize_non_root()));
            }
        }
    }

    /// Holds the group that the last byte has completed against the value that its sender gave.
    /// Where the group's beginning was not seen there is nothing to hold against it.
    ///
    /// # Errors
    ///
    /// [`Error::DigestMismatch`].
    pub fn check_group(&self, expected: Digest) -> Result<(), Error> {
        if self.filled == 0 || self.skip > 0 {
            return Ok(());
        }
        compare(expected, Digest(self.hasher.finalize_non_root()))
    }

    /// Holds the whole against the digest that its sender gave. Only then is it complete.
    ///
    /// # Errors
    ///
    /// [`Error::DigestMismatch`].
    pub fn check(&self, expected: Digest) -> Result<(), Error> {
        match self.digest() {
            Some(actual) => compare(expected, actual),
            None => Ok(()),
        }
    }

    /// The digest of all bytes from the beginning of the whole to the last one seen. `None` for a
    /// range that begins later, and where a single group was resumed and nothing followed.
    pub fn digest(&self) -> Option<Digest> {
        let groups = self.groups.as_ref()?;
        if self.at == self.filled {
            return Some(Digest(self.hasher.finalize().into()));
        }
        // A full group is among the values already.
        let tail = (1..Groups::BYTES)
            .contains(&self.filled)
            .then(|| Digest(self.hasher.finalize_non_root()));
        groups.root(tail)
    }

    /// The groups that are full, to be kept beside the part. Empty for a range.
    pub fn groups(&self) -> &Groups {
        const NONE: &Groups = &Groups::new();
        self.groups.as_ref().unwrap_or(NONE)
    }

    /// The position of the next byte.
    pub fn position(&self) -> u64 {
        self.at
    }

    fn at(at: u64, groups: Option<Groups>) -> Self {
        let mut verifier = Self {
            hasher: Hasher::new(),
            filled: 0,
            skip: at.next_multiple_of(Groups::BYTES) - at,
            at,
            groups,
        };
        if verifier.skip == 0 {
            verifier.begin_group();
        }
        verifier
    }

    fn begin_group(&mut self) {
        // A new one, because `reset` remembers half of the old offset.
        self.hasher = Hasher::new();
        self.hasher.set_input_offset(self.at);
        self.filled = 0;
    }
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new()
    }
}

/// Never fails, so that it can be a tee of [`BodyExt::receive`](crate::BodyExt::receive).
impl io::Write for Verifier {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("at", &self.at)
            .field("groups", &self.groups().values().len())
            .finish_non_exhaustive()
    }
}

fn compare(expected: Digest, actual: Digest) -> Result<(), Error> {
    match expected == actual {
        true => Ok(()),
        false => Err(Error::DigestMismatch { expected, actual }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: usize = Groups::BYTES as usize;

    fn file(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * i / 7 + i) as u8).collect()
    }

    #[test]
    fn digest_is_that_of_the_whole_however_it_is_cut_or_resumed() {
        let file = file(5 * GROUP + 77);
        for len in [
            0,
            1,
            1023,
            1024,
            1025,
            GROUP - 1,
            GROUP,
            GROUP + 1,
            2 * GROUP,
            2 * GROUP + 1,
            3 * GROUP,
            4 * GROUP,
            5 * GROUP,
            5 * GROUP + 77,
        ] {
            let whole = &file[..len];
            let expected = Digest::of(whole);
            let mut verifier = Verifier::new();
            for piece in whole.chunks(300_007) {
                verifier.update(piece);
            }
            assert_eq!(verifier.digest(), Some(expected), "{len}");
            assert_eq!(verifier.groups().values().len(), len / GROUP);
            for keep in 0..=len / GROUP {
                let mut groups = verifier.groups().clone();
                groups.truncate((keep * GROUP) as u64);
                let from = groups.resume_at(Some(len as u64));
                groups.truncate(from);
                let mut resumed = Verifier::resume(groups);
                assert_eq!(resumed.position(), from);
                resumed.update(&whole[from as usize..]);
                assert!(resumed.check(expected).is_ok(), "{len} from {keep}");
                assert_eq!(resumed.groups(), verifier.groups());
            }
        }
    }

    #[test]
    fn one_changed_byte_is_found() {
        let mut file = file(2 * GROUP + 9);
        let expected = Digest::of(&file);
        file[GROUP + 3] ^= 1;
        let mut verifier = Verifier::new();
        verifier.update(&file);
        let error = verifier.check(expected).expect_err("it was changed");
        assert!(matches!(error, Error::DigestMismatch { expected: e, .. } if e == expected));
        assert!(error.is_peer_fault());
    }

    #[test]
    fn a_range_checks_the_groups_within_it() {
        let file = file(3 * GROUP + 10);
        let mut whole = Verifier::new();
        whole.update(&file);
        let values = whole.groups().values().to_vec();
        let mut range = Verifier::range(GROUP as u64 - 5);
        range.update(&file[GROUP - 5..GROUP]);
        assert!(
            range.check_group(Digest([0; 32])).is_ok(),
            "its beginning was not seen"
        );
        range.update(&file[GROUP..2 * GROUP]);
        assert!(range.check_group(values[1]).is_ok());
        assert!(range.check_group(values[2]).is_err());
        range.update(&file[2 * GROUP..3 * GROUP]);
        assert!(range.check_group(values[2]).is_ok());
        range.update(&file[3 * GROUP..]);
        assert_eq!(range.digest(), None);
        assert!(range.groups().values().is_empty());
    }
}
