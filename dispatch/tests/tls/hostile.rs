//! Peers that stall, that are too old, and that speak nonsense.

use std::time::{Duration, Instant};

use packetboat_dispatch::Disconnect;
use packetboat_dispatch::tls::TlsMode::{Optional, Required};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::ALL_VERSIONS;

use crate::authority::{Authority, authority};
use crate::world::{PATIENCE, Plan, is_encrypted, rest};

const LIMIT: Duration = Duration::from_millis(400);

/// A hello of a client that knows nothing after this version, but maybe what signatures there are.
fn old_hello(minor: u8, signatures: bool) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    // No session; two ciphers of that time; no compression.
    body.extend([0, 0, 4, 0xc0, 0x14, 0, 0x2f, 1, 0]);
    if signatures {
        body.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    }
    let len = body.len() as u8;
    let mut record = vec![0x16, 3, minor.min(1), 0, len + 4, 1, 0, 0, len];
    record.extend(body);
    record
}

/// What a client of today says first.
async fn hello(authority: &Authority) -> Vec<u8> {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let recorded = async {
        let mut hello = vec![0; 5];
        theirs.read_exact(&mut hello).await.expect("a record");
        let len = u16::from_be_bytes([hello[3], hello[4]]).into();
        let mut body = vec![0; len];
        theirs.read_exact(&mut body).await.expect("a record");
        hello.extend(body);
        hello
    };
    tokio::select! {
        hello = recorded => hello,
        _ = authority.connect(ours, None, ALL_VERSIONS) => unreachable!("nobody answers"),
    }
}

#[tokio::test]
async fn versions_before_1_2_are_refused_with_an_alert() {
    let authority = authority();
    for mode in [Optional, Required] {
        let mut server = Plan::tls(authority.certificates(), mode).serve().await;
        // 1.1, 1.0, and SSL 3.0.
        for minor in [2, 1, 0] {
            // Fatal: handshake_failure where the lack of signatures is seen first, else
            // protocol_version.
            for (signatures, alert) in [(false, 40), (true, 70)] {
                let mut peer = server.connect().await;
                let hello = old_hello(minor, signatures);
                peer.write_all(&hello).await.expect("the server reads");
                let answer = rest(&mut peer).await;
                assert_eq!((answer[0], &answer[3..]), (21, &[0, 2, 2, alert][..]));
                let end = server.end().await;
                assert!(matches!(*end, Disconnect::Handshake(_)), "{end:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_hello_that_stalls_is_closed_in_time_and_holds_up_nobody() {
    let authority = authority();
    let hello = hello(&authority).await;
    for mode in [Optional, Required] {
        let plan = Plan::tls(authority.certificates(), mode).within(LIMIT);
        let mut server = plan.serve().await;
        // In the record's header, in the hello, and after it.
        for n in [6, 20, hello.len() - 1, hello.len()] {
            let start = Instant::now();
            let mut stalled = server.connect().await;
            stalled.write_all(&hello[..n]).await.expect("it reads");
            let stream = server.connect().await;
            let other = authority.connect(stream, None, ALL_VERSIONS).await;
            let mut other = other.expect("TLS");
            assert!(is_encrypted(&mut other).await);
            rest(&mut stalled).await;
            let took = start.elapsed();
            assert!(took >= LIMIT, "{n} bytes: {took:?}");
            let end = server.end().await;
            let in_time = matches!(*end, Disconnect::HandshakeTimeout { after } if after == LIMIT);
            assert!(in_time, "{n} bytes: {end:?}");
            other.shutdown().await.expect("open");
            server.end().await;
        }
    }
}

#[tokio::test]
async fn silence_where_tls_is_required_has_the_limit_of_a_handshake() {
    let authority = authority();
    for sent in [&b""[..], b"GE"] {
        let plan = Plan::tls(authority.certificates(), Required).within(LIMIT);
        let mut server = plan.serve().await;
        let mut silent = server.connect().await;
        silent.write_all(sent).await.expect("the server reads");
        rest(&mut silent).await;
        let end = server.end().await;
        let in_time = matches!(*end, Disconnect::HandshakeTimeout { .. });
        assert!(in_time, "{end:?}");
    }
}

/// One byte now and then is no progress.
#[tokio::test]
async fn a_hello_that_trickles_has_no_more_time_than_one_that_stalls() {
    let authority = authority();
    let hello = hello(&authority).await;
    let plan = Plan::tls(authority.certificates(), Optional).within(LIMIT);
    let mut server = plan.serve().await;
    let (mut read, mut write) = server.connect().await.into_split();
    let trickle = tokio::spawn(async move {
        for byte in hello {
            if write.write_all(&[byte]).await.is_err() {
                return;
            }
            // All of it would take longer than anybody here waits.
            tokio::time::sleep(LIMIT / 4).await;
        }
    });
    rest(&mut read).await;
    let end = server.end().await;
    assert!(
        matches!(*end, Disconnect::HandshakeTimeout { .. }),
        "{end:?}"
    );
    trickle.abort();
}

#[tokio::test]
async fn nonsense_after_a_hello_has_begun_ends_its_connection_alone() {
    let authority = authority();
    let hello = hello(&authority).await;
    let plan = Plan::tls(authority.certificates(), Required);
    let mut server = plan.serve().await;
    let mut seed = 1_u32;
    for n in 0..200 {
        let mut bytes = hello.clone();
        // Some bytes of a good hello, each time others: from a fixed beginning, so that it repeats.
        for _ in 0..=n % 8 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = 6 + (seed >> 8) as usize % (bytes.len() - 6);
            bytes[at] = (seed >> 24) as u8;
        }
        let mut peer = server.connect().await;
        peer.write_all(&bytes).await.expect("the server reads");
        // What a client would go on with.
        peer.write_all(&[0x17, 3, 3, 0, 1, 0]).await.expect("open");
        peer.shutdown().await.expect("open");
        rest(&mut peer).await;
        let end = server.end().await;
        assert!(matches!(*end, Disconnect::Handshake(_)), "{end:?}");
    }
    let stream = server.connect().await;
    let stream = authority.connect(stream, None, ALL_VERSIONS).await;
    assert!(is_encrypted(&mut stream.expect("TLS")).await);
}

/// TLS inside of TLS is no wire.
#[tokio::test]
async fn tls_is_not_looked_for_inside_of_itself() {
    let authority = authority();
    let hello = hello(&authority).await;
    let plan = Plan::tls(authority.certificates(), Optional);
    let mut server = plan.serve().await;
    let stream = server.connect().await;
    let stream = authority.connect(stream, None, ALL_VERSIONS).await;
    let mut stream = stream.expect("TLS");
    stream.write_all(&hello).await.expect("the server reads");
    stream.flush().await.expect("the server reads");
    let end = server.end().await;
    assert!(matches!(*end, Disconnect::Failed(_)), "{end:?}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_handshake() {
    let authority = authority();
    let hello = hello(&authority).await;
    let plan = Plan::tls(authority.certificates(), Required);
    let mut server = plan.within(Duration::from_secs(600)).serve().await;
    let mut stalled = server.connect().await;
    stalled.write_all(&hello).await.expect("the server reads");
    // The server's part has come: it waits for ours.
    stalled.read_u8().await.expect("a hello");
    server.stop.shutdown();
    let served = tokio::time::timeout(PATIENCE, &mut server.serving).await;
    served.expect("in time").expect("no panic").expect("a stop");
    assert!(matches!(*server.end().await, Disconnect::Stopped));
}
