//! Redis is away: it has crashed, hangs, was flushed, or has dropped its connections.

use std::time::{Duration, Instant};

use packetboat_dispatch::Hub;
use packetboat_dispatch::client::{Lost, Pushes};
use packetboat_dispatch::push::broker::BrokerError;
use packetboat_dispatch::push::{Join, Position, PushError, PushLimits, Sent, SlowReader};
use packetboat_tests::redis::Redis;
use tokio::time::timeout;

use crate::lossy::Lossy;
use crate::world::{ROOM, SOON, Said, handle, hub, member, next, quick, until};

/// What a call may take while Redis is away: its limit, and something for this machine.
const EXTRA: Duration = Duration::from_millis(600);

async fn say(hub: &Hub, n: u64) -> Result<Sent, PushError> {
    let room = hub.room(ROOM);
    room.send_or_local(&Said { n }, SlowReader::Wait).await
}

async fn keep(hub: &Hub, n: u64) -> Position {
    let room = hub.room(ROOM);
    let sent = room.send(&Said { n }, SlowReader::Wait).await;
    sent.expect("Redis is there")
}

/// Says something as soon as Redis is back.
async fn keep_again(hub: &Hub, n: u64) {
    let room = || hub.room(ROOM);
    until("the room", async || {
        room().send(&Said { n }, SlowReader::Wait).await.is_ok()
    })
    .await;
}

/// Says something as soon as Redis is known to be away, to this node alone.
async fn say_here(hub: &Hub, n: u64) {
    let began = Instant::now();
    loop {
        let call = Instant::now();
        let sent = say(hub, n).await;
        assert!(call.elapsed() < EXTRA, "{:?}", call.elapsed());
        match sent {
            Ok(Sent::Local { members, cause }) => {
                assert!(members > 0 && cause.is_away());
                return;
            }
            // The one that found out.
            Err(PushError::Broker(error)) if !error.is_away() => {}
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() < SOON, "it is never known to be away");
    }
}

/// The next one, which is a message without a position.
async fn local(pushes: &mut Pushes<Said>) -> u64 {
    let pushed = next(pushes).await.expect("no gap");
    assert_eq!(pushed.position, None, "it is in no stream");
    pushed.message.n
}

/// The next one, which is a notice, and how many it says are missing.
async fn gap(pushes: &mut Pushes<Said>) -> (Position, Option<u64>) {
    loop {
        match next(pushes).await {
            Err(Lost::Gap {
                room,
                position,
                missed,
            }) => {
                if room == ROOM {
                    return (position, missed);
                }
            }
            other => panic!("no gap, but {other:?}"),
        }
    }
}

/// What comes until this one has: how many gaps there were, and the numbers.
async fn gaps_until(pushes: &mut Pushes<Said>, last: u64) -> (usize, Vec<u64>) {
    let (mut gaps, mut numbers) = (0, Vec::new());
    while numbers.last() != Some(&last) {
        match next(pushes).await {
            Ok(pushed) => numbers.push(pushed.message.n),
            Err(Lost::Gap { room, .. }) => gaps += usize::from(room == ROOM),
            Err(error) => panic!("{error}"),
        }
    }
    (gaps, numbers)
}

fn present(name: &str) -> Join {
    Join::default().present(name, &()).expect("a meta")
}

async fn keys(hub: &Hub) -> Vec<String> {
    let all = hub.room(ROOM).present().await.expect("present");
    let mut keys: Vec<_> = all.into_iter().map(|present| present.key).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn alone_while_redis_is_gone_a_node_goes_on_alone_and_all_are_told_of_the_gap() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let [here, there] = [(); 2].map(|()| hub(&handle(&redis.url(), "gone"), quick()));
    let (_ann, mut to_ann, _) = member(&here, present("ann")).await;
    let (bob, mut to_bob, _) = member(&there, present("bob")).await;
    keep(&here, 1).await;
    for pushes in [&mut to_ann, &mut to_bob] {
        assert_eq!(next(pushes).await.expect("no gap").message.n, 1);
    }
    assert_eq!(keys(&here).await, ["ann", "bob"]);

    redis.crash();
    say_here(&here, 2).await;
    assert_eq!(local(&mut to_ann).await, 2);
    // One more comes, and is present, on this node alone.
    let began = Instant::now();
    let (cat, mut to_cat, _) = member(&here, present("cat")).await;
    assert!(began.elapsed() < EXTRA);
    say_here(&here, 3).await;
    for pushes in [&mut to_ann, &mut to_cat] {
        assert_eq!(local(pushes).await, 3);
    }
    assert_eq!(keys(&here).await, ["ann", "cat"]);
    assert_eq!(keys(&there).await, ["bob"]);
    let stats = here.stats();
    assert_eq!(stats.local, 2);
    assert!(stats.presence_local >= 2, "{stats:?}");
    // Who leaves meanwhile has left when Redis is back.
    there.leave(bob.peer.id(), ROOM).await;

    redis.start_again().await;
    let back = Instant::now();
    until("presence", async || keys(&there).await == ["ann", "cat"]).await;
    until("presence", async || keys(&here).await == ["ann", "cat"]).await;
    // A heartbeat here is half a second, and connecting again takes two at the most.
    assert!(
        back.elapsed() < Duration::from_secs(4),
        "{:?}",
        back.elapsed()
    );
    keep_again(&there, 4).await;
    // Its stream has begun again: how much is missing is not known.
    for pushes in [&mut to_ann, &mut to_cat] {
        let (position, missed) = gap(pushes).await;
        assert_eq!(missed, None, "another epoch");
        let (_, numbers) = gaps_until(pushes, 4).await;
        assert_eq!(numbers, [4], "after {position:?}");
    }
    drop(cat);
}

