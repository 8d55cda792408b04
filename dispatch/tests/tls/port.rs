//! One port for TLS and for what is plain, and one for TLS alone.

use std::io::ErrorKind;
use std::time::Duration;

use packetboat_dispatch::tls::TlsMode::{Optional, Required};
use packetboat_dispatch::{Disconnect, Wire};
use packetboat_framing::native::Preface;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::authority::authority;
use crate::world::{Log, PATIENCE, Plan, frame, is_encrypted, rest};

/// What a native server sends first.
const NATIVE_MAGIC: [u8; 4] = [0xb0, 0xa7, 0xb0, 0xa7];

async fn speaks_native(io: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin)) {
    let preface = Preface::client().to_bytes();
    io.write_all(&preface).await.expect("the server reads");
    io.flush().await.expect("the server reads");
    let mut magic = [0; 4];
    io.read_exact(&mut magic).await.expect("a preface");
    assert_eq!(magic, NATIVE_MAGIC);
}

#[tokio::test]
async fn tls_and_plain_share_a_port_and_inside_either_wire_is_found() {
    let authority = authority();
    let server = Plan::tls(authority.certificates(), Optional).serve().await;
    assert!(!is_encrypted(&mut server.connect().await).await);
    speaks_native(&mut server.connect().await).await;
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let stream = server.connect().await;
        let mut classic = authority
            .connect(stream, None, versions)
            .await
            .expect("TLS");
        assert!(is_encrypted(&mut classic).await);
        for alpn in [None, Some("packetboat/1")] {
            let stream = server.connect().await;
            let native = authority.connect(stream, alpn, versions).await;
            let mut native = native.expect("TLS");
            let agreed = native.get_ref().1.alpn_protocol();
            assert_eq!(agreed, alpn.map(str::as_bytes));
            speaks_native(&mut native).await;
        }
    }
}

