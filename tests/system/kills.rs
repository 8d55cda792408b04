//! A server that is killed, and started again on the same data.

use std::time::Duration;

use tokio::time::sleep;

use crate::house::{House, admin, movie_names, rounds, upload};

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
