//! Files on disk: generated keys, digests, temporary names.
//!
//! ```text
//! DIR/lock          held while a server serves this folder
//! DIR/movies/KEY    complete, synced, never changed: KEY is 32 random hexadecimal characters
//! DIR/incoming/KEY  being received; emptied at start
//! ```
//!
//! No name from a client is ever part of a path.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// A stored file's name: 128 random bits in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("an operating system that serves has randomness");
        Self(crate::sampled::hex(&bytes))
    }

    /// The key that this text is, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_key = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_key.then(|| Self(text.to_owned()))
    }

    /// Its 32 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a folder cannot be served from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// Something of the kind that the folder must be is not.
    #[error("{}: cannot be used as a movie folder", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server serves it.
    #[error("{}: in use by another movie server", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It is a link or a file, or belongs to someone else.
    #[error("{}: must be a folder of the user who runs the server", path.display())]
    NotOurs {
        /// Which folder.
        path: PathBuf,
    },
}

/// The folder of one server's files.
#[derive(Debug)]
pub struct Library {
    movies: PathBuf,
    incoming: PathBuf,
    reserve_percent: u64,
    /// Held, never read: the lock goes with it.
    _lock: File,
}

impl Library {
    /// Opens the folder, makes what is missing, and removes what an earlier run left half received.
    ///
    /// # Errors
    ///
    /// When it cannot be written, is not ours, or is in use by another server.
    pub fn open(dir: &Path, reserve_percent: u64) -> Result<Self, LibraryError> {
        let library = Self {
            movies: dir.join("movies"),
            incoming: dir.join("incoming"),
            reserve_percent,
            _lock: {
                make(dir)?;
                lock(&dir.join("lock"))?
            },
        };
        make(&library.movies)?;
        make(&library.incoming)?;
        let cannot = |source| io_error(&library.incoming, source);
        for entry in fs::read_dir(&library.incoming).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
        }
        Ok(library)
    }

    /// Whether a file of this size fits while the reserve stays free.
    ///
    /// It is asked before a body is received; what happens to the disk meanwhile shows when writing.
    ///
    /// # Errors
    ///
    /// When the system cannot tell.
    pub fn has_room(&self, size: u64) -> io::Result<bool> {
        let disk = rustix::fs::statvfs(&self.movies)?;
        let total = disk.f_blocks.saturating_mul(disk.f_frsize);
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let reserve = total / 100 * self.reserve_percent;
        Ok(size.saturating_add(reserve) <= free)
    }
}

/// A folder of ours at `path`, made when it is missing.
fn make(path: &Path) -> Result<(), LibraryError> {
    match DirBuilder::new().mode(0o700).recursive(true).create(path) {
        // A link to nowhere is not a missing folder.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io_error(path, error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(|source| io_error(path, source))?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if found.is_dir() && ours {
        Ok(())
    } else {
        Err(LibraryError::NotOurs {
            path: path.to_owned(),
        })
    }
}

fn lock(path: &Path) -> Result<File, LibraryError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|source| io_error(path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LibraryError::InUse {
            path: path.with_file_name(""),
        }),
        Err(TryLockError::Error(source)) => Err(io_error(path, source)),
    }
}

fn io_error(path: &Path, source: io::Error) -> LibraryError {
    LibraryError::Io {
        path: path.to_owned(),
        source,
    }
}
