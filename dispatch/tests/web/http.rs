//! HTTP beside the wires: pages, limits, and requests that are meant to be read in two ways.

use std::time::{Duration, Instant};

use packetboat_dispatch::tls::TlsMode;
use packetboat_dispatch::web::WebLimits;
use packetboat_dispatch::{Disconnect, Limits, Wire};
use packetboat_framing::Error;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::ALL_VERSIONS;

use crate::authority::authority;
use crate::world::{Client, Plan, Running, rest};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[tokio::test]
async fn a_page_comes_from_the_port_of_the_wires() {
    let mut server = Plan::default().serve().await;
    let answer = server.raw(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\na page"), "{answer}");
    assert!(matches!(*server.end().await, Disconnect::Closed));
    let answer = server.raw(GET.replace("/ ", "/from ")).await;
    assert!(answer.ends_with("\r\n\r\ntrue false"), "{answer}");
    let answer = server.raw(GET.replace("/ ", "/nowhere ")).await;
    assert_eq!(status(&answer), "404");
    let answer = server.raw(GET.replace("/ ", "/panic ")).await;
    assert_eq!(status(&answer), "500", "{answer}");
    // The wires are there as before, an octet at a time too.
    let mut classic = server.connect().await;
    for byte in b"\x1d\0\0\0{\"type\": \"echo\", \"text\": \"a\"}" {
        classic.write_all(&[*byte]).await.expect("the server reads");
    }
    let mut len = [0; 4];
    classic.read_exact(&mut len).await.expect("an answer");
    assert_ne!(len, [0; 4]);
}

#[tokio::test]
async fn a_connection_is_kept_and_its_requests_may_be_in_a_row() {
    let server = Plan::default().serve().await;
    let two = "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /post HTTP/1.1\r\nHost: a\r\n\
        Content-Length: 5\r\n\r\nhello"
        .to_owned()
        + GET;
    let answer = server.raw(two).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert!(answer.contains("\r\n\r\nhelloHTTP/1.1 200"), "{answer}");
    // Cut anywhere.
    let mut stream = server.connect().await;
    for byte in GET.bytes() {
        stream.write_all(&[byte]).await.expect("the server reads");
        tokio::task::yield_now().await;
    }
    assert!(rest(&mut stream).await.ends_with(b"a page"));
}

#[tokio::test]
async fn http_and_websockets_come_out_of_tls_by_alpn_or_by_their_first_bytes() {
    let authority = authority();
    for mode in [TlsMode::Optional, TlsMode::Required] {
        let server = Plan {
            tls: Some((authority.certificates(), mode)),
            ..Plan::default()
        };
        let server = server.serve().await;
        for alpn in [None, Some("http/1.1")] {
            let stream = server.connect().await;
            let stream = authority.connect(stream, alpn, ALL_VERSIONS).await;
            let mut stream = stream.expect("TLS");
            let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            assert_eq!(agreed.as_deref(), alpn.map(str::as_bytes));
            let from = GET.replace("/ ", "/from ");
            stream
                .write_all(from.as_bytes())
                .await
                .expect("the server reads");
            let answer = String::from_utf8(rest(&mut stream).await).expect("text");
            assert!(answer.ends_with("\r\n\r\ntrue true"), "{answer}");

            let stream = server.connect().await;
            let stream = authority.connect(stream, alpn, ALL_VERSIONS).await;
            let headers = [("cookie", "member=ann"), ("origin", "https://localhost")];
            let client = Client::over(stream.expect("TLS"), "/member", &headers).await;
            let mut client = client.expect("a WebSocket");
            let answer = client.ask(r#"{"id":1,"type":"who"}"#).await;
            assert_eq!(answer, json!({"id": 1, "reply": "ann true"}));
        }
        // Nobody is made to speak HTTP/2.
        let stream = server.connect().await;
        let refused = authority.connect(stream, Some("h2"), ALL_VERSIONS).await;
        assert!(refused.is_err());
        let plain = server.raw(GET).await;
        assert_eq!(plain.is_empty(), mode == TlsMode::Required, "{plain}");
    }
}

#[tokio::test]
async fn the_preface_of_http_2_is_closed_cleanly() {
    let mut server = Plan::default().serve().await;
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // A hundred thousand streams that are opened and reset at once, if anybody took them.
    for stream in 0..100_000_u32 {
        let id = (2 * stream + 1).to_be_bytes();
        preface.extend([0, 0, 1, 1, 5]);
        preface.extend(id);
        preface.push(0x82);
        preface.extend([0, 0, 4, 3, 0]);
        preface.extend(id);
        preface.extend([0, 0, 0, 8]);
    }
    let begun = Instant::now();
    let answer = server.raw(&preface).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    let ended = server.end().await;
    assert!(
        matches!(&*ended, Disconnect::Failed(Error::InvalidHeader { .. })),
        "{ended:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(status(&server.raw(GET).await), "200");
}

/// A server with short limits, on which the classic wire is served or not.
async fn hasty(only: Option<Wire>) -> Running {
    let mut plan = Plan {
        only,
        ..Plan::default()
    };
    plan.limits.web = WebLimits {
        first_byte_time: Duration::from_millis(600),
        head_time: Duration::from_millis(300),
        ..WebLimits::default()
    };
    plan.limits.wire.body_rate_window = Duration::from_secs(1);
    plan.limits.wire.write_time = Duration::from_millis(500);
    plan.serve().await
}

#[test]
fn the_limits_of_time_are_those_that_are_promised() {
    let limits = Limits::default();
    assert_eq!(limits.web.first_byte_time, Duration::from_secs(10));
    assert_eq!(limits.web.head_time, Duration::from_secs(5));
}

/// How long the server waits before it closes on somebody who sends a byte of this now and then.
async fn slowly(server: &Running, bytes: &[u8]) -> Duration {
    let mut stream = server.connect().await;
    let begun = Instant::now();
    let (mut read, mut write) = stream.split();
    let sending = async {
        for byte in bytes {
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = sending => unreachable!("it does not end"),
        _ = rest(&mut read) => begun.elapsed(),
    }
}

#[tokio::test]
async fn who_says_nothing_and_who_says_it_slowly_is_closed() {
    let ms = Duration::from_millis;
    for only in [Some(Wire::Native), None] {
        let mut server = hasty(only).await;
        if only.is_some() {
            // Zero bytes: where the classic wire is served, people sit at a menu.
            let took = slowly(&server, b"").await;
            assert!(took >= ms(550) && took < ms(3000), "{took:?}");
            let ended = server.end().await;
            assert!(
                matches!(&*ended, Disconnect::Failed(Error::IdleTimeout { .. })),
                "{ended:?}"
            );
        }
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(200));
        for head in ["GET", "GET / HTTP/1.1\r\n", &long] {
            let took = slowly(&server, head.as_bytes()).await;
            assert!(took >= ms(250) && took < ms(3000), "{head:?} took {took:?}");
            let ended = server.end().await;
            assert!(
                matches!(&*ended, Disconnect::Failed(Error::HeaderTimeout { .. })),
                "{head:?} {ended:?}"
            );
        }
        // Between two requests it is the same time.
        let took = slowly(&server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(took < ms(9000), "{took:?}");
        drop(server.end().await);
    }
}

#[tokio::test]
async fn a_body_that_trickles_and_an_answer_that_is_not_taken_are_broken_off() {
    let mut server = hasty(None).await;
    let post = "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc";
    let mut stream = server.connect().await;
    stream
        .write_all(post.as_bytes())
        .await
        .expect("the server reads");
    let begun = Instant::now();
    let answer = rest(&mut stream).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    drop(server.end().await);

    let mut stream = server.connect().await;
    let large = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    stream
        .write_all(large.as_bytes())
        .await
        .expect("the server reads");
    // Nothing is read.
    let ended = server.end().await;
    assert!(
        matches!(&*ended, Disconnect::Failed(Error::WriteTimeout { .. })),
        "{ended:?}"
    );
    // Who reads gets all of it, however long that takes.
    let mut stream = server.connect().await;
    stream
        .write_all(large.as_bytes())
        .await
        .expect("the server reads");
    let mut all = vec![0; 64 * 1024 * 1024];
    stream.read_exact(&mut all).await.expect("all of it");
}

#[tokio::test]
async fn a_head_beyond_its_limits_is_refused() {
    let server = Plan::default().serve().await;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    assert_eq!(status(&server.raw(long).await), "431");
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: x\r\n".repeat(101)
    );
    assert_eq!(status(&server.raw(many).await), "431");
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000));
    let answer = server.raw(long).await;
    assert!(["414", "431"].contains(&status(&answer)), "{answer}");
    let fine = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n",
        "x".repeat(14_000)
    );
    assert_eq!(status(&server.raw(fine).await), "200");
}

