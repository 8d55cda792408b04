//! Row P7: a disk that keeps other bytes than it was given.

use std::fs;
use std::path::{Path, PathBuf};

use packetboat_dispatch::client::ClientError;
use packetboat_dispatch::{NativeClient, Parts, PartsPolicy};
use packetboat_framing::native::Digest;
use packetboat_framing::{BodyExt, Error};
use packetboat_tests::child::{Child, path_of};
use serde_json::json;
use tokio::process::Command;

use crate::house::{House, admin};
use crate::load::{self, ADMIN, Download};

/// Bytes of the movie.
const MOVIE: usize = (2 << 20) + 5;

/// A byte of a stored movie is another one, and nobody has looked.
fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a stored movie");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("a disk that writes");
}

fn only_file(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.next().expect("a file").path()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_out_by_whoever_downloads() {
    let house = House::new();
    let (log, mut command) = (house.log(), house.command());
    command.extend(["--wait", "0s"].map(str::to_owned));
    let server = Child::spawn("movie", command, &log)
        .await
        .expect("a server");
    let (mut peer, _) = admin(&server).await;
    let who = json!({"type": "register", "name": "ann", "password": "pw", "user_type": "user"});
    assert_eq!(peer.call(&who).await.expect("a reply")["flag"], true);
    let client = NativeClient::connect(server.addr()).await;
    let client = client.expect("a connection");
    client.call(ADMIN).await.expect("a login");
    let uploaded = load::upload(&client, 1, MOVIE).await;
    uploaded.expect("it is new");
    let stored = only_file(&house.data().join("movies"));
    let client = NativeClient::connect(server.addr())
        .await
        .expect("a connection");
    client.call(load::USER).await.expect("a login");
    let to = house.folder.path().join("to");
    fs::create_dir(&to).expect("a folder");
    let parts = Parts::open(&to, PartsPolicy::default())
        .await
        .expect("a folder");
    let names = || -> Vec<_> {
        let entries = fs::read_dir(&to).expect("a folder").flatten();
        entries.map(|entry| entry.file_name()).collect()
    };

    for at in [0, MOVIE / 2, MOVIE - 1] {
        flip(&stored, at);
        // Saved, and read as it comes.
        let saved = client.download(Download { movie_id: 1 }, &parts, to.join("film"), |_| ());
        let error = saved.await.expect_err("it is damaged");
        let is_mismatch = matches!(&error, ClientError::Body(Error::DigestMismatch { .. }));
        assert!(is_mismatch, "{error:?}");
        assert_eq!(names(), [""; 0], "at {at}");
        let (_, mut film) = client
            .call_for_file(Download { movie_id: 1 })
            .await
            .expect("a reply");
        let read = film.copy_to(&mut Vec::new()).await;
        assert!(read.is_err(), "at {at}: taken for complete");
        // The program, on both wires.
        for wire in ["native", "classic"] {
            let code = program(&house, &server, wire, &to).await;
            assert_eq!(code, Some(6), "at {at} by {wire}");
            assert_eq!(names(), [""; 0], "at {at} by {wire}");
        }
        flip(&stored, at);
    }
    let saved = client.download(Download { movie_id: 1 }, &parts, to.join("film"), |_| ());
    saved.await.expect("it is what it was");
    let came = fs::read(to.join("film")).expect("it is there");
    assert!(Digest::of(&came) == Digest::of(&load::film(1, MOVIE)));
}

/// The exit code of the movie program's download.
async fn program(house: &House, server: &Child, wire: &str, to: &Path) -> Option<i32> {
    let addr = format!("{wire}://{}", server.addr());
    let movie = |args: &[&str]| {
        let mut command = Command::new(path_of("movie").expect("it is built"));
        command
            .args(["--json", "--server", &addr, "--session-file"])
            .arg(house.folder.path().join("sessions"))
            .args(args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true);
        command.spawn().expect("a process")
    };
    // The program sends the md5 of what is typed, and so has an account of its own.
    for verb in ["register", "login"] {
        let mut asked = movie(&[verb, &format!("bob-{wire}")]);
        let mut input = asked.stdin.take().expect("it is piped");
        tokio::io::AsyncWriteExt::write_all(&mut input, b"pw\n")
            .await
            .expect("it reads");
        drop(input);
        asked.wait().await.expect("it ends");
    }
    let to = to.to_str().expect("a name in UTF-8");
    movie(&["download", "1", "--to", to])
        .wait()
        .await
        .expect("it ends")
        .code()
}
