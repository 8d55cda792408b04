//! The client against servers that mean it harm, and the demo that must be able to fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use movie::client::failure::Failure;
use movie::client::lang::Lang;
use movie::client::remote::Remote;
use movie::client::report::Report;
use movie::client::transfer::{self, Downloaded, Show};
use movie::demo::{self, DemoOptions};
use movie::messages::{Fee, MovieList, MovieRow};
use movie::names::is_hidden;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[path = "server/support/hostile_names.rs"]
mod hostile_names;

use hostile_names::HOSTILE_NAMES;

const SHOW: Show = Show {
    lang: Lang::En,
    quiet: true,
};

/// A server that answers each request of one connection with the next reply and its bytes.
async fn hostile_server(replies: Vec<(Value, Vec<u8>)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        for (reply, bytes) in replies {
            let len = socket.read_i32_le().await.unwrap();
            let mut request = vec![0; usize::try_from(len).unwrap()];
            socket.read_exact(&mut request).await.unwrap();
            let reply = reply.to_string();
            let mut frame = i32::try_from(reply.len()).unwrap().to_le_bytes().to_vec();
            frame.extend_from_slice(reply.as_bytes());
            frame.extend_from_slice(&bytes);
            socket.write_all(&frame).await.unwrap();
        }
    });
    addr
}

fn movie(name: &str, size: u64) -> Value {
    json!({"flag": true, "file_name": name, "file_size": size, "wait_time": 0, "price": 0})
}

/// A folder for downloads inside another, so that what leaves it is seen.
struct Folders {
    outer: TempDir,
    to: PathBuf,
}

impl Folders {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let to = outer.path().join("deep/down/here");
        fs::create_dir_all(&to).unwrap();
        Self { outer, to }
    }

    /// Every file, relative to the folder for downloads' own parents.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, files);
                } else {
                    files.push(path);
                }
            }
        }
        let mut files = Vec::new();
        walk(self.outer.path(), &mut files);
        files
    }
}

async fn download(reply: Value, bytes: &[u8], to: &Path) -> Result<Downloaded, Failure> {
    let server = hostile_server(vec![(reply, bytes.to_vec())]).await;
    let mut remote = Remote::connect(&format!("classic://{server}")).await?;
    transfer::download(&mut remote, 1, to, SHOW).await
}

#[tokio::test]
async fn hostile_name_stays_in_the_folder_and_overwrites_nothing() {
    for (hostile, harmless) in HOSTILE_NAMES {
        let folders = Folders::new();
        let taken = folders.to.join(harmless);
        fs::write(&taken, "precious").unwrap();

        let downloaded = download(movie(hostile, 5), b"bytes", &folders.to)
            .await
            .unwrap();

        assert_eq!(
            downloaded.path.parent(),
            Some(folders.to.as_path()),
            "{hostile:?}"
        );
        assert_ne!(downloaded.path, taken, "{hostile:?}");
        assert_eq!(
            fs::read_to_string(&taken).unwrap(),
            "precious",
            "{hostile:?}"
        );
        assert_eq!(
            fs::read_to_string(&downloaded.path).unwrap(),
            "bytes",
            "{hostile:?}"
        );
        assert_eq!(
            folders.files().len(),
            2,
            "{hostile:?}: {:?}",
            folders.files()
        );
        let name = downloaded.path.file_name().unwrap().to_str().unwrap();
        assert!(!name.chars().any(is_hidden), "{name:?}");
    }
}

#[tokio::test]
async fn name_that_was_free_is_the_harmless_one() {
    for (hostile, harmless) in HOSTILE_NAMES {
        let folders = Folders::new();
        let downloaded = download(movie(hostile, 5), b"bytes", &folders.to)
            .await
            .unwrap();
        assert_eq!(downloaded.path, folders.to.join(harmless), "{hostile:?}");
    }
    let folders = Folders::new();
    let long = format!("{}.mp4", "x".repeat(300));
    let downloaded = download(movie(&long, 5), b"bytes", &folders.to)
        .await
        .unwrap();
    let name = downloaded.path.file_name().unwrap().to_str().unwrap();
    assert!(name.len() <= 255 && name.ends_with("x.mp4"), "{name}");
}

#[tokio::test]
async fn size_that_is_a_lie_leaves_nothing_behind() {
    let folders = Folders::new();
    let failure = download(movie("a.mp4", 6), b"bytes", &folders.to)
        .await
        .unwrap_err();
    assert_eq!((failure.code(), failure.exit_code()), ("connection", 3));
    // More than is ever taken is refused from the reply alone.
    let failure = download(movie("a.mp4", u64::MAX), b"bytes", &folders.to)
        .await
        .unwrap_err();
    assert_eq!(failure.code(), "connection");
    for size in [json!(-1), json!("5"), json!(1.5), Value::Null] {
        let mut reply = movie("a.mp4", 0);
        reply["file_size"] = size;
        let failure = download(reply, b"bytes", &folders.to).await.unwrap_err();
        assert_eq!(failure.code(), "connection");
    }
    assert_eq!(folders.files(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn wrong_digest_is_damage_and_leaves_nothing_behind() {
    let folders = Folders::new();
    let mut reply = movie("a.mp4", 5);
    reply["digest"] = json!(blake3::hash(b"other").to_hex().as_str());
    let failure = download(reply.clone(), b"bytes", &folders.to)
        .await
        .unwrap_err();
    assert_eq!((failure.code(), failure.exit_code()), ("damaged", 6));
    assert_eq!(folders.files(), Vec::<PathBuf>::new());

    reply["digest"] = json!(blake3::hash(b"bytes").to_hex().as_str());
    let downloaded = download(reply, b"bytes", &folders.to).await.unwrap();
    assert_eq!(downloaded.path, folders.to.join("a.mp4"));
}

#[test]
fn nothing_that_a_server_sends_steers_the_terminal() {
    for (hostile, _) in HOSTILE_NAMES {
        let list = MovieList {
            movie_list: vec![MovieRow(hostile.to_owned(), Fee::Free, 1)],
            more: false,
        };
        let text = Report::movies(&list, Lang::En).text;
        assert_eq!(text.lines().count(), 2, "{hostile:?}");
        assert!(
            !text.replace('\n', "").chars().any(is_hidden),
            "{hostile:?}"
        );
        let refused = Failure::Refused {
            code: "new".into(),
            text: hostile.to_owned(),
        };
        assert!(
            !refused.text(Lang::En).chars().any(is_hidden),
            "{hostile:?}"
        );
    }
}

#[tokio::test]
async fn demo_holds_and_a_wait_that_is_not_kept_breaks_it() {
    let second = Duration::from_secs(1);
    let whole = DemoOptions {
        wait: second,
        server_wait: None,
    };
    let tally = demo::play(&whole).await.unwrap();
    assert_eq!((tally.held, tally.is_whole()), (demo::STEPS, true));

    let broken = DemoOptions {
        wait: second,
        server_wait: Some(Duration::ZERO),
    };
    let tally = demo::play(&broken).await.unwrap();
    assert_eq!((tally.held, tally.is_whole()), (demo::STEPS - 1, false));
}
