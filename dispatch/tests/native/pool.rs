//! Connections that are lost, and calls that are made again.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packetboat_dispatch::client::{Backoff, ClientError, Pool};
use packetboat_dispatch::{App, NativeClient};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::world::{Buy, Echo, Firm, Hello, World, app, client_by_wire, until};

/// What happens to the next connections that are asked for; then they are good.
enum Next {
    Refused,
    /// Made, and cut as soon as a request is at work on it.
    Cut,
}

#[derive(Clone)]
struct Net {
    world: World,
    app: App,
    next: Arc<Mutex<VecDeque<Next>>>,
    made: Arc<AtomicUsize>,
    wires: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Net {
    fn new(next: impl IntoIterator<Item = Next>) -> Self {
        let world = World::default();
        Self {
            app: app(&world),
            world,
            next: Arc::new(Mutex::new(next.into_iter().collect())),
            made: Arc::default(),
            wires: Arc::default(),
        }
    }

    async fn connect(self) -> Result<NativeClient, ClientError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        let next = self.next.lock().expect("no panic").pop_front();
        if matches!(next, Some(Next::Refused)) {
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            return Err(ClientError::Connect(refused));
        }
        let (client, wire) = client_by_wire(self.app.clone());
        if matches!(next, Some(Next::Cut)) {
            let begun = self.world.begun.load(Ordering::SeqCst);
            let world = self.world.clone();
            tokio::spawn(async move {
                until(|| world.begun.load(Ordering::SeqCst) > begun).await;
                wire.abort();
            });
        } else {
            self.wires.lock().expect("no panic").push(wire);
        }
        Ok(client)
    }

    fn pool(&self, connections: usize) -> Pool {
        let net = self.clone();
        Pool::with(
            move || net.clone().connect(),
            connections,
            Backoff::default(),
        )
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    /// Ends every connection, as a server that is killed.
    fn cut_all(&self) {
        for wire in self.wires.lock().expect("no panic").drain(..) {
            wire.abort();
        }
    }
}

#[tokio::test]
async fn connections_are_made_when_needed_and_shared() {
    let net = Net::new([]);
    let pool = net.pool(2);
    assert_eq!(net.made(), 0);
    for n in 0..10 {
        let text = n.to_string();
        let reply = pool.call(Echo { text: text.clone() }).await;
        assert_eq!(reply.expect("an answer").text, text);
    }
    assert_eq!(net.made(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_begun_is_tried_again_and_not_for_ever() {
    let net = Net::new([Next::Refused, Next::Refused, Next::Refused]);
    let reply = net
        .pool(1)
        .call(Echo {
            text: "at last".to_owned(),
        })
        .await;
    assert_eq!(reply.expect("an answer").text, "at last");
    assert_eq!(net.made(), 4);

    let net = Net::new((0..100).map(|_| Next::Refused));
    let began = Instant::now();
    let error = net.pool(1).call(Hello {}).await.expect_err("no server");
    assert!(matches!(error, ClientError::Connect(_)), "{error:?}");
    assert_eq!(net.made(), 5);
    // Both the call and its connection wait: 0.5 + 1 + 2 + 4 s at the most, each.
    assert!(
        began.elapsed() <= Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_call_is_made_again_if_it_has_a_key() {
    let net = Net::new([Next::Cut]);
    let (pool, world) = (net.pool(1), net.world.clone());
    let buying = tokio::spawn(async move { pool.call_once(Buy {}).await });
    // The connection is cut while it is at work; the second try joins the first, which still is.
    until(|| net.made() == 2).await;
    world.gate.notify_one();
    let reply = buying.await.expect("no panic").expect("an answer");
    assert_eq!(reply.text, "bought");
    assert_eq!(world.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_lost_call_that_may_have_been_done_is_not_made_again() {
    let net = Net::new([]);
    let (pool, counts) = (net.pool(1), net.world.clone());
    let waiting = tokio::spawn(async move { pool.call(Firm {}).await });
    until(|| net.made() == 1 && !net.wires.lock().expect("no panic").is_empty()).await;
    let _ = tokio::time::timeout(Duration::from_millis(50), counts.gate.notified()).await;
    net.cut_all();
    let error = waiting.await.expect("no panic").expect_err("it was lost");
    assert!(error.is_lost() && !error.is_not_begun(), "{error:?}");
    assert_eq!(net.made(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_safe_call_survives_a_server_that_is_replaced() {
    let net = Net::new([]);
    let pool = net.pool(2);
    for _ in 0..4 {
        pool.call(Hello {}).await.expect("an answer");
    }
    for round in 1..=5 {
        net.cut_all();
        for _ in 0..4 {
            pool.call(Hello {}).await.expect("an answer");
        }
        assert!(net.made() <= 2 + 2 * round);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_made_holds_up_nobody_while_another_lives() {
    let net = Net::new([]);
    let pool = net.pool(2);
    pool.client().await.expect("the first");
    net.next
        .lock()
        .expect("no panic")
        .extend((0..100).map(|_| Next::Refused));
    pool.client().await.expect_err("the second");
    let began = Instant::now();
    for _ in 0..20 {
        pool.call(Hello {}).await.expect("an answer");
    }
    // Each try of the second at its time, and no call that waits for it.
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
