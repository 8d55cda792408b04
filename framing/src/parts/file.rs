//! One part: cut back to what is sure, gone on with, verified.

use std::{
    fmt,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

use crate::{
    body::Body,
    error::Error,
    native::{Digest, Groups, Verifier},
    save::{self, Beside, Sink, TempFile, gone},
};

use super::{
    list::{self, List, Whole},
    store::Parts,
};

/// The part of a file that is there already, held by whoever receives the rest.
///
/// Dropping it leaves it for the next time.
pub struct PartFile {
    data: File,
    list: List,
    paths: Paths,
    whole: Whole,
    /// Boxed: 2 KiB, and a part is moved with each of its pieces.
    verifier: Box<Verifier>,
    /// Where the next value is recorded.
    record_at: u64,
}

/// Where a part is.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) data: PathBuf,
    pub(super) list: PathBuf,
}

impl PartFile {
    /// Takes a part and cuts it back to the last value. `None` if somebody else has it. Blocking.
    pub(super) fn open(paths: Paths, whole: Whole) -> io::Result<Option<Self>> {
        let Some(mut list) = List::lock(&paths.list)? else {
            return Ok(None);
        };
        let mut data = list::open(&paths.data)?;
        let mut groups = list.read(&whole)?;
        // A value is written after its bytes are synced, so they are there, unless somebody else
        // has touched the file.
        groups.truncate(data.metadata()?.len());
        groups.truncate(groups.resume_at(Some(whole.size)));
        list.cut(&whole, &groups)?;
        data.set_len(groups.covered())?;
        data.seek(SeekFrom::Start(groups.covered()))?;
        if groups.values().is_empty() {
            // Its names are new, perhaps, and what is synced later must not go with them.
            File::open(save::folder(&paths.data))?.sync_all()?;
        }
        let record_at = groups.covered() + Parts::UNSYNCED_BYTES;
        Ok(Some(Self {
            data,
            list,
            paths,
            whole,
            verifier: Box::new(Verifier::resume(groups)),
            record_at,
        }))
    }

    /// Where it goes on: that many bytes are here, in whole groups of 1 MiB.
    pub fn position(&self) -> u64 {
        self.verifier.position()
    }

    /// Receives the rest, which begins at [`position`](Self::position), holds the whole against
    /// its digest, and syncs it. `progress` hears the position on the blocking pool, first where it
    /// begins and then piece by piece. The file is complete and invisible then; the caller calls
    /// [`TempFile::persist`], which renames it to `path`, or drops it.
    ///
    /// # Errors
    ///
    /// As [`Body::gather`]: what has come is synced, and the part stays. The disk's, as
    /// [`Error::Io`], and [`Error::DigestMismatch`]: the part is removed.
    /// [`Error::NotResumable`] if the body is not the rest; nothing is changed then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the part, without what was not synced: at most
    /// [`Parts::UNSYNCED_BYTES`].
    pub async fn receive<B: Body>(
        self,
        body: &mut B,
        path: impl AsRef<Path>,
        mut progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<TempFile, Error> {
        let offset = self.position();
        if body.remaining() != self.whole.size - offset {
            return Err(Error::NotResumable { offset });
        }
        let path = path.as_ref().to_owned();
        progress(offset);
        let part = self;
        let (Writing { mut part, .. }, cut) = save::pump(body, Writing { part, progress }).await?;
        let finish = spawn_blocking(move || match cut {
            None => part.finish(path),
            Some(error) => {
                if let Err(error) = part.record() {
                    tracing::warn!(%error, "what came of a part last is not kept");
                }
                Err(error)
            }
        });
        finish.await.map_err(gone)?
    }

    /// Removes it: it is of no use. Blocking.
    pub(super) fn remove(&self) {
        save::remove(&self.paths.data);
        // Last, since it is what is locked.
        save::remove(&self.paths.list);
    }

    /// Writes bytes, and the values of groups at each interval.
    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = usize::try_from(self.record_at - self.position()).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.data.write_all(now)?;
            self.verifier.update(now);
            bytes = later;
            if self.position() == self.record_at {
                self.record()?;
            }
        }
        Ok(())
    }

    /// Syncs the bytes, and only then writes down their values.
    fn record(&mut self) -> io::Result<()> {
        self.data.sync_data()?;
        self.list.append(self.verifier.groups())?;
        let groups = self.position() / Groups::BYTES;
        self.record_at = groups * Groups::BYTES + Parts::UNSYNCED_BYTES;
        Ok(())
    }

    fn finish(self, path: PathBuf) -> Result<TempFile, Error> {
        // `resume_at` has not left one group alone, so there is a digest.
        let actual = self.verifier.digest().unwrap_or(Digest([0; 32]));
        let expected = self.whole.digest;
        if actual != expected {
            self.remove();
            return Err(Error::DigestMismatch { expected, actual });
        }
        if let Err(error) = self.data.sync_data() {
            self.remove();
            return Err(error.into());
        }
        let beside = Beside {
            path: self.paths.list,
            _lock: self.list.into_file(),
        };
        let len = self.whole.size;
        Ok(TempFile::finished(self.paths.data, path, len, beside))
    }
}

/// A part on the blocking pool, and who hears how far it is.
struct Writing<P> {
    part: PartFile,
    progress: P,
}

impl<P: FnMut(u64) + Send + 'static> Sink for Writing<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.part.put(bytes) {
            // A disk that is full gets its room back.
            self.part.remove();
            return Err(error);
        }
        (self.progress)(self.part.position());
        Ok(())
    }
}

impl fmt::Debug for PartFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartFile")
            .field("position", &self.position())
            .field("size", &self.whole.size)
            .finish_non_exhaustive()
    }
}
