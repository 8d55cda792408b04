//! Tasks that are tied to a connection end with it, always.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use packetboat_dispatch::Pusher;
use packetboat_dispatch::push::{PushError, PushLimits, SlowReader};
use tokio::time::{Instant, sleep};

use crate::world::{Said, World, next, nothing, numbers, said, until};

/// Pushes 1, 2, 3, .. and counts how often it was asked to; gone when it is dropped.
fn tick(
    pusher: &Pusher,
    made: &Arc<AtomicU64>,
    alive: &Arc<()>,
) -> packetboat_dispatch::push::Tied {
    let (made, alive) = (Arc::clone(made), Arc::clone(alive));
    let period = Duration::from_millis(10);
    let tied = pusher.every(period, SlowReader::DropOldest, move || {
        let _ = &alive;
        let n = made.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Some(said(n)) }
    });
    tied.expect("there is room")
}

#[tokio::test]
async fn an_interval_pushes_until_its_connection_ends_however_it_does() {
    let world = World::new();
    for way in ["closed by the client", "aborted", "stopped", "cut"] {
        let mut client = world.client(way).await;
        let mut pushes = client.client.pushes::<Said>(1000);
        let (made, alive) = (Arc::default(), Arc::new(()));
        let pusher = world.hub.pusher(&client.peer).expect("it is here");
        let tied = tick(&pusher, &made, &alive);
        assert_eq!(numbers(&mut pushes, 3).await, [1, 2, 3]);
        match way {
            "closed by the client" => {
                // Its handler still holds its peer, and the test its pusher.
                drop(client.client);
                let _ = (&mut client.serving).await;
            }
            "aborted" => client.serving.abort(),
            "stopped" => {
                tied.stop();
                until(|| tied.is_over()).await;
                nothing_after(&mut pushes, &made).await;
            }
            _ => client.cut().await,
        }
        until(|| Arc::strong_count(&alive) == 1).await;
        let after = made.load(Ordering::SeqCst);
        sleep(Duration::from_millis(50)).await;
        assert_eq!(made.load(Ordering::SeqCst), after, "{way}");
        if way != "stopped" {
            let refused = pusher.spawn(async {});
            assert!(matches!(refused, Err(PushError::Closed)), "{way}");
        }
    }
}

async fn nothing_after(pushes: &mut packetboat_dispatch::client::Pushes<Said>, made: &AtomicU64) {
    let last = made.load(Ordering::SeqCst);
    while last > 3 && next(pushes).await.expect("a push").message.n < last {}
    nothing(pushes).await;
}

#[tokio::test]
async fn two_on_one_connection_are_apart_and_as_many_as_allowed() {
    let world = World::with(PushLimits {
        tasks: 2,
        ..PushLimits::default()
    });
    let client = world.client("ann").await;
    let (one, two) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let alive = Arc::new(());
    let pusher = world.hub.pusher(&client.peer).expect("it is here");
    let first = tick(&pusher, &one, &alive);
    let _second = tick(&pusher, &two, &alive);
    let refused = pusher.spawn(async {});
    assert!(matches!(refused, Err(PushError::TooManyTasks { max: 2 })));
    first.stop();
    until(|| first.is_over()).await;
    let (at, other) = (one.load(Ordering::SeqCst), two.load(Ordering::SeqCst));
    until(|| two.load(Ordering::SeqCst) > other + 3).await;
    assert_eq!(one.load(Ordering::SeqCst), at);
    pusher.spawn(async {}).expect("there is room again");
}

#[tokio::test]
async fn one_that_makes_nothing_is_over() {
    let world = World::new();
    let client = world.client("ann").await;
    let mut pushes = client.client.pushes::<Said>(1000);
    let pusher = world.hub.pusher(&client.peer).expect("it is here");
    let mut n = 0;
    let tied = pusher.every(Duration::from_millis(1), SlowReader::Wait, move || {
        n += 1;
        async move { (n <= 3).then(|| said(n)) }
    });
    let tied = tied.expect("there is room");
    assert_eq!(numbers(&mut pushes, 3).await, [1, 2, 3]);
    until(|| tied.is_over()).await;
}

/// As after a SIGSTOP: the clock has gone on, and nothing ran.
#[tokio::test]
async fn after_a_pause_there_is_no_burst_and_no_drift() {
    let world = World::new();
    let client = world.client("ann").await;
    let mut pushes = client.client.pushes::<Said>(1000);
    let pusher = world.hub.pusher(&client.peer).expect("it is here");
    let (made, alive) = (Arc::<AtomicU64>::default(), Arc::new(()));
    tokio::time::pause();
    let period = Duration::from_secs(5);
    let begun = Instant::now();
    let _tied = pusher.every(period, SlowReader::DropOldest, {
        let made = Arc::clone(&made);
        move || {
            let _ = &alive;
            let n = made.fetch_add(1, Ordering::SeqCst) + 1;
            async move { Some(said(n)) }
        }
    });
    assert_eq!(numbers(&mut pushes, 1).await, [1]);
    tokio::time::advance(Duration::from_secs(62)).await;
    assert_eq!(
        numbers(&mut pushes, 1).await,
        [2],
        "one for all that were missed"
    );
    for n in 3..=20 {
        assert_eq!(numbers(&mut pushes, 1).await, [n]);
        let late = begun.elapsed().as_millis() % period.as_millis();
        assert!(late < 100, "{late} ms after its time");
    }
}
