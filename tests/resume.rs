//! Uploads to the movie server that are cut, or whose client or server is killed, and go on.

use std::collections::hash_map::RandomState;
use std::env;
use std::fs;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use packetboat_dispatch::client::ClientError;
use packetboat_dispatch::{Message, NativeClient, Parts};
use packetboat_framing::Source;
use packetboat_framing::native::Digest;
use packetboat_tests::child::{Child, path_of};
use packetboat_tests::peer::Peer;
use packetboat_tests::proxy::{Proxy, Weather};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

const MIB: u64 = 1 << 20;
const ADMIN: [&str; 2] = ["root", "--admin"];

/// How long the server may take to notice what a connection's end means.
const NOTICE: Duration = Duration::from_secs(20);

#[derive(Serialize, Message)]
#[message(type = "login", reply = Value)]
struct Login {
    name: &'static str,
    password: &'static str,
    user_type: &'static str,
}

#[derive(Serialize, Message)]
#[message(type = "upload_movie", reply = Value, attachment = "file_size")]
struct Upload {
    file_name: String,
    file_size: u64,
    file_md5: String,
    is_free: u8,
}

/// A server's folder, its log beside it, and a client's files.
struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn serve(&self, more: &[&str]) -> Child {
        let data = self.path("data").display().to_string();
        let options = ["server", "--listen", "127.0.0.1:0", "--data", &data];
        let args = options.iter().chain(more);
        let server = Child::spawn("movie", args, &self.path("log")).await;
        server.expect("a server")
    }

    async fn register(&self, server: &Child, name: &str, user_type: &str) {
        let mut peer = Peer::connect(server.addr()).await.expect("a connection");
        let who = json!({"type": "register", "name": name, "password": md5("pw"), "user_type": user_type});
        assert_eq!(peer.call(&who).await.expect("a reply")["flag"], true);
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path("data").join(folder)).into_iter();
        entries
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// The digests of the stored movies.
    fn digests(&self) -> Vec<Digest> {
        let names = self.names("movies");
        let digests = names.iter().map(|name| {
            let mut hasher = blake3::Hasher::new();
            let path = self.path("data/movies").join(name);
            let file = fs::File::open(path).expect("a stored movie");
            hasher.update_reader(file).expect("it is readable");
            Digest(hasher.finalize().into())
        });
        digests.collect()
    }
}

/// Bytes of the one part in a folder.
fn part_len(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let part = entries
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with("unfinished"));
    part.and_then(|path| fs::metadata(path).ok())
        .map_or(0, |meta| meta.len())
}

/// What the movie client sends for the password `pw`.
fn md5(password: &str) -> &'static str {
    assert_eq!(password, "pw");
    "8fe4c11451281c094a6578e6ddbf5eed"
}

/// A long test's number of rounds, or a short one's.
fn rounds(long: u64, short: u64) -> u64 {
    if is_long() { long } else { short }
}

fn is_long() -> bool {
    env::var("PACKETBOAT_LONG").is_ok()
}

/// Names and prices, as the list has them.
async fn listed(server: &Child) -> usize {
    let mut peer = Peer::connect(server.addr()).await.expect("a connection");
    let login =
        json!({"type": "login", "name": "root", "password": md5("pw"), "user_type": "admin"});
    let session = peer.call(&login).await.expect("a reply")["session"].clone();
    let request = json!({"type": "get_movie_list", "session": session, "movie_type": "all"});
    let reply = peer.call(&request).await.expect("a reply");
    reply["movie_list"].as_array().map_or(0, Vec::len)
}

/// Uploads a film, logged in on a connection of its own.
async fn upload(addr: SocketAddr, seed: u64, film: &[u8]) -> Result<(), ClientError> {
    let client = NativeClient::connect(addr).await?;
    let login = Login {
        name: "root",
        password: md5("pw"),
        user_type: "admin",
    };
    client.call(login).await?;
    let upload = Upload {
        file_name: format!("{seed}"),
        file_size: film.len() as u64,
        file_md5: format!("{seed:032x}"),
        is_free: 1,
    };
    let file = Source::bytes(film.to_vec());
    let digest = Digest::of(film);
    client.upload(upload, file, digest, |_| ()).await.map(drop)
}

