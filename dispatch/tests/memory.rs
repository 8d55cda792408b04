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

/// WebSockets, by clients that are sockets alone.
#[cfg(feature = "web")]
mod websockets {
    use packetboat_dispatch::web::{self, SocketOptions};
    use packetboat_dispatch::{Limits, Server};
    use std::net::SocketAddr;
    use std::time::Duration;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};

    use super::*;

    const OPEN: &[u8] =
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const PREFACE: &[u8] = b"\xb0\xa7\xb0\xa7\x01\x01\0\0";

    #[derive(Deserialize, Message)]
    #[message(type = "big", reply = String)]
    struct Big {}

    async fn big(_: Big) -> String {
        "x".repeat(500_000)
    }

    /// A frame of a client. A mask of zeros changes nothing.
    fn frame(opcode: u8, message: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match message.len() {
            len @ ..126 => frame.push(0x80 | len as u8),
            len => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(message);
        frame
    }

    async fn serve() -> SocketAddr {
        let server = Server::bind("127.0.0.1:0").await.expect("a free port");
        let addr = server.local_addr().expect("bound");
        begin(server);
        addr
    }

    fn begin(server: Server) {
        let socket = web::socket(SocketOptions::new().without_origin());
        let server = server.web(axum::Router::new().route("/", socket));
        let app = Dispatcher::new(()).allow(Anyone, |group| group.on(list).on(big));
        let mut limits = Limits {
            connections_per_ip: 10_000,
            ..Limits::default()
        };
        limits.wire.write_time = Duration::from_secs(1);
        tokio::spawn(server.limits(limits).serve(app));
    }

    async fn open<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T) -> T {
        stream.write_all(OPEN).await.expect("the server reads");
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            seen.push(stream.read_u8().await.expect("an answer"));
        }
        assert!(seen.starts_with(b"HTTP/1.1 101 "));
        stream
    }

    /// One that has said this, and has been answered so. This end of it costs nothing that counts.
    async fn idle(addr: SocketAddr, frames: &[u8], answer: &[u8]) -> std::net::TcpStream {
        let stream = TcpStream::connect(addr).await.expect("a server");
        let mut stream = open(stream).await;
        stream.write_all(frames).await.expect("the server reads");
        let mut seen = vec![0; answer.len()];
        stream.read_exact(&mut seen).await.expect("an answer");
        assert_eq!(seen, answer);
        stream.into_std().expect("it is registered")
    }

    async fn plain(addr: SocketAddr) -> std::net::TcpStream {
        let mut stream = TcpStream::connect(addr).await.expect("a server");
        let ask = b"\x10\0\0\0{\"type\": \"list\"}";
        stream.write_all(ask).await.expect("the server reads");
        stream.read_exact(&mut [0; 4]).await.expect("an answer");
        stream.into_std().expect("it is registered")
    }

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    }

    #[test]
    fn an_idle_websocket_costs_at_most_four_and_a_half_kibibytes() {
        const MANY: usize = 1_000;
        const MOST: usize = 4_608;
        let _alone = ALONE.lock().expect("no panic");
        let ask = br#"{"id":1,"type": "list"}"#;
        let answer = b"\x81\x12{\"id\":1,\"reply\":0}";
        let text = frame(1, ask);
        // A long message, and then a short one: what the long one needed is given back.
        let mut long = frame(
            1,
            format!("{{{}{}", " ".repeat(60_000), "\"id\":1,\"type\": \"list\"}").as_bytes(),
        );
        long.extend(&text);
        let twice = [&answer[..], answer].concat();
        let binary = frame(2, PREFACE);
        let preface = b"\x82\x08\xb0\xa7\xb0\xa7\x01\x01\0\x80";
        runtime().block_on(async {
            let addr = serve().await;
            let mut held = Vec::with_capacity(8 * MANY);
            // What is made once, and the room that tables grow to.
            for _ in 0..MANY {
                held.push(idle(addr, &text, answer).await);
            }
            let mut each = Vec::new();
            for kind in 0..4 {
                let before = NOW.load(Ordering::SeqCst);
                let many = if kind == 2 { MANY / 20 } else { MANY };
                for _ in 0..many {
                    held.push(match kind {
                        0 => plain(addr).await,
                        1 => idle(addr, &text, answer).await,
                        2 => idle(addr, &long, &twice).await,
                        _ => idle(addr, &binary, preface).await,
                    });
                }
                // Whoever connects last is served last.
                drop(plain(addr).await);
                each.push((NOW.load(Ordering::SeqCst) - before) / many);
            }
            let [plain, text, long, binary] = each[..] else {
                unreachable!("four kinds")
            };
            eprintln!("plain {plain}, text {text}, after a long one {long}, binary {binary}");
            for cost in [text, long, binary] {
                assert!(cost <= MOST, "{cost}");
            }
        });
    }

    #[test]
    fn whoever_floods_and_does_not_read_costs_a_bounded_amount() {
        /// What a connection may hold of its peer's and of its own: messages of 64 KiB and replies of
        /// a megabyte, a few of each.
        const MOST: usize = 8 << 20;
        let _alone = ALONE.lock().expect("no panic");
        let pings = frame(9, &[b'x'; 125]).repeat(100);
        let wrong = frame(1, b"").repeat(100);
        let asking = frame(1, br#"{"id":1,"type":"big"}"#).repeat(100);
        runtime().block_on(async {
            // Its buffers are small, so that what is not taken is soon noticed.
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("socket");
            begin(Server::bind_unix(&path).expect("a socket"));
            for (name, frames, most) in [
                ("pings", &pings, 2_000),
                ("what is no request", &wrong, 2_000),
                ("requests", &asking, 20),
            ] {
                let stream = UnixStream::connect(&path).await.expect("a server");
                let mut stream = open(stream).await;
                let before = NOW.load(Ordering::SeqCst);
                PEAK.store(before, Ordering::SeqCst);
                let flooding = async {
                    for _ in 0..most {
                        if stream.write_all(frames).await.is_err() {
                            break;
                        }
                    }
                    std::future::pending::<()>().await;
                };
                // Longer than a peer may take nothing.
                let _ = tokio::time::timeout(Duration::from_secs(2), flooding).await;
                let cost = PEAK.load(Ordering::SeqCst) - before;
                eprintln!("{name}: {cost}");
                assert!(cost <= MOST, "{name}: {cost}");
            }
        });
    }
}
