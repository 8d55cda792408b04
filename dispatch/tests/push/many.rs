//! Ten thousand members on one node.

use std::time::{Duration, Instant};

use packetboat_dispatch::client::{ClientBuilder, Pushes};
use packetboat_dispatch::push::SlowReader;
use packetboat_dispatch::{Limits, NativeClient, serve_stream};
use tokio::io::{duplex, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::world::{Enter, ROOM, Said, World, next};

const MEMBERS: usize = 10_000;
const MESSAGES: u64 = 10;

/// Every message reaches every member once and in order. How long that takes is printed; what
/// fails is far from it, since both ends run here, unoptimised, beside whatever else there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_ten_thousand_members_get_each_message_in_time() {
    let world = World::new();
    let app = world.app();
    let mut joining = JoinSet::new();
    for _ in 0..MEMBERS {
        let app = app.clone();
        joining.spawn(async move {
            let (ours, theirs) = duplex(1024);
            tokio::spawn(serve_stream(theirs, app, Limits::default()));
            let (read, write) = split(ours);
            let builder: ClientBuilder = ClientBuilder::default();
            let client = builder.over_native(read, write);
            let pushes = client.pushes::<Said>(MESSAGES as usize);
            let room = ROOM.to_owned();
            client.call(Enter { room }).await.expect("entered");
            (client, pushes)
        });
    }
    let members: Vec<(NativeClient, Pushes<Said>)> = joining.join_all().await;
    assert_eq!(world.hub.connections(), MEMBERS);

    let begun = Instant::now();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let mut reading = JoinSet::new();
    for (client, mut pushes) in members {
        let arrived = arrived.clone();
        reading.spawn(async move {
            for n in 1..=MESSAGES {
                assert_eq!(
                    next(&mut pushes).await.expect("nothing is lost").message.n,
                    n
                );
                arrived.send(begun.elapsed()).expect("the test reads");
            }
            drop(client);
        });
    }
    let mut times = Vec::new();
    for n in 1..=MESSAGES {
        // Each when all have the one before: else it is the machine that is measured.
        let sent = begun.elapsed();
        world.say(n, SlowReader::Wait).await;
        for _ in 0..MEMBERS {
            times.push(arrivals.recv().await.expect("it arrives") - sent);
        }
    }
    reading.join_all().await;
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{MEMBERS} members: p50 {p50:?}, p99 {p99:?}");
    assert!(p99 < Duration::from_secs(5), "p99 {p99:?}");
    crate::world::until(|| world.hub.connections() == 0).await;
}
