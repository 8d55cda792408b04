//! Every number of a scripted exchange is exactly right, on both wires, and gauges end at zero.
#![cfg(feature = "metrics")]

#[cfg(feature = "tls")]
#[path = "common/authority.rs"]
mod authority;
#[allow(dead_code, reason = "not every transport is tried here")]
#[path = "behaviour/bed.rs"]
mod bed;
mod common;
#[allow(dead_code, reason = "only some of what a peer can do is done here")]
#[path = "behaviour/peer.rs"]
mod peer;

use std::collections::BTreeMap;
use std::time::Duration;

use bed::{Bed, Over};
use common::World;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use packetboat_dispatch::client::Timeouts;
use packetboat_dispatch::{
    Anyone, App, Client, Dispatcher, Limits, Message, Server, Stoppable, Wire, serve_stream,
};
use peer::{Answer, Peer};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpStream;

/// All numbers so far, by name and labels: `requests_total{ok,echo,classic}`.
struct Numbers {
    snapshotter: Snapshotter,
    /// A snapshot takes what it shows away, so they are added up.
    sums: BTreeMap<String, f64>,
    /// How many values each histogram has.
    counts: BTreeMap<String, usize>,
}

impl Numbers {
    fn of(recorder: &DebuggingRecorder) -> Self {
        Self {
            snapshotter: recorder.snapshotter(),
            sums: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    fn look(&mut self) {
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let (name, labels) = key.key().clone().into_parts();
            let name = name.as_str().to_owned();
            let mut labels: Vec<String> = labels
                .iter()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            labels.sort();
            let name = name.strip_prefix("packetboat_").expect("all are ours");
            let name = format!("{name}{{{}}}", labels.join(","));
            match value {
                DebugValue::Counter(n) => *self.sums.entry(name).or_default() += n as f64,
                DebugValue::Gauge(n) => *self.sums.entry(name).or_default() += n.into_inner(),
                DebugValue::Histogram(all) => {
                    *self.counts.entry(name.clone()).or_default() += all.len();
                    *self.sums.entry(name).or_default() +=
                        all.iter().map(|value| value.into_inner()).sum::<f64>();
                }
            }
        }
    }

    fn get(&mut self, name: &str) -> f64 {
        self.look();
        self.sums.get(name).copied().unwrap_or_default()
    }

    /// Waits until a number is this one, for ten seconds: what ends ends on a task of its own.
    async fn until(&mut self, name: &str, number: f64) {
        for _ in 0..1000 {
            if self.get(name) == number {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} is not {number}: {:#?}", self.sums);
    }

    /// All that begin so, without those that are zero.
    fn all(&mut self, start: &str) -> Vec<(String, f64)> {
        self.look();
        let all = self
            .sums
            .iter()
            .filter(|(name, sum)| name.starts_with(start) && **sum != 0.0);
        all.map(|(name, sum)| (name.clone(), *sum)).collect()
    }
}

/// A peer whose messages and answers are counted.
struct Counted {
    peer: Peer,
    sent: usize,
    received: usize,
}

impl Counted {
    async fn ask(&mut self, message: &str) -> Answer {
        self.upload(message, None).await
    }

    async fn upload(&mut self, message: &str, body: Option<&[u8]>) -> Answer {
        self.sent += message.len();
        let answer = self.peer.upload(message, body).await.expect("an answer");
        self.received += answer.value.to_string().len();
        answer
    }
}

async fn exchange(wire: Wire) {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let mut numbers = Numbers::of(&recorder);
    let name = if wire == Wire::Native {
        "native"
    } else {
        "classic"
    };
    let world = World::default();
    let hasty = Limits {
        handler_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let bed = Bed::new(wire, Over::Memory);
    let hasty = bed.serve(&world, hasty).await;
    let server = bed.serve(&world, Limits::default()).await;

    let mut peer = Counted {
        peer: server.peer().await,
        sent: 0,
        received: 0,
    };
    assert_eq!(
        peer.ask(r#"{"type": "echo", "text": "hi"}"#).await.text(),
        "hi"
    );
    assert_eq!(
        peer.ask(r#"{"type": "say", "text": "hi"}"#).await.text(),
        "hi"
    );
    for message in [
        r#"{"type": "fly"}"#,
        r#"{"type": "never-heard-of"}"#,
        r#"{"type": "echo"}"#,
        r#"{"type": "whoami"}"#,
        r#"{"type": "panic"}"#,
        r#"{"type": "panic", "later": true}"#,
    ] {
        assert!(!peer.ask(message).await.flag);
    }
    let mut late = Counted {
        peer: hasty.peer().await,
        sent: 0,
        received: 0,
    };
    let slow = late.ask(r#"{"type": "slow", "ms": 60000}"#).await;
    assert_eq!(slow.code(), "timeout");
    for keep in [false, true, true] {
        let login = format!(r#"{{"type": "login", "name": "ann", "keep": {keep}}}"#);
        assert!(peer.ask(&login).await.flag);
    }
    let upload = r#"{"type": "upload", "name": "x", "file_size": 1000}"#;
    assert!(peer.upload(upload, Some(&[7; 1000])).await.flag);
    let download = r#"{"type": "download", "len": 5000}"#;
    peer.sent += download.len();
    let (answer, file) = peer.peer.download(download).await;
    peer.received += answer.value.to_string().len();
    assert_eq!(file.len(), 5000);

    let expected = [
        ("download", "ok", 1.0),
        ("echo", "ok", 2.0),
        ("echo", "refused", 1.0),
        ("login", "ok", 3.0),
        ("panic", "panicked", 2.0),
        ("slow", "timeout", 1.0),
        ("unknown", "refused", 2.0),
        ("upload", "ok", 1.0),
        ("whoami", "refused", 1.0),
    ];
    let mut expected = expected.map(|(kind, outcome, number)| {
        let name = format!("requests_total{{outcome={outcome},type={kind},wire={name}}}");
        (name, number)
    });
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(numbers.all("requests_total"), expected);
    assert_eq!(
        numbers.all("session_logins"),
        [
            ("session_logins_total{kept=false}".to_owned(), 1.0),
            ("session_logins_total{kept=true}".to_owned(), 2.0)
        ]
    );
    let bytes = |way: &str| format!("message_bytes_{way}_total{{wire={name}}}");
    let (sent, received) = (peer.sent + late.sent, peer.received + late.received);
    assert_eq!(numbers.get(&bytes("received")), sent as f64);
    assert_eq!(numbers.get(&bytes("sent")), received as f64);
    drop(late);
    assert_eq!(numbers.get("attachment_bytes_received_total{}"), 1000.0);
    numbers.until("attachment_bytes_sent_total{}", 5000.0).await;
    assert_eq!(numbers.counts["request_seconds{type=echo}"], 3);
    assert_eq!(numbers.counts["request_seconds{type=slow}"], 1);
    let slow = numbers.sums["request_seconds{type=slow}"];
    assert!((0.05..60.0).contains(&slow), "{slow}");

    // A connection that is cut in the middle of an upload, and one that leaves a handler at work.
    let server = bed.serve(&world, Limits::default()).await;
    let (mut cut, mut gone) = (server.peer().await, server.peer().await);
    let request = cut
        .send(upload, Some(1000))
        .await
        .expect("the server reads");
    let open = format!("connections_open{{wire={name}}}");
    let in_flight = format!("requests_in_flight{{wire={name}}}");
    numbers.until(&in_flight, 1.0).await;
    cut.send_some(request, &[7; 400]).await;
    gone.send(r#"{"type": "gate"}"#, None)
        .await
        .expect("the server reads");
    numbers.until(&in_flight, 2.0).await;
    numbers.until(&open, 3.0).await;
    drop(cut);
    let refused = format!("requests_total{{outcome=refused,type=upload,wire={name}}}");
    numbers.until(&refused, 1.0).await;
    assert_eq!(numbers.get("attachment_bytes_received_total{}"), 1400.0);
    drop(gone);
    assert_eq!(
        numbers.get(&in_flight),
        1.0,
        "a disconnect cancels no handler"
    );
    world.gate.notify_one();
    numbers.until(&in_flight, 0.0).await;
    let opened = format!("requests_total{{outcome=ok,type=gate,wire={name}}}");
    assert_eq!(numbers.get(&opened), 1.0);
    numbers.until(&open, 1.0).await;
    drop(peer);
    numbers.until(&open, 0.0).await;
    let closed = format!("connections_closed_total{{reason=closed,wire={name}}}");
    assert!(numbers.get(&closed) >= 1.0);
    let all = numbers.all("connections_closed_total");
    assert_eq!(
        all.iter().map(|(_, number)| number).sum::<f64>(),
        4.0,
        "{all:?}"
    );
    assert_eq!(numbers.get("connections_accepted_total{}"), 4.0);
    for gauge in ["connections_open", "requests_in_flight", "requests_waiting"] {
        assert_eq!(numbers.all(gauge), [], "gauges end at zero");
    }
}

#[tokio::test]
async fn a_scripted_exchange_is_counted_exactly_on_the_classic_wire() {
    exchange(Wire::Classic).await;
}

#[tokio::test]
async fn a_scripted_exchange_is_counted_exactly_on_the_native_wire() {
    exchange(Wire::Native).await;
}

#[tokio::test]
async fn requests_that_wait_for_the_way_out_are_a_gauge() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let mut numbers = Numbers::of(&recorder);
    let bed = Bed::new(Wire::Native, Over::Memory);
    let mut peer = bed
        .serve(&World::default(), Limits::default())
        .await
        .peer()
        .await;
    // The server says with its first answer how many may be in flight.
    assert!(peer.is_alive().await);
    for _ in 0..20 {
        peer.send(r#"{"type": "big", "len": 60000}"#, None)
            .await
            .expect("it reads");
    }
    // Nobody reads an answer, so some of them wait, and the others are through.
    let (mut waiting, mut through) = (0.0, 0.0);
    for _ in 0..1000 {
        waiting = numbers.get("requests_waiting{}");
        through = numbers
            .all("requests_total")
            .iter()
            .map(|(_, number)| number)
            .sum();
        if waiting > 0.0 && waiting + through == 21.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(waiting > 0.0 && through > 1.0, "{waiting} {through}");
    assert_eq!(waiting + through, 21.0);
    drop(peer);
    numbers.until("requests_waiting{}", 0.0).await;
    numbers.until("connections_open{wire=native}", 0.0).await;
}

#[tokio::test]
async fn connections_that_get_no_place_are_counted_by_reason() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let mut numbers = Numbers::of(&recorder);
    for (connections, connections_per_ip, reason) in [(1, 9, "server_full"), (9, 1, "address_full")]
    {
        let limits = Limits {
            connections,
            connections_per_ip,
            ..Limits::default()
        };
        let server = Server::bind("127.0.0.1:0").await.expect("a free port");
        let addr = server.local_addr().expect("bound");
        let app = App::from(common::dispatcher(World::default()));
        let serving = tokio::spawn(server.limits(limits).serve(app));
        let silent = TcpStream::connect(addr).await.expect("a server");
        numbers.until("connections_open{wire=undecided}", 1.0).await;
        let mut second = TcpStream::connect(addr).await.expect("a listener");
        assert!(matches!(second.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        let refused = format!("connections_refused_total{{reason={reason}}}");
        assert_eq!(numbers.get(&refused), 1.0);
        drop(silent);
        numbers.until("connections_open{wire=undecided}", 0.0).await;
        serving.abort();
    }
    let closed = numbers.get("connections_closed_total{reason=closed,wire=undecided}");
    assert_eq!(closed, 2.0);
    assert_eq!(numbers.get("connections_accepted_total{}"), 2.0);
}

#[tokio::test]
async fn what_goes_with_its_server_is_dropped_and_counted() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let mut numbers = Numbers::of(&recorder);
    let server = Server::bind("127.0.0.1:0").await.expect("a free port");
    let addr = server.local_addr().expect("bound");
    let serving = tokio::spawn(server.serve(common::dispatcher(World::default())));
    let mut peer = TcpStream::connect(addr).await.expect("a server");
    peer.write_all(&common::frame(br#"{"type": "gate"}"#))
        .await
        .expect("it reads");
    numbers.until("requests_in_flight{wire=classic}", 1.0).await;
    serving.abort();
    numbers.until("requests_in_flight{wire=classic}", 0.0).await;
    numbers.until("connections_open{wire=classic}", 0.0).await;
    let gate = "requests_total{outcome=dropped,type=gate,wire=classic}";
    assert_eq!(numbers.get(gate), 1.0);
    let closed = "connections_closed_total{reason=dropped,wire=classic}";
    assert_eq!(numbers.get(closed), 1.0);
}

/// Waits for ever, and may be stopped.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "soft", reply = ())]
struct Soft {}

async fn soft(_: Stoppable, _: Soft) {
    std::future::pending().await
}

#[tokio::test]
async fn a_cancel_and_a_deadline_have_outcomes_of_their_own() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let mut numbers = Numbers::of(&recorder);
    let app = App::from(Dispatcher::new(()).allow(Anyone, |group| group.on(soft)));
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve_stream(theirs, app, Limits::default()));
    let (read, write) = split(ours);
    let mut timeouts = Timeouts::default();
    timeouts.reply = Duration::from_secs(2);
    let client = Client::builder()
        .timeouts(timeouts)
        .over_native(read, write);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call(Soft {}).await }
    });
    numbers.until("requests_in_flight{wire=native}", 1.0).await;
    call.abort();
    let cancelled = "requests_total{outcome=cancelled,type=soft,wire=native}";
    numbers.until(cancelled, 1.0).await;
    client.call(Soft {}).await.expect_err("its time is over");
    // The client gives up at the same time, and its cancel may be quicker.
    numbers.until("requests_in_flight{wire=native}", 0.0).await;
    let late = numbers.get("requests_total{outcome=deadline_exceeded,type=soft,wire=native}");
    assert_eq!(late + numbers.get(cancelled), 2.0);
}

#[cfg(feature = "web")]
#[tokio::test]
async fn a_connection_of_http_that_becomes_a_websocket_is_counted_as_each_in_turn() {
    use packetboat_dispatch::web::{self, SocketOptions};

    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let mut numbers = Numbers::of(&recorder);
    let server = Server::bind("127.0.0.1:0").await.expect("a free port");
    let addr = server.local_addr().expect("bound");
    let socket = web::socket(SocketOptions::new().without_origin());
    let router = axum::Router::new().route("/socket", socket);
    tokio::spawn(
        server
            .web(router)
            .serve(common::dispatcher(World::default())),
    );
    let mut peer = TcpStream::connect(addr).await.expect("a server");
    peer.write_all(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("it reads");
    numbers.until("connections_open{wire=http}", 1.0).await;
    drop(peer);
    numbers.until("connections_open{wire=http}", 0.0).await;
    let url = format!("ws://{addr}/socket");
    let client = packetboat_dispatch::NativeClient::connect_websocket(&url).await;
    numbers.until("connections_open{wire=websocket}", 1.0).await;
    assert_eq!(numbers.get("connections_open{wire=http}"), 0.0);
    drop(client);
    numbers.until("connections_open{wire=websocket}", 0.0).await;
    for wire in ["http", "websocket"] {
        let closed = format!("connections_closed_total{{reason=closed,wire={wire}}}");
        assert_eq!(numbers.get(&closed), 1.0, "{wire}");
    }
    assert_eq!(numbers.get("connections_accepted_total{}"), 2.0);
}
