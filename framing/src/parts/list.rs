//! The list beside a part: which file it is of, and one value per group that is synced.
//!
//! ```text
//!  0        8        16            48           64        96
//!  | magic  | size   | digest      | check      | value 0 | value 1 | ..
//!             u64 BE   of the whole  of these 48
//! ```

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

use crate::native::{Digest, Groups};

const MAGIC: [u8; 8] = *b"pb-part1";
const HEAD: u64 = 64;
const VALUE: u64 = 32;

/// What a part is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) size: u64,
    pub(super) digest: Digest,
}

/// The list, open and locked: nobody else has the part while it is. All of it blocks.
#[derive(Debug)]
pub(super) struct List {
    file: File,
    /// Values that are in it.
    recorded: usize,
}

impl List {
    /// Opens the list at `path`, new if there is none. `None` if somebody else has it.
    pub(super) fn lock(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it may have finished, and removed it, between the two steps.
            if is_at(&file, path)? {
                return Ok(Some(Self { file, recorded: 0 }));
            }
        }
    }

    /// The values that it has of this file. None if it is of another, or its head is torn.
    pub(super) fn read(&self, whole: &Whole) -> io::Result<Groups> {
        let mut kept = vec![0; usize::try_from(self.bytes_for(whole)?).unwrap_or(usize::MAX)];
        let mut read = 0;
        while let n @ 1.. = self.file.read_at(&mut kept[read..], read as u64)? {
            read += n;
        }
        kept.truncate(read);
        let Some(values) = kept.strip_prefix(&head(whole)[..]) else {
            return Ok(Groups::new());
        };
        // What a file system has made room for and not written reads as zeros.
        let (values, _) = values.as_chunks::<{ VALUE as usize }>();
        let mut groups = Groups::new();
        for value in values.iter().take_while(|value| **value != [0; 32]) {
            groups.push(Digest(*value));
        }
        Ok(groups)
    }

    /// Begins it anew where it is not of this file, cuts it back to these values, and syncs it.
    pub(super) fn cut(&mut self, whole: &Whole, groups: &Groups) -> io::Result<()> {
        self.recorded = groups.values().len();
        if self.recorded == 0 {
            self.file.set_len(0)?;
            self.file.write_all_at(&head(whole), 0)?;
        } else {
            self.file.set_len(HEAD + self.recorded as u64 * VALUE)?;
        }
        self.file.sync_data()
    }

    /// Adds the values that are not in it, and syncs it. What they stand for has to be synced.
    pub(super) fn append(&mut self, groups: &Groups) -> io::Result<()> {
        let values = groups.values();
        let new = values.get(self.recorded..).unwrap_or_default();
        if new.is_empty() {
            return Ok(());
        }
        let bytes = new.iter().flat_map(|value| value.0).collect::<Vec<_>>();
        let at = HEAD + self.recorded as u64 * VALUE;
        self.file.write_all_at(&bytes, at)?;
        self.file.sync_data()?;
        self.recorded = values.len();
        Ok(())
    }

    /// What holds the lock.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// Bytes of it that are worth reading: no more than a file of that size has values, and no
    /// more than there are.
    fn bytes_for(&self, whole: &Whole) -> io::Result<u64> {
        let values = (whole.size / Groups::BYTES).saturating_mul(VALUE);
        let len = self.file.metadata()?.len();
        Ok(len.min(values.saturating_add(HEAD)))
    }
}

fn head(whole: &Whole) -> [u8; HEAD as usize] {
    let mut head = [0; HEAD as usize];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&whole.size.to_be_bytes());
    head[16..48].copy_from_slice(whole.digest.as_bytes());
    let check = Digest::of(&head[..48]);
    head[48..].copy_from_slice(&check.as_bytes()[..16]);
    head
}

/// Opens a file of a part, new if there is none. In a folder where others may write a link must
/// not lead to another file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// Whether a file still stands under that name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Without the look whether the file still stands there, one would hold what was removed and
    /// another what was made anew.
    #[test]
    fn a_list_that_is_removed_by_who_holds_it_is_never_held_by_two() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("list");
        let (holders, held) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..3000 {
                        let Some(list) = List::lock(&path).expect("writable") else {
                            continue;
                        };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                        held.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        holders.fetch_sub(1, Ordering::SeqCst);
                        fs::remove_file(&path).expect("it is there");
                        drop(list);
                    }
                });
            }
        });
        assert!(held.into_inner() > 100);
    }
}
