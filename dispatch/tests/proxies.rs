//! A server behind proxies: who the client of a connection is, and how many it may have.
#![cfg(feature = "proxies")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use packetboat_dispatch::proxies::{ProxyProtocol, TrustedProxies};
use packetboat_dispatch::{
    Anyone, Client, Dispatcher, Limits, Message, NativeClient, Peer, Rejection, Server,
    ShutdownHandle,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

#[derive(Debug, Deserialize, Message, Serialize)]
#[message(type = "who", reply = You)]
struct Who {}

#[derive(Debug, Deserialize, Serialize)]
struct You {
    addr: String,
}

async fn who(peer: Peer, _: Who) -> Result<You, Rejection> {
    Ok(You {
        addr: peer
            .addr()
            .map_or_else(String::new, |addr| addr.to_string()),
    })
}

struct Served {
    addr: SocketAddr,
    stop: ShutdownHandle,
    task: JoinHandle<Result<(), packetboat_dispatch::Error>>,
}

impl Served {
    async fn by(proxies: TrustedProxies, connections_per_ip: usize) -> Self {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let addr = server.local_addr().expect("an address");
        let stop = server.shutdown_handle();
        let limits = Limits {
            connections_per_ip,
            ..Limits::default()
        };
        let app = Dispatcher::new(()).allow(Anyone, |group| group.on(who));
        let server = server.limits(limits).trust_proxies(proxies);
        let task = tokio::spawn(server.serve(app));
        Self { addr, stop, task }
    }

    async fn end(self) {
        self.stop.shutdown();
        self.task.await.expect("no panic").expect("a good end");
    }

    /// Connects, says these bytes first, and then speaks the native wire.
    async fn client(&self, first: &[u8]) -> (NativeClient, String) {
        let mut stream = TcpStream::connect(self.addr).await.expect("a connection");
        let own = stream.local_addr().expect("an address").to_string();
        stream.write_all(first).await.expect("sent");
        let (read, write) = stream.into_split();
        (Client::builder().over_native(read, write), own)
    }

    /// What the server sees of a client that begins with these bytes; `None` where it closes.
    async fn seen(&self, first: &[u8]) -> Option<String> {
        let (client, own) = self.client(first).await;
        let you = timeout(Duration::from_secs(5), client.call(Who {}))
            .await
            .expect("in time");
        let addr = you.ok()?.addr;
        Some(if addr == own {
            "itself".to_owned()
        } else {
            addr
        })
    }
}

fn loopback(protocol: ProxyProtocol) -> TrustedProxies {
    let proxies = TrustedProxies::new(["127.0.0.0/8"]).expect("a network");
    proxies.proxy_protocol(protocol)
}

fn text(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 198.51.100.7 56324 443\r\n").into_bytes()
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn binary(client: [u8; 4]) -> Vec<u8> {
    [
        SIGNATURE,
        b"\x21\x11\0\x0c",
        &client,
        &[198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb],
    ]
    .concat()
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_of_a_connection() {
    let served = Served::by(loopback(ProxyProtocol::Required), 64).await;
    let seen = async |first: &[u8]| served.seen(first).await;
    assert_eq!(
        seen(&text("192.0.2.1")).await.as_deref(),
        Some("192.0.2.1:56324")
    );
    assert_eq!(
        seen(&binary([192, 0, 2, 2])).await.as_deref(),
        Some("192.0.2.2:56324")
    );
    // The proxy itself, which asks how the server is.
    let local = [SIGNATURE, b"\x20\0\0\0"].concat();
    assert_eq!(seen(&local).await.as_deref(), Some("itself"));
    assert_eq!(seen(b"PROXY UNKNOWN\r\n").await.as_deref(), Some("itself"));
    // One header, and not a second that the client has sent.
    let twice = [text("192.0.2.1"), text("6.6.6.6")].concat();
    assert_eq!(seen(&twice).await, None);
    // Without one it is closed.
    assert_eq!(seen(b"").await, None);
    assert_eq!(seen(b"GET / HTTP/1.1\r\n\r\n").await, None);
    served.end().await;
}

#[tokio::test]
async fn from_elsewhere_a_header_is_a_foreign_dialect() {
    let elsewhere = TrustedProxies::new(["10.0.0.0/8"]).expect("a network");
    let elsewhere = elsewhere.proxy_protocol(ProxyProtocol::Required);
    for proxies in [
        elsewhere,
        loopback(ProxyProtocol::Off),
        TrustedProxies::default(),
    ] {
        let served = Served::by(proxies, 64).await;
        assert_eq!(served.seen(b"").await.as_deref(), Some("itself"));
        assert_eq!(served.seen(&text("6.6.6.6")).await, None);
        assert_eq!(served.seen(&binary([6, 6, 6, 6])).await, None);
        served.end().await;
    }
}

#[tokio::test]
async fn each_client_of_a_proxy_has_the_cap_of_its_own_address() {
    let served = Served::by(loopback(ProxyProtocol::Required), 2).await;
    let mut open = Vec::new();
    for client in [
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.2",
        "192.0.2.3",
    ] {
        let (client, _) = served.client(&text(client)).await;
        client.call(Who {}).await.expect("there is room");
        open.push(client);
    }
    // The proxy's own connections are five by now, and the third of one client is refused.
    assert_eq!(served.seen(&text("192.0.2.1")).await, None);
    assert!(served.seen(&text("192.0.2.4")).await.is_some());
    // One goes, and its place is free. That the server has noticed is waited for.
    drop(open.remove(0));
    let again = async {
        while served.seen(&text("192.0.2.1")).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), again)
        .await
        .expect("a place");
    drop(open);
    served.end().await;
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_closed_in_time_and_holds_up_nobody() {
    let proxies = loopback(ProxyProtocol::Required).header_time(Duration::from_millis(200));
    let served = Served::by(proxies, 64).await;
    let mut silent = TcpStream::connect(served.addr).await.expect("a connection");
    let mut half = TcpStream::connect(served.addr).await.expect("a connection");
    half.write_all(b"PROXY TCP4 192.0.2").await.expect("sent");
    assert!(
        served.seen(&text("192.0.2.1")).await.is_some(),
        "others are served meanwhile"
    );
    for stream in [&mut silent, &mut half] {
        let closed = timeout(Duration::from_secs(5), stream.read_u8()).await;
        closed.expect("in time").expect_err("it is closed");
    }
    served.end().await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_no_header() {
    let served = Served::by(loopback(ProxyProtocol::Required), 64).await;
    let mut silent = TcpStream::connect(served.addr).await.expect("a connection");
    assert!(
        served.seen(&text("192.0.2.1")).await.is_some(),
        "the silent one is accepted by now"
    );
    timeout(Duration::from_secs(3), served.end())
        .await
        .expect("it stops");
    silent.read_u8().await.expect_err("it is closed");
}
