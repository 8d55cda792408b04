//! Real sockets and real files: sendfile, saving, resets.

mod support;

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use packetboat_framing::{
    Body, BodyExt, Connection, Error, Limits, Pace, Prefix, Reader, Source, TempFile, Writer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, split},
    net::{TcpListener, TcpStream, UnixStream},
};

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i % 251) as u8 ^ (i / 65_536) as u8)
        .collect()
}

fn file_of(folder: &Path, bytes: &[u8]) -> File {
    let path = folder.join("source");
    File::create(&path)
        .and_then(|mut f| f.write_all(bytes))
        .expect("the folder is writable");
    File::open(path).expect("just written")
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.expect("loopback"), far.expect("loopback").0)
}

/// Everything that is sent to a peer who only reads.
async fn read_all(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("no reset");
    all
}

#[tokio::test]
async fn a_file_goes_out_whole_and_in_ranges_over_every_kind_of_socket() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = pattern(9_000_001);
    let file = std::sync::Arc::new(file_of(folder.path(), &bytes));
    let source = || Source::file(std::sync::Arc::clone(&file)).expect("a length");
    for range in [
        0..9_000_001,
        0..1,
        9_000_000..9_000_001,
        4095..4_200_000,
        5..5,
    ] {
        let expected = [
            b"\x02\0\0\0{}",
            &bytes[range.start as usize..range.end as usize],
        ]
        .concat();
        let part = || source().range(range.clone()).expect("within the file");
        for pace in [Pace::Alone, Pace::Shared] {
            let (near, far) = tcp_pair().await;
            let limits = Limits::default();
            let connection = Connection::tcp(near, Prefix::CLASSIC, &limits).expect("options");
            let (_reader, mut writer) = connection.into_split();
            writer.set_pace(pace).expect("an option of TCP");
            let send = async {
                writer
                    .send_with(part(), |out| out.write_all(b"{}"))
                    .await
                    .expect("sent");
                writer.shutdown().await.expect("shut");
            };
            let ((), got) = tokio::join!(send, read_all(far));
            assert!(got == expected, "tcp {range:?} {pace:?}");
        }
        let (near, far) = UnixStream::pair().expect("a pair");
        let mut unix = Writer::new(near, Prefix::CLASSIC, &Limits::default());
        let send = async {
            unix.send_with(part(), |out| out.write_all(b"{}"))
                .await
                .expect("sent");
            unix.shutdown().await.expect("shut");
        };
        let ((), got) = tokio::join!(send, read_all(far));
        assert!(got == expected, "unix {range:?}");

        // A generic half hides the socket, as TLS would: the bytes pass through memory.
        let (near, far) = tcp_pair().await;
        let (_read, write) = split(near);
        let mut hidden = Writer::new(write, Prefix::CLASSIC, &Limits::default());
        let send = async {
            hidden
                .send_with(part(), |out| out.write_all(b"{}"))
                .await
                .expect("sent");
            hidden.shutdown().await.expect("shut");
        };
        let ((), got) = tokio::join!(send, read_all(far));
        assert!(got == expected, "hidden {range:?}");
    }
}

#[tokio::test]
async fn a_cold_file_is_read_on_the_blocking_pool_and_arrives() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = pattern(3_000_000);
    let file = file_of(folder.path(), &bytes);
    for hidden in [false, true] {
        file.sync_all().expect("synced");
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("advice is taken");
        let source = Source::file(file.try_clone().expect("a descriptor")).expect("a length");
        let (near, far) = tcp_pair().await;
        let send = async move {
            let limits = Limits::default();
            if hidden {
                let (_read, write) = split(near);
                let mut writer = Writer::new(write, Prefix::CLASSIC, &limits);
                writer
                    .send_with(source, |out| out.write_all(b"{}"))
                    .await
                    .expect("sent");
                writer.shutdown().await.expect("shut");
            } else {
                let mut writer = Writer::new(near, Prefix::CLASSIC, &limits);
                writer
                    .send_with(source, |out| out.write_all(b"{}"))
                    .await
                    .expect("sent");
            }
        };
        let ((), got) = tokio::join!(send, read_all(far));
        assert!(got[6..] == bytes, "hidden: {hidden}");
    }
}

