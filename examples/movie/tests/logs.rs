//! Row A19: no password, session or content of a message in any log, at any level.

#![allow(
    clippy::unwrap_used,
    reason = "a test that fails shall stop where it fails"
)]

#[path = "server/support/mod.rs"]
mod support;

use std::io;
use std::sync::{Arc, Mutex};

use movie::messages::UserType;
use serde_json::json;
use support::{Database, Fixture, Kind, some_bytes, upload};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What must not be found.
const CANARIES: [&str; 6] = [
    "canary-password",
    "canary-wrong",
    "canary-title",
    "canary-content",
    "canary-bytes",
    "canary-unknown",
];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
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

/// The only test here with a server: the subscriber is the process's.
#[tokio::test]
async fn nothing_that_people_keep_secret_is_logged() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(log.clone())
        .init();
    let fixture = Fixture::with(Database::fresh(Kind::Sqlite).await.unwrap()).await;
    let mut sessions = vec!["ca11ab1e".repeat(4)];
    let mut client = fixture.client().await;
    client.session = Some(sessions[0].clone());
    client
        .refused(json!({"type": "check_notice"}), "not_logged_in")
        .await;
    client.session = None;
    for (name, user_type) in [("admin", "admin"), ("ann", "user")] {
        let account = |message: &str, password: &str| {
            json!({"type": message, "name": name, "password": password, "user_type": user_type,
                "keep": name == "ann", "unknown": CANARIES[5]})
        };
        client.done(account("register", CANARIES[0])).await;
        client
            .refused(account("register", CANARIES[0]), "user_exists")
            .await;
        client
            .refused(account("login", CANARIES[1]), "wrong_password")
            .await;
        let reply = client.done(account("login", CANARIES[0])).await;
        client.session = reply["session"].as_str().map(str::to_owned);
        sessions.extend(client.session.clone());
        let notice =
            json!({"type": "release_notice", "title": CANARIES[2], "content": CANARIES[3]});
        client.call(notice.clone()).await;
        client
            .call(json!({"type": "release_notice", "title": {"x": CANARIES[2]}, "content": 5}))
            .await;
        client.call(json!({"type": CANARIES[5]})).await;
        let bytes = [CANARIES[4].as_bytes(), &some_bytes(50)].concat();
        client
            .call_with(upload("a.mp4", &bytes, true), &bytes)
            .await;
        client.call(json!({"type": "check_notice"})).await;
        client.call(json!({"type": "logout"})).await;
    }
    client
        .send_raw(format!("not json: {}", CANARIES[0]).as_bytes(), &[])
        .await;
    client.try_reply().await;
    fixture.server.shutdown().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("register"),
        "requests are logged, by type:\n{log}"
    );
    for secret in CANARIES
        .iter()
        .copied()
        .chain(sessions.iter().map(String::as_str))
    {
        let found: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{secret}: {found:#?}");
    }
}

#[test]
fn secrets_hide_from_debug() {
    let login = movie::messages::Login {
        name: "ann".into(),
        password: CANARIES[0].to_owned().into(),
        user_type: UserType::User,
        keep: false,
    };
    assert!(!format!("{login:?}").contains(CANARIES[0]));
}
