//! The decoder's room, limits and ends.

use crate::prefix::Prefix;

use super::*;

fn decoder() -> Decoder<Prefix> {
    Decoder::new(Prefix::CLASSIC, &Limits::default())
}

/// Fills all the room that a read is given, and says how much it was.
fn fill(decoder: &mut Decoder<Prefix>) -> usize {
    let space = decoder.space();
    let room = space.capacity() - space.len();
    space.resize(space.capacity(), 0);
    room
}

#[test]
fn room_doubles_while_reads_fill_it_up_to_a_bound() {
    let mut decoder = decoder();
    // Frames of no meaning: only how much room a read is given is looked at.
    let rooms: Vec<usize> = (0..8)
        .map(|_| {
            let room = fill(&mut decoder);
            decoder.start = decoder.buf.len();
            room
        })
        .collect();
    let kib: Vec<usize> = rooms.iter().map(|room| room / 1024).collect();
    assert_eq!(kib[0], 4, "a stranger's first read is small");
    assert!(kib.is_sorted(), "{kib:?}");
    assert_eq!(kib[7], 64, "{kib:?}");
    assert!(kib.windows(2).all(|pair| pair[1] <= 2 * pair[0]), "{kib:?}");
}

#[test]
fn room_stays_as_it_is_while_reads_do_not_fill_it() {
    let mut decoder = decoder();
    for _ in 0..20 {
        let space = decoder.space();
        assert_eq!(space.capacity() - space.len(), 4 * 1024);
        space.extend_from_slice(b"\x02\0\0\0{}");
        assert!(matches!(
            decoder.decode(),
            Ok(Some(Event::Message { message: b"{}", .. }))
        ));
    }
}

#[test]
fn a_message_is_given_room_for_what_is_left_of_it() {
    let mut decoder = decoder();
    let space = decoder.space();
    space.extend_from_slice(&6000_i32.to_le_bytes());
    space.resize(space.capacity(), b' ');
    let come = space.len() - 4;
    assert!(matches!(decoder.decode(), Ok(None)));
    // More than half of a doubled read is missing, and less than a whole one.
    let room = fill(&mut decoder);
    assert_eq!(room, 6000 - come);
    assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
}

#[test]
fn room_that_was_read_is_used_again() {
    let mut decoder = decoder();
    decoder.feed(&frame(3000));
    let capacity = decoder.buf.capacity();
    decoder.feed(b"\xb8\x0b");
    assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
    // No room behind what is there, and enough of it once what was read is dropped.
    decoder.feed(&frame(3000)[2..]);
    assert_eq!(decoder.buf.capacity(), capacity);
    assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
}

/// A frame with a message of so many spaces.
fn frame(len: i32) -> Vec<u8> {
    let mut frame = len.to_le_bytes().to_vec();
    frame.resize(4 + len as usize, b' ');
    frame
}

#[test]
fn an_attachment_may_be_as_large_as_the_limit_and_not_larger() {
    let limits = Limits {
        max_attachment_bytes: 3,
        ..Limits::default()
    };
    for (len, is_refused) in [(3, false), (4, true)] {
        let mut decoder = Decoder::new(Prefix::CLASSIC, &limits);
        decoder.feed(b"\x02\0\0\0{}abcd");
        assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
        assert_eq!(decoder.attachment(len).is_err(), is_refused);
        assert_eq!(decoder.attachment_left(), len);
    }
}

#[test]
fn an_empty_attachment_is_none() {
    let mut decoder = decoder();
    decoder.feed(b"\x02\0\0\0{}\x02\0\0\0[]");
    assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
    decoder
        .attachment(0)
        .expect("no bytes are within any limit");
    assert!(matches!(
        decoder.decode(),
        Ok(Some(Event::Message { message: b"[]", .. }))
    ));
}

/// A decoder in the middle of an attachment of three bytes.
fn in_attachment() -> Decoder<Prefix> {
    let mut decoder = decoder();
    decoder.feed(b"\x02\0\0\0{}");
    assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
    decoder.attachment(3).expect("it is within the limit");
    decoder
}

#[test]
fn a_header_alone_is_a_message_that_has_begun() {
    let mut decoder = decoder();
    assert_eq!(decoder.phase(), Phase::Idle);
    decoder.feed(b"\x02\0\0\0");
    assert!(matches!(decoder.decode(), Ok(None)));
    assert_eq!((decoder.buffered(), decoder.phase()), (0, Phase::Message));
}

#[test]
fn an_end_inside_an_attachment_says_how_much_had_come() {
    let mut decoder = in_attachment();
    decoder.feed(b"a");
    assert!(matches!(
        decoder.decode(),
        Ok(Some(Event::Attachment(b"a")))
    ));
    decoder.feed(b"b");
    match decoder.finish() {
        Err(Error::Truncated {
            part: Part::Attachment,
            len: 3,
            received: 2,
        }) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        decoder.decode(),
        Ok(Some(Event::Attachment(b"b")))
    ));
    decoder.passed_by(1);
    // Its last byte has come; that its end was not asked for yet is no fault of the peer.
    decoder.finish().expect("the stream ended after a frame");
}

#[test]
#[should_panic(expected = "4 bytes do not belong to an attachment")]
fn more_bytes_than_an_attachment_has_cannot_have_passed_by() {
    in_attachment().passed_by(4);
}

#[test]
fn a_released_decoder_goes_on() {
    let mut decoder = decoder();
    for _ in 0..2 {
        decoder.feed(b"\x02\0\0\0{}");
        assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
        decoder.release();
        assert_eq!((decoder.buffered(), decoder.phase()), (0, Phase::Idle));
    }
}

#[test]
fn a_decoder_is_warm_while_it_holds_a_buffer() {
    let mut decoder = decoder();
    assert!(!decoder.is_warm());
    decoder.space();
    assert!(decoder.is_warm());
    decoder.release();
    assert!(!decoder.is_warm());
}
