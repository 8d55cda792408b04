//! The limits that a system sets to a process.

use std::time::{Duration, Instant};

use packetboat_tests::child::{Child, path_of};
use packetboat_tests::peer::Peer;
use serde_json::json;
use tokio::process::Command;
use tokio::time::sleep;

use crate::house::{House, MOVIE, admin, eventually, movie_names, upload, upload_of};

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
