//! Health on both wires: who learns what, and what a server says that is about to stop.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{AdminOnly, RawPeer, World, dispatcher, frame};
use packetboat_dispatch::health::CheckStatus;
use packetboat_dispatch::{
    Anyone, App, Client, ClientError, Dispatcher, GetHealth, Health, HealthChecks, HealthStatus,
    Limits, LoggedIn, Server, serve_stream,
};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream, split};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

const ASK: &str = r#"{"type": "packetboat.health"}"#;

fn serve(app: &App) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve_stream(theirs, app.clone(), Limits::default()));
    ours
}

/// One check that passes, and one that does not.
fn checks() -> HealthChecks {
    HealthChecks::new()
        .check("database", || async { Ok::<_, std::io::Error>(()) })
        .check("disk", || async { Err("/srv/secret: no such folder") })
}

fn app(checks: HealthChecks) -> App {
    App::from(dispatcher(World::default()).health(Anyone, AdminOnly, checks))
}

#[tokio::test]
async fn strangers_learn_one_word_on_either_wire() {
    let app = app(checks());
    let mut peer = RawPeer { io: serve(&app) };
    let status = json!({"flag": true, "status": "degraded"});
    assert_eq!(peer.ask(ASK).await, status);
    peer.log_in("ann").await;
    assert_eq!(peer.ask(ASK).await, status, "a user is no admin");
    let (read, write) = split(serve(&app));
    let native = Client::builder().over_native(read, write);
    let health = native.call(GetHealth {}).await.expect("an answer");
    assert_eq!(health.status, HealthStatus::Degraded);
    assert_eq!(
        (health.checks, health.uptime_seconds, health.connections),
        (None, None, None)
    );
}

#[tokio::test]
async fn whom_the_second_guard_knows_learns_the_rest_and_no_reason() {
    let app = app(checks());
    let mut peer = RawPeer { io: serve(&app) };
    let session = peer.log_in("admin").await;
    let ask = format!(r#"{{"type": "packetboat.health", "session": "{session}"}}"#);
    let answer = peer.ask(&ask).await;
    let health: Health = serde_json::from_value(answer.clone()).expect("health");
    let checks = health.checks.expect("the details");
    assert_eq!(checks["database"].status, CheckStatus::Ok);
    assert_eq!(checks["disk"].status, CheckStatus::Failed);
    assert_eq!(
        (health.connections, health.uptime_seconds),
        (Some(1), Some(0))
    );
    assert!(!answer.to_string().contains("secret"), "{answer}");
    // A connection counts from when it has shown its wire until it is gone.
    let mut other = RawPeer { io: serve(&app) };
    other.ask(ASK).await;
    assert_eq!(peer.ask(&ask).await["connections"], 2);
    drop(other);
    for _ in 0..1000 {
        if peer.ask(&ask).await["connections"] == 1 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the connection that closed is still counted");
}

#[tokio::test]
async fn an_application_without_checks_is_well_while_it_answers() {
    let app = app(HealthChecks::new());
    let answer = app.connect().request(ASK.as_bytes()).await;
    assert_eq!(answer.text(), r#"{"flag":true,"status":"ok"}"#);
}

#[tokio::test]
async fn nobody_is_answered_unless_the_application_says_so() {
    let silent = App::from(dispatcher(World::default()));
    let code = RawPeer { io: serve(&silent) }.refusal(ASK).await;
    assert_eq!(code, "unknown_type");
    let begun = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&begun);
    let checks = HealthChecks::new().check("one", move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, std::io::Error>(()) }
    });
    let guarded = dispatcher(World::default()).health(LoggedIn, AdminOnly, checks);
    let route = guarded.routes().last().expect("it is registered").clone();
    assert_eq!(
        (route.message_type, route.guard, route.open),
        ("packetboat.health", "LoggedIn", false)
    );
    let code = RawPeer {
        io: serve(&App::from(guarded)),
    }
    .refusal(ASK)
    .await;
    assert_eq!(code, "not_logged_in");
    assert_eq!(
        begun.load(Ordering::SeqCst),
        0,
        "nothing runs for a stranger"
    );
}

#[tokio::test]
async fn a_server_that_stops_says_so_to_whom_it_still_answers() {
    let (begun, gate) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (begins, opens) = (Arc::clone(&begun), Arc::clone(&gate));
    let checks = HealthChecks::new().check("gate", move || {
        let (begun, gate) = (Arc::clone(&begins), Arc::clone(&opens));
        async move {
            begun.notify_one();
            gate.notified().await;
            Ok::<_, std::io::Error>(())
        }
    });
    let app = App::from(Dispatcher::new(()).health(Anyone, Anyone, checks));
    let server = Server::bind("127.0.0.1:0").await.expect("a free port");
    let (addr, stop) = (
        server.local_addr().expect("bound"),
        server.shutdown_handle(),
    );
    let (ended, end) = oneshot::channel();
    let served = app.clone();
    tokio::spawn(async move { ended.send(server.serve(served).await) });
    let mut peer = RawPeer {
        io: TcpStream::connect(addr).await.expect("a server"),
    };
    peer.io
        .write_all(&frame(ASK.as_bytes()))
        .await
        .expect("the server reads");
    begun.notified().await;
    stop.shutdown();
    gate.notify_one();
    let answer: Value = peer.reply().await.expect("an answer");
    assert_eq!(answer["status"], "draining");
    assert_eq!(answer["checks"]["gate"]["status"], "ok");
    drop(peer);
    end.await.expect("it ends").expect("well");
    // What is over stops no more: the same application may be served again.
    gate.notify_one();
    let answer = app.connect().request(ASK.as_bytes()).await;
    assert!(
        answer.text().contains(r#""status":"ok""#),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn the_client_reads_a_refusal_of_a_server_that_knows_no_health() {
    let (read, write) = split(serve(&App::from(dispatcher(World::default()))));
    let mut client = Client::builder().over(read, write);
    let error = client.call(GetHealth {}).await.expect_err("a refusal");
    assert!(matches!(&error, ClientError::Rejected { code, .. } if code == "unknown_type"));
}
