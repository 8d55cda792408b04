//! Files that come in several goes: cut anywhere, gone on with, whole in the end.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use packetboat_framing::{
    Body, Chunk, Error, PartFile, Parts, PartsPolicy, TempFile,
    native::{Digest, Groups},
};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::Notify;

const MIB: usize = 1024 * 1024;

/// The rest of a file from an offset on, which ends early after so many bytes, or never goes on.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
    piece: usize,
    end: End,
    ready: bool,
    /// Told when nothing more will come.
    silent: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Whole,
    Cut(usize),
    Silent(usize),
}

impl<'a> Rest<'a> {
    fn new(bytes: &'a [u8], at: u64, end: End) -> Self {
        Self {
            bytes,
            at: at as usize,
            piece: 300_007,
            end,
            ready: false,
            silent: Arc::default(),
        }
    }

    fn to_come(&self) -> usize {
        let stop = match self.end {
            End::Whole => self.bytes.len(),
            End::Cut(stop) | End::Silent(stop) => stop.min(self.bytes.len()),
        };
        stop.saturating_sub(self.at)
    }
}

impl Body for Rest<'_> {
    fn remaining(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        if self.remaining() == 0 || self.ready {
            return Ok(false);
        }
        if self.to_come() == 0 {
            match self.end {
                End::Silent(_) => {
                    self.silent.notify_one();
                    std::future::pending().await
                }
                _ => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            }
        }
        self.ready = true;
        Ok(true)
    }

    fn take(&mut self) -> Option<Chunk> {
        if !std::mem::take(&mut self.ready) {
            return None;
        }
        let n = self.to_come().min(self.piece);
        let chunk = Chunk::from(self.bytes[self.at..self.at + n].to_vec());
        self.at += n;
        Some(chunk)
    }
}

/// A film that is not the same in any two groups.
fn film(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 3 % 251 + i / MIB) as u8).collect()
}

struct Bed {
    folder: TempDir,
    film: Vec<u8>,
    digest: Digest,
}

