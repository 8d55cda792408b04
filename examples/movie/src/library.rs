//! Files on disk: generated keys, digests, temporary names.
//!
//! ```text
//! DIR/lock          held while a server serves this folder
//! DIR/movies/KEY    complete, synced, never changed: KEY is 32 random hexadecimal characters
//! DIR/movies/.*     being received; removed at start
//! DIR/movies/.KEY.in-doubt    beside a file whose row is not yet known to be there
//! DIR/parts/.*      uploads that were cut, and wait for the rest
//! ```
//!
//! A server that is killed between a file and its row leaves the mark, and the next start asks the
//! database. Only marked files are ever removed: a server that is given another database by mistake
//! must not take all movies for forgotten ones.
//!
//! No name from a client is ever part of a path.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use packetboat_dispatch::{Parts, PartsPolicy, Rejection, Upload};
use packetboat_framing::{Error as FrameError, TempFile};
use rustix::fs::OFlags;

use crate::refusals::NO_SPACE;

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
    parts: Parts,
    reserve_percent: u64,
    /// Held, never read: the lock goes with it.
    _lock: File,
}

/// A file that has arrived whole and is synced, but not yet visible. Dropping it removes it.
#[derive(Debug)]
pub struct Received {
    /// What it will be stored as.
    pub key: Key,
    /// BLAKE3 of its content, in hexadecimal.
    pub digest: String,
    file: TempFile,
    mark: PathBuf,
}

/// How often is looked for uploads that nobody goes on with.
const TIDY: Duration = Duration::from_secs(60 * 60);

/// What every mark ends with.
const IN_DOUBT: &str = ".in-doubt";

impl Library {
    /// Opens the folder, makes what is missing, and removes what an earlier run left half received,
    /// but for uploads that can go on and were cut less than `keep` ago.
    ///
    /// # Errors
    ///
    /// When it cannot be written, is not ours, or is in use by another server.
    ///
    /// # Cancel safety
    ///
    /// Opening it again goes on from there.
    pub async fn open(
        dir: &Path,
        reserve_percent: u64,
        keep: Duration,
    ) -> Result<Self, LibraryError> {
        make(dir)?;
        let lock = lock(dir)?;
        let (movies, parts) = (dir.join("movies"), dir.join("parts"));
        make(&movies)?;
        make(&parts)?;
        let cannot = |source| io_error(&movies, source);
        for entry in fs::read_dir(&movies).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            if TempFile::is_temporary(&entry.file_name()) {
                fs::remove_file(entry.path()).map_err(|source| io_error(&entry.path(), source))?;
            }
        }
        let policy = PartsPolicy {
            keep,
            ..PartsPolicy::default()
        };
        let opened = Parts::open(&parts, policy).await;
        let parts = opened.map_err(|error| io_error(&parts, io::Error::other(error)))?;
        Ok(Self {
            movies,
            parts,
            reserve_percent,
            _lock: lock,
        })
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

    /// Receives an admin's file under a temporary name, hashing it on the way. One whose digest the
    /// client has stated goes on where an earlier upload of this admin was cut.
    ///
    /// # Errors
    ///
    /// `no_space` when the disk is full; `internal` when it fails otherwise, or the peer went away;
    /// `digest_mismatch`; `part_in_use` while the same admin uploads the same file.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future removes what has arrived, unless it can go on.
    pub async fn receive(&self, body: &mut Upload, admin: i64) -> Result<Received, Rejection> {
        let key = Key::generate();
        let path = self.movies.join(key.as_str());
        // Nobody takes up what somebody else has begun.
        let part = format!("{admin} {:?}", body.digest());
        let received = body.receive_resumable(&self.parts, part, path).await;
        let (file, digest) = received.map_err(disk_error)?;
        let digest = digest.to_string();
        let mark = self.mark(&key);
        Ok(Received {
            key,
            digest,
            file,
            mark,
        })
    }

