//! Messages that nothing follows.

use std::time::Duration;

use packetboat_dispatch::Limits;
use tokio::time::sleep;

use crate::bed::Bed;
use crate::common::World;

pub(crate) async fn an_alias_reaches_the_same_handler(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let mut peer = server.peer().await;
    let message = r#"{"type": "say", "text": "hi", "movie_id": 3, "file_size": 99}"#;
    assert_eq!(peer.ask(message).await.text(), "hi");
    assert!(peer.is_alive().await, "a stale size is followed by nothing");
}

pub(crate) async fn a_message_that_does_not_fit_its_type_names_the_field(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let mut peer = server.peer().await;
    for (message, field) in [
        (r#"{"type": "echo"}"#, "`text`"),
        (r#"{"type": "echo", "text": NaN}"#, "`text`"),
        (r#"{"type": "echo", "text": "\ud800"}"#, "`text`"),
        (r#"{"type": "echo", "text": "x", "text": "y"}"#, "`text`"),
        (
            r#"{"type": "echo", "text": "x", "number": "7"}"#,
            "`number`",
        ),
    ] {
        let answer = peer.ask(message).await;
        assert_eq!(answer.code(), "bad_message", "{message}");
        assert!(answer.msg().contains(field), "{answer:?}");
    }
    let odd = r#"{"type": "echo", "text": "x", "odd": [NaN, "\udc00"]}"#;
    assert_eq!(peer.ask(odd).await.text(), "x");
}

pub(crate) async fn an_unknown_or_missing_type_is_answered(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let mut peer = server.peer().await;
    for (message, code) in [
        (r#"{"type": "fly"}"#, "unknown_type"),
        (r#"{"text": "no type"}"#, "missing_type"),
        (r#"{"type": 7}"#, "missing_type"),
    ] {
        assert_eq!(peer.ask(message).await.code(), code, "{message}");
    }
    assert!(peer.is_alive().await);
}

pub(crate) async fn what_is_no_message_is_answered(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let deep = format!(
        r#"{{"type": "echo", "x": {}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    for (message, code) in [
        ("[]", "bad_json"),
        ("nope", "bad_json"),
        (r#"{"type": "echo""#, "bad_json"),
        (
            r#"{"type": "echo", "text": "x", "type": "echo"}"#,
            "repeated_key",
        ),
        (&deep, "too_deep"),
    ] {
        assert_eq!(server.peer().await.ask(message).await.code(), code);
    }
}

pub(crate) async fn a_message_may_be_longer_after_login(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let long = format!(r#"{{"type": "echo", "text": "{}"}}"#, "x".repeat(100_000));
    let mut peer = server.peer().await;
    // The classic wire closes, since it cannot find the next message.
    let answer = peer.upload(&long, None).await;
    assert!(answer.is_none_or(|answer| answer.code() == "message_too_large"));
    let mut peer = server.peer().await;
    peer.log_in("ann").await;
    assert_eq!(peer.ask(&long).await.text().len(), 100_000);
}

pub(crate) async fn a_panic_is_one_answer_and_nobody_else_notices(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let (mut peer, mut other) = (server.peer().await, server.peer().await);
    for message in [
        r#"{"type": "panic"}"#,
        r#"{"type": "panic", "later": true}"#,
    ] {
        assert_eq!(peer.ask(message).await.code(), "internal");
        assert!(peer.is_alive().await && other.is_alive().await);
    }
}

pub(crate) async fn a_handler_that_takes_too_long_is_answered_for_and_dropped(bed: Bed) {
    let world = World::default();
    let limits = Limits {
        handler_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = bed.serve(&world, limits).await;
    let mut peer = server.peer().await;
    let answer = peer.ask(r#"{"type": "slow", "ms": 1000}"#).await;
    assert_eq!(answer.code(), "timeout");
    assert!(peer.is_alive().await);
    sleep(Duration::from_millis(1200)).await;
    assert_eq!(world.effects(), 0, "the handler did not go on");
}

pub(crate) async fn a_disconnect_cancels_no_handler(bed: Bed) {
    let world = World::default();
    let server = bed.serve(&world, Limits::default()).await;
    let mut peer = server.peer().await;
    peer.send(r#"{"type": "gate"}"#, None).await;
    sleep(Duration::from_millis(100)).await;
    drop(peer);
    world.gate.notify_one();
    for _ in 0..500 {
        if world.effects() == 1 {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("the handler did not end");
}

pub(crate) async fn a_reply_that_no_wire_can_carry_is_an_internal_error(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let mut peer = server.peer().await;
    let answer = peer.ask(r#"{"type": "big", "len": 2000000}"#).await;
    assert_eq!(answer.code(), "internal");
    assert!(peer.is_alive().await);
}

pub(crate) async fn a_stranger_learns_no_schema(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let mut peer = server.peer().await;
    for message in [
        r#"{"type": "upload_for_admins", "file_size": 0}"#,
        r#"{"type": "upload_for_admins", "file_size": 0, "secret_field": 7, "role": "admin"}"#,
    ] {
        assert_eq!(peer.ask(message).await.code(), "not_logged_in");
    }
    for (name, code) in [("ann", "forbidden"), ("admin", "bad_message")] {
        let session = peer.log_in(name).await;
        let message =
            format!(r#"{{"type": "upload_for_admins", "session": "{session}", "file_size": 0}}"#);
        let answer = peer.ask(message).await;
        assert_eq!(answer.code(), code);
        assert_eq!(answer.msg().contains("secret_field"), name == "admin");
    }
    // Not even an odd size says more to a stranger.
    let answer = peer.ask(r#"{"type": "upload_for_admins"}"#).await;
    assert_eq!(answer.code(), "not_logged_in");
}

pub(crate) async fn a_session_is_valid_on_its_connection_alone(bed: Bed) {
    let server = bed.serve(&World::default(), Limits::default()).await;
    let (mut peer, mut other) = (server.peer().await, server.peer().await);
    let session = peer.log_in("ann").await;
    let message = format!(r#"{{"type": "whoami", "session": "{session}", "subject": "admin"}}"#);
    assert_eq!(peer.ask(&message).await.text(), "ann");
    assert_eq!(other.ask(&message).await.code(), "not_logged_in");
    let answer = peer.ask(r#"{"type": "whoami", "session": 7}"#).await;
    assert_eq!(answer.code(), "not_logged_in");
}