impl Bed {
    fn new(len: usize) -> Self {
        let film = film(len);
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            digest: Digest::of(&film),
            film,
        }
    }

    /// The folder, opened anew as after a restart.
    async fn parts(&self) -> Parts {
        self.parts_with(PartsPolicy::default()).await
    }

    async fn parts_with(&self, policy: PartsPolicy) -> Parts {
        let folder = self.folder.path().join("parts");
        Parts::open(folder, policy).await.expect("it is writable")
    }

    async fn begin(&self) -> PartFile {
        let size = self.film.len() as u64;
        let parts = self.parts().await;
        loop {
            match parts.begin("ann", size, self.digest).await {
                // What was dropped ends its last write first.
                Err(Error::PartInUse) => tokio::task::yield_now().await,
                begun => return begun.expect("the folder is writable"),
            }
        }
    }

    /// Goes on, and says from where and how far it came.
    async fn go(&self, end: End) -> (u64, usize, Result<TempFile, Error>) {
        let part = self.begin().await;
        let from = part.position();
        let mut rest = Rest::new(&self.film, from, end);
        let silent = Arc::clone(&rest.silent);
        let received = tokio::select! {
            received = part.receive(&mut rest, self.target(), |_| ()) => received,
            // It is dropped in the middle, when nothing moves any more.
            () = silent.notified() => Err(Error::GoingAway),
        };
        (from, rest.at, received)
    }

    async fn finish(&self) -> u64 {
        let (from, _, received) = self.go(End::Whole).await;
        let file = received.expect("whole");
        assert_eq!(file.len(), self.film.len() as u64);
        file.persist().await.expect("it is renamed");
        assert!(fs::read(self.target()).expect("it is there") == self.film);
        assert_eq!(self.left(), [""; 0], "nothing is left beside it");
        from
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("film.mp4")
    }

    /// What is in the folder of parts.
    fn left(&self) -> Vec<String> {
        names(&self.folder.path().join("parts"))
    }

    fn path(&self, ending: &str) -> PathBuf {
        let left = self.left();
        let name = left.iter().find(|name| name.ends_with(ending));
        self.folder
            .path()
            .join("parts")
            .join(name.expect("a part is there"))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn cut_to(path: &Path, len: u64) {
    let file = fs::File::options().write(true).open(path);
    file.and_then(|file| file.set_len(len)).expect("it is cut");
}

#[tokio::test]
async fn a_part_goes_on_at_its_last_whole_group_and_nothing_is_hashed_again() {
    let bed = Bed::new(20 * MIB + 77);
    let (from, _, cut) = bed.go(End::Cut(13 * MIB + 5)).await;
    assert!(cut.expect_err("it was cut").is_disconnect());
    assert_eq!(from, 0);
    assert!(!bed.target().exists());
    assert_eq!(bed.left().len(), 2);
    assert!(bed.left().iter().all(|name| Parts::is_part(name.as_ref())));
    // What is there is taken at its values' word: a byte that has changed shows only in the end.
    let data = bed.path("unfinished");
    let mut bytes = fs::read(&data).expect("the part");
    assert_eq!(bytes.len(), 13 * MIB + 5);
    bytes[0] ^= 1;
    fs::write(&data, &bytes).expect("it is writable");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let part = bed.begin().await;
    let mut rest = Rest::new(&bed.film, part.position(), End::Whole);
    let told = Arc::clone(&seen);
    let progress = move |at| told.lock().expect("no panic").push(at);
    let received = part.receive(&mut rest, bed.target(), progress).await;
    let file = received.expect("its digest is merged from the values");
    let seen = seen.lock().expect("no panic");
    let last = bed.film.len() as u64;
    assert_eq!((seen[0], seen.last()), (13 * MIB as u64, Some(&last)));
    assert!(seen.is_sorted());
    drop(file);
    assert_eq!(bed.left(), [""; 0], "what is dropped is removed");
}

#[tokio::test]
async fn what_was_not_synced_is_all_that_a_crash_costs() {
    let bed = Bed::new(30 * MIB);
    for stop in [
        0,
        MIB,
        8 * MIB - 1,
        8 * MIB,
        9 * MIB,
        17 * MIB + 3,
        29 * MIB,
    ] {
        let (from, came, dropped) = bed.go(End::Silent(stop)).await;
        assert!(dropped.is_err());
        let part = bed.begin().await;
        let at = part.position();
        assert!(at >= from, "it never goes back");
        assert_eq!(at % (8 * MIB as u64), 0, "{stop}: values come with a sync");
        assert!(
            at + Parts::UNSYNCED_BYTES > came as u64,
            "{stop}: {came} came, and it goes on at {at}"
        );
    }
    assert_eq!(bed.finish().await, 24 * MIB as u64);
}

#[tokio::test]
async fn torn_lists_and_short_parts_are_cut_back_to_what_is_sure() {
    const HEAD: u64 = 64;
    let group = Groups::BYTES;
    let whole = HEAD + 5 * 32;
    // The list's length, the part's length, and how many groups are then sure.
    let cases = [
        (0, 5 * group, 0),
        (HEAD - 1, 5 * group, 0),
        (HEAD, 5 * group, 0),
        (HEAD + 31, 5 * group, 0),
        (HEAD + 32, 5 * group, 1),
        (HEAD + 33, 5 * group, 1),
        (whole - 1, 5 * group, 4),
        (whole, 5 * group + 9, 5),
        // The list is ahead of its part.
        (whole, 5 * group - 1, 4),
        (whole, 4 * group, 4),
        (whole, group, 1),
        (whole, group - 1, 0),
        (whole, 0, 0),
    ];
    for (list, data, sure) in cases {
        let bed = Bed::new(7 * MIB + 9);
        let (_, _, cut) = bed.go(End::Cut(5 * MIB + 9)).await;
        cut.expect_err("it was cut");
        assert_eq!(
            fs::metadata(bed.path("groups")).expect("a list").len(),
            whole
        );
        cut_to(&bed.path("groups"), list);
        cut_to(&bed.path("unfinished"), data);
        assert_eq!(bed.finish().await, sure * group, "list {list}, part {data}");
    }
}

#[tokio::test]
async fn room_that_was_made_in_a_list_and_not_written_is_no_value() {
    let bed = Bed::new(7 * MIB + 9);
    bed.go(End::Cut(3 * MIB)).await.2.expect_err("it was cut");
    cut_to(&bed.path("groups"), 64 + 5 * 32);
    cut_to(&bed.path("unfinished"), 6 * MIB as u64);
    assert_eq!(bed.finish().await, 3 * MIB as u64);
}

#[tokio::test]
async fn a_head_that_is_not_of_this_file_begins_it_anew() {
    for at in [0, 9, 17, 50] {
        let bed = Bed::new(7 * MIB + 9);
        bed.go(End::Cut(5 * MIB)).await.2.expect_err("it was cut");
        let list = bed.path("groups");
        let mut bytes = fs::read(&list).expect("the list");
        bytes[at] ^= 1;
        fs::write(&list, bytes).expect("it is writable");
        assert_eq!(bed.finish().await, 0);
    }
}

#[tokio::test]
async fn a_part_without_its_list_and_a_list_without_its_part_begin_anew() {
    for lost in ["groups", "unfinished"] {
        let bed = Bed::new(3 * MIB);
        bed.go(End::Cut(2 * MIB)).await.2.expect_err("it was cut");
        fs::remove_file(bed.path(lost)).expect("it was there");
        assert_eq!(bed.finish().await, 0);
    }
}

#[tokio::test]
async fn another_file_under_the_same_key_begins_anew() {
    let mut bed = Bed::new(5 * MIB);
    bed.go(End::Cut(4 * MIB)).await.2.expect_err("it was cut");
    bed.film[7] ^= 1;
    bed.digest = Digest::of(&bed.film);
    assert_eq!(bed.begin().await.position(), 0);
    assert_eq!(bed.finish().await, 0);
}

#[tokio::test]
async fn bytes_that_are_not_what_the_digest_says_are_removed() {
    let mut bed = Bed::new(5 * MIB + 1);
    bed.go(End::Cut(3 * MIB)).await.2.expect_err("it was cut");
    bed.film[4 * MIB] ^= 1;
    let (from, _, wrong) = bed.go(End::Whole).await;
    assert_eq!(from, 3 * MIB as u64);
    let error = wrong.expect_err("a byte was changed");
    assert!(matches!(error, Error::DigestMismatch { expected, .. } if expected == bed.digest));
    assert_eq!(bed.left(), [""; 0]);
    bed.film[4 * MIB] ^= 1;
    assert_eq!(bed.finish().await, 0);
}

#[tokio::test]
async fn a_part_that_is_whole_is_not_sent_again() {
    let bed = Bed::new(16 * MIB);
    // Killed between the last byte and the name: all of it is there, and synced.
    let part = bed.begin().await;
    let mut rest = Rest::new(&bed.film, 0, End::Silent(16 * MIB));
    let received = part.receive(&mut rest, bed.target(), |_| ()).await;
    std::mem::forget(received.expect("whole"));
    // The lock goes with a process; here it is still held.
    let copy = bed.folder.path().join("copy");
    fs::create_dir(&copy).expect("a folder");
    for name in bed.left() {
        let from = bed.folder.path().join("parts").join(&name);
        fs::copy(from, copy.join(name)).expect("a copy");
    }
    let parts = Parts::open(&copy, PartsPolicy::default()).await;
    let parts = parts.expect("it is readable");
    let part = parts.begin("ann", 16 * MIB as u64, bed.digest).await;
    let part = part.expect("nobody has this one");
    assert_eq!(part.position(), 16 * MIB as u64);
    let mut rest = Rest::new(&bed.film, part.position(), End::Whole);
    let file = part.receive(&mut rest, bed.target(), |_| ()).await;
    file.expect("whole").persist().await.expect("it is renamed");
    assert!(fs::read(bed.target()).expect("it is there") == bed.film);
}

#[tokio::test]
async fn a_part_has_one_receiver_at_a_time() {
    let bed = Bed::new(3 * MIB);
    let parts = bed.parts().await;
    let size = bed.film.len() as u64;
    let part = parts.begin("ann", size, bed.digest).await;
    let part = part.expect("nobody else has it");
    for parts in [parts.clone(), bed.parts().await] {
        let second = parts.begin("ann", size, bed.digest).await;
        assert!(matches!(second, Err(Error::PartInUse)));
        let other = parts.begin("bob", size, bed.digest).await;
        other.expect("another key is another part");
    }
    drop(part);
    let part = parts.begin("ann", size, bed.digest).await;
    // Finished and not yet renamed, it is still held.
    let mut rest = Rest::new(&bed.film, 0, End::Whole);
    let part = part.expect("it is free again");
    let file = part.receive(&mut rest, bed.target(), |_| ()).await;
    let file = file.expect("whole");
    let second = parts.begin("ann", size, bed.digest).await;
    assert!(matches!(second, Err(Error::PartInUse)));
    file.persist().await.expect("it is renamed");
    let again = parts.begin("ann", size, bed.digest).await;
    assert_eq!(again.expect("it is free").position(), 0);
    assert!(fs::read(bed.target()).expect("it is there") == bed.film);
}

#[tokio::test]
async fn a_link_that_somebody_has_put_there_is_not_followed() {
    for ending in ["groups", "unfinished"] {
        let bed = Bed::new(3 * MIB);
        drop(bed.begin().await);
        let precious = bed.folder.path().join("precious");
        fs::write(&precious, "precious").expect("writable");
        let name = bed.path(ending);
        fs::remove_file(&name).expect("it was there");
        std::os::unix::fs::symlink(&precious, &name).expect("linked");
        let parts = bed.parts().await;
        let size = bed.film.len() as u64;
        let refused = parts.begin("ann", size, bed.digest).await;
        assert!(matches!(refused, Err(Error::Io(_))), "{refused:?}");
        let none = PartsPolicy {
            max_parts: 0,
            ..PartsPolicy::default()
        };
        bed.parts_with(none).await;
        let read = fs::read_to_string(&precious).expect("it is there");
        assert_eq!(read, "precious");
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_rest_changes_nothing() {
    let bed = Bed::new(3 * MIB);
    bed.go(End::Cut(2 * MIB)).await.2.expect_err("it was cut");
    let part = bed.begin().await;
    let mut all = Rest::new(&bed.film, 0, End::Whole);
    let refused = part.receive(&mut all, bed.target(), |_| ()).await;
    assert!(matches!(refused, Err(Error::NotResumable { offset }) if offset == 2 * MIB as u64));
    assert_eq!(bed.finish().await, 2 * MIB as u64);
}

#[tokio::test]
async fn old_parts_go_and_those_in_use_stay() {
    let bed = Bed::new(3 * MIB);
    let parts = bed.parts().await;
    fs::write(bed.folder.path().join("parts/film.mp4"), "kept").expect("writable");
    let begin = async |key: &str| {
        let part = parts.begin(key, bed.film.len() as u64, bed.digest).await;
        part.expect("nobody else has it")
    };
    let (held, _) = (begin("held").await, begin("left").await);
    let long_ago = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    for name in bed.left() {
        let path = bed.folder.path().join("parts").join(name);
        let file = fs::File::options().write(true).open(path).expect("a file");
        file.set_modified(long_ago).expect("its time is set");
    }
    begin("young").await;
    // Beginning one has removed what was old.
    assert_eq!(bed.left().len(), 5, "{:?}", bed.left());
    assert_eq!(parts.collect().await.expect("it is readable"), 0);
    drop(held);
    assert_eq!(parts.collect().await.expect("it is readable"), 1);
    assert_eq!(bed.left().len(), 3);
    assert!(bed.left().contains(&"film.mp4".to_owned()));
}

#[tokio::test]
async fn parts_are_bounded_in_number_and_in_bytes() {
    let bed = Bed::new(3 * MIB);
    let size = bed.film.len() as u64;
    let fill = async |parts: &Parts| {
        for key in 0..10_u8 {
            let part = parts.begin([key], size, bed.digest).await;
            let mut rest = Rest::new(&bed.film, 0, End::Cut(2 * MIB));
            let part = part.expect("nobody else has it");
            let cut = part.receive(&mut rest, bed.target(), |_| ()).await;
            cut.expect_err("it was cut");
        }
        parts.collect().await.expect("it is readable");
    };
    let few = PartsPolicy {
        max_parts: 4,
        ..PartsPolicy::default()
    };
    fill(&bed.parts_with(few).await).await;
    assert_eq!(bed.left().len(), 2 * 4);
    let small = PartsPolicy {
        max_bytes: 5 * MIB as u64,
        ..PartsPolicy::default()
    };
    let parts = bed.parts_with(small).await;
    assert_eq!(bed.left().len(), 2 * 2);
    fill(&parts).await;
    assert_eq!(bed.left().len(), 2 * 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn however_it_is_cut_it_ends_whole(
        len in 1..24 * MIB,
        cuts in proptest::collection::vec((0..24 * MIB, any::<bool>()), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let bed = Bed::new(len);
            let mut before = 0_usize;
            for (stop, is_crash) in cuts {
                let stop = stop % len;
                let end = match is_crash {
                    true => End::Silent(stop),
                    false => End::Cut(stop),
                };
                let (from, came, ended) = bed.go(end).await;
                assert!(ended.is_err());
                let came = came.max(from as usize);
                let lost = before.saturating_sub(from as usize);
                assert!(lost < Parts::UNSYNCED_BYTES as usize, "{lost} bytes were lost");
                before = came;
            }
            let lost = before - bed.finish().await as usize;
            assert!(lost < Parts::UNSYNCED_BYTES as usize, "{lost} bytes were lost");
        });
    }
}
