//! A body becomes a file: whole and durable, or not there at all.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::{body::Body, chunk::Chunk, error::Error};

/// What every temporary name begins and ends with.
const BEFORE: &str = ".";
const AFTER: &str = ".packetboat-part";

/// A received file under its temporary name: complete and synced, but not yet visible.
///
/// Dropping it removes it.
#[must_use = "a temporary file that is not persisted is removed"]
pub struct TempFile {
    temporary: PathBuf,
    path: PathBuf,
    len: u64,
    /// What stands beside it while it is unfinished.
    beside: Option<Beside>,
}

/// A file that goes with a temporary one, and last. It is held open for the lock on it.
pub(crate) struct Beside {
    pub(crate) path: PathBuf,
    pub(crate) _lock: File,
}

impl TempFile {
    /// Renames it to the path it was received for, replacing a file that is there, and syncs the
    /// folder. Then it survives a power cut.
    ///
    /// # Errors
    ///
    /// The disk's, as [`Error::Io`]. The temporary file is removed. Where only the folder's sync
    /// failed, the file is already there under its path.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the rename happens although the future is dropped.
    pub async fn persist(self) -> Result<(), Error> {
        let renamed = spawn_blocking(move || self.persist_now());
        Ok(renamed.await.map_err(gone)??)
    }

    /// [`persist`](Self::persist), blocking.
    pub(crate) fn persist_now(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        // The drop finds nothing under the old name.
        File::open(folder(&self.path))?.sync_all()
    }

    /// Where the bytes are now, for a look before they are persisted.
    pub fn temporary_path(&self) -> &Path {
        &self.temporary
    }

    /// Where [`persist`](Self::persist) puts them.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a file of this name is one that a killed process left behind. To be asked of each
    /// name in a folder when an application starts, before it receives anything there.
    ///
    /// ```
    /// use packetboat_framing::TempFile;
    /// assert!(TempFile::is_temporary(".4711-1-8a.packetboat-part".as_ref()));
    /// assert!(!TempFile::is_temporary("film.mp4".as_ref()));
    /// ```
    pub fn is_temporary(name: &OsStr) -> bool {
        let name = name.as_encoded_bytes();
        name.starts_with(BEFORE.as_bytes()) && name.ends_with(AFTER.as_bytes())
    }

    /// A file that has been received under another temporary name, for `path`.
    pub(crate) fn finished(temporary: PathBuf, path: PathBuf, len: u64, beside: Beside) -> Self {
        Self {
            temporary,
            path,
            len,
            beside: Some(beside),
        }
    }

    /// A new, empty file beside `path`. Blocking.
    pub(crate) fn create(path: PathBuf) -> io::Result<(Self, File)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = folder(&path).to_owned();
        loop {
            // Unique among the living by process and count, and among the dead by the clock;
            // `create_new` settles what is left.
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let clock = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
            let name = format!("{BEFORE}{}-{count}-{clock:x}{AFTER}", process::id());
            let temporary = folder.join(OsString::from(name));
            match File::create_new(&temporary) {
                Ok(file) => {
                    return Ok((
                        Self {
                            temporary,
                            path,
                            len: 0,
                            beside: None,
                        },
                        file,
                    ));
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // After `persist` there is no such name. Any other failure leaves a file that
        // `is_temporary` finds at the next start.
        remove(&self.temporary);
        if let Some(beside) = &self.beside {
            remove(&beside.path);
        }
    }
}

/// Removes a temporary file, if it is there. Whoever finds it later may try again. Blocking.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "temporary file not removed");
    }
}

impl fmt::Debug for TempFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TempFile")
            .field("path", &self.path)
            .field("len", &self.len)
            .finish()
    }
}

