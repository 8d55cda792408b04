//! Cancelled, out of time, going away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use packetboat_dispatch::client::{ClientError, NativeClient};
use packetboat_dispatch::{Disconnect, Limits, Server};
use packetboat_framing::native::{Code, Extensions, FrameHeader, Kind, Outgoing};

use crate::raw::Raw;
use crate::world::{Echo, Firm, Soft, World, app, client, connect, until};

#[tokio::test]
async fn a_cancel_stops_only_a_handler_that_says_it_may_be_stopped() {
    let world = World::default();
    let (client, _serving) = client(&world);
    for n in 0..2 {
        let soft = tokio::time::timeout(Duration::from_millis(100), client.call(Soft {})).await;
        assert!(soft.is_err(), "nobody opens the gate");
        until(|| world.dropped.load(Ordering::SeqCst) == n + 1).await;
    }
    assert_eq!(world.ended.load(Ordering::SeqCst), 0);
    let firm = tokio::time::timeout(Duration::from_millis(100), client.call(Firm {})).await;
    assert!(firm.is_err(), "nobody opens the gate");
    let text = "on".to_owned();
    client
        .call(Echo { text })
        .await
        .expect("the cancel was taken");
    assert_eq!(world.dropped.load(Ordering::SeqCst), 2);
    world.gate.notify_one();
    until(|| world.ended.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_cancelled_request_is_still_answered() {
    let world = World::default();
    let (io, _serving) = connect(&world, Limits::default());
    let mut raw = Raw::greet(io).await;
    let soft = raw.ask(r#"{"type": "soft"}"#).await;
    raw.cancel(soft).await;
    assert_eq!(
        raw.error(soft).await,
        (Code::CANCELLED, "cancelled".to_owned())
    );
    let firm = raw.ask(r#"{"type": "firm"}"#).await;
    raw.cancel(firm).await;
    world.gate.notify_one();
    assert!(raw.reply(firm).await.contains("open"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_cancelled_before_its_turn_is_not_begun() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    // 180 KB of replies for a pipe of 64 KiB, and as much in the server: the last ones wait their turn.
    let message = format!(r#"{{"type": "echo", "text": "{}"}}"#, "x".repeat(3000));
    for _ in 0..59 {
        raw.ask(&message).await;
    }
    let last = raw.ask(&message).await;
    raw.cancel(last).await;
    // The clock goes on when nobody has anything to do.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut replies, mut refused) = (0, None);
    while replies < 59 || refused.is_none() {
        let came = tokio::time::timeout(Duration::from_secs(5), raw.next()).await;
        let came = came.expect("one was forgotten").expect("it is open");
        match came.header.kind {
            Kind::Reply => {
                assert_ne!(came.header.request, last);
                replies += 1;
            }
            Kind::Error => refused = Some((came.header.request, Code(came.header.argument))),
            _ => {}
        }
    }
    assert_eq!(refused, Some((last, Code::CANCELLED)));
}

#[tokio::test]
async fn a_deadline_that_passes_is_answered_and_drops_the_handler() {
    let world = World::default();
    let (io, _serving) = connect(&world, Limits::default());
    let mut raw = Raw::greet(io).await;
    let outgoing = Outgoing {
        extensions: Extensions {
            deadline_ms: Some(50),
            ..Extensions::default()
        },
        ..Outgoing::json()
    };
    let request = raw.send(&outgoing, r#"{"type": "firm"}"#).await;
    let (code, text) = raw.error(request).await;
    assert_eq!(
        (code, &*text),
        (Code::DEADLINE_EXCEEDED, "deadline_exceeded")
    );
    assert_eq!(world.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_shutdown_tells_finishes_and_closes() {
    let world = World::default();
    let server = Server::bind("127.0.0.1:0").await.expect("a free port");
    let (addr, stop) = (
        server.local_addr().expect("bound"),
        server.shutdown_handle(),
    );
    let serving = tokio::spawn(server.serve(app(&world)));
    let client = NativeClient::connect(addr).await.expect("a server");
    let idle = NativeClient::connect(addr).await.expect("a server");
    let text = "on".to_owned();
    idle.call(Echo { text: text.clone() })
        .await
        .expect("an answer");
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.call(Firm {}).await }
    });
    client
        .call(Echo { text: text.clone() })
        .await
        .expect("an answer");
    stop.shutdown();
    until(|| !idle.is_usable()).await;
    // Where something is in flight, the rest is refused in a way that is safe to send again.
    let error = client.call(Echo { text }).await.expect_err("it goes away");
    let refused = matches!(&error, ClientError::Refused { code } if code.is_not_begun());
    assert!(refused, "{error}");
    assert!(!serving.is_finished());
    world.gate.notify_one();
    let reply = waiting.await.expect("no panic").expect("it had begun");
    assert_eq!(reply.text, "open");
    serving.await.expect("no panic").expect("it ends in order");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_away_is_let_go_when_it_has_its_reply() {
    let world = World::default();
    let (io, serving) = connect(&world, Limits::default());
    let mut raw = Raw::greet(io).await;
    let firm = raw.ask(r#"{"type": "firm"}"#).await;
    let away = FrameHeader::control(Kind::GoingAway, 0, Code::NONE.0);
    raw.frame(away, b"").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!serving.is_finished(), "a handler is at work");
    world.gate.notify_one();
    assert!(raw.reply(firm).await.contains("open"));
    assert!(raw.is_closed().await);
    let disconnect = serving.await.expect("no panic");
    assert!(
        matches!(disconnect, Disconnect::Closed),
        "and not for its silence: {disconnect:?}"
    );
}

#[tokio::test]
async fn a_peer_that_half_closes_reads_every_reply() {
    let world = World::default();
    let (io, serving) = connect(&world, Limits::default());
    let mut raw = Raw::greet(io).await;
    let firm = raw.ask(r#"{"type": "firm"}"#).await;
    let echo = raw.ask(r#"{"type": "echo", "text": "hi"}"#).await;
    raw.shut().await;
    assert!(raw.reply(echo).await.contains("hi"));
    world.gate.notify_one();
    assert!(raw.reply(firm).await.contains("open"));
    assert!(raw.is_closed().await);
    drop(raw);
    serving.await.expect("it ends");
}
