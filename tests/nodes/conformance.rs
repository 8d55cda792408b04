//! The broker, the presence store and the session store on Redis keep what is asked of them.

use packetboat_dispatch::push::broker::check_broker;
use packetboat_dispatch::push::presence::check_presence;
use packetboat_dispatch::push::{RedisBroker, RedisPresence};
use packetboat_dispatch::session::{MemoryStore, RedisStore, check_store};
use packetboat_tests::redis;

use crate::world::{handle, unique};

#[tokio::test]
async fn the_broker_conforms_on_redis() {
    let Some(url) = redis::shared() else { return };
    let redis = handle(&url, &unique("broker"));
    check_broker(&RedisBroker::new(&redis).expect("a URL")).await;
}

#[tokio::test]
async fn the_presence_store_conforms_on_redis() {
    let Some(url) = redis::shared() else { return };
    let redis = handle(&url, &unique("presence"));
    check_presence(&RedisPresence::new(&redis)).await;
}

#[tokio::test]
async fn the_session_store_conforms_on_redis() {
    let Some(url) = redis::shared() else { return };
    let redis = handle(&url, &unique("sessions"));
    check_store(&RedisStore::new(&redis, MemoryStore::new())).await;
}
