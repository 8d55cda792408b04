//! Golden frames, and a second implementation in Python: both ways, over files and sockets.

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use packetboat_framing::{BodyExt, Connection, Decoder, Encoder, Event, Limits, Prefix, Source};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

/// Formats that go over a socket: one of each width and order, signed and not.
const FORMATS: [&str; 10] = ["<i", "!I", "<b", "B", ">h", "<H", "=l", "!L", "<q", ">Q"];
const COUNT: usize = 60;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path)
}

/// The other implementation, with its output piped to us.
fn python(args: &[&str]) -> Child {
    Command::new("python3")
        .arg(here("interop/wire.py"))
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("these tests need python3, the second implementation: install it")
}

fn succeeds(child: Child) -> String {
    let output = child.wait_with_output().expect("it was started");
    assert!(
        output.status.success(),
        "{}: see its message above",
        output.status
    );
    String::from_utf8(output.stdout).expect("it prints ASCII")
}

/// The rule of this wire.
fn attachment(message: &[u8]) -> u64 {
    let value: Value = serde_json::from_slice(message).expect("both sides send JSON");
    match value["type"].as_str() {
        Some("upload") => value["file_size"]
            .as_u64()
            .expect("uploads state their size"),
        _ => 0,
    }
}

/// A golden file by name, and its prefix.
type Golden = (String, Prefix);
/// A message and its attachment.
type Frame = (String, Vec<u8>);

/// The golden files, and the frames that each of them holds.
fn golden() -> (Vec<Golden>, Vec<Frame>) {
    let index = fs::read(here("vectors/index.json")).expect("it is in the repository");
    let index: Value = serde_json::from_slice(&index).expect("it is JSON");
    let text = |value: &Value| value.as_str().expect("it is a text").to_owned();
    let list = |key: &str| index[key].as_array().expect("it is a list").clone();
    let files = list("files").into_iter().map(|file| {
        let format = text(&file["format"]);
        (
            text(&file["file"]),
            format.parse().expect("a format of struct"),
        )
    });
    let frames = list("frames").into_iter().map(|frame| {
        let hex = text(&frame["attachment"]).into_bytes();
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("it is ASCII");
            u8::from_str_radix(pair, 16).expect("it is hexadecimal")
        };
        (text(&frame["message"]), hex.chunks(2).map(byte).collect())
    });
    (files.collect(), frames.collect())
}

/// A golden file as this implementation writes it.
fn encoded(prefix: Prefix, frames: &[Frame]) -> Vec<u8> {
    let (mut encoder, mut bytes) = (Encoder::new(prefix, &Limits::default()), Vec::new());
    for (message, attachment) in frames {
        encoder
            .encode(message.as_bytes(), attachment.len() as u64)
            .expect("it fits");
        bytes.extend_from_slice(encoder.pending());
        encoder.advance(encoder.pending().len());
        bytes.extend_from_slice(attachment);
    }
    bytes
}

#[test]
fn golden_frames_are_decoded() {
    let (files, frames) = golden();
    assert_eq!((files.len(), frames.len()), (20, 6));
    for (file, prefix) in files {
        let bytes = fs::read(here("vectors").join(&file)).expect("it is in the repository");
        let mut decoder = Decoder::new(prefix, &Limits::default());
        decoder.feed(&bytes);
        for (expected, body) in &frames {
            let event = decoder.decode().expect("a good frame");
            let Some(Event::Message { message, .. }) = event else {
                panic!("{file}: {event:?}")
            };
            assert_eq!(message, expected.as_bytes(), "{file}");
            let len = attachment(message);
            assert_eq!(len, body.len() as u64);
            decoder.attachment(len).expect("within the limit");
            if len > 0 {
                let event = decoder.decode().expect("in step");
                assert_eq!(event, Some(Event::Attachment(body)), "{file}");
                assert_eq!(decoder.decode().expect("in step"), Some(Event::End));
            }
        }
        assert!(decoder.decode().expect("in step").is_none());
        decoder.finish().expect("nothing is left over");
    }
}

#[test]
fn golden_frames_are_encoded() {
    let (files, frames) = golden();
    for (file, prefix) in files {
        let bytes = fs::read(here("vectors").join(&file)).expect("it is in the repository");
        assert!(encoded(prefix, &frames) == bytes, "{file}");
    }
}

