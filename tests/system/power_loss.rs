//! Row P3: at every acknowledged answer, power could be lost. What the server has synced by then is replayed on a disk
//! that keeps nothing else.

use std::fs;
use std::path::Path;
use std::time::Duration;

use packetboat_dispatch::client::ClientError;
use packetboat_dispatch::{IdempotencyKey, NativeClient};
use packetboat_tests::child::{Child, path_of};
use packetboat_tests::trace::{Call, Disk, Lost, calls, is_missing};
use serde_json::json;
use tokio::process::Command;

use crate::house::{House, admin, eventually, upload, upload_of};
use crate::load::{self, ADMIN};

/// What changes a disk, and what tells a client of it.
const CALLS: &str = "trace=open,openat,creat,close,write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,\
    rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,sendto,sendmsg";

/// How many movies the story has.
const MOVIES: usize = 9;

/// "Stored", as strace escapes it.
const STORED: &str = r"\344\270\212\344\274\240\346\210\220\345\212\237";

/// What each answer says, in which a refusal has a code besides.
fn is_answer(call: &Call) -> bool {
    let to_socket = call.args.contains("<socket:") || call.args.contains("<TCP");
    let is_sent = matches!(&*call.name, "sendto" | "sendmsg" | "write" | "writev");
    is_sent && to_socket && call.args.contains(r#"\"msg\":"#) && !call.args.contains(r#"\"code\":"#)
}

/// What the disk would have lost at each answer, and how many answers there were, and how many movies at the last.
fn losses(trace: &str, root: &Path) -> (Vec<Lost>, usize, usize) {
    let data = root.join("data");
    let (database, log) = (data.join("movie.db"), data.join("movie.db-wal"));
    let mut disk = Disk::new(root);
    let (mut lost, mut answers, mut stored, mut movies) = (Vec::new(), 0, 0, 0);
    for call in calls(trace) {
        disk.replay(&call);
        if !is_answer(&call) {
            continue;
        }
        answers += 1;
        stored += usize::from(call.args.contains(STORED));
        lost.extend(disk.lost(&log));
        // Its pages may still be in the log alone.
        lost.extend(
            disk.lost(&database)
                .filter(|lost| !matches!(lost, Lost::Bytes(_))),
        );
        let folder = data.join("movies");
        let files = disk.files_in(&folder).into_iter();
        let files: Vec<_> = files.filter(|path| !is_hidden(path)).collect();
        movies = files.len();
        // The last one is told of twice.
        assert!(
            movies >= stored.min(MOVIES),
            "{movies} files, {stored} told of"
        );
        lost.extend(files.into_iter().filter_map(|path| disk.lost(path)));
    }
    (lost, answers, movies)
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

/// Everything that is acknowledged, one after another, on both wires.
async fn story(server: &Child) -> Result<(), ClientError> {
    let (mut peer, session) = admin(server).await;
    for seed in 0..3 {
        let frame = upload(&session, &format!("classic {seed}"), seed);
        peer.send(&frame).await.expect("a server that reads");
        let reply = peer.receive().await.expect("a reply");
        assert_eq!(reply["flag"], true, "{reply}");
    }
    let frame = upload_of(&session, "of one piece", 9, 100);
    peer.send(&frame).await.expect("a server that reads");
    let reply = peer.receive().await.expect("a reply");
    assert_eq!(reply["flag"], true, "{reply}");

    let client = NativeClient::connect(server.addr()).await?;
    client.call(ADMIN).await?;
    for (seed, size) in [(20, 100), (21, 3 << 20), (22, 40 << 20)] {
        load::upload(&client, seed, size).await?;
    }
    // Cut, and gone on with.
    let cut = load::upload(&client, 23, 24 << 20);
    let cut = tokio::time::timeout(Duration::from_millis(60), cut).await;
    println!("cut: {}", cut.is_err());
    while let Err(error) = load::upload(&client, 23, 24 << 20).await {
        // Where it was whole before the cut.
        if error.code() == Some("movie_exists") {
            break;
        }
        assert_eq!(error.code(), Some("part_in_use"));
    }
    // Under a key, twice.
    let client = client.with_idempotency_key(IdempotencyKey::generate());
    load::upload(&client, 24, 3 << 20).await?;
    load::upload(&client, 24, 3 << 20).await?;

    for (type_, more) in [
        (
            "release_notice",
            json!({"title": "a notice", "content": "of few words"}),
        ),
        ("delete_movie", json!({"movie_id": 1})),
    ] {
        let mut message = json!({"type": type_, "session": session});
        for (name, value) in more.as_object().expect("an object") {
            message[name] = value.clone();
        }
        let reply = peer.call(&message).await.expect("a reply");
        assert_eq!(reply["flag"], true, "{reply}");
    }
    for n in 0..5 {
        let who = json!({"type": "register", "name": format!("user {n}"), "password": "pw", "user_type": "user"});
        assert_eq!(peer.call(&who).await.expect("a reply")["flag"], true);
    }
    Ok(())
}

/// A server that is traced from its begin, through the story, and killed then.
async fn traced(house: &House) -> String {
    let trace = house.folder.path().join("trace");
    let mut command = Command::new("strace");
    // -D: the server is the child, and the tracer beside it.
    command.args(["-D", "-f", "-y", "-s", "200", "-e", CALLS, "-o"]);
    command
        .arg(&trace)
        .arg(path_of("movie").expect("the server is built"));
    command.args(house.command());
    let log = house.log();
    let server = Child::spawn_command(command, &log).await;
    let server = server.expect("a server");
    story(&server).await.expect("it is told to the end");
    let pid = server.pid().to_string();
    server.kill().await.expect("a process to kill");
    let read = || String::from_utf8_lossy(&fs::read(&trace).expect("a trace")).into_owned();
    eventually("the trace ends", async || is_over(&read(), &pid)).await;
    read()
}

/// Whether the last line about a process is there. A short number has more than one space behind it.
fn is_over(trace: &str, pid: &str) -> bool {
    let mut of_it = trace.lines().filter_map(|line| line.strip_prefix(pid));
    of_it.any(|line| line.trim_start().starts_with("+++ killed by SIGKILL"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_of_power_takes_nothing_that_was_acknowledged() {
    if is_missing().await {
        return;
    }
    let house = House::new();
    let trace = traced(&house).await;
    let root = house.folder.path();
    let (lost, answers, movies) = losses(&trace, root);
    println!(
        "{answers} answers, {movies} movies, {} lines",
        trace.lines().count()
    );
    assert!(answers >= 20, "{answers} answers");
    assert_eq!(movies, MOVIES);
    assert_eq!(lost, []);

    // And where the server left out one of its syncs, it would be seen.
    let data = root.join("data").display().to_string();
    for (sync, what) in [
        (
            format!("</{}/movies>", data.trim_start_matches('/')),
            "the folder's",
        ),
        (format!("<{data}/movie.db-wal>"), "the log's"),
        (".packetboat-part>".to_owned(), "a classic upload's"),
        ("-unfinished>".to_owned(), "a part's"),
    ] {
        let is_sync = |line: &str| {
            let mut words = line.split(['(', ' ']);
            words.any(|word| word == "fsync" || word == "fdatasync") && line.contains(&sync)
        };
        let kept: Vec<&str> = trace.lines().filter(|line| !is_sync(line)).collect();
        assert!(
            kept.len() < trace.lines().count(),
            "{what} sync is not there"
        );
        let (lost, ..) = losses(&kept.join("\n"), root);
        assert!(
            !lost.is_empty(),
            "without {what} sync nothing seems to be lost"
        );
    }
}