#[tokio::test]
async fn a_file_that_shrank_or_grew_is_an_error_and_never_complete() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for hidden in [false, true] {
        for (now, short) in [(100, true), (10_001, false)] {
            let file = file_of(folder.path(), &pattern(10_000));
            let source = Source::file(file).expect("a length");
            let path = folder.path().join("source");
            File::options()
                .write(true)
                .open(path)
                .and_then(|f| f.set_len(now))
                .expect("the file is ours");
            let (near, far) = tcp_pair().await;
            let limits = Limits::default();
            let send = async move {
                if hidden {
                    let (_read, write) = split(near);
                    let mut writer = Writer::new(write, Prefix::CLASSIC, &limits);
                    writer.send_with(source, |out| out.write_all(b"{}")).await
                } else {
                    let mut writer = Writer::new(near, Prefix::CLASSIC, &limits);
                    writer.send_with(source, |out| out.write_all(b"{}")).await
                }
            };
            let (error, got) = tokio::join!(send, read_all(far));
            let error = error.expect_err("another length than announced");
            match short {
                true => assert!(matches!(error, Error::SourceTooShort { len: 10_000, .. })),
                false => assert!(matches!(error, Error::SourceTooLong { len: 10_000 })),
            }
            assert!(got.len() < 6 + 10_000, "the peer sees that some is missing");
        }
    }
    let file = file_of(folder.path(), &pattern(10));
    let beyond = Source::file(file).expect("a length").range(5..11);
    assert!(matches!(
        beyond,
        Err(Error::SourceTooShort { len: 11, sent: 10 })
    ));
}

#[tokio::test]
async fn a_saved_body_is_whole_and_leaves_no_temporary_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("film");
    std::fs::write(&path, b"an older file").expect("the folder is writable");
    for len in [0, 1, 65_536, 3_333_333] {
        let bytes = pattern(len);
        let (near, far) = tcp_pair().await;
        let mut writer = Writer::new(near, Prefix::CLASSIC, &Limits::default());
        let mut reader = Reader::new(far, Prefix::CLASSIC, &Limits::default());
        let send = async {
            let source = Source::bytes(bytes.clone());
            writer
                .send_with(source, |out| out.write_all(b"up"))
                .await
                .expect("sent");
        };
        let save = async {
            reader.message().await.expect("a message");
            let mut body = reader.attachment(len as u64).expect("within the limit");
            body.save(&path).await.expect("the disk takes it")
        };
        let ((), saved) = tokio::join!(send, save);
        assert_eq!(saved, len as u64);
        assert!(std::fs::read(&path).expect("saved") == bytes);
        assert_eq!(names(folder.path()), ["film"]);
    }
}

#[tokio::test]
async fn a_received_body_is_invisible_until_it_is_persisted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("film");
    let stream = [&b"\x02\0\0\0up"[..], &pattern(500_000)].concat();
    for keep in [false, true] {
        let mut reader = Reader::new(&stream[..], Prefix::CLASSIC, &Limits::default());
        reader.message().await.expect("a message");
        let mut body = reader.attachment(500_000).expect("within the limit");
        let (file, tee) = body
            .receive(&path, Vec::new())
            .await
            .expect("the disk takes it");
        assert!(tee == pattern(500_000), "the tee saw every byte");
        assert_eq!((file.len(), file.path()), (500_000, &*path));
        assert!(!file.is_empty());
        assert!(!path.exists());
        let temporary = names(folder.path());
        assert!(matches!(&temporary[..], [name] if TempFile::is_temporary(name.as_ref())));
        for other in ["film", ".hidden", "film.packetboat-part"] {
            assert!(!TempFile::is_temporary(other.as_ref()), "{other}");
        }
        if keep {
            file.persist().await.expect("renamed");
            assert_eq!(names(folder.path()), ["film"]);
        } else {
            drop(file);
            assert!(names(folder.path()).is_empty());
        }
    }
}

