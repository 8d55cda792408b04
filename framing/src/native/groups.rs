//! What is already known of a file's hash: one value per mebibyte.

use blake3::hazmat::{Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::native::Digest;

/// BLAKE3 chaining values of the full, aligned groups of 1 MiB at the beginning of a file.
///
/// Kept beside an unfinished file (each value appended after its bytes are synced) it lets the
/// rest be received later without hashing again what is there: the file is cut back to the last
/// value, and the digest is merged from the values.
///
/// ```text
///  part    | group 0 | group 1 | group 2 | some more: cut off when resuming
///  values  | 32 B    | 32 B    | 32 B    |
/// ```
///
/// ```
/// use packetboat_framing::native::{Digest, Groups, Verifier};
///
/// let file = vec![7; 2 * 1024 * 1024 + 5];
/// let mut verifier = Verifier::new();
/// verifier.update(&file[..2_000_000]); // then the connection is lost
/// let kept = verifier.groups().to_bytes();
///
/// let groups = Groups::from_bytes(&kept);
/// let from = groups.resume_at(Some(file.len() as u64));
/// assert_eq!(from, 1024 * 1024);
/// let mut verifier = Verifier::resume(groups);
/// verifier.update(&file[from as usize..]);
/// assert_eq!(verifier.digest(), Some(Digest::of(&file)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups {
    values: Vec<Digest>,
}

impl Groups {
    /// Bytes in a group: 1 MiB. Its subtree is a power of two of BLAKE3's chunks.
    pub const BYTES: u64 = 1024 * 1024;

    /// No group yet.
    pub const fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Values as they are kept, 32 bytes each. A torn one at the end is left out.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (values, _) = bytes.as_chunks();
        Self {
            values: values.iter().map(|value| Digest(*value)).collect(),
        }
    }

    /// Values as they are kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.values.iter().flat_map(|value| value.0);
        bytes.collect()
    }

    /// Adds the value of the next group.
    pub fn push(&mut self, value: Digest) {
        self.values.push(value);
    }

    /// The values, from the first group on.
    pub fn values(&self) -> &[Digest] {
        &self.values
    }

    /// Bytes that the values stand for.
    pub fn covered(&self) -> u64 {
        self.values.len() as u64 * Self::BYTES
    }

    /// Leaves only the values of bytes below `len`, in whole groups.
    pub fn truncate(&mut self, len: u64) {
        let keep = usize::try_from(len / Self::BYTES).unwrap_or(usize::MAX);
        self.values.truncate(keep);
    }

    /// Where a file of that size may go on, given that so much of it is there. A value that
    /// stands for more than the size is not of this file: then it begins again.
    ///
    /// One group alone is not enough unless more is known to follow: the digest of a file of
    /// exactly one group cannot be had from its value.
    pub fn resume_at(&self, size: Option<u64>) -> u64 {
        let covered = self.covered();
        let alone = self.values.len() == 1 && size.is_none_or(|size| size <= Self::BYTES);
        match size {
            Some(size) if covered > size => 0,
            _ if alone => 0,
            _ => covered,
        }
    }

    /// The digest of a file that is these groups and then one shorter one with this value, if it
    /// has one. `None` for fewer than two values in all.
    pub fn root(&self, tail: Option<Digest>) -> Option<Digest> {
        let mut values = self.values.clone();
        values.extend(tail);
        if values.len() < 2 {
            return None;
        }
        let (left, right) = values.split_at(left_of(values.len()));
        let root = merge_subtrees_root(&merge(left), &merge(right), Mode::Hash);
        Some(Digest(root.into()))
    }
}

/// How many of several groups stand in the left subtree: the largest power of two below.
fn left_of(groups: usize) -> usize {
    groups.div_ceil(2).next_power_of_two()
}

/// The chaining value of a subtree. Its depth is the logarithm of its groups.
fn merge(values: &[Digest]) -> [u8; 32] {
    match values {
        [value] => value.0,
        _ => {
            let (left, right) = values.split_at(left_of(values.len()));
            merge_subtrees_non_root(&merge(left), &merge(right), Mode::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_alone_is_not_resumed_unless_more_follows() {
        let mut groups = Groups::new();
        assert_eq!(groups.resume_at(None), 0);
        groups.push(Digest([1; 32]));
        assert_eq!(groups.resume_at(None), 0);
        assert_eq!(groups.resume_at(Some(Groups::BYTES)), 0);
        assert_eq!(groups.resume_at(Some(Groups::BYTES + 1)), Groups::BYTES);
        assert_eq!(groups.resume_at(Some(Groups::BYTES - 1)), 0);
        groups.push(Digest([2; 32]));
        assert_eq!(groups.resume_at(None), 2 * Groups::BYTES);
        assert_eq!(groups.resume_at(Some(2 * Groups::BYTES)), 2 * Groups::BYTES);
        assert_eq!(groups.resume_at(Some(2 * Groups::BYTES - 1)), 0);
        groups.truncate(2 * Groups::BYTES - 1);
        assert_eq!(groups.values(), [Digest([1; 32])]);
    }

    #[test]
    fn a_torn_value_is_left_out() {
        let mut groups = Groups::new();
        groups.push(Digest([1; 32]));
        let mut kept = groups.to_bytes();
        kept.extend_from_slice(&[2; 31]);
        assert_eq!(Groups::from_bytes(&kept), groups);
    }
}
