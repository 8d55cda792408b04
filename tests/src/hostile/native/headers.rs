//! Headers that break a rule: kind, flags, id, codec, type, length, in the order in which they are checked.

use crate::hostile::native::breach;
use crate::hostile::native::code::{
    BAD_FIELD, BAD_FLAGS, BAD_ID, BAD_LENGTH, FRAME_TOO_LARGE, UNKNOWN_KIND,
};
use crate::hostile::native::frame::{
    ABORTED, ANSWER, ATTACHMENT, CANCEL, CREDIT, DATA, END, ERROR, EXTENDED, Frame, GOING_AWAY,
    JSON, MESSAGE, PING, PUSH, REPLY, RESUMABLE,
};
use crate::hostile::script::Script;

/// The most that a DATA frame may carry.
const MAX_DATA: u32 = 1024 * 1024;

type Row = (&'static str, Vec<u8>, u32);

pub(super) fn scripts() -> Vec<Script> {
    [kinds(), flags(), ids(), fields(), lengths()]
        .into_iter()
        .flatten()
        .map(|(name, bytes, code)| breach(name, bytes, code))
        .collect()
}

fn ask() -> Frame {
    Frame::message(1, "{}")
}

fn kinds() -> Vec<Row> {
    let of = |kind| Frame::bare(kind, 1, 0).bytes();
    // Kind, flags, id and all: the first breach counts.
    let all = [vec![11, 0xff, 0xff, 0xff], vec![0xff; 12]].concat();
    vec![
        ("kinds.zero", of(0), UNKNOWN_KIND),
        ("kinds.eleven", of(11), UNKNOWN_KIND),
        ("kinds.last", of(255), UNKNOWN_KIND),
        ("kinds.before-all-else", all, UNKNOWN_KIND),
    ]
}

fn flags() -> Vec<Row> {
    let on = |frame: Frame, flags| (frame.with_flags(flags).bytes(), BAD_FLAGS);
    let bare = |kind, flags| on(Frame::bare(kind, 1, 100), flags);
    // The id is zero as well, and there is no codec.
    let and_id = Frame::bare(MESSAGE, 0, 0).with_flags(0x80).bytes();
    [
        ("flags.unknown", on(ask(), 0x80)),
        ("flags.unknown-of-a-ping", on(Frame::bare(PING, 0, 0), 0x40)),
        ("flags.aborted-message", on(ask(), ABORTED)),
        ("flags.answer-as-message", on(ask(), ANSWER)),
        ("flags.resumable-without-attachment", on(ask(), RESUMABLE)),
        (
            "flags.data-with-attachment",
            on(Frame::data(1, b"x"), ATTACHMENT),
        ),
        ("flags.end-with-answer", bare(END, ANSWER)),
        ("flags.aborted-credit", bare(CREDIT, ABORTED)),
        ("flags.extended-cancel", bare(CANCEL, EXTENDED)),
        ("flags.extended-ping", on(Frame::bare(PING, 0, 0), EXTENDED)),
        (
            "flags.extended-goodbye",
            on(Frame::bare(GOING_AWAY, 0, 0), EXTENDED),
        ),
        ("flags.before-id", (and_id, BAD_FLAGS)),
    ]
    .map(|(name, (bytes, code))| (name, bytes, code))
    .into()
}

fn ids() -> Vec<Row> {
    let bare = |kind, id, value| Frame::bare(kind, id, value).bytes();
    vec![
        (
            "headers.message-of-no-request",
            Frame::message(0, "{}").bytes(),
            BAD_ID,
        ),
        (
            "headers.data-of-no-request",
            Frame::data(0, b"x").bytes(),
            BAD_ID,
        ),
        ("headers.end-of-no-request", bare(END, 0, 0), BAD_ID),
        ("headers.credit-of-no-request", bare(CREDIT, 0, 9), BAD_ID),
        ("headers.cancel-of-no-request", bare(CANCEL, 0, 65), BAD_ID),
        ("headers.ping-of-a-request", bare(PING, 9, 0), BAD_ID),
        ("headers.push-of-a-request", bare(PUSH, 9, 0), BAD_ID),
        // There is no codec, either.
        ("headers.id-before-field", bare(MESSAGE, 0, 0), BAD_ID),
    ]
}

fn fields() -> Vec<Row> {
    let bare = |kind, id, value| Frame::bare(kind, id, value);
    let aborted = bare(END, 1, 63).with_flags(ABORTED);
    let rows = [
        ("fields.message-without-codec", ask().with_codec(0)),
        (
            "fields.reply-without-codec",
            Frame {
                payload: b"{}".to_vec(),
                ..bare(REPLY, 1, 0)
            },
        ),
        ("fields.error-below-64", bare(ERROR, 1, 9)),
        (
            "fields.error-with-a-message-without-codec",
            Frame {
                payload: b"{}".to_vec(),
                ..bare(ERROR, 1, 64)
            },
        ),
        (
            "fields.error-with-codec-without-a-message",
            bare(ERROR, 1, 64).with_codec(JSON),
        ),
        (
            "fields.data-with-codec",
            Frame::data(1, b"x").with_codec(JSON),
        ),
        (
            "fields.data-with-type",
            Frame {
                value: 5,
                ..Frame::data(1, b"x")
            },
        ),
        ("fields.end-with-code", bare(END, 1, 64)),
        ("fields.aborted-end-below-64", aborted),
        ("fields.end-with-codec", bare(END, 1, 0).with_codec(JSON)),
        ("fields.credit-of-nothing", bare(CREDIT, 1, 0)),
        (
            "fields.credit-with-codec",
            bare(CREDIT, 1, 9).with_codec(JSON),
        ),
        ("fields.cancel-below-64", bare(CANCEL, 1, 63)),
        ("fields.ping-with-codec", bare(PING, 0, 0).with_codec(JSON)),
        ("fields.goodbye-of-64", bare(GOING_AWAY, 0, 64)),
        // It is empty, too.
        ("fields.before-length", bare(MESSAGE, 1, 0)),
    ];
    rows.map(|(name, frame)| (name, frame.bytes(), BAD_FIELD))
        .into()
}

fn lengths() -> Vec<Row> {
    let loaded = |kind, id, value| {
        let frame = Frame::bare(kind, id, value);
        (Frame {
            payload: b"!".to_vec(),
            ..frame
        })
        .bytes()
    };
    let data = Frame::bare(DATA, 1, 0);
    let mut rows = vec![
        ("lengths.empty-message", Frame::message(1, "").bytes()),
        (
            "lengths.extended-message-without-block",
            ask().with_flags(EXTENDED).bytes_of_length(1),
        ),
        ("lengths.empty-data", data.bytes()),
        (
            "lengths.data-over-1-mib",
            data.bytes_of_length(MAX_DATA + 1),
        ),
        ("lengths.data-of-4-gib", data.bytes_of_length(u32::MAX)),
        ("lengths.end-with-payload", loaded(END, 1, 0)),
        ("lengths.credit-with-payload", loaded(CREDIT, 1, 9)),
        ("lengths.cancel-with-payload", loaded(CANCEL, 1, 65)),
        ("lengths.ping-with-payload", loaded(PING, 0, 0)),
        ("lengths.goodbye-with-payload", loaded(GOING_AWAY, 0, 0)),
    ]
    .into_iter()
    .map(|(name, bytes)| (name, bytes, BAD_LENGTH))
    .collect::<Vec<_>>();
    rows.extend([
        (
            "lengths.message-of-4-gib",
            ask().bytes_of_length(u32::MAX),
            FRAME_TOO_LARGE,
        ),
        (
            "lengths.message-over-16-mib",
            ask().bytes_of_length((17 << 20) + 1),
            FRAME_TOO_LARGE,
        ),
    ]);
    rows
}
