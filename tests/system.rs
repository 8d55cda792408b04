//! The movie server as a process of its own: a network that fails, descriptors that run out, kills.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use packetboat_tests::child::{Child, path_of};
use packetboat_tests::peer::Peer;
use packetboat_tests::proxy::{Proxy, Weather};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// Bytes of a movie in these tests: more than the server takes at once, so that a cut finds it in every state.
const MOVIE: usize = 3 << 20;

/// How long the server may take to notice what a connection's end means.
const NOTICE: Duration = Duration::from_secs(10);

/// A server's folder, its log beside it, and what it is told.
struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn command(&self) -> Vec<String> {
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

    async fn serve(&self) -> Child {
        Child::spawn("movie", self.command(), &self.log())
            .await
            .expect("a server")
    }

    /// The files of movies, whole or half received.
    fn movies(&self) -> Vec<String> {
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
fn rounds(long: u64, short: u64) -> u64 {
    if env::var("PACKETBOAT_LONG").is_ok() {
        long
    } else {
        short
    }
}

/// Logs in as the admin, registering first where that is new; the peer and its session.
async fn admin(server: &Child) -> (Peer, Value) {
    let mut peer = Peer::connect(server.addr()).await.expect("a connection");
    let who = |type_: &str| json!({"type": type_, "name": "root", "password": "pw", "user_type": "admin"});
    peer.call(&who("register")).await.expect("a reply");
    let reply = peer.call(&who("login")).await.expect("a reply");
    assert_eq!(reply["flag"], true, "{reply}");
    let session = reply["session"].clone();
    (peer, session)
}

async fn movie_names(peer: &mut Peer, session: &Value) -> Vec<String> {
    let request = json!({"type": "get_movie_list", "session": session, "movie_type": "all"});
    let reply = peer.call(&request).await.expect("a reply");
    let rows = reply["movie_list"].as_array().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| row[0].as_str().expect("a name").to_owned())
        .collect()
}

/// A frame that announces a movie, and the movie.
fn upload(session: &Value, name: &str, seed: u64) -> Vec<u8> {
    upload_of(session, name, seed, MOVIE)
}

fn upload_of(session: &Value, name: &str, seed: u64, size: usize) -> Vec<u8> {
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
async fn eventually(what: &str, mut question: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !question().await {
        assert!(began.elapsed() < NOTICE, "{what}: not within {NOTICE:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Sends what it can through a proxy, logged in on that connection, and gives up where the connection breaks.
async fn upload_through(proxy: &Proxy, name: &str, seed: u64) -> io::Result<Value> {
    let mut peer = Peer::connect(proxy.addr()).await?;
    let login = json!({"type": "login", "name": "root", "password": "pw", "user_type": "admin"});
    let session = peer.call(&login).await?["session"].clone();
    peer.send(&upload(&session, name, seed)).await?;
    peer.receive().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_are_cut_anywhere_leave_no_row_and_no_file() {
    let house = House::new();
    let server = house.serve().await;
    let (mut peer, session) = admin(&server).await;
    for seed in 0..rounds(1000, 24) {
        let weather = Weather::of_seed(seed, MOVIE as u64);
        let proxy = Proxy::start(server.addr(), weather).await.expect("a proxy");
        let sent = timeout(NOTICE, upload_through(&proxy, &format!("cut {seed}"), seed)).await;
        assert!(
            !matches!(sent, Ok(Ok(_))),
            "seed {seed}: the upload was not cut in {weather:?}: {sent:?}"
        );
    }
    eventually("no file is left", async || house.movies().is_empty()).await;
    assert_eq!(movie_names(&mut peer, &session).await, [""; 0]);

    // And in fair weather the same upload arrives.
    let proxy = Proxy::start(
        server.addr(),
        Weather {
            slice: 1000,
            ..Weather::default()
        },
    )
    .await
    .expect("a proxy");
    let reply = upload_through(&proxy, "whole", 1).await.expect("a reply");
    assert_eq!(reply["flag"], true, "{reply}");
    assert_eq!(movie_names(&mut peer, &session).await.len(), 1);
    assert_eq!(house.movies().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_descriptors_rests_and_serves_again() {
    let house = House::new();
    let mut command = Command::new("prlimit");
    command
        .arg("--nofile=64")
        .arg(path_of("movie").expect("the server is built"))
        .args(house.command());
    let server = Child::spawn_command(command, &house.log())
        .await
        .expect("a server");
    let (mut peer, session) = admin(&server).await;

    // More than it has descriptors for: the system takes the connections, and the server cannot.
    let mut crowd = Vec::new();
    for _ in 0..80 {
        crowd.push(
            Peer::connect(server.addr())
                .await
                .expect("a place in the queue"),
        );
    }
    eventually("descriptors run out", async || {
        server.open_fds().expect("it lives") >= 63
    })
    .await;

    let before = server.cpu_time().expect("it lives");
    sleep(Duration::from_secs(4)).await;
    let used = server.cpu_time().expect("it lives") - before;
    assert!(
        used < Duration::from_millis(200),
        "{used:?} of processor time in 4 s of waiting"
    );
    assert_eq!(
        movie_names(&mut peer, &session).await,
        [""; 0],
        "who is connected is served"
    );

    drop(crowd);
    let began = Instant::now();
    let (mut late, session) = admin(&server).await;
    movie_names(&mut late, &session).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "served again after {:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_one_address_is_held_to_its_share() {
    let house = House::new();
    let mut command = house.command();
    command.extend(["--per-address".to_owned(), "8".to_owned()]);
    let server = Child::spawn("movie", command, &house.log())
        .await
        .expect("a server");
    let (mut peer, session) = admin(&server).await;
    let lines = fs::read_to_string(house.log())
        .expect("a log")
        .lines()
        .count();
    let fds = server.open_fds().expect("it lives");

    let mut crowd = Vec::new();
    for _ in 0..1000 {
        crowd.push(Peer::connect(server.addr()).await.expect("a connection"));
    }
    // The last ones are refused, so the server has dealt with all of them.
    crowd
        .last_mut()
        .expect("a thousand")
        .closed()
        .await
        .expect("the server closes it");
    assert!(
        server.open_fds().expect("it lives") <= fds + 8,
        "more than its share is open"
    );
    assert_eq!(
        movie_names(&mut peer, &session).await,
        [""; 0],
        "who is connected is served"
    );
    let lines = fs::read_to_string(house.log())
        .expect("a log")
        .lines()
        .count()
        - lines;
    assert!(lines <= 10, "{lines} lines in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_over_the_limit_of_the_process_is_refused_and_the_server_lives() {
    let house = House::new();
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--fsize={}", MOVIE / 2))
        .arg(path_of("movie").expect("the server is built"))
        .args(house.command());
    let server = Child::spawn_command(command, &house.log())
        .await
        .expect("a server");
    for seed in 0..3 {
        let (mut peer, session) = admin(&server).await;
        peer.send(&upload(&session, "too large", seed))
            .await
            .expect("a server that reads");
        let reply = peer.receive().await.expect("a reply");
        assert_eq!(
            (&reply["flag"], &reply["code"]),
            (&json!(false), &json!("no_space")),
            "{reply}"
        );
        eventually("no file is left", async || house.movies().is_empty()).await;
    }
    let (mut peer, session) = admin(&server).await;
    let small = upload_of(&session, "small", 1, MOVIE / 4);
    peer.send(&small).await.expect("a server that reads");
    let reply = peer.receive().await.expect("a reply");
    assert_eq!(reply["flag"], true, "{reply}");
    assert_eq!(movie_names(&mut peer, &session).await, ["small"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_and_logins_by_the_hundred_stay_within_their_memory() {
    const CAP: u64 = 256 << 20;
    const CROWD: u64 = 200;
    let house = House::new();
    let mut command = house.command();
    command.extend(["--per-address".to_owned(), "1000".to_owned()]);
    let server = Child::spawn("movie", command, &house.log())
        .await
        .expect("a server");
    let (mut peer, _) = admin(&server).await;
    // One that is good on every connection.
    let login = json!({
        "type": "login", "name": "root", "password": "pw", "user_type": "admin", "keep": true,
    });
    let session = peer.call(&login).await.expect("a reply")["session"].clone();
    let base = server.rss_bytes().expect("it lives");

    // Each upload has sent half and waits; then each login comes at once.
    let mut halves = Vec::new();
    for seed in 0..CROWD {
        let mut peer = Peer::connect(server.addr()).await.expect("a connection");
        let whole = upload(&session, &format!("half {seed}"), seed);
        let (half, rest) = whole.split_at(whole.len() / 2);
        peer.send(half).await.expect("a server that reads");
        halves.push((peer, rest.to_vec()));
    }
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        let (addr, login) = (server.addr(), login.clone());
        logins.spawn(async move { Peer::connect(addr).await?.call(&login).await });
    }
    let (mut let_in, mut busy) = (0, 0);
    while let Some(login) = logins.join_next().await {
        let reply = login.expect("no panic").expect("a reply");
        match reply["flag"].as_bool() {
            Some(true) => let_in += 1,
            _ => busy += 1,
        }
    }
    assert!(let_in > 0, "{busy} were told that the server is busy");
    for (mut peer, rest) in halves {
        peer.send(&rest).await.expect("a server that reads");
        let reply = peer.receive().await.expect("a reply");
        assert_eq!(reply["flag"], true, "{reply}");
    }
    let peak = server.peak_rss_bytes().expect("it lives");
    println!(
        "{} MiB before, {} MiB at the most; {let_in} let in, {busy} told to wait",
        base >> 20,
        peak >> 20
    );
    assert!(peak < CAP, "{} MiB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_and_go_leave_nothing() {
    let house = House::new();
    let server = house.serve().await;
    let (mut peer, session) = admin(&server).await;
    let come_and_go = async |times: u64| {
        for n in 0..times {
            let mut guest = Peer::connect(server.addr()).await.expect("a connection");
            match n % 4 {
                // At once, in the middle of a message, after an answer, while one is made.
                0 => {}
                1 => guest
                    .send(b"\x40\0\0\0{")
                    .await
                    .expect("a server that reads"),
                2 => drop(guest.call(&json!({"type": "nothing"})).await),
                _ => {
                    let list = json!({"type": "get_movie_list", "session": session});
                    let sent = guest.send(&Peer::frame(&list)).await;
                    sent.expect("a server that reads");
                }
            }
            // Reset, so that thousands leave no port of this machine waiting.
            let linger = guest.socket.set_zero_linger();
            linger.expect("a socket");
        }
    };
    // What is made once is made by now.
    come_and_go(500).await;
    let fds = server.open_fds().expect("it lives");
    let before = server.rss_bytes().expect("it lives");
    let threads = server.threads().expect("it lives");
    let times = rounds(100_000, 4_000);
    come_and_go(times).await;
    eventually("descriptors are given back", async || {
        server.open_fds().expect("it lives") <= fds
    })
    .await;
    let grown = server.rss_bytes().expect("it lives").saturating_sub(before);
    println!("{times} connections, {} KiB more", grown >> 10);
    // An entry that stays is 100 bytes at least.
    assert!(grown < 2 << 20, "{} KiB for {times}", grown >> 10);
    assert!(server.threads().expect("it lives") <= threads + 8);
    assert_eq!(movie_names(&mut peer, &session).await, [""; 0]);
}

/// Begins to send, goes on with a byte every few seconds, and says how long the server let it.
async fn drip(mut peer: Peer, begin: &[u8]) -> Duration {
    let began = Instant::now();
    peer.send(begin).await.expect("a server that reads");
    loop {
        if timeout(Duration::from_secs(4), peer.closed()).await.is_ok() {
            return began.elapsed();
        }
        // Refused once the server has closed; the next look sees that.
        let _ = peer.send(b" ").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_senders_are_closed_in_time_and_hold_up_nobody() {
    let house = House::new();
    let mut command = house.command();
    command.extend(["--per-address".to_owned(), "5000".to_owned()]);
    let server = Child::spawn("movie", command, &house.log())
        .await
        .expect("a server");
    let (mut user, session) = admin(&server).await;

    // Half a header, and half a movie: the second needs a session, so there are fewer of them.
    let mut headers = Vec::new();
    for _ in 0..rounds(1000, 100) {
        let peer = Peer::connect(server.addr()).await.expect("a connection");
        headers.push(tokio::spawn(drip(peer, b"\x40\0\0\0{")));
    }
    let mut bodies = Vec::new();
    for seed in 0..rounds(50, 5) {
        let (peer, session) = admin(&server).await;
        let begin = upload(&session, "slow", seed);
        let begin = begin[..begin.len() - MOVIE + 10].to_vec();
        bodies.push(tokio::spawn(async move { drip(peer, &begin).await }));
    }

    let mut waits = Vec::new();
    for _ in 0..200 {
        let asked = Instant::now();
        movie_names(&mut user, &session).await;
        waits.push(asked.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    waits.sort();
    assert!(
        waits[197] < Duration::from_millis(500),
        "others wait {:?}",
        waits[197]
    );

    // 10 s for a header in all, and 30 s below the lowest rate for a body; and some for the machine.
    for header in headers {
        let lasted = header.await.expect("no panic");
        assert!(lasted < Duration::from_secs(14), "a header: {lasted:?}");
    }
    for body in bodies {
        let lasted = body.await.expect("no panic");
        assert!(lasted < Duration::from_secs(36), "a body: {lasted:?}");
    }
    eventually("no file is left", async || house.movies().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_shows_whole_movies_only() {
    let house = House::new();
    let mut acked = Vec::new();
    for seed in 0..rounds(50, 6) {
        let server = house.serve().await;
        let (mut peer, session) = admin(&server).await;
        assert_eq!(
            sorted(movie_names(&mut peer, &session).await),
            sorted(acked.clone()),
            "before kill {seed}"
        );
        assert_eq!(
            house.movies().len(),
            acked.len(),
            "what was half received is gone"
        );

        let kept = format!("kept {seed}");
        peer.send(&upload(&session, &kept, seed))
            .await
            .expect("a server that reads");
        let reply = peer.receive().await.expect("a reply");
        assert_eq!(reply["flag"], true, "{reply}");
        acked.push(kept);

        // Killed in the middle of the next one, each time at another byte.
        let lost = upload(&session, "lost", seed + 1_000_000);
        let part = lost.len() * (seed as usize % 5 + 1) / 7;
        peer.send(&lost[..part]).await.expect("a server that reads");
        sleep(Duration::from_millis(seed * 7 % 40)).await;
        server.kill().await.expect("a process to kill");
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
