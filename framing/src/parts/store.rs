//! A folder of parts: each under a hashed key, and gone when its time is over.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::task::spawn_blocking;

use crate::{
    error::Error,
    native::{Digest, Groups},
    save::{self, gone},
};

use super::{
    PartFile, PartsPolicy,
    file::Paths,
    list::{List, Whole},
};

const BEFORE: &str = ".";
const DATA: &str = ".packetboat-unfinished";
const LIST: &str = ".packetboat-groups";

/// A folder where files that have not come whole wait for the rest. Clones are the same one.
///
/// A part has two files: its bytes, and beside them a list of one BLAKE3 chaining value for each
/// full group of 1 MiB. At least every [`UNSYNCED_BYTES`](Self::UNSYNCED_BYTES) the bytes are
/// synced, and only then their values are appended and synced. Whoever goes on cuts the part back
/// to the last value and hashes nothing again, also after a crash at any moment.
///
/// The names begin with a dot and have nothing of the key in clear. A part that is done is renamed
/// to where it belongs, so the folder has to be on the same file system. It may be a folder of
/// other files, too: nothing else in it is touched.
///
/// ```no_run
/// # use packetboat_framing::{Body, Error, Parts, PartsPolicy, native::Digest};
/// # async fn f(mut rest: impl Body, size: u64, digest: Digest) -> Result<(), Error> {
/// let parts = Parts::open("/srv/parts", PartsPolicy::default()).await?;
/// let part = parts.begin(format!("ann {digest}"), size, digest).await?;
/// println!("the sender may leave out {} bytes", part.position());
/// let file = part.receive(&mut rest, "/srv/films/4711", |_| ()).await?;
/// file.persist().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Parts {
    folder: Arc<Path>,
    policy: PartsPolicy,
}

/// What is known of a part that nobody has asked for.
struct Found {
    len: u64,
    changed: SystemTime,
}

impl Parts {
    /// Bytes of a part that may not be synced yet: 8 MiB, which a crash costs at most beside what
    /// was on its way.
    pub const UNSYNCED_BYTES: u64 = 8 * Groups::BYTES;

    /// Opens a folder, makes it if it is missing, and removes what is beyond the policy.
    ///
    /// # Errors
    ///
    /// The disk's, as [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing that matters.
    pub async fn open(folder: impl AsRef<Path>, policy: PartsPolicy) -> Result<Self, Error> {
        let folder = folder.as_ref().into();
        let parts = Self { folder, policy };
        let opening = parts.clone();
        let open = spawn_blocking(move || {
            fs::create_dir_all(&opening.folder)?;
            opening.collect_now()
        });
        open.await.map_err(gone)??;
        Ok(parts)
    }

    /// Takes the part with this key, or begins one, of a file of `size` bytes with this digest.
    /// What is there of a file with another size or digest is thrown away.
    ///
    /// The key says whose it is: who sends the file, and the digest or an idempotency key. It is
    /// hashed and never part of a path. One part has one receiver at a time.
    ///
    /// # Errors
    ///
    /// [`Error::PartInUse`] while somebody else has it, in this process or another. The disk's, as
    /// [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the part for the next time.
    pub async fn begin(
        &self,
        key: impl AsRef<[u8]>,
        size: u64,
        digest: Digest,
    ) -> Result<PartFile, Error> {
        let (parts, name) = (self.clone(), Digest::of(key.as_ref()).to_string());
        let begin = spawn_blocking(move || {
            let part = PartFile::open(parts.paths(&name), Whole { size, digest })?;
            // With the new one among them, which is not removed since it is held.
            if let Err(error) = parts.collect_now() {
                tracing::warn!(%error, "old parts not removed");
            }
            part.ok_or(Error::PartInUse)
        });
        begin.await.map_err(gone)?
    }

    /// Removes what is beyond the policy, and gives how many parts that were. To be called now and
    /// then, once an hour say; beginning a part does it, too.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, as [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// It goes on although the future is dropped.
    pub async fn collect(&self) -> Result<usize, Error> {
        let parts = self.clone();
        let collect = spawn_blocking(move || parts.collect_now());
        Ok(collect.await.map_err(gone)??)
    }

    /// Whether a file of this name belongs to a part.
    ///
    /// ```
    /// use packetboat_framing::Parts;
    /// let name = format!(".{}.packetboat-groups", "0a".repeat(32));
    /// assert!(Parts::is_part(name.as_ref()));
    /// assert!(!Parts::is_part("film.mp4".as_ref()));
    /// ```
    pub fn is_part(name: &OsStr) -> bool {
        name_of(name).is_some()
    }

    fn paths(&self, name: &str) -> Paths {
        Paths {
            data: self.folder.join(format!("{BEFORE}{name}{DATA}")),
            list: self.folder.join(format!("{BEFORE}{name}{LIST}")),
        }
    }

    fn collect_now(&self) -> io::Result<usize> {
        let mut found: Vec<_> = self.found()?.into_iter().collect();
        found.sort_by_key(|(_, found)| std::cmp::Reverse(found.changed));
        let (mut kept, mut bytes, mut removed) = (0, 0_u64, 0);
        for (name, found) in found {
            // A clock that was set back makes nothing old.
            let age = found.changed.elapsed().unwrap_or_default();
            let fits = bytes.saturating_add(found.len) <= self.policy.max_bytes;
            if age <= self.policy.keep && kept < self.policy.max_parts && fits {
                kept += 1;
                bytes += found.len;
                continue;
            }
            match self.remove(&name, &found) {
                Ok(is_removed) => removed += usize::from(is_removed),
                Err(error) => tracing::warn!(part = name, %error, "part not removed"),
            }
        }
        Ok(removed)
    }

    /// The parts in the folder, by their names.
    fn found(&self) -> io::Result<HashMap<String, Found>> {
        let mut all = HashMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some((name, is_data)) = name_of(&file_name) else {
                continue;
            };
            let Some((len, changed)) = look(&entry.path())? else {
                continue;
            };
            let found = all
                .entry(name.to_owned())
                .or_insert(Found { len: 0, changed });
            found.changed = found.changed.max(changed);
            if is_data {
                found.len = len;
            }
        }
        Ok(all)
    }

    /// Removes a part, unless somebody has it or had it meanwhile.
    fn remove(&self, name: &str, found: &Found) -> io::Result<bool> {
        let paths = self.paths(name);
        let Some(_lock) = List::lock(&paths.list)? else {
            return Ok(false);
        };
        if let Some((_, changed)) = look(&paths.data)?
            && changed > found.changed
        {
            return Ok(false);
        }
        save::remove(&paths.data);
        // Last, since it is what is locked.
        save::remove(&paths.list);
        Ok(true)
    }
}

/// The key's hash in a file's name, and whether it is the part's bytes.
fn name_of(name: &OsStr) -> Option<(&str, bool)> {
    let name = name.to_str()?.strip_prefix(BEFORE)?;
    let (hash, is_data) = match name.strip_suffix(DATA) {
        Some(hash) => (hash, true),
        None => (name.strip_suffix(LIST)?, false),
    };
    hash.parse::<Digest>().ok().map(|_| (hash, is_data))
}

/// A file's length and when it was changed, if it is there.
fn look(path: &PathBuf) -> io::Result<Option<(u64, SystemTime)>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some((meta.len(), meta.modified()?))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
