//! The receiver, and the model of what it must have.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use packetboat_framing::{Error, PartFile, Parts, PartsPolicy, native::Digest};
use tempfile::TempDir;

use super::{
    films::{Film, Films, GROUP},
    sender::{End, Rest, Sent},
    steps::{Step, Upload},
};

const KEYS: [&str; 2] = ["ann", "bob"];

/// What must be known of a part.
pub(super) struct Kept {
    film: Film,
    /// Of each group whose value is kept, whether it is the film's.
    pub(super) right: Vec<bool>,
    /// The disk was cut since it was last looked at, so nothing may grow there: a file system
    /// gives back no bytes, and zeros under a value that is right would be taken at its word.
    pub(super) is_torn: bool,
}

pub(super) struct Bed {
    folder: TempDir,
    parts: Parts,
    pub(super) films: Films,
    pub(super) kept: [Option<Kept>; 2],
    /// Bytes sent in all.
    pub(super) sent: u64,
}

impl Bed {
    pub(super) async fn new(films: Films) -> Self {
        // In memory, where there is such a place.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => TempDir::new_in(memory),
            false => TempDir::new(),
        };
        let folder = folder.expect("a temporary folder");
        Self {
            parts: parts(&folder, PartsPolicy::default()).await,
            folder,
            films,
            kept: [None, None],
            sent: 0,
        }
    }

    pub(super) async fn step(&mut self, step: &Step) {
        match step {
            Step::Upload(upload) => {
                self.upload(upload).await;
            }
            Step::Held { key, film } => {
                let _held = self.begin(*key, *film).await;
                let film = self.films.all[*film];
                let other = parts(&self.folder, PartsPolicy::default()).await;
                let second = other.begin(KEYS[*key], film.size, film.digest).await;
                assert!(matches!(second, Err(Error::PartInUse)), "{second:?}");
            }
            Step::Expire => {
                let none = PartsPolicy {
                    max_parts: 0,
                    ..PartsPolicy::default()
                };
                let _ = parts(&self.folder, none).await;
                self.kept = [None, None];
                assert_eq!(names(self.folder.path()), [""; 0]);
            }
            Step::Tear { key, tear, at } => self.tear(*key, *tear, *at),
        }
    }

    /// Takes the part, and looks whether it goes on where the model says.
    async fn begin(&mut self, key: usize, film: usize) -> PartFile {
        let film = self.films.all[film];
        let part = loop {
            match self.parts.begin(KEYS[key], film.size, film.digest).await {
                // What was dropped ends its last write first.
                Err(Error::PartInUse) => tokio::task::yield_now().await,
                begun => break begun.expect("the folder is writable"),
            }
        };
        let mut right = match self.kept[key].take() {
            Some(kept) if kept.film == film => kept.right,
            _ => Vec::new(),
        };
        right.truncate((film.size / GROUP) as usize);
        if film.size <= GROUP {
            right.clear();
        }
        assert_eq!(part.position(), right.len() as u64 * GROUP);
        self.kept[key] = Some(Kept {
            film,
            right,
            is_torn: false,
        });
        part
    }

    /// Receives what a sender sends, and gives whether the film is complete.
    async fn upload(&mut self, upload: &Upload) -> bool {
        let &Upload { key, sent, end, .. } = upload;
        let part = self.begin(key, upload.film).await;
        let (film, from) = (self.films.all[upload.film], part.position());
        let announced = film.size.saturating_add_signed(upload.off);
        let is_honest = announced == film.size;
        let Some(mut rest) = Rest::new(announced, from, sent, end) else {
            assert!(from > announced, "the wire refused {from} of {announced}");
            return false;
        };
        let heard = Arc::new(AtomicU64::new(from));
        let progress = {
            let heard = Arc::clone(&heard);
            move |at| assert!(heard.swap(at, Ordering::Relaxed) <= at)
        };
        let silent = Arc::clone(&rest.silent);
        let target = self.folder.path().join("film");
        let received = tokio::select! {
            received = part.receive(&mut rest, &target, progress) => Some(received),
            // It is dropped in the middle, when nothing moves any more.
            () = silent.notified() => None,
        };
        let at = rest.taken_to();
        self.sent += at - from;
        let stop = end.stop(film.size).max(from);
        let Some(received) = received else {
            // Less than what is synced at once had come, so it is as if it had not. It is free
            // when the last write has ended.
            assert!(matches!(end, End::Silent(_)) && stop < film.size);
            drop(self.begin(key, upload.film).await);
            return false;
        };
        let is_complete = received.is_ok();
        let kept = self.kept[key].as_mut().expect("it was begun");
        match received {
            Err(Error::NotResumable { offset }) => {
                assert!(!is_honest && offset == from, "{offset}");
            }
            Err(Error::Io(_)) => {
                assert!(stop < film.size && at == stop, "{at} of {stop}");
                assert_eq!(heard.load(Ordering::Relaxed), at);
                let full = from / GROUP..at / GROUP;
                let range = full.map(|group| group * GROUP..(group + 1) * GROUP);
                let right = range.map(|bytes| sent.is_of(&film, bytes));
                kept.right.extend(right);
            }
            Err(Error::DigestMismatch { expected, actual }) => {
                assert!(stop == film.size && expected == film.digest && actual != expected);
                let is_right = !kept.right.contains(&false) && sent.is_of(&film, from..film.size);
                assert!(!is_right, "the right bytes were refused");
                self.kept[key] = None;
            }
            Err(error) => panic!("{error}"),
            Ok(file) => {
                assert!(is_honest && stop == film.size && file.len() == film.size);
                assert!(!kept.right.contains(&false), "a wrong value was kept");
                assert!(sent.is_of(&film, from..film.size), "wrong bytes were sent");
                self.kept[key] = None;
                assert!(
                    film.is_at(file.temporary_path()),
                    "wrong bytes are complete"
                );
                if upload.persist {
                    file.persist().await.expect("it is renamed");
                    fs::remove_file(&target).expect("it was there");
                }
            }
        }
        assert!(!target.exists(), "nothing else is ever there");
        if self.kept[key].is_none() {
            assert_eq!(self.files_of(key), [false, false]);
        }
        is_complete
    }

    /// A sender who keeps to the truth has the film there, whatever was before. Where what was kept
    /// is wrong that is told, and it is gone at the second time.
    pub(super) async fn honest(&mut self) {
        let upload = Upload {
            key: 0,
            film: 0,
            sent: Sent::truly(self.films.all[0]),
            end: End::Whole,
            off: 0,
            persist: true,
        };
        let is_complete = self.upload(&upload).await || self.upload(&upload).await;
        assert!(is_complete, "what is wrong stays");
    }

    /// The part's bytes, and its list.
    pub(super) fn paths(&self, key: usize) -> [PathBuf; 2] {
        let name = Digest::of(KEYS[key].as_bytes());
        ["unfinished", "groups"].map(|ending| {
            let name = format!(".{name}.packetboat-{ending}");
            self.folder.path().join(name)
        })
    }

    fn files_of(&self, key: usize) -> [bool; 2] {
        self.paths(key).map(|path| path.exists())
    }
}

/// The folder, opened anew as after a restart.
async fn parts(folder: &TempDir, policy: PartsPolicy) -> Parts {
    let parts = Parts::open(folder.path(), policy).await;
    parts.expect("it is writable")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