/// As [`upload`], once the server has noticed how the last try ended.
async fn upload_when_free(addr: SocketAddr, seed: u64, film: &[u8]) {
    let began = Instant::now();
    loop {
        match upload(addr, seed, film).await {
            Ok(()) => return,
            Err(error) if error.code() == Some("part_in_use") => {
                assert!(began.elapsed() < NOTICE, "not noticed in {NOTICE:?}");
                sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("seed {seed}: {error:?}"),
        }
    }
}

/// Row N4, on the native wire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_cut_anywhere_leave_no_row_and_go_on() {
    const FILM: u64 = 4 * MIB + 11;
    let house = House::new();
    let server = house.serve(&[]).await;
    house.register(&server, "root", "admin").await;
    let mut stored = Vec::new();
    for seed in 0..rounds(1000, 24) {
        let film: Vec<u8> = (seed + 1)
            .to_le_bytes()
            .into_iter()
            .cycle()
            .take(FILM as usize)
            .collect();
        let mut weather = Weather::of_seed(seed, FILM);
        // Smaller ones take their time and find nothing here.
        weather.slice = weather.slice.max(8 * 1024);
        let proxy = Proxy::start(server.addr(), weather).await.expect("a proxy");
        let sent = timeout(NOTICE, upload(proxy.addr(), seed, &film)).await;
        assert!(
            matches!(sent, Ok(Err(_))),
            "seed {seed}: not cut in {weather:?}: {sent:?}"
        );
        let cut = weather.end.map_or(0, |(bytes, _)| bytes);
        // Every fourth is given up.
        if seed % 4 == 3 {
            continue;
        }
        let fair = Proxy::start(server.addr(), Weather::default()).await;
        let fair = fair.expect("a proxy");
        upload_when_free(fair.addr(), seed, &film).await;
        stored.push(Digest::of(&film));
        // What had passed is not sent again, but for a group that was not whole and what was on
        // its way. A single group says too little of a file to go on from, if it is all there is.
        let known = cut.saturating_sub(2 * MIB) / MIB * MIB;
        let most = FILM - known + MIB;
        assert!(
            fair.passed() <= most,
            "seed {seed}: {} after {cut}",
            fair.passed()
        );
    }
    assert_eq!(house.names("movies").len(), stored.len());
    let (mut digests, mut expected) = (house.digests(), stored);
    digests.sort_by_key(|digest| digest.0);
    expected.sort_by_key(|digest| digest.0);
    assert!(digests == expected, "another film was stored than sent");
    assert!(!house.names("parts").is_empty(), "some were given up");
    let are_parts = |names: Vec<String>| names.iter().all(|name| Parts::is_part(name.as_ref()));
    assert!(are_parts(house.names("parts")));
    assert_eq!(listed(&server).await, digests.len());

    // Nobody goes on with the rest, and their time is over.
    server.kill().await.expect("a process to kill");
    let server = house.serve(&["--keep-unfinished", "0s"]).await;
    assert_eq!(house.names("parts"), [""; 0]);
    assert_eq!(listed(&server).await, digests.len());
}

/// A client of its own, as somebody would start it.
struct Program<'a> {
    house: &'a House,
    server: SocketAddr,
}

