//! Many at once, and many one after another: what a server gives them, and what it keeps of them.

use std::fs;

use packetboat_tests::child::Child;
use packetboat_tests::peer::Peer;
use serde_json::json;

use crate::house::{House, admin, eventually, movie_names, rounds, upload};

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
    // A crowd may have made the database open more of its connections; a leak is thousands.
    eventually("descriptors are given back", async || {
        server.open_fds().expect("it lives") <= fds + 32
    })
    .await;
    let grown = server.rss_bytes().expect("it lives").saturating_sub(before);
    println!("{times} connections, {} KiB more", grown >> 10);
    // An entry that stays is 100 bytes at least.
    assert!(grown < 2 << 20, "{} KiB for {times}", grown >> 10);
    assert!(server.threads().expect("it lives") <= threads + 8);
    assert_eq!(movie_names(&mut peer, &session).await, [""; 0]);
}
