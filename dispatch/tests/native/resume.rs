//! Files up and down that are cut and gone on with, on connections that break.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use packetboat_dispatch::client::{ClientBuilder, ClientError};
use packetboat_dispatch::{
    Anyone, App, BodyExt, Dispatcher, File, Flagged, Limits, Message, NativeClient, Parts,
    PartsPolicy, Rejection, State, Upload, serve_stream,
};
use packetboat_framing::native::Digest;
use packetboat_framing::{Error, Source};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};
use tokio::sync::Notify;

const MIB: usize = 1024 * 1024;

/// Saves its file under the one name that there is.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "keep", reply = Kept, attachment = "size")]
struct Keep {
    size: u64,
    key: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Kept {
    bytes: u64,
    digest: String,
}

/// The file that is kept.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "fetch", reply = Film, reply_attachment = "size")]
struct Fetch {
    with_digest: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Film {
    size: u64,
}

#[derive(Clone)]
struct Server {
    parts: Parts,
    film: PathBuf,
    /// What the film's digest is said to be.
    digest: Arc<Mutex<Digest>>,
    /// A handler has ended.
    ended: Arc<Notify>,
}

async fn keep(
    State(server): State<Server>,
    mut body: Upload,
    request: Keep,
) -> Result<Kept, Rejection> {
    let received = body.receive_resumable(&server.parts, &request.key, &server.film);
    let received = received.await;
    server.ended.notify_one();
    let (file, digest) = received?;
    let bytes = file.len();
    file.persist().await?;
    Ok(Kept {
        bytes,
        digest: digest.to_string(),
    })
}

async fn fetch(State(server): State<Server>, request: Fetch) -> Result<(Film, File), Rejection> {
    let mut file = File::open(&server.film).await?;
    if request.with_digest {
        file = file.with_digest(server.digest.lock().expect("no panic").0);
    }
    Ok((Film { size: file.len() }, file))
}

struct Bed {
    folder: TempDir,
    film: Vec<u8>,
    digest: Digest,
}

/// Bytes that a connection has carried, up and down.
#[derive(Default)]
struct Carried {
    up: AtomicU64,
    down: AtomicU64,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug)]
struct Breaks {
    up: u64,
    down: u64,
}

const NEVER: Breaks = Breaks {
    up: u64::MAX,
    down: u64::MAX,
};

impl Bed {
    fn new(len: usize) -> Self {
        let film: Vec<u8> = (0..len).map(|i| (i / 3 % 251 + i / MIB) as u8).collect();
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            digest: Digest::of(&film),
            film,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server as after a restart: all it knows is in its folder.
    async fn server(&self) -> Server {
        let parts = Parts::open(self.path("parts"), PartsPolicy::default()).await;
        Server {
            parts: parts.expect("it is writable"),
            film: self.path("film"),
            digest: Arc::new(Mutex::new(self.digest)),
            ended: Arc::default(),
        }
    }

    /// Uploads it, once the server has noticed how the last try ended.
    async fn upload_when_free(&self, server: &Server, breaks: Breaks) -> Tried {
        loop {
            let tried = self.upload(server, breaks).await;
            match &tried.kept {
                Err(error) if error.code() == Some("part_in_use") => {
                    tokio::task::yield_now().await;
                }
                _ => return tried,
            }
        }
    }

    async fn upload(&self, server: &Server, breaks: Breaks) -> Tried {
        let (client, carried) = connect(server, breaks);
        let mut seen = Vec::new();
        let size = self.film.len() as u64;
        let key = "ann".to_owned();
        let file = Source::bytes(self.film.clone());
        let kept = client
            .upload(Keep { size, key }, file, self.digest, |at| seen.push(at))
            .await;
        assert!(seen.is_sorted(), "{seen:?}");
        Tried {
            kept,
            carried: carried.up.load(Ordering::SeqCst),
            seen,
        }
    }

    async fn download(&self, server: &Server, breaks: Breaks) -> (Result<u64, ClientError>, u64) {
        let (client, carried) = connect(server, breaks);
        let parts = Parts::open(self.path("down"), PartsPolicy::default()).await;
        let (parts, to) = (parts.expect("it is writable"), self.path("down/film.mp4"));
        let fetch = Fetch { with_digest: true };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&seen);
        let progress = move |at| heard.lock().expect("no panic").push(at);
        let len = client.download(fetch, &parts, &to, progress).await;
        assert!(seen.lock().expect("no panic").is_sorted());
        (
            len.map(|(reply, len)| {
                assert_eq!(reply.size, len);
                len
            }),
            carried.down.load(Ordering::SeqCst),
        )
    }
}

struct Tried {
    kept: Result<Kept, ClientError>,
    carried: u64,
    seen: Vec<u64>,
}

fn app(server: &Server) -> App {
    App::from(Dispatcher::new(server.clone()).allow(Anyone, |group| group.on(keep).on(fetch)))
}

/// A client whose connection breaks after so many bytes.
fn connect(server: &Server, breaks: Breaks) -> (NativeClient, Arc<Carried>) {
    let (client, ours) = tokio::io::duplex(64 * 1024);
    let (theirs, served) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve_stream(served, app(server), Limits::default()));
    let carried = Arc::<Carried>::default();
    tokio::spawn(carry(ours, theirs, breaks, Arc::clone(&carried)));
    let (read, write) = split(client);
    let builder: ClientBuilder<Flagged> = ClientBuilder::default();
    (builder.over_native(read, write), carried)
}

