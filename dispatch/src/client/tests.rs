//! The client against a peer that speaks raw bytes, on a clock that the tests move.

use std::future::Future;
use std::time::Duration;

use packetboat_framing::{BodyExt, Error, Limits};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::time::{Instant, sleep, timeout};

use super::*;

type TestClient = Client<Flagged, ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

#[derive(Serialize)]
struct Ask {
    n: u32,
}

impl Message for Ask {
    const TYPE: &'static str = "ask";
    type Reply = Answer;
}

#[derive(Serialize)]
struct Put {
    size: u64,
}

impl Message for Put {
    const TYPE: &'static str = "put";
    const ATTACHMENT: Option<&'static str> = Some("size");
    type Reply = Answer;
}

#[derive(Serialize)]
struct Get {}

impl Message for Get {
    const TYPE: &'static str = "get";
    const REPLY_ATTACHMENT: Option<&'static str> = Some("size");
    type Reply = Sized;
}

#[derive(Debug, Deserialize, PartialEq)]
struct Answer {
    n: u32,
}

#[derive(Debug, Deserialize)]
struct Sized {
    size: u64,
}

/// The other end, in the words of the wire.
struct Peer(DuplexStream);

impl Peer {
    async fn request(&mut self) -> String {
        let len = self.0.read_i32_le().await.expect("a prefix");
        let mut message = vec![0; len as usize];
        self.0.read_exact(&mut message).await.expect("a message");
        String::from_utf8(message).expect("JSON is UTF-8")
    }

    async fn reply(&mut self, message: &str) {
        let mut frame = (message.len() as i32).to_le_bytes().to_vec();
        frame.extend_from_slice(message.as_bytes());
        self.bytes(&frame).await;
    }

    async fn bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the client reads");
    }

    async fn skip(&mut self, n: usize) {
        let mut rest = vec![0; n];
        self.0
            .read_exact(&mut rest)
            .await
            .expect("the client writes");
    }
}

fn pair() -> (TestClient, Peer) {
    pair_with(ClientBuilder::default())
}

fn pair_with(builder: ClientBuilder) -> (TestClient, Peer) {
    let (ours, theirs) = duplex(64 * 1024);
    let (reader, writer) = split(ours);
    (builder.over(reader, writer), Peer(theirs))
}

/// Runs both ends to their end.
async fn both<A, B>(client: impl Future<Output = A>, peer: impl Future<Output = B>) -> A {
    tokio::join!(client, peer).0
}