impl Program<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(path_of("movie").expect("it is built"));
        command
            .args(["--json", "--server", &self.server.to_string()])
            .arg("--session-file")
            .arg(self.house.path("sessions"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn login(&self, who: &[&str]) {
        use tokio::io::AsyncWriteExt;
        let mut login = self.command(&[&["login"], who].concat());
        let mut login = login.spawn().expect("a process");
        let mut input = login.stdin.take().expect("it is piped");
        input.write_all(b"pw\n").await.expect("it reads");
        drop(input);
        let output = login.wait_with_output().await.expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }

    fn upload(&self, film: &Path) -> tokio::process::Child {
        let film = film.to_str().expect("a name in UTF-8");
        let mut command = self.command(&["upload", film, "--free"]);
        command.spawn().expect("a process")
    }

    fn download(&self, to: &Path) -> tokio::process::Child {
        let to = to.to_str().expect("a name in UTF-8");
        let mut command = self.command(&["download", "1", "--to", to]);
        command.spawn().expect("a process")
    }
}

/// Waits until so much of a file has come into that folder, by the work of that child, and sees that of what was there
/// no more is lost than was not synced, and a group that was not whole.
async fn has_come(child: &mut tokio::process::Child, folder: &Path, had: u64, stop: u64) {
    let began = Instant::now();
    loop {
        let there = part_len(folder);
        assert!(
            there + Parts::UNSYNCED_BYTES + MIB >= had,
            "{there} after {had}"
        );
        if there >= stop {
            return;
        }
        assert!(began.elapsed() < 6 * NOTICE, "it stands still at {there}");
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended at {there}: {ended:?}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Writes a file that is nowhere twice the same.
fn write_film(path: &Path, len: u64) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"a film");
    let film = hasher.finalize_xof().take(len);
    let mut file = fs::File::create(path).expect("a file");
    let mut whole = blake3::Hasher::new();
    let mut film = io::BufReader::with_capacity(MIB as usize, film);
    let mut piece = vec![0; MIB as usize];
    loop {
        let n = film.read(&mut piece).expect("it never fails");
        if n == 0 {
            return Digest(whole.finalize().into());
        }
        whole.update(&piece[..n]);
        file.write_all(&piece[..n]).expect("there is room");
    }
}

/// Row P1, on the native wire: clients and servers take turns to be killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_outlives_the_kill_of_its_client_and_of_its_server() {
    let len = if is_long() { 2048 * MIB } else { 96 * MIB };
    let house = House::new();
    let film = house.path("film.mp4");
    let digest = write_film(&film, len);
    let mut server = house.serve(&[]).await;
    house.register(&server, "root", "admin").await;

    let began = Instant::now();
    let chance = RandomState::new();
    let (mut sent, mut tries, mut had) = (0, Vec::new(), 0);
    for kill in 0..=5_u64 {
        let proxy = Proxy::start(server.addr(), Weather::default()).await;
        let proxy = proxy.expect("a proxy");
        let program = Program {
            house: &house,
            server: proxy.addr(),
        };
        program.login(&ADMIN).await;
        let mut upload = program.upload(&film);
        if kill == 5 {
            let output = upload.wait_with_output().await.expect("it ends");
            assert!(output.status.success(), "{output:?}");
            sent += proxy.passed();
            tries.push(proxy.passed());
            break;
        }
        // Somewhere in each sixth of the file.
        let stop = len / 6 * kill + chance.hash_one(kill) % (len / 6);
        has_come(&mut upload, &house.path("data/parts"), had, stop).await;
        if kill % 2 == 0 {
            upload.kill().await.expect("a process to kill");
            drop(upload);
        } else {
            server.kill().await.expect("a process to kill");
            let output = upload.wait_with_output().await.expect("it ends");
            assert_eq!(output.status.code(), Some(3), "{output:?}");
            server = house.serve(&[]).await;
        }
        had = part_len(&house.path("data/parts"));
        assert_eq!(listed(&server).await, 0, "kill {kill}: it is not whole");
        assert_eq!(house.names("movies"), [""; 0]);
        sent += proxy.passed();
        tries.push(proxy.passed());
    }
    println!(
        "{len} bytes in {:?}, {sent} sent in six tries: {tries:?}",
        began.elapsed()
    );
    assert_eq!(listed(&server).await, 1);
    assert_eq!(house.digests(), [digest]);
    assert_eq!(house.names("parts"), [""; 0]);
    // Each kill costs what was not synced, what was on its way, and what the proxy holds.
    let most = len + 5 * (Parts::UNSYNCED_BYTES + 4 * MIB) + MIB;
    assert!(sent <= most, "{sent} of {len}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_outlives_the_kill_of_its_client_and_of_its_server() {
    let len = 48 * MIB;
    let house = House::new();
    let (film, to) = (house.path("film.mp4"), house.path("to"));
    let digest = write_film(&film, len);
    let free = ["--wait", "0s"];
    let mut server = house.serve(&free).await;
    house.register(&server, "root", "admin").await;
    house.register(&server, "ann", "user").await;
    let program = |server| Program {
        house: &house,
        server,
    };
    program(server.addr()).login(&ADMIN).await;
    let uploaded = program(server.addr())
        .upload(&film)
        .wait_with_output()
        .await;
    assert!(uploaded.expect("it ends").status.success());

    let mut had = 0;
    for kill in 0..4_u64 {
        // Credit is slow, so that there is time to kill.
        let weather = Weather {
            latency: Duration::from_millis(20),
            ..Weather::default()
        };
        let proxy = Proxy::start(server.addr(), weather).await;
        let proxy = proxy.expect("a proxy");
        program(proxy.addr()).login(&["ann"]).await;
        let mut download = program(proxy.addr()).download(&to);
        has_come(&mut download, &to, had, len / 5 * (kill + 1)).await;
        if kill % 2 == 0 {
            download.kill().await.expect("a process to kill");
        } else {
            server.kill().await.expect("a process to kill");
            let output = download.wait_with_output().await.expect("it ends");
            assert_eq!(output.status.code(), Some(3), "{output:?}");
            server = house.serve(&free).await;
        }
        had = part_len(&to);
        let names = fs::read_dir(&to).expect("a folder").flatten();
        let mut names = names.map(|entry| entry.file_name());
        assert!(names.all(|name| Parts::is_part(&name)), "kill {kill}");
    }
    program(server.addr()).login(&["ann"]).await;
    let download = program(server.addr()).download(&to);
    let output = download.wait_with_output().await.expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(said["blake3"], digest.to_string(), "{said}");
    let names = fs::read_dir(&to).expect("a folder").flatten();
    let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["film.mp4"]);
    let came = fs::read(to.join("film.mp4")).expect("it is there");
    assert!(Digest::of(&came) == digest);
}