#[test]
fn python_reads_what_we_write_and_writes_what_is_kept() {
    let (files, frames) = golden();
    let ours = tempfile::tempdir().expect("a temporary folder");
    for (file, prefix) in &files {
        fs::write(ours.path().join(file), encoded(*prefix, &frames)).expect("writable");
    }
    let folder = ours
        .path()
        .to_str()
        .expect("the temporary folder's name is UTF-8");
    assert_eq!(
        succeeds(python(&["check", folder])).trim(),
        "20 files of 6 frames"
    );

    let theirs = tempfile::tempdir().expect("a temporary folder");
    let folder = theirs
        .path()
        .to_str()
        .expect("the temporary folder's name is UTF-8");
    succeeds(python(&["write", folder]));
    for file in files.iter().map(|(file, _)| &**file).chain(["index.json"]) {
        let kept = fs::read(here("vectors").join(file)).expect("it is in the repository");
        let written = fs::read(theirs.path().join(file)).expect("it was just written");
        assert!(kept == written, "{file}");
    }
}

#[tokio::test]
async fn python_talks_to_our_server() {
    for format in FORMATS {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("bound").port().to_string();
        let client = python(&["talk", &port, format, &COUNT.to_string()]);
        let (stream, _) = listener.accept().await.expect("it connects");
        let prefix: Prefix = format.parse().expect("a format of struct");
        let mut peer = Connection::tcp(stream, prefix, &Limits::default()).expect("options");
        let mut answered = 0;
        while let Some(message) = peer.reader.message().await.expect("good frames") {
            let value: Value = serde_json::from_slice(message.bytes).expect("JSON");
            let (len, mut body) = (attachment(message.bytes), Vec::new());
            peer.reader
                .attachment(len)
                .expect("small")
                .copy_to(&mut body)
                .await
                .expect("it came");
            // As Python writes it, so that what fitted the prefix fits it again.
            let reply = message_like_python(&value);
            let source = Source::bytes(body);
            peer.writer
                .send_with(source, |out| out.write_all(&reply))
                .await
                .expect("taken");
            answered += 1;
        }
        let told = succeeds(client);
        assert_eq!(
            (answered, told.trim()),
            (COUNT, "60 frames there and back"),
            "{format}"
        );
    }
}

#[tokio::test]
async fn our_client_talks_to_python() {
    for format in FORMATS {
        let mut server = python(&["serve", format, &COUNT.to_string()]);
        let mut port = String::new();
        let out = server.stdout.take().expect("it is piped");
        BufReader::new(out)
            .read_line(&mut port)
            .expect("it prints its port");
        let address = format!("127.0.0.1:{}", port.trim());
        let stream = TcpStream::connect(address).await.expect("it listens");
        let prefix: Prefix = format.parse().expect("a format of struct");
        let mut peer = Connection::tcp(stream, prefix, &Limits::default()).expect("options");
        for turn in 0..COUNT {
            let size = [0, 1, 300, 70_000, 0][turn % 5];
            let body: Vec<u8> = (0..size).map(|i| (i * turn) as u8).collect();
            let value = match turn % 3 {
                0 => json!({"type": "upload", "file_size": size, "text": "安\u{1f6a2}\0"}),
                1 => json!({"type": "upload", "file_size": size}),
                _ => json!([turn, -1.5, null, {"a": "\"\\"}, u64::MAX]),
            };
            let body = if turn % 3 == 2 { Vec::new() } else { body };
            let source = Source::bytes(body.clone());
            peer.writer
                .send_with(source, |out| serde_json::to_writer(out, &value))
                .await
                .expect("taken");
            let reply = peer
                .reader
                .message()
                .await
                .expect("a good frame")
                .expect("an answer");
            assert_eq!(
                serde_json::from_slice::<Value>(reply.bytes).expect("JSON"),
                value
            );
            let mut back = Vec::new();
            let len = body.len() as u64;
            peer.reader
                .attachment(len)
                .expect("small")
                .copy_to(&mut back)
                .await
                .expect("it came");
            assert!(back == body, "{format}, turn {turn}");
        }
        drop(peer);
        succeeds(server);
    }
}

/// JSON with everything beyond ASCII escaped. Blanks apart it is what `json.dumps` writes, so it is
/// never longer.
fn message_like_python(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.into_bytes()
}
