//! What two sides that keep the rules can do.

use packetboat_framing::{
    Budget, Error, Limits,
    native::{
        Attached, Code, Codec, Connection, Digest, Event, Extensions, Outgoing, Role, Verifier,
        type_hash,
    },
};

use crate::pair::{Pair, Seen, look, take, text_of};

#[test]
fn replies_come_in_any_order() {
    let mut pair = Pair::new();
    let ids = ["1", "2", "3"].map(|text| pair.request(text, None));
    let asked = ids.iter().zip(["1", "2", "3"]);
    let asked: Vec<_> = asked
        .map(|(id, text)| Seen::Message(*id, text.into(), None))
        .collect();
    assert_eq!(pair.reach_server(), asked);
    assert_eq!((pair.client.in_flight(), pair.server.in_flight()), (3, 3));
    pair.reply(ids[2], "third", None);
    pair.refuse(ids[0], Code::BAD_MESSAGE);
    pair.reply(ids[1], "second", None);
    assert_eq!(
        pair.reach_client(),
        [
            Seen::Reply(ids[2], b"third".to_vec(), None),
            Seen::Error(ids[0], Code::BAD_MESSAGE, Vec::new()),
            Seen::Reply(ids[1], b"second".to_vec(), None),
        ]
    );
    pair.assert_at_rest();
}

#[test]
fn all_fields_of_a_message_arrive() {
    let mut pair = Pair::new();
    let fields = Extensions {
        deadline_ms: Some(30_000),
        idempotency_key: Some([9; 16]),
        digest: Some(Digest::of(b"a film")),
        name: Some("电影.mp4"),
        ..Extensions::default()
    };
    let outgoing = Outgoing {
        message_type: type_hash("upload"),
        codec: Codec::JSON,
        extensions: fields,
        attachment: Some(Attached {
            size: Some(6),
            offset: 4,
            resumable: true,
        }),
    };
    pair.client
        .request(&outgoing, text_of("{}"))
        .expect("the client may");
    let wire = take(&mut pair.client);
    pair.server.feed(&wire);
    let Ok(Some(Event::Message(message))) = pair.server.next_event() else {
        panic!("a message was sent");
    };
    assert_eq!(message.message_type, type_hash("upload"));
    assert_eq!(message.attachment, outgoing.attachment);
    let stated = Extensions {
        size: Some(6),
        offset: Some(4),
        ..fields
    };
    assert_eq!(message.extensions.fields(), stated);
    assert_eq!(
        message.extensions.fields().deadline(),
        Some(std::time::Duration::from_secs(30))
    );
}

