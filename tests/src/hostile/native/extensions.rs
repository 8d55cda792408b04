//! Blocks of extension fields that break a rule.

use crate::hostile::native::code::BAD_EXTENSION;
use crate::hostile::native::frame::{
    ABORTED, ATTACHMENT, CREDIT, DEADLINE, DIGEST, END, Frame, GROUP, KEY, NAME, OFFSET, SIZE,
};
use crate::hostile::native::{breach, script};
use crate::hostile::script::Script;

pub(super) fn scripts() -> Vec<Script> {
    malformed()
        .into_iter()
        .chain(out_of_place())
        .chain(of_another_length())
        .map(|(name, frame)| breach(name, frame.bytes(), BAD_EXTENSION))
        .chain([script("extensions.unknown-from-128-on", |peer| {
            let id = peer.id();
            let good = Frame::message(id, peer.target.good.to_string());
            peer.send(&good.with_fields(&[(128, b""), (200, &[7; 200]), (255, b"x")]));
            peer.answered(id)?;
            peer.lives()
        })])
        .collect()
}

fn ask() -> Frame {
    Frame::message(1, "{}")
}

fn attached() -> Frame {
    ask().with_flags(ATTACHMENT)
}

fn malformed() -> Vec<(&'static str, Frame)> {
    let end: &[u8] = &(u64::MAX - 5).to_be_bytes();
    let ten: &[u8] = &10u64.to_be_bytes();
    vec![
        (
            "extensions.block-beyond-its-frame",
            ask().with_raw_block(5, b""),
        ),
        (
            "extensions.block-over-1024",
            Frame::message(1, vec![0; 2000]).with_raw_block(1025, b""),
        ),
        (
            "extensions.block-of-65535",
            Frame::message(1, vec![0; 2000]).with_raw_block(65535, b""),
        ),
        (
            "extensions.block-and-no-message",
            Frame::message(1, "").with_fields(&[(128, b"x")]),
        ),
        ("extensions.half-a-field", ask().with_block(&[DEADLINE])),
        (
            "extensions.field-beyond-the-block",
            ask().with_block(&[DEADLINE, 4, 0, 0]),
        ),
        (
            "extensions.byte-too-many",
            ask().with_block(&[DEADLINE, 4, 0, 0, 1, 0, 9]),
        ),
        ("extensions.number-zero", ask().with_fields(&[(0, b"")])),
        (
            "extensions.unknown-below-128",
            ask().with_fields(&[(9, b"")]),
        ),
        ("extensions.unknown-127", ask().with_fields(&[(127, b"x")])),
        (
            "extensions.repeated",
            ask().with_fields(&[(DEADLINE, &[0, 0, 9, 0]), (DEADLINE, &[0, 0, 9, 0])]),
        ),
        (
            "extensions.repeated-unknown",
            ask().with_fields(&[(200, b""), (200, b"")]),
        ),
        (
            "extensions.falling",
            attached().with_fields(&[(OFFSET, ten), (SIZE, ten)]),
        ),
        (
            "extensions.offset-and-size-over-64-bits",
            attached().with_fields(&[(SIZE, ten), (OFFSET, end)]),
        ),
        (
            "extensions.name-not-utf-8",
            attached().with_fields(&[(NAME, b"caf\xe9")]),
        ),
    ]
}

fn out_of_place() -> Vec<(&'static str, Frame)> {
    let ten: &[u8] = &10u64.to_be_bytes();
    let digest: &[u8] = &[7; 32];
    let end = Frame::bare(END, 1, 0);
    let aborted = Frame::bare(END, 1, 65).with_flags(ABORTED);
    let credit = Frame::bare(CREDIT, 1, 9);
    vec![
        (
            "extensions.size-without-attachment",
            ask().with_fields(&[(SIZE, ten)]),
        ),
        (
            "extensions.offset-without-attachment",
            ask().with_fields(&[(OFFSET, ten)]),
        ),
        (
            "extensions.digest-without-attachment",
            ask().with_fields(&[(DIGEST, digest)]),
        ),
        (
            "extensions.name-without-attachment",
            ask().with_fields(&[(NAME, b"a")]),
        ),
        (
            "extensions.group-in-a-message",
            attached().with_fields(&[(GROUP, digest)]),
        ),
        (
            "extensions.deadline-in-an-end",
            end.clone().with_fields(&[(DEADLINE, &[0; 4])]),
        ),
        (
            "extensions.key-in-an-end",
            end.with_fields(&[(KEY, &[0; 16])]),
        ),
        (
            "extensions.digest-in-an-aborted-end",
            aborted.with_fields(&[(DIGEST, digest)]),
        ),
        (
            "extensions.digest-in-data",
            Frame::data(1, b"x").with_fields(&[(DIGEST, digest)]),
        ),
        (
            "extensions.size-in-credit",
            credit.clone().with_fields(&[(SIZE, ten)]),
        ),
        (
            "extensions.payload-behind-the-block-of-credit",
            Frame {
                payload: b"!".to_vec(),
                ..credit
            }
            .with_fields(&[(OFFSET, ten)]),
        ),
    ]
}

fn of_another_length() -> Vec<(&'static str, Frame)> {
    vec![
        (
            "extensions.deadline-of-3-bytes",
            ask().with_fields(&[(DEADLINE, &[0; 3])]),
        ),
        (
            "extensions.deadline-of-8-bytes",
            ask().with_fields(&[(DEADLINE, &[0; 8])]),
        ),
        (
            "extensions.size-of-4-bytes",
            attached().with_fields(&[(SIZE, &[0; 4])]),
        ),
        (
            "extensions.offset-of-9-bytes",
            attached().with_fields(&[(OFFSET, &[0; 9])]),
        ),
        (
            "extensions.digest-of-31-bytes",
            attached().with_fields(&[(DIGEST, &[0; 31])]),
        ),
        (
            "extensions.key-of-15-bytes",
            ask().with_fields(&[(KEY, &[0; 15])]),
        ),
        (
            "extensions.empty-name",
            attached().with_fields(&[(NAME, b"")]),
        ),
        (
            "extensions.group-of-31-bytes",
            Frame::data(1, b"x").with_fields(&[(GROUP, &[0; 31])]),
        ),
    ]
}