#[tokio::test]
async fn a_cancelled_save_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("film");
    let (mut near, far) = tcp_pair().await;
    near.write_all(&[&b"\x02\0\0\0up"[..], &pattern(300_000)].concat())
        .await
        .expect("sent");
    let mut reader = Reader::new(far, Prefix::CLASSIC, &Limits::default());
    reader.message().await.expect("a message");
    let mut body = reader.attachment(1_000_000).expect("within the limit");
    let saving = tokio::time::timeout(Duration::from_millis(200), body.save(&path)).await;
    assert!(saving.is_err(), "the rest never comes");
    assert!(body.remaining() < 1_000_000, "some had come");
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn a_disk_that_refuses_leaves_no_file_and_the_stream_in_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nowhere = folder.path().join("missing").join("film");
    let taken = folder.path().join("a-folder");
    std::fs::create_dir(&taken).expect("the folder is writable");
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let stream = [&b"\x02\0\0\0up"[..], &pattern(200_000)].concat();
    let stream = [&stream[..], &stream, &stream, b"\x04\0\0\0next"].concat();
    let mut reader = Reader::new(&stream[..], Prefix::CLASSIC, &Limits::default());
    reader.message().await.expect("a message");
    let missing = reader
        .attachment(200_000)
        .expect("within")
        .save(&nowhere)
        .await;
    assert!(missing.is_err_and(|e| e.is_io() && !e.is_disconnect()));
    reader.message().await.expect("the rest is drained");
    let folder_there = reader
        .attachment(200_000)
        .expect("within")
        .save(&taken)
        .await;
    assert!(folder_there.is_err_and(|e| e.is_io()));
    reader.message().await.expect("nothing is left of it");
    let path = folder.path().join("film");
    let full = reader
        .attachment(200_000)
        .expect("within")
        .receive(&path, Full)
        .await;
    assert!(full.is_err_and(|e| e.is_io()));
    let next = reader
        .message()
        .await
        .expect("the rest is drained")
        .expect("one more");
    assert_eq!(next.bytes, b"next");
    assert_eq!(names(folder.path()), ["a-folder"]);
}

#[tokio::test]
async fn an_answer_arrives_although_the_peers_body_was_refused() {
    let (mut near, far) = tcp_pair().await;
    let mut server = Connection::tcp(far, Prefix::CLASSIC, &Limits::default()).expect("options");
    let refuse = async move {
        server.reader.message().await.expect("a message");
        let limits = Limits::default();
        let too_large = server.reader.attachment(limits.max_attachment_bytes + 1);
        assert!(matches!(too_large, Err(Error::AttachmentTooLarge { .. })));
        server
            .writer
            .encode(b"{\"flag\": false}", 0)
            .expect("within the limit");
        server.linger().await.expect("answered")
    };
    // Sends all of its body before it reads, as the Python clients do.
    let send = async move {
        near.write_all(&[&b"\x02\0\0\0up"[..], &pattern(8_000_000)].concat())
            .await
            .expect("taken");
        near.shutdown().await.expect("half closed");
        read_all(near).await
    };
    let (discarded, answer) = tokio::join!(refuse, send);
    assert_eq!(answer, b"\x0f\0\0\0{\"flag\": false}");
    assert_eq!(discarded, 8_000_000);
}

#[tokio::test]
async fn a_reset_frees_both_sides_at_once() {
    let (near, far) = tcp_pair().await;
    let mut server = Connection::tcp(far, Prefix::CLASSIC, &Limits::default()).expect("options");
    near.set_zero_linger().expect("an option of TCP");
    drop(near);
    let read = server.reader.message().await.expect_err("reset");
    assert!(read.is_disconnect() && read.is_io(), "{read:?}");
    let source = Source::bytes(pattern(1 << 20));
    let written = server
        .writer
        .send_with(source, |out| out.write_all(b"{}"))
        .await;
    assert!(written.is_err_and(|e| e.is_disconnect()));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let name = |entry: io::Result<std::fs::DirEntry>| entry.expect("readable").file_name();
    entries
        .map(|entry| name(entry).into_string().expect("ASCII"))
        .collect()
}
