//! What a decoder and an encoder refuse, and that they refuse it from the header alone.

mod support;

use std::io::Write;

use packetboat_framing::{
    Decoder, Encoder, Error, Event, Header, Hint, Limits, Part, Phase, Prefix,
};
use support::{Packet, roomy};

fn refusal(prefix: Prefix, bytes: &[u8]) -> Error {
    let mut decoder = Decoder::new(prefix, &Limits::default());
    decoder.feed(bytes);
    let error = decoder.decode().expect_err("refused");
    decoder.feed(b"more bytes that must not be read as a frame");
    let again = decoder
        .decode()
        .expect_err("a refused stream is never read on");
    assert_eq!(
        std::mem::discriminant(&error),
        std::mem::discriminant(&again)
    );
    error
}

#[test]
fn negative_and_zero_lengths_are_refused() {
    for (bytes, value) in [
        (*b"\xff\xff\xff\xff", -1),
        (*b"\x00\x00\x00\x80", i64::from(i32::MIN)),
        (*b"\x00\x00\x00\x00", 0),
        (*b"\xfe\xff\xff\xff", -2),
    ] {
        let error = refusal(Prefix::CLASSIC, &bytes);
        assert!(
            matches!(error, Error::BadLength { value: told, .. } if told == value),
            "{error}"
        );
        assert!(error.is_peer_fault());
    }
}

#[test]
fn a_message_over_the_limit_is_refused_from_the_header_alone() {
    let limits = Limits::default();
    let mut decoder = Decoder::new(Prefix::CLASSIC, &limits);
    for logged_in in [false, true] {
        decoder.set_logged_in(logged_in);
        let max = match logged_in {
            true => limits.max_message_bytes,
            false => limits.max_message_bytes_before_login,
        };
        let mut at_limit = Decoder::new(Prefix::CLASSIC, &limits);
        at_limit.set_logged_in(logged_in);
        at_limit.feed(&(max as i32).to_le_bytes());
        assert!(matches!(at_limit.decode(), Ok(None)));

        let mut over = Decoder::new(Prefix::CLASSIC, &limits);
        over.set_logged_in(logged_in);
        over.feed(&(max as i32 + 1).to_le_bytes());
        let error = over.decode().expect_err("one byte over");
        let told = max as u64;
        assert!(
            matches!(error, Error::MessageTooLarge { len, max, .. } if len == told + 1 && max == told)
        );
    }
}

#[test]
fn twelve_other_dialects_are_refused_with_a_hint() {
    let preludes: [(&[u8], Hint); 12] = [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Hint::Http),
        (b"POST /login HTTP/1.1\r\n", Hint::Http),
        (b"HEAD / HTTP/1.0\r\n\r\n", Hint::Http),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Hint::Http2),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Hint::Tls),
        (b"\x16\x03\x03\x00\xfa\x01", Hint::Tls),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", Hint::Ssh),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Hint::Proxy),
        (b"\x05\x03\x00\x01\x02", Hint::Socks),
        (b"EHLO mail.example.org\r\n", Hint::Text),
        (b"{\"type\": \"login\", \"name\": \"ann\"}", Hint::Json),
        (
            b"\x00\x00\x00\x2a{\"type\": \"check_notice\"}",
            Hint::ByteOrder { len: 42 },
        ),
    ];
    for (bytes, hint) in preludes {
        let error = refusal(Prefix::CLASSIC, bytes);
        assert_eq!(error.hint(), Some(hint), "{error}");
        assert!(error.to_string().contains("looks like"), "{error}");
    }
    let little = refusal(Prefix::NETWORK, b"\x2a\x00\x00\x00{}");
    assert_eq!(little.hint(), Some(Hint::ByteOrder { len: 42 }));
}

#[test]
fn a_device_header_without_its_magic_is_refused() {
    let mut decoder = Decoder::new(Packet::default(), &Limits::default());
    decoder.feed(b"GET / HTTP/1.1\r\n");
    let error = decoder.decode().expect_err("no magic number");
    assert!(matches!(
        error,
        Error::InvalidHeader {
            reason: "no magic number",
            ..
        }
    ));
    assert_eq!(error.hint(), Some(Hint::Http));
}

#[test]
fn an_attachment_over_the_limit_is_refused_before_its_first_byte() {
    let limits = Limits {
        max_attachment_bytes: 1000,
        ..Limits::default()
    };
    let mut header = Packet::default();
    header.set_lengths(2, 1001).expect("fits");
    let mut bytes = [0; 13];
    header.write(&mut bytes);
    let mut decoder = Decoder::new(Packet::default(), &limits);
    decoder.feed(&bytes);
    let stated = decoder.decode().expect_err("the header states too much");
    assert!(matches!(
        stated,
        Error::AttachmentTooLarge {
            len: 1001,
            max: 1000
        }
    ));

    let mut decoder = Decoder::new(Prefix::CLASSIC, &limits);
    decoder.feed(b"\x02\0\0\0{}");
    assert!(matches!(decoder.decode(), Ok(Some(Event::Message { .. }))));
    let ruled = decoder
        .attachment(1001)
        .expect_err("the rule found too much");
    assert!(matches!(
        ruled,
        Error::AttachmentTooLarge {
            len: 1001,
            max: 1000
        }
    ));
    assert_eq!(
        decoder.attachment_left(),
        1001,
        "its bytes are still no frame"
    );
}

