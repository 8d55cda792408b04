//! What becomes of pushes, by the `metrics` facade.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use packetboat_dispatch::metrics::{PUSH_GAPS, PUSHES_LOST, PUSHES_SENT, SLOW_READERS};
use packetboat_dispatch::push::SlowReader;

use crate::world::{ROOM, Typing, World, long, next};

#[tokio::test]
async fn every_push_is_counted_by_what_became_of_it() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    // The runtime of the test has this thread alone.
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let world = World::narrow(10_000, 4);
    let (slow, mut to_slow) = world.member("slow").await;
    slow.stop_reading();
    for n in 1..=100 {
        let slow = SlowReader::DropOldest;
        let sent = world.hub.room(ROOM).send(&long(n), slow).await;
        sent.expect("sent");
        tokio::task::yield_now().await;
    }
    let who = "ann".to_owned();
    for _ in 0..3 {
        let latest = SlowReader::KeepLatest(who.clone());
        let typing = Typing { who: who.clone() };
        let sent = world.hub.room(ROOM).signal(&typing, latest).await;
        sent.expect("sent");
    }
    let wait = SlowReader::Wait;
    let sent = world.hub.room(ROOM).send(&long(101), wait).await;
    sent.expect("sent");
    crate::world::until(|| world.hub.stats().waited == 1).await;
    slow.read_on();
    loop {
        if next(&mut to_slow).await.is_ok_and(|p| p.message.n == 101) {
            break;
        }
    }
    let cut = SlowReader::Disconnect;
    slow.stop_reading();
    while world.hub.stats().disconnected == 0 {
        let sent = world.hub.room(ROOM).send(&long(102), cut.clone()).await;
        sent.expect("sent");
        tokio::task::yield_now().await;
    }

    let mut counted = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels = key.key().labels().map(|label| label.value().to_owned());
        let labels: Vec<String> = labels.collect();
        if let DebugValue::Counter(n) = value {
            let name = format!("{} {}", key.key().name(), labels.join(","));
            *counted.entry(name.trim_end().to_owned()).or_insert(0) += n;
        }
    }
    let stats = world.hub.stats();
    for (name, number) in [
        (PUSHES_SENT.to_owned(), stats.sent),
        (PUSH_GAPS.to_owned(), stats.gaps),
        (format!("{PUSHES_LOST} dropped"), stats.dropped),
        (format!("{PUSHES_LOST} replaced"), stats.replaced),
        (format!("{SLOW_READERS} waited"), stats.waited),
        (format!("{SLOW_READERS} disconnected"), stats.disconnected),
    ] {
        assert!(number > 0, "{name}");
        assert_eq!(counted.get(&name), Some(&number), "{name}");
    }
    assert_eq!((stats.replaced, stats.disconnected), (2, 1));
}
