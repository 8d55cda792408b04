//! The blocking pair: the same bytes and the same refusals as the async one.

use std::io::{self, Read, Write as _};

use packetboat_framing::{
    Error, Limits, Prefix,
    blocking::{Reader, Writer},
};

fn written(messages: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Prefix::CLASSIC, &Limits::default());
    for (message, attachment) in messages {
        let len = attachment.len() as u64;
        writer
            .send_with(*attachment, len, |out| out.write_all(message))
            .expect("written");
    }
    writer.into_inner()
}

fn reader(bytes: &[u8]) -> Reader<&[u8], Prefix> {
    Reader::new(bytes, Prefix::CLASSIC, &Limits::default())
}

#[test]
fn what_was_written_is_read_over_a_socket() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let film: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 253) as u8).collect();
    let sent = film.clone();
    let client = std::thread::spawn(move || {
        let stream = std::net::TcpStream::connect(address)?;
        let mut writer = Writer::new(stream, Prefix::CLASSIC, &Limits::default());
        writer.send(b"first")?;
        writer.send_with(&sent[..], sent.len() as u64, |out| out.write_all(b"film"))?;
        writer.send(b"last")
    });
    let (stream, _) = listener.accept().expect("the client is there");
    let mut reader = Reader::new(stream, Prefix::CLASSIC, &Limits::default());
    assert_eq!(
        reader.message().expect("read").map(|m| m.bytes.to_vec()),
        Some(b"first".to_vec())
    );
    reader.message().expect("read");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("film");
    let mut body = reader
        .attachment(film.len() as u64)
        .expect("within the limit");
    assert_eq!(
        body.save(&path).expect("the disk takes it"),
        film.len() as u64
    );
    assert!(std::fs::read(&path).expect("saved") == film);
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
    assert_eq!(
        reader.message().expect("read").map(|m| m.bytes.to_vec()),
        Some(b"last".to_vec())
    );
    assert!(reader.message().expect("a clean end").is_none());
    client.join().expect("no panic").expect("all written");
}

#[test]
fn an_unread_attachment_is_thrown_away_up_to_the_limit() {
    let bytes = written(&[(b"up", b"\x02\0\0\0rm\x02\0\0\0rm"), (b"next", b"")]);
    let mut one = reader(&bytes);
    one.message().expect("read");
    let mut first = [0; 3];
    one.attachment(12)
        .expect("within the limit")
        .read_exact(&mut first)
        .expect("read");
    assert_eq!(first, *b"\x02\0\0");
    assert_eq!(
        one.message().expect("drained").map(|m| m.bytes),
        Some(&b"next"[..])
    );

    let limits = Limits {
        drain_bytes: 11,
        ..Limits::default()
    };
    let mut strict = Reader::new(&bytes[..], Prefix::CLASSIC, &limits);
    strict.message().expect("read");
    strict.attachment(12).expect("within the limit");
    assert!(matches!(
        strict.message(),
        Err(Error::DrainLimit { remaining: 12 })
    ));
}

#[test]
fn a_cut_at_any_byte_is_truncated_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = written(&[(b"message", b"attachment")]);
    for end in 1..bytes.len() {
        let mut cut = reader(&bytes[..end]);
        let error = match cut.message() {
            Err(error) => error,
            Ok(_) => {
                let mut body = cut.attachment(10).expect("within the limit");
                body.save(folder.path().join("film")).expect_err("cut")
            }
        };
        assert!(matches!(error, Error::Truncated { .. }), "{end}: {error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 0);
    let mut cut = reader(&bytes[..15]);
    cut.message().expect("read");
    let short = cut
        .attachment(10)
        .expect("within")
        .read_to_end(&mut Vec::new());
    assert!(short.is_err_and(|e| e.kind() == io::ErrorKind::UnexpectedEof));
}

#[test]
fn a_source_of_another_length_is_an_error_before_its_last_byte_goes() {
    for (source, len) in [(&b"12345"[..], 6), (b"1234567", 6), (b"", 1), (b"12", 1)] {
        let mut writer = Writer::new(Vec::new(), Prefix::CLASSIC, &Limits::default());
        let error = writer.send_with(source, len, |out| out.write_all(b"up"));
        match error.expect_err("another length") {
            Error::SourceTooShort { len: told, .. } => assert!(told > source.len() as u64),
            Error::SourceTooLong { len: told } => assert!(told < source.len() as u64),
            error => panic!("{error}"),
        }
        assert!(writer.into_inner().len() < 6 + len as usize);
    }
}

#[test]
fn refusals_are_those_of_the_core() {
    assert!(matches!(
        reader(b"\xff\xff\xff\xff").message(),
        Err(Error::BadLength { value: -1, .. })
    ));
    let tls = reader(b"\x16\x03\x01\x02\x00")
        .message()
        .expect_err("TLS")
        .to_string();
    assert!(tls.ends_with("looks like TLS"), "{tls}");
    let mut writer = Writer::new(Vec::new(), Prefix::CLASSIC, &Limits::default());
    assert!(matches!(
        writer.send(b""),
        Err(Error::BadLength { value: 0, .. })
    ));
    assert!(writer.into_inner().is_empty());
}
