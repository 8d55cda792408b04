//! A movie server of one's own, and what every test here asks of one.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use packetboat_tests::child::Child;
use packetboat_tests::peer::Peer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

/// Bytes of a movie in these tests: more than the server takes at once, so that a cut finds it in every state.
pub(crate) const MOVIE: usize = 3 << 20;

/// How long the server may take to notice what a connection's end means.
pub(crate) const NOTICE: Duration = Duration::from_secs(10);

/// A server's folder, its log beside it, and what it is told.
pub(crate) struct House {
    pub(crate) folder: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn command(&self) -> Vec<String> {
        let data = self.data().display().to_string();
        let options = [
            "server",
            "--listen",
            "127.0.0.1:0",
            "--admin-registration",
            "open",
            "--data",
        ];
        options
            .iter()
            .map(ToString::to_string)
            .chain([data])
            .collect()
    }

    pub(crate) async fn serve(&self) -> Child {
        Child::spawn("movie", self.command(), &self.log())
            .await
            .expect("a server")
    }

    /// The files of movies, whole or half received.
    pub(crate) fn movies(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.data().join("movies")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

/// A long test's number of rounds, or a short one's.
pub(crate) fn rounds(long: u64, short: u64) -> u64 {
    if env::var("PACKETBOAT_LONG").is_ok() {
        long
    } else {
        short
    }
}

/// Logs in as the admin, registering first where that is new; the peer and its session.
pub(crate) async fn admin(server: &Child) -> (Peer, Value) {
    let mut peer = Peer::connect(server.addr()).await.expect("a connection");
    let who = |type_: &str| json!({"type": type_, "name": "root", "password": "pw", "user_type": "admin"});
    peer.call(&who("register")).await.expect("a reply");
    let reply = peer.call(&who("login")).await.expect("a reply");
    assert_eq!(reply["flag"], true, "{reply}");
    let session = reply["session"].clone();
    (peer, session)
}

pub(crate) async fn movie_names(peer: &mut Peer, session: &Value) -> Vec<String> {
    let request = json!({"type": "get_movie_list", "session": session, "movie_type": "all"});
    let reply = peer.call(&request).await.expect("a reply");
    let rows = reply["movie_list"].as_array().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| row[0].as_str().expect("a name").to_owned())
        .collect()
}

/// A frame that announces a movie, and the movie.
pub(crate) fn upload(session: &Value, name: &str, seed: u64) -> Vec<u8> {
    upload_of(session, name, seed, MOVIE)
}

pub(crate) fn upload_of(session: &Value, name: &str, seed: u64, size: usize) -> Vec<u8> {
    let request = json!({
        "type": "upload_movie", "session": session, "file_name": name, "file_size": size,
        "file_md5": format!("{seed:032x}"), "is_free": 1,
    });
    let movie = seed
        .to_le_bytes()
        .into_iter()
        .cycle()
        .take(size)
        .collect::<Vec<_>>();
    [Peer::frame(&request), movie].concat()
}

/// Waits until a question is answered with yes.
pub(crate) async fn eventually(what: &str, mut question: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !question().await {
        assert!(began.elapsed() < NOTICE, "{what}: not within {NOTICE:?}");
        sleep(Duration::from_millis(20)).await;
    }
}
