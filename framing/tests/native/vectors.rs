//! Golden frames, and a second implementation that agrees on them.

use std::{path::Path, process::Command};

use packetboat_framing::{
    Error, Limits,
    native::{
        Code, Codec, Digest, Extensions, Flags, Frame, FrameDecoder, FrameEncoder, FrameHeader,
        Groups, Kind, Preface, Verifier, type_hash,
    },
};
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).expect("the file is JSON")
}

fn rows<'a>(vectors: &'a Value, table: &str) -> &'a [Value] {
    let rows = vectors[table].as_array().expect("a table");
    assert!(!rows.is_empty(), "{table} has no rows");
    rows
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("hexadecimal digits");
    let byte = |i| u8::from_str_radix(&text[i..i + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn number(row: &Value, key: &str) -> u32 {
    let number = row[key].as_u64().expect("a number");
    u32::try_from(number).expect("32 bits")
}

fn fields(row: &Value) -> Extensions<'_> {
    let fields = &row["fields"];
    let digest = |key: &str| {
        let text = fields[key].as_str()?;
        Some(text.parse::<Digest>().expect("a digest"))
    };
    let key = fields.get("idempotency_key").map(unhex);
    Extensions {
        deadline_ms: fields["deadline_ms"].as_u64().map(|ms| ms as u32),
        size: fields["size"].as_u64(),
        offset: fields["offset"].as_u64(),
        digest: digest("digest"),
        idempotency_key: key.map(|key| key.try_into().expect("16 bytes")),
        name: fields["name"].as_str(),
        group: digest("group"),
    }
}

#[test]
fn frames_are_written_and_read_as_they_stand() {
    let vectors = vectors();
    for row in rows(&vectors, "frames") {
        let name = &row["name"];
        let header = FrameHeader {
            flags: Flags(number(row, "flags") as u8),
            codec: Codec(number(row, "codec") as u16),
            ..FrameHeader::control(
                Kind::from_u8(number(row, "kind") as u8).expect("a kind"),
                number(row, "id"),
                number(row, "type"),
            )
        };
        let (fields, payload) = (fields(row), unhex(&row["payload"]));
        let mut encoder = FrameEncoder::new(&Limits::default());
        match header.kind {
            Kind::Data => encoder.data(header.request, &payload, &fields),
            kind if kind.has_message() => encoder
                .message(header, &fields, |out| {
                    std::io::Write::write_all(out, &payload)
                })
                .expect("within the limits"),
            _ => encoder.control(header, &fields),
        }
        assert_eq!(hex(encoder.pending()), row["bytes"], "{name}");
        let mut decoder = FrameDecoder::new(&Limits::default());
        decoder.feed(encoder.pending());
        match decoder.decode().expect("it is right") {
            Some(Frame::Whole {
                header: read,
                extensions,
                payload: body,
            }) => {
                assert_eq!(
                    (read.kind, read.codec),
                    (header.kind, header.codec),
                    "{name}"
                );
                assert_eq!(
                    (extensions.fields(), body),
                    (fields, &payload[..]),
                    "{name}"
                );
            }
            Some(Frame::Data { bytes, group, .. }) => {
                assert_eq!((bytes, group), (&payload[..], fields.group), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
        decoder.finish().expect("nothing is left");
    }
}

#[test]
fn refused_frames_have_their_code() {
    let vectors = vectors();
    for row in rows(&vectors, "refused") {
        let mut decoder = FrameDecoder::new(&Limits::default());
        decoder.feed(&unhex(&row["bytes"]));
        let told = match decoder.decode() {
            Err(Error::Protocol { code, .. }) => code.name(),
            other => panic!("{}: {other:?}", row["name"]),
        };
        assert_eq!(told, row["code"].as_str(), "{}", row["name"]);
    }
}

#[test]
fn types_prefaces_and_digests_are_those_of_the_vectors() {
    let vectors = vectors();
    for row in rows(&vectors, "types") {
        assert_eq!(
            json!(type_hash(row["name"].as_str().expect("a name"))),
            row["hash"]
        );
    }
    for row in rows(&vectors, "prefaces") {
        let client = Preface::read(&unhex(&row["client"]));
        let client = client.expect("a preface").expect("all of it");
        let answer = Preface::answer(client, number(row, "requests") as u16);
        assert_eq!(hex(&answer.to_bytes()), row["server"]);
    }
    for row in rows(&vectors, "digests") {
        let size = number(row, "size") as usize;
        let file: Vec<_> = (0..size).map(|i| (i % 251) as u8).collect();
        let mut verifier = Verifier::new();
        verifier.update(&file);
        assert_eq!(
            json!(verifier.digest().map(|d| d.to_string())),
            row["digest"]
        );
        let golden = row["groups"].as_array().expect("a list");
        let full = verifier.groups().values();
        assert_eq!(full.len(), size / Groups::BYTES as usize);
        for (ours, golden) in full.iter().zip(golden) {
            assert_eq!(json!(ours.to_string()), *golden);
        }
    }
}

#[test]
fn groups_merge_to_the_digest_of_the_vectors() {
    let vectors = vectors();
    for row in rows(&vectors, "merges") {
        let values: Vec<_> = row["groups"]
            .as_array()
            .expect("a list")
            .iter()
            .flat_map(unhex)
            .collect();
        let root = Groups::from_bytes(&values).root(None);
        assert_eq!(json!(root.map(|root| root.to_string())), row["digest"]);
    }
}

#[test]
fn the_page_names_every_code() {
    let page = include_str!("../../WIRE.md");
    for (Code(number), name) in Code::ALL {
        let row = format!("| {number} | `{name}` |");
        assert!(page.contains(&row), "{row}");
    }
}

/// Needs `python3`; without one there is nothing to agree with.
#[test]
fn python_agrees_on_every_vector() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native/wire.py");
    let Ok(output) = Command::new("python3").arg(&script).output() else {
        println!("skipped: there is no python3");
        return;
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{error}");
    assert!(told.contains("checks of golden vectors hold"), "{told}");
}
