//! A network that fails: connections that are cut, and that hardly bring anything.

use std::io;
use std::time::{Duration, Instant};

use packetboat_tests::child::Child;
use packetboat_tests::peer::Peer;
use packetboat_tests::proxy::{Proxy, Weather};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::house::{House, MOVIE, NOTICE, admin, eventually, movie_names, rounds, upload};

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
