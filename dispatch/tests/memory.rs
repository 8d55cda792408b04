//! What a message may cost in memory, by a counting allocator.

// The counter is the one place that needs it: an allocator cannot be written in safe code.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "tls")]
#[path = "common/authority.rs"]
mod authority;

use packetboat_dispatch::{Anyone, App, Dispatcher, Message};
use serde::Deserialize;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// What counts is alone in the process.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(now, Ordering::SeqCst);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Deserialize, Message)]
#[message(type = "list", reply = usize)]
struct List {
    #[serde(default)]
    items: Vec<u16>,
}

async fn list(request: List) -> usize {
    request.items.len()
}

#[test]
fn a_megabyte_of_elements_costs_at_most_four_times_its_bytes() {
    let _alone = ALONE.lock().expect("no panic");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let local = App::from(Dispatcher::new(()).allow(Anyone, |group| group.on(list))).connect();
    for (key, element, answer) in [
        ("ignored", "[],", "0"),
        ("ignored", "NaN,", "0"),
        ("items", "7,", "524289"),
    ] {
        let many = element.repeat((1 << 20) / element.len());
        let last = element.trim_end_matches(',');
        let message = format!(r#"{{"type": "list", "{key}": [{many}{last}]}}"#);
        let before = NOW.load(Ordering::SeqCst);
        PEAK.store(before, Ordering::SeqCst);
        let reply = runtime.block_on(local.request(message.as_bytes()));
        let cost = PEAK.load(Ordering::SeqCst) - before;
        assert_eq!(reply.text(), format!(r#"{{"flag":true,"value":{answer}}}"#));
        assert!(
            cost <= 4 * message.len(),
            "{key}: {cost} bytes for {}",
            message.len()
        );
    }
}

/// Connections that have shaken hands and asked once, and then say nothing. Their other ends are
/// sockets alone.
#[cfg(feature = "tls")]
#[test]
fn an_idle_connection_costs_a_few_kibibytes_more_through_tls() {
    use packetboat_dispatch::tls::TlsMode;
    use packetboat_dispatch::{Limits, Server};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_rustls::rustls::ALL_VERSIONS;

    const MANY: usize = 64;
    /// What TLS may add: its state, and a buffer of 4 KiB. A record alone may claim 16 besides.
    const MORE: usize = 16 * 1024;
    /// Of a hello that says it will be this long, in a record that says so too.
    const BEGUN: [u8; 9] = [0x16, 3, 1, 0x3f, 0xff, 1, 0, 0xff, 0xff];

    let _alone = ALONE.lock().expect("no panic");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let authority = authority::authority();
    runtime.block_on(async {
        let server = Server::bind("127.0.0.1:0").await.expect("a free port");
        let addr = server.local_addr().expect("bound");
        let server = server.tls(authority.certificates(), TlsMode::Optional);
        let app = Dispatcher::new(()).allow(Anyone, |group| group.on(list));
        let limits = Limits {
            connections_per_ip: 4 * MANY,
            ..Limits::default()
        };
        tokio::spawn(server.limits(limits).serve(app));
        let idle = async |encrypted: bool| {
            let mut stream = TcpStream::connect(addr).await.expect("a server");
            let ask = b"\x10\0\0\0{\"type\": \"list\"}";
            if !encrypted {
                stream.write_all(ask).await.expect("the server reads");
                stream.read_exact(&mut [0; 4]).await.expect("an answer");
                return stream;
            }
            let stream = authority.connect(stream, None, ALL_VERSIONS).await;
            let mut stream = stream.expect("TLS");
            stream.write_all(ask).await.expect("the server reads");
            stream.read_exact(&mut [0; 4]).await.expect("an answer");
            stream.into_inner().0
        };
        let stalled = async || {
            let mut stream = TcpStream::connect(addr).await.expect("a server");
            stream.write_all(&BEGUN).await.expect("the server reads");
            stream
        };
        let mut held = Vec::with_capacity(4 * MANY);
        // What is made once, and the room that tables grow to.
        for _ in 0..MANY {
            held.push(idle(true).await);
            held.push(idle(false).await);
        }
        let mut each = Vec::new();
        for kind in 0..3 {
            let before = NOW.load(Ordering::SeqCst);
            for _ in 0..MANY / 2 {
                held.push(match kind {
                    0 => idle(false).await,
                    1 => idle(true).await,
                    _ => stalled().await,
                });
            }
            // Whoever connects last is served last.
            drop(idle(false).await);
            each.push((NOW.load(Ordering::SeqCst) - before) / (MANY / 2));
        }
        let [plain, encrypted, stalled] = each[..] else {
            unreachable!("three kinds")
        };
        eprintln!("plain {plain}, encrypted {encrypted}, stalled {stalled}");
        assert!(
            encrypted < plain + MORE,
            "{encrypted} through TLS, {plain} in plain"
        );
        assert!(stalled < plain + MORE, "{stalled} for what was claimed");
    });
}

/// WebSockets that have been answered once, and then say nothing. Their other ends are sockets alone.
#[cfg(feature = "web")]
#[test]
fn an_idle_websocket_costs_at_most_four_and_a_half_kibibytes() {
    use packetboat_dispatch::web::{self, SocketOptions};
    use packetboat_dispatch::{Limits, Server};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    const MANY: usize = 1_000;
    const MOST: usize = 4_608;
    const OPEN: &[u8] =
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    /// A mask of zeros changes nothing.
    const ASK: &[u8] = b"\x81\x97\0\0\0\0{\"id\":1,\"type\": \"list\"}";
    const PREFACE: &[u8] = b"\x82\x88\0\0\0\0\xb0\xa7\xb0\xa7\x01\x01\0\0";

    let _alone = ALONE.lock().expect("no panic");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let server = Server::bind("127.0.0.1:0").await.expect("a free port");
        let addr = server.local_addr().expect("bound");
        let socket = web::socket(SocketOptions::new().without_origin());
        let server = server.web(axum::Router::new().route("/", socket));
        let app = Dispatcher::new(()).allow(Anyone, |group| group.on(list));
        let limits = Limits {
            connections_per_ip: 4 * MANY,
            ..Limits::default()
        };
        tokio::spawn(server.limits(limits).serve(app));
        let idle = async |first: &[u8], answer: &[u8]| {
            let mut stream = TcpStream::connect(addr).await.expect("a server");
            stream.write_all(OPEN).await.expect("the server reads");
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.expect("an answer"));
            }
            assert!(seen.starts_with(b"HTTP/1.1 101 "));
            stream.write_all(first).await.expect("the server reads");
            let mut seen = vec![0; answer.len()];
            stream.read_exact(&mut seen).await.expect("an answer");
            assert_eq!(seen, answer);
            // This end costs nothing that counts.
            stream.into_std().expect("it is registered")
        };
        let plain = async || {
            let mut stream = TcpStream::connect(addr).await.expect("a server");
            let ask = b"\x10\0\0\0{\"type\": \"list\"}";
            stream.write_all(ask).await.expect("the server reads");
            stream.read_exact(&mut [0; 4]).await.expect("an answer");
            stream.into_std().expect("it is registered")
        };
        let text = async || idle(ASK, b"\x81\x12{\"id\":1,\"reply\":0}").await;
        let binary = async || idle(PREFACE, b"\x82\x08\xb0\xa7\xb0\xa7\x01\x01\0\x80").await;
        let mut held = Vec::with_capacity(4 * MANY);
        // What is made once, and the room that tables grow to.
        for _ in 0..MANY / 4 {
            held.push(text().await);
            held.push(binary().await);
        }
        let mut each = Vec::new();
        for kind in 0..3 {
            let before = NOW.load(Ordering::SeqCst);
            for _ in 0..MANY {
                held.push(match kind {
                    0 => plain().await,
                    1 => text().await,
                    _ => binary().await,
                });
            }
            // Whoever connects last is served last.
            drop(plain().await);
            each.push((NOW.load(Ordering::SeqCst) - before) / MANY);
        }
        let [plain, text, binary] = each[..] else {
            unreachable!("three kinds")
        };
        eprintln!("plain {plain}, text {text}, binary {binary}");
        assert!(text <= MOST, "{text} for text");
        assert!(binary <= MOST, "{binary} for binary");
    });
}