/// Byte by byte the first six are read on their own, and have to reach TLS.
#[tokio::test]
async fn bytes_that_told_tls_are_not_lost() {
    let authority = authority();
    let server = Plan::tls(authority.certificates(), Optional).serve().await;
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let addr = server.addr;
    let relay = tokio::spawn(async move {
        let mut server = TcpStream::connect(addr).await.expect("a server");
        server.set_nodelay(true).expect("an option of every socket");
        for _ in 0..12 {
            let byte = theirs.read_u8().await.expect("a hello");
            server.write_u8(byte).await.expect("the server reads");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let _ = tokio::io::copy_bidirectional(&mut theirs, &mut server).await;
    });
    let stream = authority.connect(ours, None, ALL_VERSIONS).await;
    assert!(is_encrypted(&mut stream.expect("TLS")).await);
    relay.abort();
}

#[tokio::test]
async fn what_is_plain_on_a_port_for_tls_alone_is_closed_unread_with_a_hint() {
    let authority = authority();
    let preface = Preface::client().to_bytes().to_vec();
    for (bytes, looks_like) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "; looks like HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "; looks like SSH"),
        (br#"{"type": "how"}"#.to_vec(), "; looks like JSON"),
        (frame(r#"{"type": "how"}"#), "not TLS, which is required"),
        (preface, "not TLS, which is required"),
        (b"GE".to_vec(), "not TLS, which is required"),
    ] {
        let log = Log::default();
        let _guard = log.capture();
        let plan = Plan::tls(authority.certificates(), Required);
        let mut server = plan.serve().await;
        let mut peer = server.connect().await;
        peer.write_all(&bytes).await.expect("the server reads");
        if bytes.len() < 4 {
            peer.shutdown().await.expect("open");
        }
        assert_eq!(rest(&mut peer).await, b"", "an answer in plain");
        let end = server.end().await;
        assert!(matches!(*end, Disconnect::Plain { .. }), "{end:?}");
        let text = log.text();
        assert!(
            text.contains("not TLS, which is required") && text.contains(looks_like),
            "{text}"
        );
    }
}

#[tokio::test]
async fn tls_where_it_is_off_is_closed_with_a_hint() {
    let authority = authority();
    for only in [None, Some(Wire::Classic)] {
        let log = Log::default();
        let _guard = log.capture();
        let plan = Plan {
            only,
            ..Plan::default()
        };
        let mut server = plan.serve().await;
        let stream = server.connect().await;
        let refused = authority.connect(stream, None, ALL_VERSIONS).await;
        refused.expect_err("nobody shakes hands");
        let end = server.end().await;
        assert!(matches!(*end, Disconnect::Failed(_)), "{end:?}");
        assert!(log.text().contains("looks like TLS"), "{}", log.text());
    }
}

#[tokio::test]
async fn a_server_of_one_wire_has_that_one_inside_of_tls() {
    let authority = authority();
    for mode in [Optional, Required] {
        for only in [Wire::Classic, Wire::Native] {
            let plan = Plan {
                only: Some(only),
                ..Plan::tls(authority.certificates(), mode)
            };
            let mut server = plan.serve().await;
            let stream = server.connect().await;
            let stream = authority.connect(stream, None, ALL_VERSIONS).await;
            let mut stream = stream.expect("TLS");
            match only {
                Wire::Native => speaks_native(&mut stream).await,
                _ => assert!(is_encrypted(&mut stream).await),
            }
            drop(stream);
            server.end().await;
            if mode == Optional {
                let mut plain = server.connect().await;
                match only {
                    Wire::Native => speaks_native(&mut plain).await,
                    _ => assert!(!is_encrypted(&mut plain).await),
                }
            }
            // ALPN agrees upon nothing that is not served.
            let stream = server.connect().await;
            let native = authority.connect(stream, Some("packetboat/1"), ALL_VERSIONS);
            let native = native.await.expect("TLS");
            let agreed = native.get_ref().1.alpn_protocol().is_some();
            assert_eq!(agreed, only == Wire::Native);
        }
    }
}

#[tokio::test]
async fn who_names_other_protocols_is_refused_in_the_handshake() {
    let authority = authority();
    let plan = Plan::tls(authority.certificates(), Required);
    let mut server = plan.serve().await;
    let stream = server.connect().await;
    let browser = authority.connect(stream, Some("h2"), ALL_VERSIONS).await;
    let error = browser.expect_err("nothing in common");
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
    let end = server.end().await;
    assert!(matches!(*end, Disconnect::Handshake(_)), "{end:?}");
}

/// However a connection ends, the peer can tell it from one that somebody has cut.
#[tokio::test]
async fn a_server_that_closes_says_so() {
    let authority = authority();
    // Idle for too long; an answer that is the last; a stop.
    for n in 0..3 {
        let mut plan = Plan::tls(authority.certificates(), Required);
        if n == 0 {
            plan.limits.wire.idle_time = Duration::from_millis(100);
        }
        let server = plan.serve().await;
        let stream = server.connect().await;
        let stream = authority.connect(stream, None, ALL_VERSIONS).await;
        let mut stream = stream.expect("TLS");
        assert!(is_encrypted(&mut stream).await);
        match n {
            0 => {}
            1 => stream.write_all(&frame("nope")).await.expect("it reads"),
            _ => server.stop.shutdown(),
        }
        let mut left = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut left)).await;
        let read = read.expect("the server closes").map_err(|e| e.kind());
        assert_ne!(read, Err(ErrorKind::UnexpectedEof), "a cut, of case {n}");
        assert_eq!(read.is_ok_and(|n| n > 0), n == 1, "case {n}");
    }
}

#[tokio::test]
async fn a_peer_that_closes_is_told_from_one_that_was_cut() {
    let authority = authority();
    let plan = Plan::tls(authority.certificates(), Required);
    let mut server = plan.serve().await;
    for says_so in [true, false] {
        let stream = server.connect().await;
        let stream = authority.connect(stream, None, ALL_VERSIONS).await;
        let mut stream = stream.expect("TLS");
        assert!(is_encrypted(&mut stream).await);
        if says_so {
            stream.shutdown().await.expect("open");
        }
        drop(stream);
        let end = server.end().await;
        assert_eq!(matches!(*end, Disconnect::Closed), says_so, "{end:?}");
    }
}

/// More answers than the sockets hold, and a peer that reads slowly: what TLS has taken and could
/// not write leaves when there is room, also the last of it.
#[tokio::test]
async fn what_waits_inside_of_tls_leaves_when_the_peer_reads() {
    const ANSWERS: usize = 16;
    const PADDING: usize = 900_000;

    let authority = authority();
    let plan = Plan::tls(authority.certificates(), Required);
    let server = plan.serve().await;
    let socket = TcpSocket::new_v4().expect("a socket");
    let small = socket.set_recv_buffer_size(64 * 1024);
    small.expect("an option of every socket");
    let stream = socket.connect(server.addr).await.expect("a server");
    let stream = authority.connect(stream, None, ALL_VERSIONS).await;
    let (mut read, mut write) = tokio::io::split(stream.expect("TLS"));
    let asking = tokio::spawn(async move {
        let ask = frame(&format!(r#"{{"type": "how", "padding": {PADDING}}}"#));
        for _ in 0..ANSWERS {
            write.write_all(&ask).await.expect("the server reads");
        }
        write.flush().await.expect("the server reads");
        write
    });
    let reading = async {
        let (mut got, mut piece) = (0, vec![0; 64 * 1024]);
        while got < ANSWERS * PADDING {
            got += read.read(&mut piece).await.expect("answers");
            // Slower than the server writes: its socket is full, to the end.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    read.expect("all of it leaves");
    drop(asking.await.expect("no panic"));
}