/// Carries bytes both ways until it breaks, which both ends see.
async fn carry(
    mut ours: DuplexStream,
    mut theirs: DuplexStream,
    breaks: Breaks,
    carried: Arc<Carried>,
) {
    let (mut up, mut down) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        let (gone_up, gone_down) = (
            carried.up.load(Ordering::SeqCst),
            carried.down.load(Ordering::SeqCst),
        );
        if gone_up >= breaks.up || gone_down >= breaks.down {
            return;
        }
        let room = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(16 * 1024);
        let (up_room, down_room) = (room(breaks.up - gone_up), room(breaks.down - gone_down));
        let done = tokio::select! {
            read = ours.read(&mut up[..up_room]) => match read {
                Ok(n @ 1..) => {
                    carried.up.fetch_add(n as u64, Ordering::SeqCst);
                    theirs.write_all(&up[..n]).await
                }
                _ => return,
            },
            read = theirs.read(&mut down[..down_room]) => match read {
                Ok(n @ 1..) => {
                    carried.down.fetch_add(n as u64, Ordering::SeqCst);
                    ours.write_all(&down[..n]).await
                }
                _ => return,
            },
        };
        if done.is_err() {
            return;
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Bytes of a part that are there in whole groups, once nobody has it.
fn sure(folder: &Path, len: usize) -> u64 {
    let names = names(folder);
    let Some(name) = names.iter().find(|name| name.ends_with("groups")) else {
        return 0;
    };
    let list = fs::metadata(folder.join(name)).map_or(0, |meta| meta.len());
    let groups = list.saturating_sub(64) / 32;
    // One group alone is not enough of a file that has no more.
    match groups * MIB as u64 {
        sure if sure > MIB as u64 || len > MIB => sure,
        _ => 0,
    }
}

/// Frames, prefaces and messages beside the bytes of a file.
fn beside(bytes: u64) -> u64 {
    bytes / 1000 + 16 * 1024
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_cut_also_after_a_restart() {
    let bed = Bed::new(9 * MIB + 5);
    let server = bed.server().await;
    let breaks = Breaks {
        up: 5_500_000,
        ..NEVER
    };
    let cut = bed.upload(&server, breaks).await;
    assert!(matches!(
        cut.kept,
        Err(ClientError::Closed | ClientError::Lost(_))
    ));
    server.ended.notified().await;
    assert!(!server.film.exists());
    drop(server);

    let server = bed.server().await;
    let whole = bed.upload(&server, NEVER).await;
    let kept = whole.kept.expect("an answer");
    assert_eq!(kept.bytes, bed.film.len() as u64);
    assert_eq!(kept.digest, bed.digest.to_string());
    assert!(fs::read(&server.film).expect("it is there") == bed.film);
    assert_eq!(names(&bed.path("parts")), [""; 0]);
    // 5,500,000 bytes have four whole groups and most of a fifth; what was in the pipes is lost.
    assert!(whole.seen[0] >= 4 * MIB as u64, "{:?}", whole.seen);
    assert_eq!(whole.seen.last(), Some(&kept.bytes));
    let rest = kept.bytes - 4 * MIB as u64;
    assert!(
        whole.carried <= rest + beside(rest),
        "{} for {rest}",
        whole.carried
    );
}

#[tokio::test]
async fn an_upload_with_another_digest_or_key_begins_anew() {
    let mut bed = Bed::new(4 * MIB);
    let server = bed.server().await;
    let breaks = Breaks {
        up: 3_500_000,
        ..NEVER
    };
    bed.upload(&server, breaks)
        .await
        .kept
        .expect_err("it was cut");
    server.ended.notified().await;
    bed.film[7] ^= 1;
    bed.digest = Digest::of(&bed.film);
    let whole = bed.upload(&server, NEVER).await;
    whole.kept.expect("an answer");
    assert!(whole.carried > 4 * MIB as u64);
    assert!(fs::read(&server.film).expect("it is there") == bed.film);
}

#[tokio::test]
async fn an_upload_that_is_not_its_digest_is_refused_and_its_part_removed() {
    let mut bed = Bed::new(4 * MIB + 1);
    let server = bed.server().await;
    for cut in [true, false] {
        if cut {
            let breaks = Breaks {
                up: 3_500_000,
                ..NEVER
            };
            bed.upload(&server, breaks)
                .await
                .kept
                .expect_err("it was cut");
            server.ended.notified().await;
        }
        bed.film[4 * MIB] ^= 1;
        let wrong = bed.upload(&server, NEVER).await;
        let error = wrong.kept.expect_err("a byte was changed");
        assert_eq!(error.code(), Some("digest_mismatch"), "{error}");
        assert_eq!(names(&bed.path("parts")), [""; 0]);
        assert!(!server.film.exists());
        bed.film[4 * MIB] ^= 1;
    }
}

#[tokio::test]
async fn of_two_uploads_with_one_key_the_second_is_refused() {
    let bed = Bed::new(4 * MIB);
    let server = bed.server().await;
    let size = bed.film.len() as u64;
    let held = server.parts.begin("ann", size, bed.digest).await;
    let held = held.expect("nobody else has it");
    let second = bed.upload(&server, NEVER).await;
    let error = second.kept.expect_err("it is in use");
    assert_eq!(error.code(), Some("part_in_use"));
    assert!(!error.is_fatal());
    assert!(
        second.carried < 200_000,
        "{} bytes were sent for it",
        second.carried
    );
    drop(held);
    bed.upload(&server, NEVER).await.kept.expect("it is free");
}

#[tokio::test]
async fn what_cannot_be_resumed_is_saved_from_its_beginning_and_leaves_no_part() {
    let bed = Bed::new(3 * MIB);
    let server = bed.server().await;
    let size = bed.film.len() as u64;
    let keep = || Keep {
        size,
        key: "ann".to_owned(),
    };
    // Without a digest.
    let (client, _) = connect(
        &server,
        Breaks {
            up: 2_500_000,
            ..NEVER
        },
    );
    let file = Source::bytes(bed.film.clone());
    let cut = client.call_with_file(keep(), file, |_| ()).await;
    cut.expect_err("it was cut");
    server.ended.notified().await;
    assert_eq!(names(&bed.path("parts")), [""; 0]);
    // From a reader.
    let (client, _) = connect(&server, NEVER);
    let reader = Source::reader(std::io::Cursor::new(bed.film.clone()), size);
    let kept = client.upload(keep(), reader, bed.digest, |_| ()).await;
    assert_eq!(kept.expect("an answer").bytes, size);
    assert!(fs::read(&server.film).expect("it is there") == bed.film);
    // One that is not what its digest says.
    let reader = Source::reader(std::io::Cursor::new(bed.film.clone()), size);
    let wrong = client.upload(keep(), reader, Digest([1; 32]), |_| ()).await;
    assert_eq!(
        wrong.expect_err("another digest").code(),
        Some("digest_mismatch")
    );
    // On the classic wire.
    let local = app(&server).connect();
    let message = format!(r#"{{"type": "keep", "size": {size}, "key": "ann"}}"#);
    let answer = local
        .request_with(message.as_bytes(), bed.film.clone())
        .await;
    assert!(
        answer.text().contains(&bed.digest.to_string()),
        "{}",
        answer.text()
    );
    let answer = local.request_with(message.as_bytes(), "short").await;
    assert!(
        answer.text().contains("attachment_cut"),
        "{}",
        answer.text()
    );
    assert_eq!(names(&bed.path("parts")), [""; 0]);
}

#[tokio::test]
async fn a_download_goes_on_where_it_was_cut() {
    let bed = Bed::new(9 * MIB + 5);
    let server = bed.server().await;
    fs::write(&server.film, &bed.film).expect("writable");
    let size = bed.film.len() as u64;
    let breaks = Breaks {
        down: 5_500_000,
        ..NEVER
    };
    let (cut, _) = bed.download(&server, breaks).await;
    let error = cut.expect_err("it was cut");
    assert!(
        matches!(error, ClientError::Body(Error::Truncated { .. })),
        "{error:?}"
    );
    assert!(error.is_fatal());
    assert_eq!(names(&bed.path("down")).len(), 2);
    let (whole, carried) = bed.download(&server, NEVER).await;
    assert_eq!(whole.expect("whole"), size);
    assert_eq!(names(&bed.path("down")), ["film.mp4"]);
    assert!(fs::read(bed.path("down/film.mp4")).expect("it is there") == bed.film);
    let rest = size - 4 * MIB as u64;
    assert!(carried <= rest + beside(rest), "{carried} for {rest}");
}

#[tokio::test]
async fn a_file_that_was_changed_between_is_fetched_anew() {
    let mut bed = Bed::new(4 * MIB);
    let server = bed.server().await;
    fs::write(&server.film, &bed.film).expect("writable");
    let breaks = Breaks {
        down: 3_500_000,
        ..NEVER
    };
    bed.download(&server, breaks)
        .await
        .0
        .expect_err("it was cut");
    bed.film[7] ^= 1;
    bed.digest = Digest::of(&bed.film);
    fs::write(&server.film, &bed.film).expect("writable");
    *server.digest.lock().expect("no panic") = bed.digest;
    let (whole, carried) = bed.download(&server, NEVER).await;
    whole.expect("whole");
    assert!(carried > 4 * MIB as u64);
    assert!(fs::read(bed.path("down/film.mp4")).expect("it is there") == bed.film);
}

#[tokio::test]
async fn a_download_that_is_not_its_digest_leaves_nothing() {
    let bed = Bed::new(4 * MIB);
    let server = bed.server().await;
    fs::write(&server.film, &bed.film).expect("writable");
    *server.digest.lock().expect("no panic") = Digest([1; 32]);
    let (wrong, _) = bed.download(&server, NEVER).await;
    let error = wrong.expect_err("another digest");
    assert!(
        matches!(error, ClientError::Body(Error::DigestMismatch { .. })),
        "{error:?}"
    );
    assert!(!error.is_fatal());
    assert_eq!(names(&bed.path("down")), [""; 0]);
}

#[tokio::test]
async fn a_download_without_a_digest_is_saved_and_leaves_no_part() {
    let bed = Bed::new(3 * MIB);
    let server = bed.server().await;
    fs::write(&server.film, &bed.film).expect("writable");
    let parts = Parts::open(bed.path("down"), PartsPolicy::default()).await;
    let (parts, to) = (parts.expect("writable"), bed.path("down/film.mp4"));
    for breaks in [
        Breaks {
            down: 2_500_000,
            ..NEVER
        },
        NEVER,
    ] {
        let (client, _) = connect(&server, breaks);
        let fetch = Fetch { with_digest: false };
        let fetched = client.download(fetch, &parts, &to, |_| ()).await;
        let is_whole = breaks.down == u64::MAX;
        assert_eq!(fetched.is_ok(), is_whole);
        assert_eq!(names(&bed.path("down")).len(), usize::from(is_whole));
    }
    assert!(fs::read(&to).expect("it is there") == bed.film);
}

#[tokio::test]
async fn a_body_that_is_read_otherwise_comes_whole_and_verified() {
    let bed = Bed::new(3 * MIB);
    let server = bed.server().await;
    fs::write(&server.film, &bed.film).expect("writable");
    let (client, _) = connect(&server, NEVER);
    let fetch = || Fetch { with_digest: true };
    let (_, mut body) = client.call_for_file(fetch()).await.expect("an answer");
    let mut all = Vec::new();
    body.copy_to(&mut all).await.expect("whole");
    assert!(all == bed.film);
    // One that nobody reads is cancelled, and one of which some was read is not begun later.
    let (_, body) = client.call_for_file(fetch()).await.expect("an answer");
    drop(body);
    let (_, mut body) = client.call_for_file(fetch()).await.expect("an answer");
    body.chunk().await.expect("some").expect("some");
    let to = bed.path("down");
    let late = body.receive_resumable(&server.parts, "x", to, |_| ()).await;
    assert!(matches!(late, Err(Error::NotResumable { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn however_they_are_cut_both_ways_end_whole(
        len in 1..12 * MIB,
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 1..6),
        restarts in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let bed = Bed::new(len);
            let mut server = bed.server().await;
            for cut in &cuts {
                let up = 200 + cut.index(len + 1) as u64;
                let _ = bed.upload_when_free(&server, Breaks { up, ..NEVER }).await;
                if restarts {
                    server = bed.server().await;
                }
            }
            let rest = len as u64 - sure(&bed.path("parts"), len);
            let whole = bed.upload_when_free(&server, NEVER).await;
            // Only what was not there in whole groups was sent again.
            assert!(whole.carried <= rest + beside(rest), "{} for {rest}", whole.carried);
            let kept = whole.kept.expect("an answer");
            assert_eq!(kept.digest, bed.digest.to_string());
            assert!(fs::read(&server.film).expect("it is there") == bed.film);
            assert_eq!(names(&bed.path("parts")), [""; 0]);

            for cut in &cuts {
                let down = 200 + cut.index(len + 1) as u64;
                let _ = bed.download(&server, Breaks { down, ..NEVER }).await;
            }
            let rest = len as u64 - sure(&bed.path("down"), len);
            let (whole, carried) = bed.download(&server, NEVER).await;
            assert_eq!(whole.expect("whole"), len as u64);
            assert!(carried <= rest + beside(rest), "{carried} for {rest}");
            assert!(fs::read(bed.path("down/film.mp4")).expect("it is there") == bed.film);
            assert_eq!(names(&bed.path("down")), ["film.mp4"]);
        });
    }
}