#[tokio::test]
async fn alone_a_redis_that_hangs_costs_no_call_more_than_its_limit_and_loses_nothing_in_silence() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [here, there] = [(); 2].map(|()| hub(&handle(&redis.url(), "hung"), quick()));
    let (ann, mut to_ann, _) = member(&here, present("ann")).await;
    let (_bob, mut to_bob, _) = member(&there, present("bob")).await;
    keep(&here, 1).await;
    for pushes in [&mut to_ann, &mut to_bob] {
        assert_eq!(next(pushes).await.expect("no gap").message.n, 1);
    }

    redis.hang();
    // All that one request may do, one after the other.
    let began = Instant::now();
    let joined = here.join(&ann.peer, "another", present("ann")).await;
    joined.expect("it is in the room, on this node");
    let keys = here.room("another").present().await.expect("present");
    assert_eq!(keys.len(), 1);
    assert!(began.elapsed() < EXTRA, "{:?}", began.elapsed());
    for n in 2..=4 {
        say_here(&here, n).await;
        assert_eq!(local(&mut to_ann).await, n);
    }
    redis.go_on();

    keep_again(&here, 5).await;
    let last = {
        // It is in the stream behind what was said to one node: the numbers of that are left out.
        until("the gap", async || {
            let position = here.room(ROOM).position().await;
            position.is_ok_and(|position| position.seq >= 5)
        })
        .await;
        keep(&here, 6).await
    };
    for pushes in [&mut to_ann, &mut to_bob] {
        let mut missing = 0;
        let mut kept = Vec::new();
        while kept.last() != Some(&6) {
            match next(pushes).await {
                Ok(pushed) if pushed.position.is_some() => kept.push(pushed.message.n),
                Ok(pushed) => panic!("{pushed:?}"),
                Err(Lost::Gap { room, .. }) if room != ROOM => {}
                Err(Lost::Gap { missed, .. }) => {
                    missing += i64::try_from(missed.expect("the same epoch")).expect("few");
                }
                Err(error) => panic!("{error}"),
            }
        }
        // Of `kept`, those that were tried again while it was not known.
        kept.dedup();
        assert_eq!(kept, [5, 6]);
        assert!(missing >= 3, "three are told of: {missing}");
    }
    assert!(last.seq >= 6);
}

#[tokio::test]
async fn after_a_flush_each_reader_is_told_of_one_gap_and_all_goes_on() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [here, there] = [(); 2].map(|()| hub(&handle(&redis.url(), "flushed"), quick()));
    let (ann, mut to_ann, _) = member(&here, present("ann")).await;
    let (_bob, mut to_bob, _) = member(&there, present("bob")).await;
    let last = keep(&here, 1).await;
    for pushes in [&mut to_ann, &mut to_bob] {
        assert_eq!(next(pushes).await.expect("no gap").message.n, 1);
    }
    redis.command(&["FLUSHALL"]).await;
    for n in 2..=20 {
        keep(if n % 2 == 0 { &here } else { &there }, n).await;
    }
    let all: Vec<u64> = (2..=20).collect();
    for pushes in [&mut to_ann, &mut to_bob] {
        let (gaps, numbers) = gaps_until(pushes, 20).await;
        assert_eq!((gaps, numbers), (1, all.clone()));
    }
    // Who comes again with a position from before is told, too.
    here.leave(ann.peer.id(), ROOM).await;
    let again = Join::default().after(Some(last));
    here.join(&ann.peer, ROOM, again).await.expect("joined");
    let (gaps, numbers) = gaps_until(&mut to_ann, 20).await;
    assert_eq!((gaps, numbers), (1, all));
    until("presence", async || keys(&there).await == ["bob"]).await;
}

