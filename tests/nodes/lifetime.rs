//! How long Redis knows a room.

use std::time::Duration;

use packetboat_dispatch::push::broker::Keep;
use packetboat_dispatch::push::{PushLimits, SlowReader};
use packetboat_tests::redis::Redis;

use crate::world::{ROOM, Said, handle, hub};

#[tokio::test]
async fn a_room_is_known_for_as_long_as_it_keeps_messages_whatever_is_asked_of_it() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let age = Duration::from_secs(48 * 60 * 60);
    let keep = Keep {
        age,
        ..Keep::default()
    };
    let limits = PushLimits {
        keep,
        ..PushLimits::default()
    };
    let hub = hub(&handle(&redis.url(), "life"), limits);
    let room = || hub.room(ROOM);
    let sent = room().send(&Said { n: 1 }, SlowReader::Wait).await;
    let sent = sent.expect("Redis is there");
    assert_eq!(room().position().await.expect("Redis is there"), sent);
    for kind in ["room", "log"] {
        let left = redis
            .command(&["PTTL", &format!("life:{kind}:{{{ROOM}}}")])
            .await;
        let left = left.trim_start_matches(':').parse().expect("a number");
        let left = Duration::from_millis(left);
        assert!(age - left < Duration::from_secs(60), "{kind}: {left:?}");
    }
}
