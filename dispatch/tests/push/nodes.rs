//! Two hubs over one broker, as two nodes have them.

use std::sync::Arc;
use std::time::Duration;

use packetboat_dispatch::push::{
    Hub, Join, MemoryBroker, MemoryPresence, PresenceDiff, PushLimits, SlowReader,
};

use crate::world::{ROOM, Said, World, next, nothing, numbers, said, until};

fn nodes(limits: &PushLimits) -> [World; 2] {
    let broker = Arc::new(MemoryBroker::new());
    let presence = Arc::new(MemoryPresence::new());
    [(); 2].map(|()| {
        let hub = Hub::new(Arc::clone(&broker), Arc::clone(&presence), limits.clone());
        World::over(hub)
    })
}

#[tokio::test]
async fn members_of_both_nodes_get_the_same_in_the_same_order() {
    let [here, there] = nodes(&PushLimits::default());
    let (ann, mut to_ann) = here.member("ann").await;
    let (_bob, mut to_bob) = there.member("bob").await;
    let both: Vec<_> = [&here, &there]
        .map(World::clone)
        .into_iter()
        .enumerate()
        .collect();
    let mut talking = Vec::new();
    for (which, node) in both {
        talking.push(tokio::spawn(async move {
            for n in 0..100 {
                node.say(2 * n + which as u64, SlowReader::Wait).await;
                tokio::task::yield_now().await;
            }
        }));
    }
    let (anns, bobs) = (
        numbers(&mut to_ann, 200).await,
        numbers(&mut to_bob, 200).await,
    );
    assert_eq!(anns, bobs);
    for task in talking {
        task.await.expect("said");
    }
    // One of the other node has the same number as ours, perhaps, and is not meant.
    let all_but_ann = here.hub.room(ROOM).except(ann.peer.id());
    all_but_ann
        .send(&said(1000), SlowReader::Wait)
        .await
        .expect("sent");
    assert_eq!(numbers(&mut to_bob, 1).await, [1000]);
    nothing(&mut to_ann).await;
    // And who comes again may do so at the other node.
    let last = here.say(1001, SlowReader::Wait).await;
    ann.cut().await;
    there.say(1002, SlowReader::Wait).await;
    let ann = there.client("ann").await;
    let mut to_ann = ann.client.pushes::<Said>(10);
    there.join(&ann, Some(last)).await;
    assert_eq!(numbers(&mut to_ann, 1).await, [1002]);
}

#[tokio::test]
async fn who_was_on_a_node_that_is_gone_has_left_after_three_heartbeats() {
    let [here, there] = nodes(&PushLimits {
        heartbeat: Duration::from_millis(100),
        ..PushLimits::default()
    });
    let ann = here.client("ann").await;
    let mut diffs = ann.client.pushes::<PresenceDiff>(10);
    let as_ann = Join::default().present("ann", &()).expect("a meta");
    here.hub
        .join(&ann.peer, ROOM, as_ann)
        .await
        .expect("joined");
    let bob = there.client("bob").await;
    let as_bob = Join::default().present("bob", &()).expect("a meta");
    there
        .hub
        .join(&bob.peer, ROOM, as_bob)
        .await
        .expect("joined");
    for _ in 0..2 {
        next(&mut diffs).await.expect("ann, and bob");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let keys = || async {
        let present = here.hub.room(ROOM).present().await.expect("present");
        present.into_iter().map(|p| p.key).collect::<Vec<_>>()
    };
    assert_eq!(keys().await, ["ann", "bob"], "heartbeats keep them");

    // The other node dies: its tasks end, and it tells nobody.
    drop((there, bob));
    let left = next(&mut diffs).await.expect("bob has left").message;
    assert_eq!(left.leaves.first().map(|p| &*p.key), Some("bob"));
    assert_eq!(keys().await, ["ann"]);
    until(|| here.hub.connections() == 1).await;
}
