//! Many things at once on one connection.

use std::time::{Duration, Instant};

use packetboat_dispatch::client::{ClientError, Timeouts};
use packetboat_dispatch::{BodyExt, Client, Disconnect, Limits};
use packetboat_framing::native::Kind;
use packetboat_framing::{Error, Source};
use tokio::sync::mpsc;

use crate::raw::Raw;
use crate::world::{
    AskLeft, Count, Counted, Echo, Firm, GetFilm, Mirror, World, client, client_with, connect,
    until,
};

fn echo(text: impl Into<String>) -> Echo {
    Echo { text: text.into() }
}

#[tokio::test]
async fn what_answers_first_is_answered_first() {
    let world = World::default();
    let (client, serving) = client(&world);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.call(Firm {}).await }
    });
    for n in 0..300 {
        let reply = client.call(echo(n.to_string())).await.expect("an answer");
        assert_eq!(reply.text, n.to_string());
    }
    assert!(!waiting.is_finished());
    world.gate.notify_one();
    let reply = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(reply.text, "open");
    drop(client);
    assert!(matches!(serving.await, Ok(Disconnect::Closed)));
}

#[tokio::test]
async fn more_calls_than_may_be_in_flight_wait_their_turn() {
    let (client, _serving) = client(&World::default());
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..1000 {
        let client = client.clone();
        calls.spawn(async move { (n, client.call(echo(n.to_string())).await) });
    }
    while let Some(call) = calls.join_next().await {
        let (n, reply) = call.expect("no panic");
        assert_eq!(reply.expect("an answer").text, n.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_find_the_way_out_full_are_answered_when_it_is_not() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    // 180 KB of replies for a pipe of 64 KiB, and as much in the server, before one is read.
    let text = "x".repeat(3000);
    let message = format!(r#"{{"type": "echo", "text": "{text}"}}"#);
    // More than once, so that what waited is no burden to what comes later.
    for _ in 0..3 {
        let mut asked = Vec::new();
        for _ in 0..60 {
            asked.push(raw.ask(&message).await);
        }
        // The clock goes on when nobody has anything to do.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for request in asked {
            let reply = tokio::time::timeout(Duration::from_secs(5), raw.reply(request)).await;
            assert!(reply.expect("it was forgotten").contains(&text));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_no_replies_comes_to_wait() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    let message = format!(r#"{{"type": "echo", "text": "{}"}}"#, "x".repeat(8000));
    let mut asked = 0;
    while tokio::time::timeout(Duration::from_secs(1), raw.ask(&message))
        .await
        .is_ok()
    {
        asked += 1;
        assert!(asked < 100, "the server takes whatever comes");
    }
}

#[tokio::test]
async fn files_both_ways_interleave_and_each_handler_gets_its_own() {
    let (client, _serving) = client(&World::default());
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..24u8 {
        let client = client.clone();
        calls.spawn(async move {
            let size = 100_000 + u64::from(n) * 11_111;
            let mut bytes = vec![n; size as usize];
            bytes[0] = 255;
            if n % 2 == 0 {
                let count = Count { size, pause_ms: 0 };
                let reply = client
                    .call_with_file(count, Source::bytes(bytes), |_| ())
                    .await;
                let sum = (size - 1) * u64::from(n) + 255;
                assert_eq!(reply.expect("an answer"), Counted { bytes: size, sum });
                return;
            }
            let mirror = client.call_both_ways(Mirror { size }, Source::bytes(bytes), |_| ());
            let (reply, mut body) = mirror.await.expect("an answer");
            let mut back = Vec::new();
            assert_eq!(body.copy_to(&mut back).await.expect("whole"), reply.size);
            assert!(back.pop() == Some(255) && back.iter().all(|byte| *byte == n));
        });
    }
    while let Some(call) = calls.join_next().await {
        call.expect("each has its own bytes");
    }
}

#[tokio::test]
async fn a_handler_that_does_not_read_holds_up_only_its_own_sender() {
    let (client, _serving) = client(&World::default());
    let slow = tokio::spawn({
        let client = client.clone();
        let count = Count {
            size: 5_000_000,
            pause_ms: 1500,
        };
        async move {
            let file = Source::bytes(vec![1; 5_000_000]);
            client.call_with_file(count, file, |_| ()).await
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..5 {
        let count = Count {
            size: 300_000,
            pause_ms: 0,
        };
        let file = Source::bytes(vec![1; 300_000]);
        let reply = client.call_with_file(count, file, |_| ()).await;
        assert_eq!(reply.expect("an answer").bytes, 300_000);
    }
    let reply = slow.await.expect("no panic").expect("an answer");
    assert_eq!(reply.bytes, 5_000_000);
}

#[tokio::test]
async fn a_body_that_nobody_reads_holds_up_nothing_else() {
    let (client, _serving) = client(&World::default());
    let size = 20_000_000;
    let (_, mut body) = client
        .call_for_file(GetFilm { size })
        .await
        .expect("an answer");
    for n in 0..100 {
        let reply = client.call(echo(n.to_string())).await.expect("an answer");
        assert_eq!(reply.text, n.to_string());
    }
    assert_eq!(body.skip().await.expect("whole"), size);
}

#[tokio::test]
async fn a_reply_says_how_large_the_file_behind_it_is() {
    let (io, _serving) = connect(&World::default(), Limits::default());
    let mut raw = Raw::greet(io).await;
    raw.ask(r#"{"type": "film", "size": 5}"#).await;
    let reply = raw.next_of(Kind::Reply).await.expect("a reply");
    assert_eq!(reply.size, Some(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_reply_waits_little_behind_a_large_file() {
    let (client, _serving) = client(&World::default());
    let size = 64 * 1024 * 1024;
    let (_, mut body) = client
        .call_for_file(GetFilm { size })
        .await
        .expect("an answer");
    let reading = tokio::spawn(async move { body.skip().await });
    let mut waits = Vec::new();
    while !reading.is_finished() {
        let since = Instant::now();
        client.call(echo("small")).await.expect("an answer");
        waits.push(since.elapsed());
    }
    assert_eq!(reading.await.expect("no panic").expect("whole"), size);
    waits.sort();
    // The machine may be busy with other things; behind the whole file it would be seconds.
    let median = waits[waits.len() / 2];
    assert!(
        median < Duration::from_millis(100),
        "{median:?} of {}",
        waits.len()
    );
}

#[tokio::test]
async fn progress_is_told_and_a_refusal_ends_the_sending() {
    let (client, _serving) = client(&World::default());
    let mut seen = Vec::new();
    let count = Count {
        size: 1_000_000,
        pause_ms: 0,
    };
    let file = Source::bytes(vec![1; 1_000_000]);
    let reply = client
        .call_with_file(count, file, |sent| seen.push(sent))
        .await;
    assert_eq!(reply.expect("an answer").sum, 1_000_000);
    assert!(
        seen.is_sorted() && seen.last() == Some(&1_000_000),
        "{seen:?}"
    );
    let count = Count {
        size: 7,
        pause_ms: 0,
    };
    let error = client
        .call_with_file(count, Source::bytes("abc"), |_| ())
        .await;
    let error = error.expect_err("three are not seven");
    assert!(
        matches!(error, ClientError::SizeMismatch { len: 3, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_digest_is_verified_before_the_last_piece_is_given() {
    let size = 3_000_000;
    let right = packetboat_framing::native::Digest::of(&vec![7; size as usize]);
    for (digest, is_right) in [(right.0, true), ([9; 32], false)] {
        let world = World {
            digest: Some(digest),
            ..World::default()
        };
        let (client, _serving) = client(&world);
        let (_, mut body) = client
            .call_for_file(GetFilm { size })
            .await
            .expect("an answer");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("film");
        let saved = body.save(&path).await;
        assert_eq!(path.exists(), is_right);
        match saved {
            Ok(len) => assert!(is_right && len == size),
            Err(error) => {
                assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
            }
        }
        client
            .call(echo("on"))
            .await
            .expect("the connection goes on");
    }
}

#[tokio::test]
async fn a_deadline_goes_along_and_reaches_the_handler() {
    let timeouts = {
        let mut timeouts = Timeouts::default();
        timeouts.reply = Duration::from_secs(20);
        timeouts
    };
    let builder = Client::builder().timeouts(timeouts);
    let (client, _serving) = client_with(&World::default(), builder);
    let left = client.call(AskLeft {}).await.expect("an answer").ms;
    assert!(
        left.is_some_and(|ms| (1..=20_000).contains(&ms)),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_reply_that_does_not_come_in_time_is_a_timeout_and_the_connection_goes_on() {
    let mut timeouts = Timeouts::default();
    timeouts.reply = Duration::from_millis(200);
    let builder = Client::builder().timeouts(timeouts);
    let world = World::default();
    let (client, _serving) = client_with(&world, builder);
    let error = client
        .call(Firm {})
        .await
        .expect_err("nobody opens the gate");
    // The server's own answer to the deadline may be quicker.
    let is_late = error.is_timeout() || error.code() == Some("deadline_exceeded");
    assert!(is_late, "{error}");
    until(|| world.dropped.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    client.call(echo("on")).await.expect("an answer");
}

#[tokio::test]
async fn a_body_that_is_dropped_cancels_its_file() {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let world = World {
        outcomes: Some(sender),
        ..World::default()
    };
    let (client, _serving) = client(&world);
    let size = 50_000_000;
    let (_, mut body) = client
        .call_for_file(GetFilm { size })
        .await
        .expect("an answer");
    body.chunk().await.expect("some of it");
    drop(body);
    let outcome = outcomes.recv().await.expect("the end");
    assert!(
        outcome.has_started() && !outcome.is_complete(),
        "{outcome:?}"
    );
    client.call(echo("on")).await.expect("an answer");
}

#[tokio::test]
async fn a_file_that_ends_early_is_broken_off_and_its_end_is_told_at_once() {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let world = World {
        outcomes: Some(sender),
        lacking: 1,
        ..World::default()
    };
    let (client, _serving) = client(&world);
    let size = 500_000;
    let (_, mut body) = client
        .call_for_file(GetFilm { size })
        .await
        .expect("an answer");
    body.skip().await.expect_err("a byte is missing");
    let outcome = tokio::time::timeout(Duration::from_secs(5), outcomes.recv()).await;
    let outcome = outcome.expect("in time").expect("the end");
    assert!(
        outcome.has_started() && !outcome.is_complete(),
        "{outcome:?}"
    );
    client.call(echo("on")).await.expect("an answer");
}

#[tokio::test]
async fn calls_on_a_connection_that_is_lost_fail_and_say_so() {
    let (client, serving) = client(&World::default());
    client.call(echo("on")).await.expect("an answer");
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.call(Firm {}).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    serving.abort();
    let error = waiting
        .await
        .expect("no panic")
        .expect_err("the server is gone");
    assert!(error.is_fatal(), "{error}");
    let error = client.call(echo("off")).await.expect_err("it is over");
    assert!(error.is_fatal(), "{error}");
    assert!(!client.is_usable());
}
