//! The model of a disk that keeps no more than it must: bytes after their file's sync, names after their folder's.
//!
//! POSIX promises no more, and file systems of today sometimes do; what holds here holds on all of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::trace::Call;

type Id = usize;

/// What a loss of power at this moment could take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Bytes that were written and not synced.
    Bytes(PathBuf),
    /// The name of a file or folder, for its folder was not synced.
    Name(PathBuf),
    /// The log was begun anew before the database, into which it was copied, was synced.
    Log(PathBuf),
}

/// A folder and what is below it, as a trace has left it.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    /// What a process sees.
    names: HashMap<PathBuf, Id>,
    /// What is on the disk for certain, but for what is pending.
    kept: HashMap<PathBuf, Id>,
    /// Changes of names since their folder's last sync, with the line of their end.
    pending: Vec<(usize, PathBuf, Option<Id>)>,
    files: Vec<File>,
    open: HashMap<i64, Id>,
    logs_lost: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct File {
    is_folder: bool,
    /// The end of the last write, and the begin of the last sync, as lines.
    written: Option<usize>,
    synced: Option<usize>,
}

impl File {
    fn is_synced(&self) -> bool {
        self.written.is_none() || self.written < self.synced
    }
}

impl Disk {
    /// An empty disk that is the folder `root`, which itself is there for certain.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            names: HashMap::new(),
            kept: HashMap::new(),
            pending: Vec::new(),
            files: Vec::new(),
            open: HashMap::new(),
            logs_lost: Vec::new(),
        }
    }

    /// Does what a call has done. Calls come in the order of their ends.
    pub fn replay(&mut self, call: &Call) {
        if call.result < 0 {
            return;
        }
        let paths: Vec<PathBuf> = call.texts().into_iter().map(PathBuf::from).collect();
        match (&*call.name, &*paths) {
            ("open" | "openat" | "creat", [path, ..]) if path.starts_with(&self.root) => {
                let is_folder = call.args.contains("O_DIRECTORY");
                let id = match self.names.get(path) {
                    Some(id) => *id,
                    None if call.args.contains("O_CREAT") => self.create(call, path, is_folder),
                    // The root itself, or what was there before the trace.
                    None => self.there_before(path, is_folder),
                };
                self.open.insert(call.result, id);
                if call.args.contains("O_TRUNC") {
                    self.files[id].written = Some(call.ended);
                }
            }
            ("open" | "openat" | "creat" | "socket" | "accept4" | "eventfd2" | "pipe2", _) => {
                self.open.remove(&call.result);
            }
            ("mkdir" | "mkdirat", [path, ..]) if path.starts_with(&self.root) => {
                self.create(call, path, true);
            }
            ("rename" | "renameat" | "renameat2", [from, to]) => {
                if let Some(id) = self.names.get(from).copied() {
                    self.name(call, from, None);
                    self.name(call, to, Some(id));
                }
            }
            ("link" | "linkat", [from, to]) => {
                if let Some(id) = self.names.get(from).copied() {
                    self.name(call, to, Some(id));
                }
            }
            ("unlink" | "unlinkat" | "rmdir", [path, ..]) => self.name(call, path, None),
            ("close", _) => {
                call.fd().map(|fd| self.open.remove(&fd));
            }
            ("write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" | "fallocate", _) => {
                self.write(call);
            }
            ("fsync" | "fdatasync", _) => self.sync(call),
            _ => {}
        }
    }

    /// What a loss of power could take of this file, now.
    #[must_use]
    pub fn lost(&self, path: &Path) -> Option<Lost> {
        if let Some(log) = self.logs_lost.first() {
            return Some(Lost::Log(log.clone()));
        }
        let id = self.names.get(path);
        if id.is_none_or(|id| !self.files[*id].is_synced()) {
            return Some(Lost::Bytes(path.to_owned()));
        }
        // Its own name, and that of each folder above it.
        let above = path.ancestors().take_while(|path| *path != self.root);
        for path in above {
            let id = self.names.get(path);
            let changes = self.pending.iter().filter(|(_, name, _)| name == path);
            let is_kept = self.kept.get(path) == id && changes.clone().next().is_none();
            if !is_kept {
                return Some(Lost::Name(path.to_owned()));
            }
        }
        None
    }

    /// The files below this folder that a process sees now.
    pub fn files_in(&self, folder: &Path) -> Vec<&Path> {
        let names = self.names.iter();
        let files =
            names.filter(|(path, id)| path.parent() == Some(folder) && !self.files[**id].is_folder);
        files.map(|(path, _)| path.as_path()).collect()
    }

    fn create(&mut self, call: &Call, path: &Path, is_folder: bool) -> Id {
        let id = self.file(is_folder);
        self.name(call, path, Some(id));
        id
    }

    fn there_before(&mut self, path: &Path, is_folder: bool) -> Id {
        let id = self.file(is_folder || path == self.root);
        self.names.insert(path.to_owned(), id);
        self.kept.insert(path.to_owned(), id);
        id
    }

    fn file(&mut self, is_folder: bool) -> Id {
        self.files.push(File {
            is_folder,
            ..File::default()
        });
        self.files.len() - 1
    }

    fn name(&mut self, call: &Call, path: &Path, id: Option<Id>) {
        match id {
            Some(id) => self.names.insert(path.to_owned(), id),
            None => self.names.remove(path),
        };
        self.pending.push((call.ended, path.to_owned(), id));
    }

    fn write(&mut self, call: &Call) {
        let Some(id) = call.fd().and_then(|fd| self.open.get(&fd).copied()) else {
            return;
        };
        self.files[id].written = Some(call.ended);
        // SQLite's log is written from its begin again once all of it is in the database.
        let path = self.names.iter().find(|(_, named)| **named == id);
        let Some(log) = path.and_then(|(path, _)| path.to_str()) else {
            return;
        };
        if let (Some(database), true) = (log.strip_suffix("-wal"), call.last() == Some(0)) {
            let database = self.names.get(Path::new(database));
            if database.is_some_and(|id| !self.files[*id].is_synced()) {
                self.logs_lost.push(log.into());
            }
        }
    }

    /// It is for what had ended when it began.
    fn sync(&mut self, call: &Call) {
        let Some(id) = call.fd().and_then(|fd| self.open.get(&fd).copied()) else {
            return;
        };
        self.files[id].synced = Some(call.begun);
        let folder = self.names.iter().find(|(_, named)| **named == id);
        let Some((folder, _)) = folder.filter(|_| self.files[id].is_folder) else {
            return;
        };
        let folder = folder.clone();
        for (_, path, id) in self
            .pending
            .extract_if(.., |(at, path, _)| {
                *at < call.begun && path.parent() == Some(&*folder)
            })
            .collect::<Vec<_>>()
        {
            match id {
                Some(id) => self.kept.insert(path, id),
                None => self.kept.remove(&path),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::calls;

    /// A file that is written, renamed and named in a log, with everything synced in time.
    const TRACE: &str = r#"1 mkdir("/d/movies", 0700) = 0
1 openat(AT_FDCWD</>, "/d", O_RDONLY|O_CLOEXEC) = 3</d>
1 fsync(3</d>) = 0
1 close(3</d>) = 0
1 openat(AT_FDCWD</>, "/d/movies/.part", O_RDWR|O_CREAT|O_EXCL, 0666) = 3</d/movies/.part>
2 write(3</d/movies/.part>, "film"..., 9) = 9
1 fdatasync(3</d/movies/.part>) = 0
1 rename("/d/movies/.part", "/d/movies/film") = 0
1 openat(AT_FDCWD</>, "/d/movies", O_RDONLY|O_CLOEXEC) = 4</d/movies>
1 fsync(4</d/movies>) = 0
1 close(4</d/movies>) = 0
"#;

    fn lost(trace: &str) -> Option<Lost> {
        let mut disk = Disk::new(Path::new("/d"));
        for call in calls(trace) {
            disk.replay(&call);
        }
        disk.lost(Path::new("/d/movies/film"))
    }

    #[test]
    fn what_is_synced_in_time_is_kept_and_no_sync_can_be_left_out() {
        assert_eq!(lost(TRACE), None);
        let (film, folder) = (PathBuf::from("/d/movies/film"), PathBuf::from("/d/movies"));
        for (sync, expected) in [
            ("1 fsync(3</d>) = 0\n", Lost::Name(folder)),
            (
                "1 fdatasync(3</d/movies/.part>) = 0\n",
                Lost::Bytes(film.clone()),
            ),
            ("1 fsync(4</d/movies>) = 0\n", Lost::Name(film)),
        ] {
            assert_eq!(lost(&TRACE.replace(sync, "")), Some(expected), "{sync}");
            // One that failed is none.
            let failed = sync.replace("= 0", "= -1 EIO (Input/output error)");
            assert!(lost(&TRACE.replace(sync, &failed)).is_some(), "{sync}");
        }
    }

    #[test]
    fn a_sync_is_for_what_ended_before_it_began() {
        let write = "2 write(3</d/movies/.part>, \"film\"..., 9) = 9\n";
        let sync = "1 fdatasync(3</d/movies/.part>) = 0\n";
        let late = TRACE
            .replace(write, "")
            .replace(sync, &format!("{sync}{write}"));
        let beside = TRACE.replace(write, "").replace(
            sync,
            "2 write(3</d/movies/.part>, \"film\"..., 9 <unfinished ...>\n\
             1 fdatasync(3</d/movies/.part> <unfinished ...>\n\
             2 <... write resumed>) = 9\n\
             1 <... fdatasync resumed>) = 0\n",
        );
        for trace in [late, beside] {
            let bytes = Lost::Bytes("/d/movies/film".into());
            assert_eq!(lost(&trace), Some(bytes), "{trace}");
        }
    }

    #[test]
    fn a_log_that_begins_anew_needs_its_database_synced() {
        let begin = r#"1 openat(AT_FDCWD</>, "/d/movies/film", O_RDWR) = 5</d/movies/film>
1 openat(AT_FDCWD</>, "/d/movies/film-wal", O_RDWR|O_CREAT, 0600) = 6</d/movies/film-wal>
1 pwrite64(5</d/movies/film>, "a page"..., 4096, 8192) = 4096
"#;
        let anew = "1 pwrite64(6</d/movies/film-wal>, \"7\"..., 32, 0) = 32\n";
        let sync = "1 fsync(5</d/movies/film>) = 0\n";
        assert_eq!(lost(&format!("{TRACE}{begin}{sync}{anew}")), None);
        let log = Lost::Log("/d/movies/film-wal".into());
        assert_eq!(lost(&format!("{TRACE}{begin}{anew}{sync}")), Some(log));
    }
}
