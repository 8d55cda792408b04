//! What holds for any interleaving, any cut, and any junk.

use packetboat_framing::{
    Limits,
    native::{Codec, Digest, Extensions, Frame, FrameDecoder, FrameEncoder, FrameHeader, Kind},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, RngSeed, TestError, TestRng, TestRunner},
};

use crate::{
    pair::frame,
    reassembly,
    world::{Dice, Step, run, told},
};

const CASES: u32 = 10_000;

/// Runs a property with a fresh seed, which is printed, or with that of `FRAMING_SEED`.
fn check<S: Strategy>(
    name: &str,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    check_so_often(CASES, name, strategy, test);
}

fn check_so_often<S: Strategy>(
    cases: u32,
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
    println!("{name}: {cases} cases, FRAMING_SEED={seed}");
    let config = Config {
        cases,
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
        Err(TestError::Fail(why, case)) => {
            panic!("{name}: {why} (FRAMING_SEED={seed})\n{case:?}")
        }
        Err(TestError::Abort(why)) => panic!("{name} gave up: {why} (FRAMING_SEED={seed})"),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = any::<u64>().prop_map(|number| Dice(number).step());
    vec(one, 0..60)
}

#[test]
fn any_interleaving_and_any_cut_gives_each_receiver_its_own_bytes() {
    check("interleaving", &steps(), |steps| {
        run(&steps);
        Ok(())
    });
}

#[test]
fn an_attachment_in_several_goes_is_right_or_an_error() {
    let steps = (any::<u64>(), vec(any::<u64>(), 0..16));
    check_so_often(1000, "reassembly", &steps, |(films, steps)| {
        reassembly::run(films, &steps);
        Ok(())
    });
}

/// A frame that is right in itself.
fn frames() -> impl Strategy<Value = (FrameHeader, Option<Vec<u8>>, Option<[u8; 32]>)> {
    let payload = vec(any::<u8>(), 1..200);
    (
        0..5_u8,
        1..u32::MAX,
        payload,
        proptest::option::of(any::<[u8; 32]>()),
    )
        .prop_map(|(kind, request, payload, digest)| {
            let control = FrameHeader::control;
            let (header, payload) = match kind {
                0 => (control(Kind::Message, request, 5), Some(payload)),
                1 => (control(Kind::Data, request, 0), Some(payload)),
                2 => (control(Kind::End, request, 0), None),
                3 => (control(Kind::Credit, request, 9), None),
                _ => (control(Kind::Ping, 0, request), None),
            };
            let digest = digest.filter(|_| matches!(header.kind, Kind::Data | Kind::End));
            (header, payload, digest)
        })
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_frames() {
    let strategy = (vec(frames(), 0..8), vec(any::<Index>(), 0..20));
    check("frames", &strategy, |(frames, cuts)| {
        let mut encoder = FrameEncoder::new(&Limits::default());
        for (header, payload, digest) in &frames {
            let digest = digest.map(Digest);
            match (header.kind, payload) {
                (Kind::Message, Some(payload)) => {
                    let header = FrameHeader {
                        codec: Codec::JSON,
                        ..*header
                    };
                    let written = encoder.message(header, &Extensions::default(), |out| {
                        std::io::Write::write_all(out, payload)
                    });
                    written.expect("within the limits");
                }
                (_, Some(payload)) => {
                    let fields = Extensions {
                        group: digest,
                        ..Extensions::default()
                    };
                    encoder.data(header.request, payload, &fields);
                }
                (_, None) => {
                    let fields = Extensions {
                        digest,
                        ..Extensions::default()
                    };
                    encoder.control(*header, &fields);
                }
            }
        }
        let wire = encoder.pending().to_vec();
        let mut cuts: Vec<_> = cuts.iter().map(|i| i.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let mut decoder = FrameDecoder::new(&Limits::default());
        let mut told = Vec::new();
        let mut data = Vec::new();
        for cut in cuts.windows(2) {
            decoder.feed(&wire[cut[0]..cut[1]]);
            loop {
                let frame = decoder
                    .decode()
                    .map_err(|e| TestCaseError::fail(e.to_string()))?;
                match frame {
                    None => break,
                    Some(Frame::Whole {
                        header,
                        extensions,
                        payload,
                    }) => {
                        let payload = Some(payload.to_vec()).filter(|bytes| !bytes.is_empty());
                        told.push((
                            header.kind,
                            header.request,
                            payload,
                            extensions.fields().digest,
                        ));
                    }
                    Some(Frame::Data {
                        header,
                        bytes,
                        left,
                        group,
                    }) => {
                        data.extend_from_slice(bytes);
                        if left == 0 {
                            let payload = Some(std::mem::take(&mut data));
                            told.push((header.kind, header.request, payload, group));
                        }
                    }
                    Some(Frame::TooLarge { .. }) => {
                        return Err(TestCaseError::fail("nothing is too large"));
                    }
                }
            }
        }
        let expected: Vec<_> = frames
            .into_iter()
            .map(|(header, payload, digest)| {
                (header.kind, header.request, payload, digest.map(Digest))
            })
            .collect();
        prop_assert_eq!(told, expected);
        prop_assert!(decoder.finish().is_ok());
        Ok(())
    });
}

#[test]
fn junk_gives_an_error_or_waits_and_never_panics() {
    let raw = vec(any::<u8>(), 0..200);
    // Headers with small numbers reach the deeper rules.
    let near = (
        0..12_u8,
        0..32_u8,
        0..3_u16,
        0..5_u32,
        0..80_u32,
        vec(any::<u8>(), 0..60),
    )
        .prop_map(|(kind, flags, codec, request, argument, body)| {
            frame(kind, flags, codec, request, argument, &body)
        });
    let bytes = prop_oneof![1 => raw, 4 => vec(near, 0..12).prop_map(|frames| frames.concat())];
    let strategy = (any::<bool>(), bytes, vec(any::<Index>(), 0..8));
    check("junk", &strategy, |(server, junk, cuts)| {
        let mut cuts: Vec<_> = cuts.iter().map(|i| i.index(junk.len() + 1)).collect();
        cuts.extend([0, junk.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &junk[cut[0]..cut[1]]).collect();
        let whole = told(server, &[&junk[..]]);
        prop_assert_eq!(told(server, &pieces), whole);
        Ok(())
    });
}