#[test]
fn bytes_of_an_attachment_are_never_taken_for_a_frame() {
    let inner = b"\x02\0\0\0{}";
    let mut decoder = Decoder::new(Prefix::CLASSIC, &Limits::default());
    decoder.feed(b"\x02\0\0\0[]");
    decoder.feed(&inner.repeat(3));
    assert!(matches!(
        decoder.decode(),
        Ok(Some(Event::Message { message: b"[]", .. }))
    ));
    decoder.attachment(18).expect("within the limit");
    assert_eq!(
        decoder.decode().ok(),
        Some(Some(Event::Attachment(&inner.repeat(3))))
    );
    assert_eq!(decoder.decode().ok(), Some(Some(Event::End)));
    assert!(matches!(decoder.decode(), Ok(None)));
    assert_eq!(decoder.phase(), Phase::Idle);
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_truncated() {
    let whole = b"\x05\0\0\0\x03[1]abc";
    let mut parts = Vec::new();
    for end in 0..=whole.len() {
        let mut decoder = Decoder::new(Prefix::CLASSIC, &roomy());
        decoder.feed(&whole[..end]);
        if let Ok(Some(Event::Message { .. })) = decoder.decode() {
            decoder.attachment(3).expect("within the limit");
            while let Ok(Some(_)) = decoder.decode() {}
        }
        match decoder.finish() {
            Ok(()) => assert!(end == 0 || end == 4 + 5 + 3 || end == whole.len(), "{end}"),
            Err(Error::Truncated {
                part,
                len,
                received,
            }) => {
                assert!(received < len);
                parts.push((part, len, received));
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(parts[0], (Part::Header, 4, 1));
    assert_eq!(parts[3], (Part::Message, 5, 0));
    assert_eq!(parts.last(), Some(&(Part::Attachment, 3, 2)));
}

#[test]
fn an_encoder_that_refuses_leaves_nothing_behind() {
    let limits = Limits {
        max_message_bytes: 100,
        max_attachment_bytes: 5,
        ..Limits::default()
    };
    let mut encoder = Encoder::new(Prefix::CLASSIC, &limits);
    encoder.encode(b"first", 0).expect("within the limit");
    let before = encoder.pending().to_vec();

    assert!(matches!(
        encoder.encode(b"", 0),
        Err(Error::BadLength { value: 0, .. })
    ));
    let long = encoder.encode(&[7; 101], 0);
    assert!(matches!(long, Err(Error::MessageTooLarge { max: 100, .. })));
    let written = encoder.encode_with(0, |out| (0..1000).try_for_each(|_| out.write_all(b"12345")));
    assert!(matches!(
        written,
        Err(Error::MessageTooLarge { max: 100, .. })
    ));
    let failed = encoder.encode_with(0, |out| {
        out.write_all(b"half")?;
        Err(std::io::Error::other("not serialisable"))
    });
    assert!(matches!(failed, Err(Error::Serialize(_))));
    assert!(matches!(
        encoder.encode(b"{}", 6),
        Err(Error::AttachmentTooLarge { len: 6, max: 5 })
    ));
    assert_eq!(encoder.pending(), before);

    let byte: Prefix = "b".parse().expect("in the table");
    let mut encoder = Encoder::new(byte, &roomy());
    let error = encoder
        .encode(&[1; 128], 0)
        .expect_err("127 is the largest");
    assert!(matches!(
        error,
        Error::LengthOverflow { len: 128, max: 127 }
    ));
    assert!(error.is_caller_fault() && encoder.is_empty());
}

#[test]
fn header_and_message_lie_side_by_side() {
    let mut encoder = Encoder::new(Prefix::CLASSIC, &Limits::default());
    encoder
        .encode(b"{\"flag\": true}", 0)
        .expect("within the limit");
    encoder.encode(b"[]", 0).expect("within the limit");
    assert_eq!(encoder.pending(), b"\x0e\0\0\0{\"flag\": true}\x02\0\0\0[]");
    encoder.advance(5);
    assert_eq!(encoder.pending()[..3], *b"\"fl");
}

#[test]
fn an_attachment_that_a_header_states_may_be_as_large_as_the_limit() {
    let limits = Limits {
        max_attachment_bytes: 3,
        ..roomy()
    };
    for (screenshot, is_refused) in [(3, false), (4, true)] {
        let packet = Packet {
            text: 1,
            screenshot,
            ..Packet::default()
        };
        let mut header = [0; 13];
        packet.write(&mut header);
        let mut decoder = Decoder::new(Packet::default(), &limits);
        decoder.feed(&header);
        decoder.feed(b"t");
        match decoder.decode() {
            Ok(Some(Event::Message { message: b"t", .. })) => assert!(!is_refused),
            Err(Error::AttachmentTooLarge { len: 4, max: 3 }) => assert!(is_refused),
            other => panic!("{other:?}"),
        }
    }
}
