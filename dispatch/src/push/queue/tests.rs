//! Which pushes go when a reader is slow.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::push::broker::Publication;
use crate::push::position::Position;

fn queue(pushes: usize) -> Queue {
    Queue::new(Load {
        pushes,
        bytes: 100_000,
    })
}

/// Message `seq` of a room.
fn kept(room: &str, seq: u64, slow: SlowReader) -> Arc<Frame> {
    let publication = Publication::new("said", Bytes::from(seq.to_string()), slow);
    let epoch = "e".into();
    let position = Position { epoch, seq };
    Arc::new(Frame::in_room(&room.into(), publication, Some(position)))
}

fn passing(text: &'static str, slow: SlowReader) -> Arc<Frame> {
    let data = Bytes::from_static(text.as_bytes());
    let publication = Publication::new("said", data, slow);
    Arc::new(Frame::in_room(&"r".into(), publication, None))
}

fn latest(key: &str) -> SlowReader {
    SlowReader::KeepLatest(key.to_owned())
}

/// All that comes out, in few words: `r3` is message 3 of room r, `r-5/2` a gap of two that ends
/// with message 5.
fn drain(queue: &mut Queue) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(entry) = queue.pop() {
        all.push(match entry {
            Entry::Push(frame) => {
                let mut out = Vec::new();
                frame.write(&mut out).expect("a vector takes every byte");
                match (&frame.room, &frame.position) {
                    (Some(room), Some(position)) => format!("{room}{}", position.seq),
                    _ => {
                        let text = String::from_utf8(out).expect("JSON");
                        let (_, data) = text.split_once(r#""data":"#).expect("data");
                        data.trim_end_matches('}').to_owned()
                    }
                }
            }
            Entry::Gap(gap) => {
                let missed = gap.missed.map_or_else(|| "?".to_owned(), |n| n.to_string());
                format!("{}-{}/{missed}", gap.room, gap.position.seq)
            }
        });
    }
    assert_eq!((queue.usual, queue.latest), Default::default());
    all
}

#[test]
fn what_waits_is_refused_when_full_and_lost_to_nobody() {
    let mut queue = queue(2);
    for seq in 1..=2 {
        let offered = queue.offer(&kept("r", seq, SlowReader::Wait));
        assert_eq!(offered, Offered::default());
    }
    let third = kept("r", 3, SlowReader::Wait);
    assert_eq!(queue.offer(&third).outcome, Outcome::Full);
    assert!(queue.pop().is_some());
    assert_eq!(queue.offer(&third).outcome, Outcome::Done);
    assert_eq!(drain(&mut queue), ["r2", "r3"]);
}

#[test]
fn a_full_queue_cuts_the_reader_that_must_not_miss_it() {
    let mut queue = queue(1);
    queue.offer(&kept("r", 1, SlowReader::Wait));
    let offered = queue.offer(&kept("r", 2, SlowReader::Disconnect));
    assert_eq!(offered.outcome, Outcome::Cut);
}

#[test]
fn the_oldest_that_may_go_makes_room_and_leaves_one_notice() {
    let mut queue = queue(3);
    queue.offer(&kept("r", 1, SlowReader::Wait));
    for seq in 2..=6 {
        queue.offer(&kept("r", seq, SlowReader::DropOldest));
    }
    assert_eq!(drain(&mut queue), ["r1", "r-4/3", "r5", "r6"]);

    // Nothing that waits may go, so it is the new one; what follows goes into its notice.
    for seq in 1..=3 {
        queue.offer(&kept("r", seq, SlowReader::Wait));
    }
    for seq in 4..=6 {
        let offered = queue.offer(&kept("r", seq, SlowReader::DropOldest));
        assert_eq!((offered.outcome, offered.dropped), (Outcome::Done, 1));
    }
    assert_eq!(drain(&mut queue), ["r1", "r2", "r3", "r-6/3"]);
}

#[test]
fn notices_of_many_rooms_do_not_add_up() {
    let mut queue = queue(2);
    for seq in 1..=1000 {
        for room in ["a", "b"] {
            queue.offer(&kept(room, seq, SlowReader::DropOldest));
        }
    }
    assert_eq!(queue.entries.len(), 4);
    assert_eq!(
        drain(&mut queue),
        ["a-999/999", "b-999/999", "a1000", "b1000"]
    );
}