#[test]
fn attachments_of_many_requests_interleave() {
    let mut pair = Pair::new();
    let files: Vec<Vec<u8>> = (0..5_u8).map(|i| vec![i; 200_000]).collect();
    let whole = Some(Attached::whole(200_000));
    let ids: Vec<_> = (0..5).map(|_| pair.asked("up", whole)).collect();
    for id in &ids {
        pair.server.receive(*id, None).expect("it was offered");
    }
    let mut came = vec![Vec::new(); 5];
    let mut order = Vec::new();
    let mut ended = 0;
    while ended < 5 {
        pair.reach_client();
        while let Some((id, most)) = pair.client.next_sender() {
            let at = ids.iter().position(|known| *known == id).expect("known");
            let from = pair.client.position(id).expect("announced") as usize;
            let n = (most as usize).min(10_000);
            pair.client
                .data(id, &files[at][from..from + n], None)
                .expect("it is sent");
            order.push(id);
            if from + n == files[at].len() {
                let digest = Digest::of(&files[at]);
                pair.client.end(id, Some(digest)).expect("all was sent");
            }
        }
        for seen in pair.reach_server() {
            match seen {
                Seen::Data(id, bytes, None) => {
                    let at = ids.iter().position(|known| *known == id).expect("known");
                    came[at].extend_from_slice(&bytes);
                    pair.server.consumed(id, bytes.len());
                }
                Seen::End(id, Ok(Some(digest))) => {
                    let at = ids.iter().position(|known| *known == id).expect("known");
                    let mut verifier = Verifier::new();
                    verifier.update(&came[at]);
                    verifier.check(digest).expect("nothing was changed");
                    pair.reply(id, "done", None);
                    ended += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(came, files);
    assert_eq!(order[..5], ids[..], "each has its turn");
    assert_eq!(pair.reach_client().len(), 5);
    pair.assert_at_rest();
}

#[test]
fn a_small_reply_passes_a_large_file() {
    let mut pair = Pair::new();
    let file = pair.asked("file", None);
    pair.reply(file, "here", Some(Attached::whole(1 << 20)));
    pair.reach_client();
    pair.client.receive(file, None).expect("it was offered");
    let other = pair.request("quick", None);
    assert_eq!(pair.reach_server().len(), 2, "credit and a message");
    let at = pair.server.slice(file, 50_000, None).expect("it is sent");
    assert_eq!(at, 0);
    pair.reply(other, "now", None);
    let seen = pair.reach_client();
    assert_eq!(seen.len(), 2);
    assert!(
        matches!(&seen[0], Seen::Data(id, bytes, None) if *id == file && bytes.len() == 50_000)
    );
    assert!(matches!(&seen[1], Seen::Reply(id, ..) if *id == other));
}

#[test]
fn unknown_length_ends_with_its_end() {
    let mut pair = Pair::new();
    let id = pair.asked("live", Some(Attached::default()));
    pair.server.receive(id, None).expect("it was offered");
    assert_eq!(pair.reach_client(), [Seen::Credit(id, 0)]);
    pair.client.data(id, b"some", None).expect("within credit");
    pair.client.end(id, None).expect("nobody knows better");
    assert_eq!(
        pair.reach_server(),
        [
            Seen::Data(id, b"some".to_vec(), None),
            Seen::End(id, Ok(None))
        ]
    );
    pair.reply(id, "thanks", None);
    pair.server.consumed(id, 4);
    assert_eq!(pair.reach_client().len(), 1);
    pair.assert_at_rest();
}

#[test]
fn an_attachment_of_no_bytes_needs_no_credit() {
    let mut pair = Pair::new();
    let id = pair.asked("empty", Some(Attached::whole(0)));
    pair.server.receive(id, None).expect("it was offered");
    assert_eq!(pair.reach_client(), []);
    pair.client.end(id, None).expect("nothing is missing");
    assert_eq!(pair.reach_server(), [Seen::End(id, Ok(None))]);
    pair.reply(id, "done", None);
    pair.reach_client();
    pair.assert_at_rest();
}

#[test]
fn an_end_before_the_last_byte_is_an_error_of_the_caller() {
    let mut pair = Pair::new();
    let id = pair.asked("up", Some(Attached::whole(10)));
    pair.server.receive(id, None).expect("it was offered");
    pair.reach_client();
    pair.client.data(id, b"1234", None).expect("within credit");
    let error = pair.client.end(id, None).expect_err("six are missing");
    assert!(matches!(error, Error::SourceTooShort { len: 10, sent: 4 }));
    pair.client
        .abort(id, Code::SOURCE_FAILED)
        .expect("it is being sent");
    assert_eq!(
        pair.reach_server(),
        [
            Seen::Data(id, b"1234".to_vec(), None),
            Seen::End(id, Err(Code::SOURCE_FAILED))
        ]
    );
}

#[test]
fn a_cancelled_request_is_answered_and_its_attachment_broken_off() {
    let mut pair = Pair::new();
    let id = pair.asked("file", None);
    pair.reply(id, "here", Some(Attached::whole(1 << 20)));
    pair.reach_client();
    pair.client.receive(id, None).expect("it was offered");
    pair.reach_server();
    pair.server
        .data(id, &[1; 1000], None)
        .expect("within credit");
    pair.client
        .cancel(id, Code::CANCELLED)
        .expect("it comes in");
    assert!(pair.client.cancel(id, Code::CANCELLED).is_err());
    assert_eq!(
        pair.reach_client(),
        [],
        "what was on its way is thrown away"
    );
    assert_eq!(pair.reach_server(), [Seen::Cancelled(id, Code::CANCELLED)]);
    assert!(pair.server.data(id, &[1], None).is_err());
    assert_eq!(pair.reach_client(), []);
    pair.assert_at_rest();
}

#[test]
fn a_request_cancelled_before_its_answer_stays_in_flight_until_then() {
    let mut pair = Pair::new();
    let id = pair.asked("slow", None);
    pair.client.expect(id, None).expect("it waits");
    pair.client.cancel(id, Code::CANCELLED).expect("it waits");
    assert_eq!(pair.reach_server(), [Seen::Cancelled(id, Code::CANCELLED)]);
    assert_eq!(pair.client.in_flight(), 1);
    // The handler was not to be stopped, and what it did stands.
    pair.reply(id, "done", Some(Attached::whole(1000)));
    assert_eq!(pair.server.sendable(id), 0);
    let seen = pair.reach_client();
    assert!(matches!(&seen[..], [Seen::Reply(got, ..)] if *got == id));
    pair.assert_at_rest();
}

#[test]
fn a_reply_cancels_what_was_not_read() {
    let mut pair = Pair::new();
    let id = pair.asked("up", Some(Attached::whole(1 << 20)));
    pair.server.receive(id, None).expect("it was offered");
    pair.reach_client();
    pair.client
        .data(id, &[1; 30_000], None)
        .expect("within credit");
    assert_eq!(pair.reach_server().len(), 1);
    pair.reply(id, "no more", None);
    assert_eq!(pair.server.leased(), 0);
    pair.client
        .data(id, &[1; 30_000], None)
        .expect("within credit");
    assert_eq!(pair.server.in_flight(), 1, "its end has not come");
    assert_eq!(
        pair.reach_server(),
        [],
        "what was on its way is thrown away"
    );
    let seen = pair.reach_client();
    assert_eq!(seen[1..], [Seen::Cancelled(id, Code::NOT_WANTED)]);
    pair.assert_at_rest();
}

#[test]
fn nothing_is_cancelled_of_which_only_the_end_is_missing() {
    let mut pair = Pair::new();
    let id = pair.asked("up", Some(Attached::whole(1000)));
    pair.server.receive(id, None).expect("it was offered");
    pair.reach_client();
    pair.client
        .data(id, &[1; 1000], None)
        .expect("within credit");
    assert_eq!(pair.reach_server().len(), 1);
    pair.server.consumed(id, 1000);
    // Its handler drops it, having read all of it.
    pair.server
        .cancel(id, Code::NOT_WANTED)
        .expect("it is open");
    assert_eq!(pair.server.leased(), 0);
    pair.reply(id, "read", None);
    let seen = pair.reach_client();
    assert!(matches!(&seen[..], [Seen::Reply(got, ..)] if *got == id));
    assert_eq!(pair.server.in_flight(), 1, "its end has not come");
    pair.client.end(id, None).expect("it was sent whole");
    assert_eq!(pair.reach_server(), []);
    pair.assert_at_rest();
}

#[test]
fn a_passed_deadline_is_answered_at_once() {
    let mut pair = Pair::new();
    let outgoing = Outgoing {
        extensions: Extensions {
            deadline_ms: Some(0),
            ..Extensions::default()
        },
        ..Outgoing::json()
    };
    let id = pair.client.request(&outgoing, text_of("late"));
    let id = id.expect("the client may");
    let code = Code::DEADLINE_EXCEEDED;
    assert_eq!(pair.reach_server(), [Seen::Refused(id, code)]);
    assert_eq!(pair.reach_client(), [Seen::Error(id, code, Vec::new())]);
    pair.assert_at_rest();
}

#[test]
fn what_is_refused_unseen_leaves_the_connection_alive() {
    let limits = Limits {
        max_attachment_bytes: 1000,
        ..Limits::default()
    };
    let mut pair = Pair::with(&limits, &Budget::default());
    let strange = Outgoing {
        codec: Codec(77),
        attachment: Some(Attached::default()),
        ..Outgoing::default()
    };
    let id = pair.client.request(&strange, text_of("?")).expect("may");
    let large = "x".repeat(limits.max_message_bytes_before_login + 1);
    let big = pair.request(&large, None);
    let fine = pair.request("fine", None);
    assert_eq!(
        pair.reach_server(),
        [
            Seen::Refused(id, Code::UNSUPPORTED_CODEC),
            Seen::Refused(big, Code::MESSAGE_TOO_LARGE),
            Seen::Message(fine, b"fine".to_vec(), None),
        ]
    );
    pair.reply(fine, "yes", None);
    let seen = pair.reach_client();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[1], Seen::Cancelled(id, Code::UNSUPPORTED_CODEC));
    assert!(matches!(&seen[2], Seen::Error(got, code, _) if *got == big && code.is_not_begun()));
    pair.assert_at_rest();
    // After the login the same message is welcome.
    pair.server.set_logged_in(true);
    pair.asked(&large, None);
}

#[test]
fn an_attachment_over_the_limit_is_cancelled_from_its_header() {
    let limits = Limits {
        max_attachment_bytes: 1000,
        ..Limits::default()
    };
    let mut pair = Pair::with(&limits, &Budget::default());
    let id = pair.asked("live", Some(Attached::default()));
    pair.server.receive(id, None).expect("it was offered");
    pair.reach_client();
    pair.client
        .data(id, &[1; 1001], None)
        .expect("within credit");
    let code = Code::ATTACHMENT_TOO_LARGE;
    assert_eq!(pair.reach_server(), [Seen::End(id, Err(code))]);
    pair.refuse(id, code);
    assert_eq!(pair.reach_client()[0], Seen::Cancelled(id, code));
    pair.assert_at_rest();
}

#[test]
fn pings_are_answered_and_pushes_arrive() {
    let mut pair = Pair::new();
    pair.client.ping(7);
    pair.server.ping(8);
    pair.server
        .push(&Outgoing::json(), text_of("news"))
        .expect("it is a server");
    assert_eq!(pair.reach_client(), [Seen::Push(b"news".to_vec())]);
    assert_eq!(pair.reach_server(), [Seen::Pong(8)]);
    assert_eq!(pair.reach_client(), [Seen::Pong(7)]);
    pair.assert_at_rest();
}

#[test]
fn going_away_finishes_what_was_begun_and_refuses_the_rest() {
    let mut pair = Pair::new();
    let begun = pair.asked("begun", None);
    let crossing = pair.request("crossing", Some(Attached::whole(5)));
    pair.server.go_away(Code::NONE);
    assert_eq!(
        pair.reach_server(),
        [Seen::Refused(crossing, Code::GOING_AWAY)]
    );
    let seen = pair.reach_client();
    assert_eq!(seen[0], Seen::GoingAway(Code::NONE, begun));
    assert_eq!(seen[1], Seen::Error(crossing, Code::GOING_AWAY, Vec::new()));
    assert!(!pair.client.can_request());
    let refused = pair.client.request(&Outgoing::json(), text_of("more"));
    assert!(matches!(refused, Err(Error::GoingAway)));
    assert!(!pair.server.is_drained());
    pair.reply(begun, "done", None);
    assert_eq!(pair.reach_client().len(), 1);
    pair.assert_at_rest();
}

#[test]
fn requests_in_flight_are_bounded_by_the_servers_preface() {
    let limits = Limits {
        max_requests: 3,
        ..Limits::default()
    };
    let budget = Budget::default();
    let mut client = Connection::new(Role::Client, &Limits::default(), &budget);
    let mut server = Connection::new(Role::Server, &limits, &budget);
    client
        .request(&Outgoing::json(), text_of("1"))
        .expect("one before the preface");
    let second = client.request(&Outgoing::json(), text_of("2"));
    assert!(matches!(second, Err(Error::TooManyRequests { max: 1 })));
    server.feed(&take(&mut client));
    assert_eq!(look(&mut server).expect("rules are kept").len(), 2);
    client.feed(&take(&mut server));
    assert_eq!(look(&mut client).ok(), Some(vec![Seen::Ready(3)]));
    for _ in 0..2 {
        client
            .request(&Outgoing::json(), text_of("x"))
            .expect("three now");
    }
    assert!(!client.can_request());
    let fourth = client.request(&Outgoing::json(), text_of("4"));
    assert!(matches!(fourth, Err(Error::TooManyRequests { max: 3 })));
}

#[test]
fn a_body_can_be_read_past_the_connection() {
    let mut pair = Pair::new();
    let id = pair.asked("up", Some(Attached::whole(10)));
    assert_eq!(pair.server.direct(), None);
    pair.server.receive(id, None).expect("it was offered");
    pair.reach_client();
    pair.client.data(id, b"0123456789", None).expect("credit");
    pair.client.end(id, None).expect("all was sent");
    let wire = take(&mut pair.client);
    pair.server.feed(&wire[..16]);
    assert_eq!(look(&mut pair.server).ok(), Some(vec![]));
    assert_eq!(pair.server.direct(), Some((id, 10)));
    pair.server.passed_by(9);
    pair.server.feed(&wire[25..]);
    assert_eq!(pair.server.direct(), None, "buffered bytes come first");
    assert_eq!(
        look(&mut pair.server).ok(),
        Some(vec![
            Seen::Data(id, b"9".to_vec(), None),
            Seen::End(id, Ok(None))
        ])
    );
    pair.server.consumed(id, 10);
    pair.reply(id, "done", None);
    pair.reach_client();
    pair.assert_at_rest();
}

#[test]
fn group_values_are_told_with_the_last_byte_of_their_frame() {
    let mut pair = Pair::new();
    let file = vec![5; 1024 * 1024 + 3];
    let mut hasher = Verifier::new();
    hasher.update(&file);
    let value = hasher.groups().values()[0];
    let id = pair.asked("range", None);
    pair.reply(id, "here", Some(Attached::whole(file.len() as u64)));
    pair.reach_client();
    pair.client.receive(id, None).expect("it was offered");
    let mut verifier = Verifier::new();
    let mut values = 0;
    while verifier.position() < file.len() as u64 {
        pair.reach_server();
        while pair.server.sendable(id) > 0 {
            let at = pair.server.position(id).expect("announced") as usize;
            let group_end = ((at >> 20) + 1) << 20;
            let end = group_end
                .min(file.len())
                .min(at + pair.server.sendable(id) as usize);
            let group = (end == 1 << 20).then_some(value);
            pair.server.data(id, &file[at..end], group).expect("credit");
        }
        let wire = take(&mut pair.server);
        for piece in wire.chunks(4001) {
            pair.client.feed(piece);
            for seen in look(&mut pair.client).expect("rules are kept") {
                let Seen::Data(_, bytes, group) = seen else {
                    panic!("{seen:?}");
                };
                verifier.update(&bytes);
                pair.client.consumed(id, bytes.len());
                if let Some(group) = group {
                    assert_eq!(verifier.position(), 1 << 20);
                    verifier.check_group(group).expect("nothing was changed");
                    values += 1;
                }
            }
        }
    }
    assert_eq!(values, 1);
}
