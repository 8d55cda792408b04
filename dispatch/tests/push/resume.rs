//! Who comes again gets everything, or is told.

use packetboat_dispatch::client::Lost;
use packetboat_dispatch::push::{Epoch, Position, SlowReader};

use crate::world::{ROOM, Said, World, next, nothing, numbers};

#[tokio::test]
async fn who_comes_again_gets_what_it_has_missed_and_then_what_comes() {
    let world = World::new();
    let (ann, mut to_ann) = world.member("ann").await;
    world.say(1, SlowReader::Wait).await;
    let last = next(&mut to_ann).await.expect("a push").position;
    ann.cut().await;
    for n in 2..=300 {
        world.say(n, SlowReader::Wait).await;
    }
    let ann = world.client("ann").await;
    let mut to_ann = ann.client.pushes::<Said>(1000);
    let now = world.join(&ann, last).await;
    assert_eq!(now.seq, 300);
    world.say(301, SlowReader::Wait).await;
    let rest: Vec<u64> = (2..=301).collect();
    assert_eq!(numbers(&mut to_ann, 300).await, rest);
    nothing(&mut to_ann).await;
}

#[tokio::test]
async fn what_the_room_has_forgotten_is_one_gap_notice() {
    let world = World::narrow(10, 256);
    let start = world.hub.room(ROOM).position().await.expect("position");
    for n in 1..=50 {
        world.say(n, SlowReader::Wait).await;
    }
    let ann = world.client("ann").await;
    let mut to_ann = ann.client.pushes::<Said>(1000);
    world.join(&ann, Some(start)).await;
    let Err(Lost::Gap {
        room,
        position,
        missed,
    }) = next(&mut to_ann).await
    else {
        panic!("a gap comes first")
    };
    assert_eq!((&*room, position.seq, missed), (ROOM, 40, Some(40)));
    let rest: Vec<u64> = (41..=50).collect();
    assert_eq!(numbers(&mut to_ann, 10).await, rest);
    nothing(&mut to_ann).await;
}

#[tokio::test]
async fn who_catches_up_is_not_slow_whatever_the_pushes_say() {
    let world = World::narrow(1000, 2);
    let start = world.hub.room(ROOM).position().await.expect("position");
    for n in 1..=200 {
        let slow = match n % 4 {
            0 => SlowReader::Disconnect,
            1 => SlowReader::DropOldest,
            2 => SlowReader::KeepLatest("key".to_owned()),
            _ => SlowReader::Wait,
        };
        world.say(n, slow).await;
    }
    let ann = world.client("ann").await;
    let mut to_ann = ann.client.pushes::<Said>(1000);
    world.join(&ann, Some(start)).await;
    let all: Vec<u64> = (1..=200).collect();
    assert_eq!(numbers(&mut to_ann, 200).await, all);
    let stats = world.hub.stats();
    assert_eq!(
        (stats.disconnected, stats.dropped, stats.replaced),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn a_position_of_another_epoch_is_a_gap_and_never_a_place_in_this_one() {
    let world = World::new();
    for n in 1..=3 {
        world.say(n, SlowReader::Wait).await;
    }
    let ann = world.client("ann").await;
    let mut to_ann = ann.client.pushes::<Said>(1000);
    let epoch = Epoch::generate();
    let now = world.join(&ann, Some(Position { epoch, seq: 2 })).await;
    let Err(Lost::Gap {
        position, missed, ..
    }) = next(&mut to_ann).await
    else {
        panic!("a gap comes first")
    };
    assert_eq!(
        (position.epoch, position.seq, missed),
        (now.epoch.clone(), 0, None)
    );
    assert_eq!(numbers(&mut to_ann, 3).await, [1, 2, 3]);

    // One that was never reached is a gap, too, and goes on from now.
    let bob = world.client("bob").await;
    let mut to_bob = bob.client.pushes::<Said>(1000);
    let ahead = Position {
        epoch: now.epoch.clone(),
        seq: 1000,
    };
    world.join(&bob, Some(ahead)).await;
    let Err(Lost::Gap { position, .. }) = next(&mut to_bob).await else {
        panic!("a gap comes first")
    };
    assert_eq!(position, now);
    world.say(4, SlowReader::Wait).await;
    assert_eq!(numbers(&mut to_bob, 1).await, [4]);
}

#[tokio::test]
async fn members_are_told_when_a_stream_begins_again() {
    let world = World::new();
    let (_ann, mut to_ann) = world.member("ann").await;
    let before = world.say(1, SlowReader::Wait).await;
    assert_eq!(numbers(&mut to_ann, 1).await, [1]);
    world.broker.forget(ROOM);
    let Err(Lost::Gap {
        position, missed, ..
    }) = next(&mut to_ann).await
    else {
        panic!("a gap comes")
    };
    assert!(position.epoch != before.epoch && position.seq == 0 && missed.is_none());
    let after = world.say(2, SlowReader::Wait).await;
    assert_eq!((&after.epoch, after.seq), (&position.epoch, 1));
    assert_eq!(numbers(&mut to_ann, 1).await, [2]);
}

#[tokio::test]
async fn who_is_away_is_an_error_for_nobody_and_finds_what_was_said() {
    let world = World::new();
    let mut here = Vec::new();
    let mut away = Vec::new();
    for n in 0..50 {
        let (member, pushes) = world.member(&format!("member {n}")).await;
        match n % 2 {
            0 => here.push((member, pushes)),
            _ => {
                let position = world.hub.room(ROOM).position().await.expect("position");
                member.cut().await;
                away.push((n, position));
            }
        }
    }
    // Half of the room has gone: what is said is no error of who says it.
    world.say(1, SlowReader::Wait).await;
    for (_, pushes) in &mut here {
        assert_eq!(numbers(pushes, 1).await, [1]);
        nothing(pushes).await;
    }
    for (n, position) in away {
        let member = world.client(&format!("member {n}")).await;
        let mut pushes = member.client.pushes::<Said>(10);
        let now = world.join(&member, Some(position.clone())).await;
        assert_eq!(now.seq - position.seq, 1, "one is unread");
        assert_eq!(numbers(&mut pushes, 1).await, [1]);
        nothing(&mut pushes).await;
    }
}