    /// Removes the uploads that were cut too long ago, once an hour, for ever. It does not hold the
    /// folder.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it.
    pub fn tidy(&self) -> impl Future<Output = ()> + Send + use<> {
        let parts = self.parts.clone();
        async move {
            loop {
                tokio::time::sleep(TIDY).await;
                match parts.collect().await {
                    Ok(0) => {}
                    Ok(parts) => tracing::info!(parts, "unfinished uploads removed"),
                    Err(error) => tracing::warn!(%error, "unfinished uploads not removed"),
                }
            }
        }
    }

    /// The stored files whose rows may be missing, because a server ended before it knew. Blocking.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn in_doubt(&self) -> io::Result<Vec<Key>> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.movies)? {
            let name = entry?.file_name();
            let marked = name.to_str().and_then(|name| name.strip_prefix('.'));
            let key = marked.and_then(|name| name.strip_suffix(IN_DOUBT));
            keys.extend(key.and_then(Key::parse));
        }
        Ok(keys)
    }

    /// Ends the doubt about a file: it stays where its row is there, and goes where it is not.
    ///
    /// # Errors
    ///
    /// The system's. The mark then stays for the next start.
    pub async fn settle(&self, key: &Key, has_row: bool) -> io::Result<()> {
        let (file, mark) = (self.movies.join(key.as_str()), self.mark(key));
        let settled = tokio::task::spawn_blocking(move || {
            if !has_row {
                remove(&file)?;
            }
            remove(&mark)
        });
        settled.await.map_err(io::Error::other)?
    }

    fn mark(&self, key: &Key) -> PathBuf {
        self.movies.join(format!(".{}{IN_DOUBT}", key.as_str()))
    }

    /// Opens a stored file that has this many bytes. Blocking.
    ///
    /// # Errors
    ///
    /// When it is not there, is a link, or has another length: the reply says how many bytes
    /// follow, and with fewer or more the peer would take one thing for another from then on.
    pub fn open_movie(&self, key: &str, size: u64) -> io::Result<File> {
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let key = Key::parse(key).ok_or_else(|| invalid("a row holds a key that is none"))?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(self.movies.join(key.as_str()))?;
        if file.metadata()?.len() != size {
            return Err(invalid("a stored movie has another length than its row"));
        }
        Ok(file)
    }
}

impl Received {
    /// Gives the file its name, and marks it until [`Library::settle`] is told about its row.
    ///
    /// # Errors
    ///
    /// `no_space` when the disk is full, `internal` when it fails otherwise.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves the file as it is or under its name and marked.
    pub async fn persist(self) -> Result<(), Rejection> {
        // It needs no sync of its own: the folder's, after the renaming, is for both.
        let marked = tokio::task::spawn_blocking(move || File::create_new(self.mark));
        marked.await?.map_err(|error| disk_error(error.into()))?;
        self.file.persist().await.map_err(disk_error)
    }
}

/// A full disk is told to the peer, everything else to the log.
fn disk_error(error: FrameError) -> Rejection {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match &error {
        FrameError::Io(io) if matches!(io.kind(), StorageFull | QuotaExceeded | FileTooLarge) => {
            Rejection::from(NO_SPACE).with_source(error)
        }
        _ => error.into(),
    }
}

/// A folder of ours at `path`, made when it is missing, whose name outlives a loss of power.
fn make(path: &Path) -> Result<(), LibraryError> {
    let missing = path.ancestors().skip(1).take_while(|path| !path.exists());
    let missing: Vec<&Path> = missing.collect();
    match DirBuilder::new().mode(0o700).recursive(true).create(path) {
        // A link to nowhere is not a missing folder.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io_error(path, error));
        }
        _ => {}
    }
    // Also where it was there: a run that was cut off may have made it a moment ago.
    for made in [path].into_iter().chain(missing) {
        keep_name(made).map_err(|source| io_error(made, source))?;
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

/// Syncs the folder in which a name stands.
fn keep_name(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let is_here = parent.as_os_str().is_empty();
    let parent = if is_here { Path::new(".") } else { parent };
    match File::open(parent).and_then(|folder| folder.sync_all()) {
        // Where the server may not read it, nobody lets it make folders either.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file; one that is not there is as good as removed.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn lock(dir: &Path) -> Result<File, LibraryError> {
    let path = &dir.join("lock");
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
            path: dir.to_owned(),
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
