//! Spans say which connection, from where, on which wire, which type and how it ended; no more.

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

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bed::{Bed, Over};
use common::World;
use packetboat_dispatch::{Limits, Wire};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn spans(wire: Wire, over: Over, addr: &str) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let limits = Limits {
        handler_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Bed::new(wire, over).serve(&World::default(), limits).await;
    let mut peer = server.peer().await;
    let session = peer.log_in("canary-name").await;
    for (message, code) in [
        (
            r#"{"type": "upload_for_admins", "file_size": 0}"#,
            "not_logged_in",
        ),
        (
            r#"{"type": "canary-type", "password": "canary-password"}"#,
            "unknown_type",
        ),
        (
            r#"{"type": "echo", "text": ["canary-text"]}"#,
            "bad_message",
        ),
        (r#"{"type": "panic"}"#, "internal"),
        (r#"{"type": "slow", "ms": 5000}"#, "timeout"),
    ] {
        assert_eq!(peer.ask(message).await.code(), code);
    }
    let whoami = format!(r#"{{"type": "whoami", "session": "{session}"}}"#);
    assert_eq!(peer.ask(whoami).await.text(), "canary-name");
    let log = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("UTF-8");
    let name = if wire == Wire::Native {
        "native"
    } else {
        "classic"
    };
    for (message_type, outcome) in [
        ("login", "ok"),
        ("upload_for_admins", "refused"),
        ("", "refused"),
        ("echo", "refused"),
        ("panic", "panicked"),
        ("slow", "timeout"),
        ("whoami", "ok"),
    ] {
        let request = format!("request{{message_type=\"{message_type}\" outcome=\"{outcome}\"}}");
        let ended = |line: &&str| line.contains(&request) && line.contains("close");
        let line = log.lines().find(ended);
        let line = line.unwrap_or_else(|| panic!("no {request} in\n{log}"));
        assert!(line.contains("connection{id="), "{line}");
        assert!(line.contains(&format!("addr=\"{addr}")), "{line}");
        assert!(line.contains(&format!("wire=\"{name}\"")), "{line}");
    }
    let secret = log
        .lines()
        .find(|line| line.contains("canary") || line.contains(&session));
    assert_eq!(secret, None);
}

#[tokio::test]
async fn spans_of_the_classic_wire_say_what_they_should_and_no_more() {
    spans(Wire::Classic, Over::Tcp, "127.0.0.1:").await;
    spans(Wire::Classic, Over::Unix, "unix").await;
}

#[tokio::test]
async fn spans_of_the_native_wire_say_what_they_should_and_no_more() {
    spans(Wire::Native, Over::Tcp, "127.0.0.1:").await;
    spans(Wire::Native, Over::Memory, "stream").await;
}
