//! A test for any presence store.

use std::time::Duration;

use tokio::time::sleep;

use super::{Presence, Present};
use crate::push::broker::MemberId;
use crate::push::position::{Epoch, random};

/// An entry's time where it is to be over soon, and where it is not. Stores may count in whole
/// seconds.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(600);

/// Checks that a store keeps what [`Presence`] asks of it, for the tests of those who write one. It
/// takes three seconds, since entries have to run out of time.
///
/// It makes rooms of its own, whose names begin with `presence check`, and leaves nobody in them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use packetboat_dispatch::push::presence::{MemoryPresence, check_presence};
///
/// check_presence(&MemoryPresence::new()).await;
/// # }
/// ```
///
/// # Panics
///
/// At the first rule that does not hold, naming it.
pub async fn check_presence(store: &impl Presence) {
    let room = &format!("presence check {}", Epoch::generate());
    assert!(
        keys(store, room).await.is_empty(),
        "nobody is in a new room"
    );
    let [ann, again, bob, other] = [1, 2, 3, 4].map(member);
    assert!(enter(store, room, ann, "ann", LONG).await, "ann has come");
    assert!(
        !enter(store, room, again, "ann", LONG).await,
        "and was here"
    );
    assert!(
        enter(store, room, bob, "bob \"名字\"", LONG).await,
        "bob has come"
    );
    assert!(
        !enter(store, room, bob, "bob \"名字\"", LONG).await,
        "and was here"
    );
    let elsewhere = format!("{room} elsewhere");
    assert!(keys(store, &elsewhere).await.is_empty(), "rooms are apart");
    let all = store.list(room).await.expect("list");
    assert_eq!(all[0], present("ann"), "what was said is known");
    assert_eq!(
        keys(store, room).await,
        ["ann", "bob \"名字\""],
        "each key once, in the order in which they came"
    );

    assert!(
        !leave(store, room, ann).await,
        "ann is here by another connection"
    );
    assert_eq!(keys(store, room).await.len(), 2);
    assert!(leave(store, room, again).await, "now she has left");
    assert!(!leave(store, room, again).await, "once");
    assert!(
        !leave(store, room, other).await,
        "who was not here leaves nothing"
    );
    assert_eq!(keys(store, room).await, ["bob \"名字\""]);

    enter(store, room, ann, "ann", SHORT).await;
    enter(store, room, bob, "bob \"名字\"", SHORT).await;
    let renewed = store.renew(room, &[bob, other], LONG).await;
    assert_eq!(
        renewed.expect("renew"),
        [other],
        "renewing tells who is not here"
    );
    assert!(
        store.sweep(room).await.expect("sweep").is_empty(),
        "nobody is over yet"
    );
    sleep(3 * SHORT).await;
    assert_eq!(
        keys(store, room).await,
        ["bob \"名字\""],
        "who is not renewed is over, and renewing revives nobody else"
    );
    let gone = store.sweep(room).await.expect("sweep");
    assert_eq!(gone, [present("ann")], "sweeping tells who is gone");
    assert!(store.sweep(room).await.expect("sweep").is_empty(), "once");
    assert!(leave(store, room, bob).await, "the last one has left");
    assert!(keys(store, room).await.is_empty());
}

async fn enter(
    store: &impl Presence,
    room: &str,
    who: MemberId,
    key: &str,
    time: Duration,
) -> bool {
    let entered = store.enter(room, who, &present(key), time).await;
    entered.expect("enter")
}

async fn leave(store: &impl Presence, room: &str, who: MemberId) -> bool {
    store.leave(room, who).await.expect("leave")
}

async fn keys(store: &impl Presence, room: &str) -> Vec<String> {
    let all = store.list(room).await.expect("list");
    all.into_iter().map(|present| present.key).collect()
}

fn present(key: &str) -> Present {
    Present::new(key, &("meta", key)).expect("strings serialise")
}

fn member(connection: u64) -> MemberId {
    let node = random();
    MemberId { node, connection }
}
