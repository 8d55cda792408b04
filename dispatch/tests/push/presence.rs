//! Who is here, and who has come and gone.

use packetboat_dispatch::client::Pushes;
use packetboat_dispatch::push::{Join, PresenceDiff};
use serde::{Deserialize, Serialize};

use crate::world::{Connected, ROOM, World, next, nothing};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Meta {
    device: String,
}

async fn join(world: &World, client: &Connected, key: &str) {
    let meta = Meta {
        device: format!("of {key}"),
    };
    let join = Join::default().present(key, &meta).expect("a meta");
    world
        .hub
        .join(&client.peer, ROOM, join)
        .await
        .expect("joined");
}

async fn keys(world: &World) -> Vec<String> {
    let present = world.hub.room(ROOM).present().await.expect("present");
    present.into_iter().map(|present| present.key).collect()
}

/// `+ann` or `-ann`.
async fn change(diffs: &mut Pushes<PresenceDiff>) -> String {
    let PresenceDiff { joins, leaves } = next(diffs).await.expect("a push").message;
    match (&*joins, &*leaves) {
        ([present], []) => {
            let meta: Meta = present.meta().expect("the meta");
            assert_eq!(meta.device, format!("of {}", present.key));
            format!("+{}", present.key)
        }
        ([], [present]) => format!("-{}", present.key),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn joins_and_leaves_are_told_to_members_once_for_each_key() {
    let world = World::new();
    let (watcher, _) = world.member("watcher").await;
    let mut diffs = watcher.client.pushes::<PresenceDiff>(100);
    assert!(
        keys(&world).await.is_empty(),
        "who only listens is not present"
    );

    let ann = world.client("ann").await;
    join(&world, &ann, "ann").await;
    assert_eq!(change(&mut diffs).await, "+ann");
    let phone = world.client("ann's phone").await;
    join(&world, &phone, "ann").await;
    let bob = world.client("bob").await;
    join(&world, &bob, "bob").await;
    assert_eq!(change(&mut diffs).await, "+bob", "ann was here already");
    assert_eq!(keys(&world).await, ["ann", "bob"]);

    ann.cut().await;
    world.hub.leave(bob.peer.id(), ROOM).await;
    assert_eq!(change(&mut diffs).await, "-bob", "ann is here by her phone");
    assert_eq!(keys(&world).await, ["ann"]);
    phone.cut().await;
    assert_eq!(change(&mut diffs).await, "-ann");
    assert!(keys(&world).await.is_empty());
    nothing(&mut diffs).await;
}

#[tokio::test]
async fn whoever_comes_and_goes_in_a_storm_is_told_of_in_the_end_as_it_is() {
    let world = World::new();
    let (watcher, _) = world.member("watcher").await;
    let mut diffs = watcher.client.pushes::<PresenceDiff>(10_000);
    let ann = world.client("ann").await;
    for _ in 0..200 {
        join(&world, &ann, "ann").await;
        world.hub.leave(ann.peer.id(), ROOM).await;
    }
    join(&world, &ann, "ann").await;
    let end = world.client("end").await;
    join(&world, &end, "end").await;
    let mut last = String::new();
    loop {
        match change(&mut diffs).await {
            end if end == "+end" => break,
            change => last = change,
        }
    }
    assert_eq!(last, "+ann");
    assert_eq!(keys(&world).await, ["ann", "end"]);
}
