//! Going on where an attachment was cut.

use packetboat_framing::{
    Error,
    native::{Attached, Digest, Groups, Verifier},
};

use crate::pair::{Pair, Seen};

const FILE: usize = 3 * 1024 * 1024 + 100;

fn file() -> Vec<u8> {
    (0..FILE).map(|i| (i / 3 % 251) as u8).collect()
}

/// The values that were kept beside a part of so many bytes.
fn kept(file: &[u8], part: usize) -> Groups {
    let mut verifier = Verifier::new();
    verifier.update(&file[..part]);
    Groups::from_bytes(&verifier.groups().to_bytes())
}

#[test]
fn an_upload_goes_on_from_the_first_credit() {
    let file = file();
    let mut pair = Pair::new();
    let id = pair.asked("up", Some(Attached::whole(FILE as u64)));
    let groups = kept(&file, 2_500_000);
    let from = groups.resume_at(Some(FILE as u64));
    assert_eq!(from, 2 * 1024 * 1024);
    pair.server
        .receive(id, Some(from))
        .expect("it is resumable");
    assert_eq!(pair.reach_client(), [Seen::Credit(id, from)]);
    let mut verifier = Verifier::resume(groups);
    let mut sent = 0;
    loop {
        let at = pair.client.position(id).expect("it is sent") as usize;
        let n = pair.client.sendable(id) as usize;
        if n > 0 {
            pair.client
                .data(id, &file[at..at + n], None)
                .expect("credit");
            sent += n;
        } else if at == FILE {
            pair.client.end(id, Some(Digest::of(&file))).expect("all");
        }
        let seen = pair.reach_server();
        if let [Seen::End(_, Ok(Some(digest)))] = seen[..] {
            verifier.check(digest).expect("nothing was changed");
            break;
        }
        for seen in seen {
            let Seen::Data(_, bytes, None) = seen else {
                panic!("{seen:?}");
            };
            verifier.update(&bytes);
            pair.server.consumed(id, bytes.len());
        }
        pair.reach_client();
    }
    assert_eq!(sent, FILE - from as usize, "nothing was sent twice");
    pair.reply(id, "done", None);
    pair.reach_client();
    pair.assert_at_rest();
}

#[test]
fn a_part_that_is_complete_needs_only_the_end() {
    let mut pair = Pair::new();
    let id = pair.asked("up", Some(Attached::whole(FILE as u64)));
    pair.server.receive(id, Some(FILE as u64)).expect("the end");
    assert_eq!(pair.reach_client(), [Seen::Credit(id, FILE as u64)]);
    assert_eq!(pair.client.sendable(id), 0);
    pair.client.end(id, None).expect("nothing is missing");
    assert_eq!(pair.reach_server(), [Seen::End(id, Ok(None))]);
    pair.reply(id, "done", None);
    pair.reach_client();
    pair.assert_at_rest();
}

#[test]
fn a_download_goes_on_when_the_reply_was_seen() {
    let mut pair = Pair::new();
    let id = pair.asked("down", None);
    pair.reply(id, "here", Some(Attached::whole(1000)));
    pair.reach_client();
    pair.client.receive(id, Some(900)).expect("it is resumable");
    assert_eq!(pair.reach_server(), [Seen::Credit(id, 900)]);
    assert_eq!(pair.server.sendable(id), 100);
    assert_eq!(pair.server.slice(id, 100, None).ok(), Some(900));
    pair.server.end(id, None).expect("all was sent");
    assert_eq!(
        pair.reach_client(),
        [Seen::Data(id, vec![0; 100], None), Seen::End(id, Ok(None))]
    );
    pair.client.consumed(id, 100);
    pair.assert_at_rest();
}

#[test]
fn a_download_that_is_expected_comes_right_behind_its_reply() {
    let mut pair = Pair::new();
    let id = pair.request("down", None);
    pair.client.expect(id, Some(900)).expect("it waits");
    assert!(pair.client.expect(id, None).is_err(), "once is enough");
    assert_eq!(
        pair.reach_server().len(),
        1,
        "credit without a reply is no event"
    );
    pair.reply(id, "here", Some(Attached::whole(1000)));
    assert_eq!(
        (pair.server.position(id), pair.server.sendable(id)),
        (Some(900), 100)
    );
    pair.server.data(id, &[7; 100], None).expect("credit");
    pair.server.end(id, None).expect("all was sent");
    let rest = Attached {
        size: Some(100),
        offset: 900,
        resumable: true,
    };
    assert_eq!(
        pair.reach_client(),
        [
            Seen::Reply(id, b"here".to_vec(), Some(rest)),
            Seen::Data(id, vec![7; 100], None),
            Seen::End(id, Ok(None)),
        ]
    );
    pair.client.consumed(id, 100);
    pair.assert_at_rest();
}

#[test]
fn both_sides_agree_where_an_expected_download_cannot_begin() {
    for (attached, wanted) in [
        // Not one that can be resumed, and one that has become shorter.
        (
            Attached {
                size: Some(50),
                offset: 0,
                resumable: false,
            },
            10,
        ),
        (Attached::whole(50), 51),
        (
            Attached {
                size: Some(50),
                offset: 20,
                resumable: true,
            },
            10,
        ),
    ] {
        let mut pair = Pair::new();
        let id = pair.request("down", None);
        pair.client.expect(id, Some(wanted)).expect("it waits");
        pair.reach_server();
        pair.reply(id, "here", Some(attached));
        assert_eq!(pair.server.position(id), Some(attached.offset));
        let seen = Seen::Reply(id, b"here".to_vec(), Some(attached));
        assert_eq!(pair.reach_client(), [seen]);
    }
}

#[test]
fn a_wish_that_crosses_its_reply_is_no_fault() {
    for (attached, wanted) in [(Attached::whole(50), 51), (plain(50), 10)] {
        let mut pair = Pair::new();
        let id = pair.request("down", None);
        pair.reach_server();
        pair.client.expect(id, Some(wanted)).expect("it waits");
        // The reply is on its way before the credit comes.
        pair.reply(id, "here", Some(attached));
        assert_eq!(pair.reach_server(), [Seen::Credit(id, 0)]);
        pair.server.data(id, &[7; 50], None).expect("credit");
        pair.server.end(id, None).expect("all was sent");
        assert_eq!(
            pair.reach_client(),
            [
                Seen::Reply(id, b"here".to_vec(), Some(attached)),
                Seen::Data(id, vec![7; 50], None),
                Seen::End(id, Ok(None)),
            ]
        );
        pair.client.consumed(id, 50);
        pair.assert_at_rest();
    }
}

fn plain(size: u64) -> Attached {
    Attached {
        resumable: false,
        ..Attached::whole(size)
    }
}

#[test]
fn what_cannot_be_resumed_is_an_error_of_the_caller() {
    let mut pair = Pair::new();
    let id = pair.asked(
        "up",
        Some(Attached {
            size: Some(9),
            offset: 0,
            resumable: false,
        }),
    );
    let refused = pair.server.receive(id, Some(3));
    assert!(matches!(refused, Err(Error::NotResumable { offset: 3 })));
    pair.server
        .receive(id, Some(0))
        .expect("from the beginning");
    assert!(pair.server.receive(id, None).is_err(), "once is enough");
    let whole = pair.asked("up", Some(Attached::whole(9)));
    let beyond = pair.server.receive(whole, Some(10));
    assert!(matches!(beyond, Err(Error::NotResumable { offset: 10 })));
}