#[tokio::test]
async fn connections_of_http_have_places_among_the_others() {
    let mut plan = Plan::default();
    plan.limits.connections_per_ip = 2;
    let server = plan.serve().await;
    let mut kept = server.connect().await;
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    kept.read_exact(&mut [0; 12]).await.expect("an answer");
    let mut socket = server.websocket().await;
    assert_eq!(server.raw(GET).await, "", "both places are taken");
    drop(kept);
    let answer = loop {
        let answer = server.raw(GET).await;
        if !answer.is_empty() {
            break answer;
        }
    };
    assert_eq!(status(&answer), "200");
    socket.ask(r#"{"id":1,"type":"echo","text":""}"#).await;
}

/// What the server makes of a request that a second server could read in another way, with a second
/// request hidden in it: never an answer to the hidden one.
#[tokio::test]
async fn nothing_can_be_smuggled_past_another_server() {
    let server = Plan::default().serve().await;
    let hidden = "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n";
    let len = hidden.len();
    let post = "POST /post HTTP/1.1\r\nHost: a\r\n";
    let refused = [
        // Two lengths.
        format!("{post}Content-Length: 0\r\nContent-Length: {len}\r\n\r\n{hidden}"),
        format!("{post}Content-Length: {len}\r\nContent-Length: 0\r\n\r\n{hidden}"),
        format!("{post}Content-Length: 0, {len}\r\n\r\n{hidden}"),
        // Lengths that are none.
        format!("{post}Content-Length: +{len}\r\n\r\n{hidden}"),
        format!("{post}Content-Length: -1\r\n\r\n{hidden}"),
        format!("{post}Content-Length: 0x1\r\n\r\n{hidden}"),
        format!("{post}Content-Length: 1 1\r\n\r\n{hidden}"),
        format!("{post}Content-Length: 1e1\r\n\r\n{hidden}"),
        format!("{post}Content-Length:\r\n\r\n{hidden}"),
        format!("{post}Content-Length: 99999999999999999999\r\n\r\n{hidden}"),
        format!("{post}Content-Length: \u{b}5\r\n\r\n{hidden}"),
        // Chunks that are spelled in another way.
        format!("{post}Transfer-Encoding: xchunked\r\n\r\n{hidden}"),
        format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{post}Transfer-Encoding: gzip\r\n\r\n{hidden}"),
        format!("{post}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{hidden}"),
        format!(
            "{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{post} Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{post}X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!(
            "POST /post HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        // Lines that end, or are put together, in another way.
        format!("{post}X: y\rContent-Length: {len}\r\n\r\n{hidden}"),
        format!("{post}X: y\r\n\tContent-Length: {len}\r\n\r\n{hidden}"),
        format!("{post}Content-Length\u{0}: {len}\r\n\r\n{hidden}"),
        format!("{post}X: \u{0}\r\n\r\n{hidden}"),
        format!("{post}Content-Length : {len}\r\n\r\n{hidden}"),
        format!("{post}: {len}\r\n\r\n{hidden}"),
        format!("{post}X\r\n\r\n{hidden}"),
        format!("{post}X Y: z\r\n\r\n{hidden}"),
        // Whom it is for.
        format!("{post}Host: b\r\n\r\n{hidden}"),
        format!("POST /post HTTP/1.1\r\n\r\n{hidden}"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n{hidden}"),
        // What it asks for.
        format!("GET / HTTP/1.1 X\r\nHost: a\r\n\r\n{hidden}"),
        format!("GET  / HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"),
        format!("GET /\r\n\r\n{hidden}"),
        format!("GET / HTTP/9.9\r\nHost: a\r\n\r\n{hidden}"),
        format!("GET / http/1.1\r\nHost: a\r\n\r\n{hidden}"),
        format!("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"),
        format!("GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"),
    ];
    for request in &refused {
        let answer = server.raw(request).await;
        assert_eq!(status(&answer), "400", "{request:?}\n{answer}");
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{request:?}\n{answer}"
        );
    }
    assert!(refused.len() >= 35);
    // A length and chunks: the chunks count, and nothing after them (RFC 9112, 6.1).
    for request in [
        format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!(
            "{post}Transfer-Encoding: chunked\r\nContent-Length: {len}\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("{post}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
    ] {
        let answer = server.raw(&request).await;
        assert!(
            answer.contains("\r\nconnection: close\r\n"),
            "{request:?}\n{answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{request:?}\n{answer}"
        );
    }
    // Of chunks that are none nothing is answered behind them.
    for chunks in [
        "5\r\nabc\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "\r\n",
        "fffffffffffffffff\r\n",
        "3\r\nabcXX0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\rabc\r\n0\r\n\r\n",
        "g\r\n",
    ] {
        let request = format!("{post}Transfer-Encoding: chunked\r\n\r\n{chunks}{hidden}{GET}");
        let answer = server.raw(&request).await;
        assert!(!answer.contains(" 500 "), "{chunks:?}\n{answer}");
        assert!(
            answer.matches("HTTP/1.1 ").count() <= 1,
            "{chunks:?}\n{answer}"
        );
        assert!(!answer.starts_with("HTTP/1.1 200"), "{chunks:?}\n{answer}");
    }
    // A length said twice over is one length, and what stands behind a body is the next request.
    for request in [
        format!("{post}Content-Length: 3\r\n\r\nabc{GET}"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{GET}"),
        format!("{post}Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n{GET}"),
    ] {
        let answer = server.raw(&request).await;
        assert_eq!(
            answer.matches("HTTP/1.1 200").count(),
            2,
            "{request:?}\n{answer}"
        );
        assert!(answer.contains("\r\n\r\nabcHTTP/1.1"), "{answer}");
    }
}
