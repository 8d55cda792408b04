//! What holds for every stream: any cut gives the same events, and what was encoded comes back.

mod support;

use packetboat_framing::{Decoder, Encoder, Error, Event, Header, Limits, Prefix};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, RngSeed, TestError, TestRng, TestRunner},
};
use support::{Packet, Seen, prefixes, roomy, rule, story};

const CASES: u32 = 10_000;

/// Runs a property with a fresh seed, which is printed, or with that of `FRAMING_SEED`.
fn check<S: Strategy>(
    name: &str,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let given = std::env::var("FRAMING_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let clock = || {
        std::time::UNIX_EPOCH
            .elapsed()
            .expect("now is after 1970")
            .as_nanos() as u64
    };
    let seed = given.unwrap_or_else(clock);
    println!("{name}: {CASES} cases, FRAMING_SEED={seed}");
    let config = Config {
        cases: CASES,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    match TestRunner::new_with_rng(config, rng).run(strategy, test) {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => panic!("{name}: {why} (FRAMING_SEED={seed})"),
        Err(TestError::Abort(why)) => panic!("{name} gave up: {why} (FRAMING_SEED={seed})"),
    }
}

/// A frame of the tests' rule: the message's first byte says how long the attachment is.
fn frames() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let frame = vec(any::<u8>(), 0..40).prop_flat_map(|message| {
        let len = rule(&message) as usize;
        (Just(message), vec(any::<u8>(), len..=len))
    });
    vec(frame, 0..8)
}

fn stream<H: Header>(header: H, frames: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut encoder = Encoder::new(header, &roomy());
    let mut stream = Vec::new();
    for (message, attachment) in frames {
        encoder
            .encode(message, attachment.len() as u64)
            .expect("within the limits");
        stream.extend_from_slice(encoder.pending());
        encoder.advance(encoder.pending().len());
        stream.extend_from_slice(attachment);
    }
    stream
}

fn expected(frames: &[(Vec<u8>, Vec<u8>)]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (message, attachment) in frames {
        seen.push(Seen::Message(message.clone()));
        if !attachment.is_empty() {
            seen.extend([Seen::Attachment(attachment.clone()), Seen::End]);
        }
    }
    seen
}

/// The stream in pieces, cut at these places.
fn cut<'a>(stream: &'a [u8], at: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = at.iter().map(|i| i.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2)
        .map(|pair| &stream[pair[0]..pair[1]])
        .collect()
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_events() {
    let strategy = (select(prefixes()), frames(), vec(any::<Index>(), 0..40));
    check("any cut", &strategy, |(prefix, frames, at)| {
        let bytes = stream(prefix, &frames);
        prop_assert_eq!(story(prefix, &roomy(), cut(&bytes, &at)), expected(&frames));
        let single = bytes.chunks(1);
        prop_assert_eq!(story(prefix, &roomy(), single), expected(&frames));
        Ok(())
    });
}

#[test]
fn any_cut_of_a_device_stream_gives_the_same_events() {
    let strategy = (
        any::<u32>(),
        any::<u8>(),
        frames(),
        vec(any::<Index>(), 0..40),
    );
    check(
        "any cut, device",
        &strategy,
        |(player, kind, frames, at)| {
            let header = Packet {
                player,
                kind,
                ..Packet::default()
            };
            let bytes = stream(header, &frames);
            let told = story(Packet::default(), &roomy(), cut(&bytes, &at));
            prop_assert_eq!(told, expected(&frames));
            Ok(())
        },
    );
}