#[tokio::test]
async fn a_room_that_was_forgotten_while_nobody_spoke_is_noticed() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let hub = hub(&handle(&redis.url(), "quiet"), quick());
    let (_ann, mut to_ann, _) = member(&hub, Join::default()).await;
    keep(&hub, 1).await;
    assert_eq!(next(&mut to_ann).await.expect("no gap").message.n, 1);
    redis.command(&["FLUSHALL"]).await;
    let (position, missed) = gap(&mut to_ann).await;
    assert_eq!((position.seq, missed), (0, None));
}

#[tokio::test]
async fn what_is_said_while_the_connection_is_lost_is_fetched() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let limits = PushLimits {
        check: Duration::from_secs(3600),
        ..quick()
    };
    let [here, there] = [(); 2].map(|()| hub(&handle(&redis.url(), "cut"), limits.clone()));
    let (_ann, mut to_ann, _) = member(&here, Join::default()).await;
    for n in 1..=30 {
        redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        keep(&there, n).await;
        // Before anything comes behind it that would show the hole.
        let pushed = next(&mut to_ann).await.expect("nothing is lost");
        assert_eq!(pushed.message.n, n);
    }
}

#[tokio::test]
async fn what_no_channel_brings_is_found_by_looking() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let lossy = Lossy::start(redis.addr(), 1).await;
    let hub = hub(&handle(&redis.url_by(lossy.addr), "mute"), quick());
    let (_ann, mut to_ann, _) = member(&hub, Join::default()).await;
    for n in 1..=3 {
        keep(&hub, n).await;
        let began = Instant::now();
        let pushed = next(&mut to_ann).await.expect("nothing is lost");
        assert_eq!(pushed.message.n, n);
        // A look every half second.
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(lossy.lost(), 3);
}

#[tokio::test]
async fn a_redis_that_comes_back_with_what_it_had_before_is_not_believed() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let hub = hub(&handle(&redis.url(), "snapshot"), quick());
    let (_ann, mut to_ann, _) = member(&hub, Join::default()).await;
    keep(&hub, 1).await;
    redis.command(&["SAVE"]).await;
    for n in 2..=5 {
        keep(&hub, n).await;
    }
    for n in 1..=5 {
        assert_eq!(next(&mut to_ann).await.expect("no gap").message.n, n);
    }
    redis.crash();
    redis.start_again().await;
    // Its numbers would be 2 to 6 again.
    keep_again(&hub, 6).await;
    for n in 7..=10 {
        keep(&hub, n).await;
    }
    let (gaps, numbers) = gaps_until(&mut to_ann, 10).await;
    assert_eq!((gaps, numbers), (1, vec![6, 7, 8, 9, 10]));
}

#[tokio::test]
async fn alone_a_server_starts_while_redis_is_down() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    redis.crash();
    let hub = hub(&handle(&redis.url(), "down"), quick());
    let began = Instant::now();
    let (_ann, mut to_ann, _) = member(&hub, present("ann")).await;
    assert!(began.elapsed() < EXTRA, "{:?}", began.elapsed());
    say_here(&hub, 1).await;
    assert_eq!(local(&mut to_ann).await, 1);
    assert_eq!(keys(&hub).await, ["ann"]);
    let alone = hub.room(ROOM).send(&Said { n: 2 }, SlowReader::Wait).await;
    let is_away = |error: &BrokerError| error.is_away();
    assert!(matches!(alone, Err(PushError::Broker(error)) if is_away(&error)));

    redis.start_again().await;
    keep_again(&hub, 3).await;
    let (gaps, numbers) = gaps_until(&mut to_ann, 3).await;
    assert!(gaps > 0, "it is told that it was alone");
    assert_eq!(numbers, [3]);
    assert!(client_is_told_nothing_more(&mut to_ann).await);
}

async fn client_is_told_nothing_more(pushes: &mut Pushes<Said>) -> bool {
    let more = timeout(Duration::from_millis(700), pushes.next()).await;
    match more {
        Err(_) => true,
        // The one number that was left out, where the notice came after the message.
        Ok(Some(Err(Lost::Gap { .. }))) => true,
        Ok(other) => panic!("{other:?}"),
    }
}