#[test]
fn of_each_key_the_latest_is_kept_and_has_room_of_its_own() {
    let mut queue = queue(2);
    for seq in 1..=2 {
        queue.offer(&kept("r", seq, SlowReader::Wait));
    }
    queue.offer(&passing("1", latest("a")));
    queue.offer(&passing("2", latest("b")));
    let offered = queue.offer(&passing("3", latest("a")));
    assert_eq!((offered.replaced, offered.dropped), (1, 0));
    let offered = queue.offer(&passing("4", latest("c")));
    assert_eq!(
        (offered.replaced, offered.dropped),
        (0, 1),
        "the oldest key goes"
    );
    assert_eq!(drain(&mut queue), ["r1", "r2", "3", "4"]);
}

#[test]
fn bytes_are_bounded_and_one_alone_may_be_larger() {
    let mut queue = Queue::new(Load {
        pushes: 10,
        bytes: 60,
    });
    let large = Box::leak("x".repeat(100).into_boxed_str());
    assert_eq!(
        queue.offer(&passing(large, SlowReader::Wait)).outcome,
        Outcome::Done
    );
    assert_eq!(
        queue.offer(&passing("1", SlowReader::Wait)).outcome,
        Outcome::Full
    );
    queue.clear();
    assert_eq!(
        queue.offer(&passing("1", SlowReader::Wait)).outcome,
        Outcome::Done
    );
    assert_eq!(
        queue.offer(&passing("2", SlowReader::Wait)).outcome,
        Outcome::Full
    );
}

#[test]
fn what_waits_of_a_room_is_purged() {
    let mut queue = queue(4);
    queue.offer(&kept("a", 1, SlowReader::Wait));
    queue.offer(&kept("b", 1, SlowReader::Wait));
    queue.offer(&kept("a", 2, latest("k")));
    queue.notice(kept("a", 3, SlowReader::Wait).lost().expect("it is kept"));
    queue.purge("a");
    assert_eq!(drain(&mut queue), ["b1"]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever is offered and taken, each message of a room comes out once and in order, or is
    /// counted by a notice in its place.
    #[test]
    fn nothing_is_lost_without_a_notice(
        steps in proptest::collection::vec((0_u8..7, 0_usize..2, 0_u8..3), 1..400),
        pushes in 1_usize..6,
    ) {
        let mut queue = queue(pushes);
        let rooms = ["a", "b"];
        let mut sent = [0_u64; 2];
        let mut seen = [0_u64; 2];
        let mut look = |entry: Entry| {
            let (room, upto, n) = match &entry {
                Entry::Push(frame) if frame.position.is_none() => return,
                Entry::Push(frame) => {
                    let position = frame.position.as_ref().expect("all are kept");
                    (frame.room.clone().expect("in a room"), position.seq, 1)
                }
                Entry::Gap(gap) => {
                    (Arc::clone(&gap.room), gap.position.seq, gap.missed.expect("known"))
                }
            };
            let room = usize::from(*room == *"b");
            assert_eq!(seen[room] + n, upto, "{entry:?}");
            seen[room] = upto;
        };
        for (what, room, key) in steps {
            let slow = match what {
                0 => SlowReader::Wait,
                1 => SlowReader::Disconnect,
                2 => SlowReader::DropOldest,
                3 | 4 => latest(&key.to_string()),
                // One that is not kept may stand between, and leaves no notice.
                5 => {
                    queue.offer(&passing("0", latest(&format!("passing {key}"))));
                    continue;
                }
                _ => {
                    if let Some(entry) = queue.pop() {
                        look(entry);
                    }
                    continue;
                }
            };
            let offered = queue.offer(&kept(rooms[room], sent[room] + 1, slow));
            if offered.outcome == Outcome::Done {
                sent[room] += 1;
            }
            prop_assert!(queue.usual.pushes <= pushes && queue.latest.pushes <= pushes);
            prop_assert!(queue.entries.len() <= 2 * pushes + 2 * (2 * pushes + 1));
        }
        while let Some(entry) = queue.pop() {
            look(entry);
        }
        assert_eq!(seen, sent);
    }
}