#[test]
fn decoding_what_was_encoded_gives_it_back() {
    let message = vec(any::<u8>(), 0..3000);
    let strategy = (select(prefixes()), any::<u32>(), any::<u8>(), message);
    check(
        "round trip",
        &strategy,
        |(prefix, player, kind, message)| {
            let mut encoder = Encoder::new(prefix, &roomy());
            match encoder.encode(&message, 0) {
                Ok(()) => {
                    prop_assert_eq!(encoder.pending().len(), prefix.width() + message.len());
                    let told = {
                        let mut decoder = Decoder::new(prefix, &roomy());
                        decoder.feed(encoder.pending());
                        match decoder.decode() {
                            Ok(Some(Event::Message { message, .. })) => message.to_vec(),
                            other => return Err(TestCaseError::fail(format!("{other:?}"))),
                        }
                    };
                    prop_assert_eq!(&told, &message);
                }
                Err(Error::LengthOverflow { len, max }) => {
                    prop_assert!(len > max && max == prefix.max_len());
                    prop_assert!(encoder.is_empty());
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
            let header = Packet {
                player,
                kind,
                ..Packet::default()
            };
            let mut encoder = Encoder::new(header, &roomy());
            encoder
                .encode(&message, 7)
                .map_err(|e| TestCaseError::fail(e.to_string()))?;
            let mut decoder = Decoder::new(Packet::default(), &roomy());
            decoder.feed(encoder.pending());
            let text = message.len() as u16;
            let header = Packet {
                player,
                kind,
                text,
                screenshot: 7,
            };
            let event = decoder
                .decode()
                .map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(
                event,
                Some(Event::Message {
                    header,
                    message: &message
                })
            );
            Ok(())
        },
    );
}

#[test]
fn junk_gives_the_same_story_however_it_is_cut_and_never_panics() {
    let strategy = (
        select(prefixes()),
        vec(any::<u8>(), 0..200),
        vec(any::<Index>(), 0..20),
    );
    check("junk", &strategy, |(prefix, junk, at)| {
        let limits = Limits::default();
        let whole = story(prefix, &limits, [&junk[..]]);
        prop_assert_eq!(story(prefix, &limits, cut(&junk, &at)), whole);
        story(Packet::default(), &limits, cut(&junk, &at));
        Ok(())
    });
}

#[test]
fn every_cut_in_two_and_three_gives_the_same_events() {
    let frames = [
        (b"\x03{}".to_vec(), b"abc".to_vec()),
        (b"\x00".to_vec(), Vec::new()),
        (b"\x07[1,2,3]".to_vec(), b"1234567".to_vec()),
        (b"\x01\x02\x00\x00\x00{}".to_vec(), b"\x01".to_vec()),
        (b"\x08{\"type\":1}".to_vec(), Vec::new()),
    ];
    let mut streams = 0;
    for prefix in prefixes() {
        for count in 0..=frames.len() {
            let bytes = stream(prefix, &frames[..count]);
            let bytes = &bytes[..bytes.len().min(64)];
            let whole = story(prefix, &roomy(), [bytes]);
            for i in 0..=bytes.len() {
                for j in i..=bytes.len() {
                    let pieces = [&bytes[..i], &bytes[i..j], &bytes[j..]];
                    assert_eq!(
                        story(prefix, &roomy(), pieces),
                        whole,
                        "{prefix} at {i}, {j}"
                    );
                }
            }
            streams += 1;
        }
    }
    assert_eq!(streams, 60 * 6);
}

#[test]
fn lengths_of_two_to_the_k_and_their_neighbours() {
    for prefix in prefixes() {
        let bits = prefix.width() as u32 * 8;
        for k in 0..=64_u32 {
            for near in [-1_i128, 0, 1] {
                let value = (1_i128 << k) + near;
                for value in [value, -value] {
                    length_edge(prefix, bits, value);
                }
            }
        }
    }
}

/// One number in the prefix: whether it can be stated, and what it is taken for.
fn length_edge(prefix: Prefix, bits: u32, value: i128) {
    let (low, high) = match prefix.is_signed() {
        true => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        false => (0, (1_i128 << bits) - 1),
    };
    assert_eq!(i128::from(prefix.max_len()), high);
    if !(low..=high).contains(&value) {
        return;
    }
    let mut bytes = value.to_le_bytes()[..prefix.width()].to_vec();
    if prefix.is_big_endian() {
        bytes.reverse();
    }
    let limits = Limits::default();
    let mut decoder = Decoder::new(prefix, &limits);
    decoder.feed(&bytes);
    let max = limits.max_message_bytes_before_login as i128;
    match decoder.decode() {
        Ok(None) => assert!((1..=max).contains(&value), "{prefix} took {value}"),
        Err(Error::BadLength { value: told, .. }) => {
            assert!(value <= 0, "{prefix} refused {value}");
            assert_eq!(i128::from(told), value);
        }
        Err(Error::MessageTooLarge { len, max: told, .. }) => {
            assert!(value > max, "{prefix} refused {value}");
            assert_eq!((i128::from(len), i128::from(told)), (value, max));
        }
        other => panic!("{prefix} with {value}: {other:?}"),
    }
    if let Ok(len) = u64::try_from(value) {
        let mut header = prefix;
        header.set_lengths(len, 0).expect("in the code's range");
        let mut written = vec![0; prefix.width()];
        header.write(&mut written);
        assert_eq!(written, bytes, "{prefix} writes {value}");
    }
}
