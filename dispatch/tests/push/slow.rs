//! Readers that stop: what becomes of pushes for them, and of everybody else.

use std::time::{Duration, Instant};

use packetboat_dispatch::Disconnect;
use packetboat_dispatch::client::Lost;
use packetboat_dispatch::push::{PushError, SlowReader};
use tokio::time::{sleep, timeout};

use crate::world::{Connected, ROOM, Typing, World, long, next, numbers, said, until};

/// What fits between a queue and a client that takes nothing: two pipes and the way out.
const ON_THE_WAY: u64 = 40;

async fn say_long(world: &World, n: u64, slow: SlowReader) {
    let sent = world.hub.room(ROOM).send(&long(n), slow).await;
    sent.expect("sent");
}

/// Says something that is long, until the reader's queue is full.
async fn stop(world: &World, reader: &Connected) -> u64 {
    reader.stop_reading();
    let mut n = 0;
    while world.hub.stats().waited == 0 {
        n += 1;
        say_long(world, n, SlowReader::Wait).await;
        tokio::task::yield_now().await;
        assert!(n < 1000, "a reader that does not read is slow");
    }
    n
}

#[tokio::test]
async fn what_waits_is_lost_to_nobody_and_holds_up_nobody() {
    let world = World::narrow(10_000, 16);
    let (slow, mut to_slow) = world.member("slow").await;
    let (_quick, mut to_quick) = world.member("quick").await;
    slow.stop_reading();
    for n in 1..=2000 {
        say_long(&world, n, SlowReader::Wait).await;
        if n % 16 == 0 {
            let there = numbers(&mut to_quick, 16).await;
            assert_eq!(there.last(), Some(&n), "the other one has it meanwhile");
        }
    }
    assert!(world.hub.stats().waited >= 1);
    slow.read_on();
    let all: Vec<u64> = (1..=2000).collect();
    assert_eq!(numbers(&mut to_slow, 2000).await, all);
    world.say(2001, SlowReader::Wait).await;
    assert_eq!(numbers(&mut to_slow, 1).await, [2001], "it keeps up again");
    assert_eq!(world.hub.stats().dropped, 0);
}

