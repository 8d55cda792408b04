//! A request that is sent twice.

use std::sync::atomic::Ordering;

use packetboat_dispatch::{IdempotencyKey, NativeClient};
use tokio::task::JoinSet;

use crate::world::{Buy, Hello, World, app, client_by_wire, until};

async fn buy(client: &NativeClient, key: IdempotencyKey) -> String {
    let reply = client.with_idempotency_key(key).call(Buy {}).await;
    reply.expect("an answer").text
}

#[tokio::test]
async fn a_hundred_at_once_are_one_and_all_get_its_answer() {
    let world = World::default();
    let app = app(&world);
    let clients = [client_by_wire(app.clone()).0, client_by_wire(app).0];
    let key = IdempotencyKey::generate();
    let mut calls = JoinSet::new();
    for n in 0..100 {
        let client = clients[n % 2].clone();
        calls.spawn(async move { buy(&client, key).await });
    }
    until(|| world.begun.load(Ordering::SeqCst) == 1).await;
    // The rest are in flight too: another call on each connection is answered behind them.
    for client in &clients {
        let reply = client.call(Hello {}).await;
        assert_eq!(reply.expect("an answer").text, "hello");
    }
    world.gate.notify_one();
    while let Some(text) = calls.join_next().await {
        assert_eq!(text.expect("no panic"), "bought");
    }
    assert_eq!(world.begun.load(Ordering::SeqCst), 1);
    // Later it is for the handler to know.
    world.gate.notify_one();
    assert_eq!(buy(&clients[0], key).await, "bought before");
    assert_eq!(world.begun.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn other_keys_and_none_are_requests_of_their_own() {
    let world = World::default();
    let (client, _serving) = client_by_wire(app(&world));
    for _ in 0..2 {
        world.gate.notify_one();
        assert_eq!(buy(&client, IdempotencyKey::generate()).await, "bought");
    }
    let refused = client.call(Buy {}).await.expect_err("no key");
    assert_eq!(refused.code(), Some("no_key"));
    assert_eq!(world.begun.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn one_that_waits_outlives_the_connection_of_the_first() {
    let world = World::default();
    let key = IdempotencyKey::generate();
    let app = app(&world);
    let ((one, wire), (two, _)) = (client_by_wire(app.clone()), client_by_wire(app));
    let first = tokio::spawn(async move { buy(&one, key).await });
    until(|| world.begun.load(Ordering::SeqCst) == 1).await;
    let second = tokio::spawn({
        let two = two.clone();
        async move { buy(&two, key).await }
    });
    two.call(Hello {}).await.expect("behind the second");
    // Its client goes; the handler does not.
    first.abort();
    wire.abort();
    world.gate.notify_one();
    assert_eq!(second.await.expect("no panic"), "bought");
    assert_eq!(world.begun.load(Ordering::SeqCst), 1);
}