#[tokio::test(start_paused = true)]
async fn call_is_typed_and_holds_the_session_that_a_reply_gives() {
    let (mut client, mut peer) = pair();
    let session = "00112233445566778899aabbccddeeff";
    let calls = async {
        assert_eq!(
            client.call(Ask { n: 1 }).await.expect("a reply"),
            Answer { n: 2 }
        );
        client.call(Ask { n: 3 }).await.expect("a reply");
        client.set_session(None);
        client.call(Ask { n: 5 }).await.expect("a reply");
    };
    both(calls, async {
        assert_eq!(peer.request().await, r#"{"type":"ask","n":1}"#);
        peer.reply(&format!(r#"{{"flag":true,"n":2,"session":"{session}"}}"#))
            .await;
        let second = format!(r#"{{"type":"ask","session":"{session}","n":3}}"#);
        assert_eq!(peer.request().await, second);
        peer.reply(r#"{"flag":true,"n":4}"#).await;
        assert_eq!(peer.request().await, r#"{"type":"ask","n":5}"#);
        peer.reply(r#"{"flag":true,"n":6}"#).await;
    })
    .await;
    assert!(!format!("{client:?}").contains(session));
}

#[tokio::test(start_paused = true)]
async fn refusal_and_unfit_reply_leave_the_connection_usable() {
    let (mut client, mut peer) = pair();
    let calls = async {
        let error = client.call(Ask { n: 1 }).await.expect_err("refused");
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (Some("no"), "不行")
        );
        let error = client.call(Ask { n: 2 }).await.expect_err("no Answer");
        assert!(
            matches!(
                error,
                ClientError::Reply {
                    message_type: "ask",
                    ..
                }
            ),
            "{error}"
        );
        assert!(client.is_usable() && !error.is_fatal());
        client.call(Ask { n: 3 }).await.expect("a reply");
    };
    both(calls, async {
        for reply in [
            r#"{"flag":false,"msg":"不行","code":"no"}"#,
            r#"{"flag":true,"n":"many"}"#,
            r#"{"flag":true,"n":3}"#,
        ] {
            peer.request().await;
            peer.reply(reply).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dropped_call_poisons_the_connection() {
    let (mut client, mut peer) = pair();
    let second = Duration::from_secs(1);
    timeout(second, client.call(Ask { n: 1 }))
        .await
        .expect_err("no reply yet");
    // The late reply belongs to the dropped call, and must not be taken for the next one's.
    peer.request().await;
    peer.reply(r#"{"flag":true,"n":1}"#).await;
    let error = client.call(Ask { n: 2 }).await.expect_err("poisoned");
    assert!(matches!(error, ClientError::Poisoned), "{error}");
    assert!(!client.is_usable());
}

#[tokio::test(start_paused = true)]
async fn silent_server_is_a_timeout_and_a_closing_one_is_closed() {
    let (mut client, peer) = pair();
    let begun = Instant::now();
    let error = client.call(Ask { n: 1 }).await.expect_err("no reply");
    assert!(error.is_timeout() && error.is_fatal(), "{error}");
    assert_eq!(begun.elapsed().as_secs(), 60);
    drop(peer);

    let (mut client, mut peer) = pair();
    let call = client.call(Ask { n: 1 });
    let error = both(call, async move {
        peer.request().await;
    });
    let error = error.await.expect_err("closed");
    assert!(matches!(error, ClientError::Closed), "{error}");
}

#[tokio::test(start_paused = true)]
async fn file_held_back_trips_no_timeout() {
    let (mut client, mut peer) = pair();
    let call = async {
        let begun = Instant::now();
        let (reply, mut body) = client.call_for_file(Get {}).await.expect("a reply");
        assert_eq!(reply.size, 5);
        assert_eq!(
            begun.elapsed().as_secs(),
            0,
            "the reply does not wait for its file"
        );
        let mut bytes = Vec::new();
        body.copy_to(&mut bytes).await.expect("the file");
        assert_eq!(bytes, b"hello");
        assert_eq!(begun.elapsed().as_secs(), 3600);
        client
            .call(Ask { n: 1 })
            .await
            .expect("the stream stands at the next frame");
    };
    both(call, async {
        peer.request().await;
        peer.reply(r#"{"flag":true,"size":5}"#).await;
        sleep(Duration::from_secs(3600)).await;
        peer.bytes(b"hello").await;
        peer.request().await;
        peer.reply(r#"{"flag":true,"n":1}"#).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn file_that_stops_is_too_slow_and_one_that_begins_late_where_asked() {
    let (mut client, mut peer) = pair();
    let call = async {
        let (_, mut body) = client.call_for_file(Get {}).await.expect("a reply");
        let error = body.skip().await.expect_err("it stops");
        assert!(matches!(error, Error::BodyTooSlow { .. }), "{error}");
    };
    tokio::select! {
        () = call => {}
        () = async {
            peer.request().await;
            peer.reply(r#"{"flag":true,"size":5}"#).await;
            peer.bytes(b"he").await;
            std::future::pending().await
        } => {}
    }

    let (mut client, mut peer) = pair();
    let call = async {
        let (_, mut body) = client.call_for_file(Get {}).await.expect("a reply");
        body.set_first_byte(Some(Duration::from_secs(7)));
        let begun = Instant::now();
        body.skip().await.expect_err("it does not begin");
        assert_eq!(begun.elapsed().as_secs(), 7);
    };
    both(call, async {
        peer.request().await;
        peer.reply(r#"{"flag":true,"size":5}"#).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn file_that_nobody_reads_is_thrown_away_or_costs_the_connection() {
    let mut limits = Limits::classic();
    limits.drain_bytes = 1000;
    let (mut client, mut peer) = pair_with(Client::builder().limits(limits));
    let calls = async {
        client.call_for_file(Get {}).await.expect("a reply");
        client
            .call(Ask { n: 1 })
            .await
            .expect("the stream stands at the next frame");
        client.call_for_file(Get {}).await.expect("a reply");
        let error = client
            .call(Ask { n: 1 })
            .await
            .expect_err("too much to throw away");
        assert!(
            matches!(error, ClientError::Frame(Error::DrainLimit { .. })),
            "{error}"
        );
    };
    both(calls, async {
        peer.request().await;
        peer.reply(r#"{"flag":true,"size":1000}"#).await;
        peer.bytes(&[b'{'; 1000]).await;
        peer.request().await;
        peer.reply(r#"{"flag":true,"n":1}"#).await;
        peer.request().await;
        peer.reply(r#"{"flag":true,"size":1001}"#).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reply_without_the_size_of_its_file_ends_the_connection() {
    let (mut client, mut peer) = pair();
    let call = async {
        let error = client.call_for_file(Get {}).await.expect_err("no size");
        assert!(error.is_fatal() && !client.is_usable(), "{error}");
    };
    both(call, async {
        peer.request().await;
        peer.reply(r#"{"flag":true,"size":"5"}"#).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn file_goes_after_its_message_and_progress_is_told() {
    let (mut client, mut peer) = pair();
    let len = 300_000;
    let mut told = Vec::new();
    let file = Source::reader(tokio::io::repeat(7).take(len), len);
    let call = client.call_with_file(Put { size: len }, file, |sent| told.push(sent));
    let reply = both(call, async {
        assert_eq!(peer.request().await, r#"{"type":"put","size":300000}"#);
        peer.skip(len as usize).await;
        peer.reply(r#"{"flag":true,"n":7}"#).await;
    });
    assert_eq!(reply.await.expect("a reply"), Answer { n: 7 });
    assert!(told.is_sorted() && told.len() > 2, "{told:?}");
    assert_eq!(told.last(), Some(&len));
}

#[tokio::test(start_paused = true)]
async fn size_that_is_not_the_files_is_refused_before_anything_is_sent() {
    let (mut client, mut peer) = pair();
    let calls = async {
        let error = client.call_with_file(Put { size: 5 }, Source::bytes("four"), |_| ());
        let error = error.await.expect_err("another size");
        assert!(matches!(
            error,
            ClientError::SizeMismatch {
                stated: Some(5),
                len: 4
            }
        ));
        client.call(Ask { n: 1 }).await.expect("nothing was sent");
    };
    both(calls, async {
        assert_eq!(peer.request().await, r#"{"type":"ask","n":1}"#);
        peer.reply(r#"{"flag":true,"n":1}"#).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn file_that_ends_early_is_an_error_of_the_source() {
    let (mut client, _peer) = pair();
    let file = Source::reader(tokio::io::repeat(7).take(10), 11);
    let error = client.call_with_file(Put { size: 11 }, file, |_| ()).await;
    let error = error.expect_err("one byte is missing");
    assert!(
        matches!(error, ClientError::Source(_)) && error.is_fatal(),
        "{error}"
    );
    assert!(!client.is_usable());
}

#[tokio::test(start_paused = true)]
async fn early_refusal_is_heard_and_a_short_rest_keeps_the_connection() {
    let len = 1_000_000;
    let (mut client, mut peer) = pair();
    let file = || Source::reader(tokio::io::repeat(7).take(len), len);
    let calls = async {
        let error = client
            .call_with_file(Put { size: len }, file(), |_| ())
            .await;
        assert_eq!(error.expect_err("refused").code(), Some("no"));
        client.call(Ask { n: 1 }).await.expect("the rest was sent");
    };
    both(calls, async {
        peer.request().await;
        // Not one byte of the file has been read.
        peer.reply(r#"{"flag":false,"msg":"no","code":"no"}"#).await;
        peer.skip(len as usize).await;
        assert_eq!(peer.request().await, r#"{"type":"ask","n":1}"#);
        peer.reply(r#"{"flag":true,"n":1}"#).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn early_refusal_of_a_long_file_costs_the_connection() {
    let len = 1 << 40;
    let mut limits = Limits::classic();
    limits.max_attachment_bytes = len;
    let (mut client, mut peer) = pair_with(Client::builder().limits(limits));
    let file = Source::reader(tokio::io::repeat(7).take(len), len);
    let call = client.call_with_file(Put { size: len }, file, |_| ());
    let refusal = both(call, async {
        peer.request().await;
        peer.reply(r#"{"flag":false,"msg":"no","code":"no"}"#).await;
    });
    assert_eq!(refusal.await.expect_err("refused").code(), Some("no"));
    assert!(!client.is_usable());
}

#[tokio::test(start_paused = true)]
async fn server_that_stops_taking_a_file_is_a_timeout() {
    let len = 1_000_000;
    let (mut client, _peer) = pair();
    let file = Source::reader(tokio::io::repeat(7).take(len), len);
    let call = client.call_with_file(Put { size: len }, file, |_| ());
    let error = call.await.expect_err("no progress");
    let timeout = matches!(
        error,
        ClientError::Timeout {
            wait: Wait::Progress,
            ..
        }
    );
    assert!(timeout, "{error:?}");
}

#[test]
fn blocking_client_speaks_over_tcp() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("bound");
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        let mut frame = |reply: &str, file: &[u8]| {
            let mut prefix = [0; 4];
            socket.read_exact(&mut prefix).expect("a prefix");
            let mut message = vec![0; i32::from_le_bytes(prefix) as usize];
            socket.read_exact(&mut message).expect("a message");
            let mut bytes = (reply.len() as i32).to_le_bytes().to_vec();
            bytes.extend_from_slice(reply.as_bytes());
            bytes.extend_from_slice(file);
            socket.write_all(&bytes).expect("written");
        };
        frame(r#"{"flag":true,"n":1}"#, b"");
        frame(r#"{"flag":true,"size":5}"#, b"hello");
        frame(r#"{"flag":true,"size":5}"#, b"again");
    });
    let mut client = blocking::Client::connect(addr).expect("a server");
    assert_eq!(client.call(Ask { n: 1 }).expect("a reply"), Answer { n: 1 });
    let (_, mut download) = client.call_for_file(Get {}).expect("a reply");
    let mut text = String::new();
    download.read_to_string(&mut text).expect("the file");
    assert_eq!(text, "hello");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let (_, download) = client.call_for_file(Get {}).expect("a reply");
    assert_eq!(download.save(&path).expect("saved"), 5);
    assert_eq!(std::fs::read(path).expect("there"), b"again");
    server.join().expect("the script ran to its end");
}

#[tokio::test]
async fn nobody_listening_is_an_error_of_connecting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("bound");
    drop(listener);
    let error = Client::connect(addr).await.expect_err("nobody there");
    assert!(matches!(error, ClientError::Connect(_)) && error.is_fatal());
}