/// Writes a body to a temporary file beside `path`, and to `tee`.
pub(crate) async fn receive<B, T>(body: &mut B, path: &Path, tee: T) -> Result<(TempFile, T), Error>
where
    B: Body,
    T: Write + Send + 'static,
{
    let path = path.to_owned();
    let create = spawn_blocking(move || TempFile::create(path));
    let (mut temp, file) = create.await.map_err(gone)??;
    let job = Job { file, tee, len: 0 };
    let (job, cut) = pump(body, job).await?;
    if let Some(error) = cut {
        return Err(error);
    }
    temp.len = job.len;
    let sync = move || job.file.sync_data().map(|()| job.tee);
    let tee = spawn_blocking(sync).await.map_err(gone)??;
    Ok((temp, tee))
}

/// Where the pieces of a body go, on the blocking pool.
pub(crate) trait Sink: Sized + Send + 'static {
    /// Takes the next piece.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Moves a body into a sink and gives that back, with why the body ended early if it did. An error
/// is the sink's.
///
/// Two buffers: while the blocking pool writes (and hashes) one, the next is gathered from the
/// socket. The longer a write takes, the fuller the next buffer is when it comes to its turn.
pub(crate) async fn pump<B: Body, S: Sink>(
    body: &mut B,
    sink: S,
) -> Result<(S, Option<Error>), Error> {
    if body.remaining() == 0
        && let Err(error) = body.gather().await
    {
        // An empty one says here that it is not what its digest says.
        return Ok((sink, Some(error)));
    }
    let mut sink = Some(sink);
    let mut writing: Option<JoinHandle<io::Result<S>>> = None;
    let (mut more, mut cut) = (true, None);
    loop {
        if let Some(idle) = sink.take() {
            match body.take() {
                Some(chunk) => {
                    writing = Some(spawn_blocking(move || put(idle, &chunk)));
                    more = cut.is_none();
                }
                None if body.remaining() == 0 || cut.is_some() => return Ok((idle, cut)),
                None => {
                    sink = Some(idle);
                    more = true;
                }
            }
        }
        tokio::select! {
            biased;
            done = finished(&mut writing), if writing.is_some() => {
                writing = None;
                sink = Some(done?);
            }
            gathered = body.gather(), if more => match gathered {
                Ok(gathered) => more = gathered,
                Err(error) => (more, cut) = (false, Some(error)),
            },
        }
    }
}

fn put<S: Sink>(mut sink: S, chunk: &Chunk) -> io::Result<S> {
    sink.write(chunk)?;
    Ok(sink)
}

/// What a write on the blocking pool needs and gives back.
struct Job<T> {
    file: File,
    tee: T,
    len: u64,
}

impl<T: Write + Send + 'static> Sink for Job<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes)?;
        self.tee.write_all(bytes)
    }
}

/// Waits for the write that is under way. Dropping the future leaves it under way.
async fn finished<S>(writing: &mut Option<JoinHandle<io::Result<S>>>) -> Result<S, Error> {
    match writing {
        Some(handle) => Ok(handle.await.map_err(gone)??),
        None => std::future::pending().await,
    }
}

/// A job of the blocking pool did not end: the runtime is shutting down, or a tee panicked.
pub(crate) fn gone(error: JoinError) -> Error {
    Error::Io(io::Error::other(error))
}

/// The folder that a path's name stands in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_stands_in_the_folder_one_is_in() {
        assert_eq!(folder(Path::new("film.mp4")), Path::new("."));
        assert_eq!(folder(Path::new("films/film.mp4")), Path::new("films"));
        assert_eq!(folder(Path::new("/film.mp4")), Path::new("/"));
    }

    #[test]
    fn a_folder_that_takes_no_file_is_an_error_and_not_tried_for_ever() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = TempFile::create(folder.path().join("none/film.mp4")).expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_temporary_file_stands_beside_its_path_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("film.mp4");
        let (file, _) = TempFile::create(path.clone()).expect("the folder is writable");
        assert_eq!(
            (file.path(), file.len(), file.is_empty()),
            (&*path, 0, true)
        );
        let temporary = file.temporary_path().to_owned();
        assert_eq!(temporary.parent(), Some(folder.path()));
        assert!(temporary.exists() && !path.exists());
        drop(file);
        assert!(!temporary.exists());
    }
}