#[tokio::test]
async fn who_waits_longer_than_the_history_reaches_is_told_of_one_gap() {
    let world = World::narrow(20, 16);
    let (slow, mut to_slow) = world.member("slow").await;
    slow.stop_reading();
    for n in 1..=1000 {
        say_long(&world, n, SlowReader::Wait).await;
        if n % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    slow.read_on();
    let (mut expected, mut gaps) = (1, 0);
    while expected <= 1000 {
        match next(&mut to_slow).await {
            Ok(pushed) => {
                assert_eq!(pushed.message.n, expected);
                expected += 1;
            }
            Err(Lost::Gap {
                position, missed, ..
            }) => {
                gaps += 1;
                assert_eq!(missed, Some(position.seq + 1 - expected), "counted");
                expected = position.seq + 1;
            }
            Err(lost) => panic!("{lost}"),
        }
    }
    assert_eq!((gaps, world.hub.stats().gaps), (1, 1));
}

#[tokio::test]
async fn the_oldest_are_dropped_where_pushes_say_so_and_a_notice_stands_there() {
    let world = World::narrow(10_000, 16);
    let (slow, mut to_slow) = world.member("slow").await;
    slow.stop_reading();
    for n in 1..=500 {
        say_long(&world, n, SlowReader::DropOldest).await;
        if n % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    until(|| world.hub.stats().dropped > 400).await;
    slow.read_on();
    let mut got = Vec::new();
    let mut missed_there = 0;
    while got.last() != Some(&500) {
        match next(&mut to_slow).await {
            Ok(pushed) => got.push(pushed.message.n),
            Err(Lost::Gap { missed, .. }) => missed_there += missed.expect("counted"),
            Err(lost) => panic!("{lost}"),
        }
    }
    assert!(got.is_sorted() && got.ends_with(&[485, 486, 487, 488]) || got.contains(&485));
    assert_eq!(
        got.len() as u64 + missed_there,
        500,
        "each is there or counted"
    );
    assert_eq!(world.hub.stats().dropped, missed_there);
}

#[tokio::test]
async fn of_each_key_a_slow_reader_gets_the_last() {
    let world = World::narrow(10_000, 16);
    let (slow, mut to_slow) = world.member("slow").await;
    let mut typing = slow.client.pushes::<Typing>(1000);
    let filled = stop(&world, &slow).await;
    for round in 0..100 {
        for who in ["ann", "bob"] {
            let latest = SlowReader::KeepLatest(who.to_owned());
            let who = format!("{who} {round}");
            let sent = world.hub.room(ROOM).signal(&Typing { who }, latest).await;
            sent.expect("sent");
        }
    }
    until(|| world.hub.stats().replaced == 198).await;
    slow.read_on();
    let mut last = Vec::new();
    for _ in 0..2 {
        last.push(next(&mut typing).await.expect("a push").message.who);
    }
    assert_eq!(last, ["ann 99", "bob 99"]);
    let all: Vec<u64> = (1..=filled).collect();
    assert_eq!(
        numbers(&mut to_slow, all.len()).await,
        all,
        "what waited is there, too"
    );
}

#[tokio::test]
async fn a_reader_is_disconnected_where_a_push_says_so_and_can_come_again() {
    let world = World::narrow(10_000, 16);
    let (mut slow, mut to_slow) = world.member("slow").await;
    let (_quick, mut to_quick) = world.member("quick").await;
    let mut n = stop(&world, &slow).await;
    n += 1;
    say_long(&world, n, SlowReader::Disconnect).await;
    slow.read_on();
    assert!(matches!(slow.ended().await, Disconnect::SlowReader));
    let stats = world.hub.stats();
    assert_eq!((stats.disconnected, stats.dropped), (1, 0));
    let mut last = None;
    while let Some(Ok(pushed)) = to_slow.next().await {
        last = pushed.position;
    }
    let last = last.expect("it has read some");
    assert!(last.seq < n, "what was in its queue is not sent");
    let again = world.client("again").await;
    let mut to_again = again.client.pushes(1000);
    let after = last.seq;
    world.join(&again, Some(last)).await;
    let rest: Vec<u64> = (after + 1..=n).collect();
    assert_eq!(numbers(&mut to_again, rest.len()).await, rest);
    let all: Vec<u64> = (1..=n).collect();
    assert_eq!(numbers(&mut to_quick, all.len()).await, all);
    assert_eq!(world.hub.connections(), 2);
}

#[tokio::test]
async fn what_waits_of_a_room_goes_when_its_reader_leaves() {
    let world = World::narrow(10_000, 16);
    let (slow, mut to_slow) = world.member("slow").await;
    let filled = stop(&world, &slow).await;
    world.hub.leave(slow.peer.id(), ROOM).await;
    slow.read_on();
    let pusher = world.hub.to(slow.peer.id()).expect("it is here");
    pusher.send(&said(0), SlowReader::Wait).await.expect("sent");
    let mut got = 0;
    while next(&mut to_slow).await.expect("nothing is lost").message.n > 0 {
        got += 1;
    }
    assert!(got + 16 <= filled, "{got} of {filled}");
}

#[tokio::test]
async fn to_one_connection_the_sender_waits() {
    let world = World::narrow(10_000, 4);
    let (slow, mut to_slow) = world.member("slow").await;
    let pusher = world.hub.to(slow.peer.id()).expect("it is here");
    slow.stop_reading();
    let mut sent = 0;
    while let Ok(done) = timeout(
        Duration::from_millis(100),
        pusher.send(&long(sent + 1), SlowReader::Wait),
    )
    .await
    {
        done.expect("sent");
        sent += 1;
        assert!(sent < ON_THE_WAY, "somewhere it is full");
    }
    let waiting = tokio::spawn({
        let pusher = pusher.clone();
        async move { pusher.send(&said(1000), SlowReader::Wait).await }
    });
    sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    slow.read_on();
    waiting.await.expect("no panic").expect("sent");
    let mut all: Vec<u64> = (1..=sent).collect();
    all.push(1000);
    assert_eq!(numbers(&mut to_slow, all.len()).await, all);

    // And it ends with the connection.
    slow.stop_reading();
    let waiting = tokio::spawn({
        let pusher = pusher.clone();
        async move {
            loop {
                if let Err(error) = pusher.send(&long(1), SlowReader::Wait).await {
                    return error;
                }
            }
        }
    });
    sleep(Duration::from_millis(50)).await;
    slow.cut().await;
    let error = timeout(Duration::from_secs(10), waiting).await;
    let error = error.expect("it does not wait for ever").expect("no panic");
    assert!(matches!(error, PushError::Closed));
}

/// The 99th of a hundred times from sending to the last of the readers.
async fn p99(world: &World, readers: &mut [Reader]) -> Duration {
    let mut times = Vec::new();
    for n in 0..300 {
        let begun = Instant::now();
        say_long(world, n, SlowReader::Wait).await;
        for (_, pushes) in readers.iter_mut() {
            next(pushes).await.expect("nothing is lost");
        }
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

type Reader = (
    Connected,
    packetboat_dispatch::client::Pushes<crate::world::Said>,
);

/// One reader that stops changes the others' p99 by at most 10 %, on a machine that does nothing
/// else; a busy one disturbs the measuring by more than that, so the best of five counts, and
/// twice as long is what fails.
#[tokio::test]
async fn alone_a_stopped_reader_changes_nothing_for_the_others() {
    let world = World::new();
    let mut readers = Vec::new();
    for n in 0..50 {
        readers.push(world.member(&format!("quick {n}")).await);
    }
    let (slow, _to_slow) = world.member("slow").await;
    p99(&world, &mut readers).await;
    let (mut before, mut after) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        before = before.min(p99(&world, &mut readers).await);
        slow.stop_reading();
        after = after.min(p99(&world, &mut readers).await);
        slow.read_on();
    }
    println!("p99 {before:?}, with a stopped reader {after:?}");
    assert!(
        after < before * 2,
        "{before:?}, with a stopped reader {after:?}"
    );
}

/// Each has its queue full, and further bytes on the way; the rest stands in the history, once.
#[tokio::test]
async fn alone_a_hundred_stopped_readers_cost_a_bounded_memory() {
    let world = World::new();
    let mut readers = Vec::new();
    for n in 0..100 {
        readers.push(world.member(&format!("stopped {n}")).await);
    }
    let (_quick, mut to_quick) = world.member("quick").await;
    let before = resident();
    for (reader, _) in &readers {
        reader.stop_reading();
    }
    for n in 1..=20_000 {
        // A part of them may be dropped, and a part must not.
        let slow = match n % 2 {
            0 => SlowReader::Wait,
            _ => SlowReader::DropOldest,
        };
        say_long(&world, n, slow).await;
        next(&mut to_quick).await.expect("nothing is lost");
    }
    let grown = resident().saturating_sub(before);
    println!(
        "{} KiB for a hundred stopped readers, {:?}",
        grown / 1024,
        world.hub.stats()
    );
    // Messages are shared: without a bound it would be 20 MiB of them, and 50 of queues.
    assert!(grown < 32 * 1024 * 1024, "{grown} bytes");
}

/// Bytes of memory that this process has in use.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).expect("resident pages");
    pages.parse::<usize>().expect("a number") * 4096
}
