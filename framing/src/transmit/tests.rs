//! What of a source is ready, and how much of it goes.

use std::{io::Write as _, pin::Pin, sync::mpsc};

use tokio::{
    io::{DuplexStream, ReadBuf, duplex},
    net::UnixStream,
    runtime::Builder,
};

use crate::limits::Limits;

use super::*;

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("the folder is writable");
    file
}

fn transmit(bytes: &[u8]) -> Transmit {
    Transmit::new(Source::file(file_of(bytes)).expect("a length"))
}

/// Bytes that tell where they stood.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| i as u8).collect()
}

async fn ready<W: 'static>(transmit: &mut Transmit, io: &W, max: usize) -> usize {
    let budget = Budget::default();
    let ready = poll_fn(|cx| transmit.poll_ready(cx, io, max, &budget));
    ready.await.expect("a file that is as it was")
}

async fn send<W>(transmit: &mut Transmit, io: &mut W, max: usize) -> usize
where
    W: AsyncWrite + Unpin + 'static,
{
    let sent = poll_fn(|cx| transmit.poll_send(cx, io, max));
    sent.await.expect("a peer that reads")
}

async fn step<W>(transmit: &mut Transmit, io: &mut W, slice: usize) -> Result<(), Error>
where
    W: AsyncWrite + Unpin + 'static,
{
    let mut meter = Meter::new(&Limits::default());
    transmit
        .step(io, slice, &Budget::default(), &mut meter)
        .await
}

#[tokio::test]
async fn no_more_of_a_file_goes_than_was_made_sure_of() {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    let bytes = pattern(200);
    let mut transmit = transmit(&bytes);
    assert_eq!(ready(&mut transmit, &near, 100).await, 100);
    assert_eq!(send(&mut transmit, &mut near, 60).await, 60);
    assert_eq!(ready(&mut transmit, &near, 100).await, 40);
    step(&mut transmit, &mut near, 100).await.expect("sent");
    assert_eq!(transmit.remaining(), 100, "forty went");
    assert_eq!(ready(&mut transmit, &near, 1000).await, 100);
    assert_eq!(send(&mut transmit, &mut near, 100).await, 100);
    assert_eq!(ready(&mut transmit, &near, 1000).await, 0, "none is left");
    let mut got = vec![0; bytes.len()];
    far.read_exact(&mut got).await.expect("all of them");
    assert_eq!(got, bytes);
}

#[tokio::test]
async fn what_is_left_of_a_piece_is_ready() {
    let (mut near, mut far) = duplex(1 << 20);
    let bytes = pattern(PIECE + 200);
    let mut transmit = transmit(&bytes);
    assert_eq!(ready(&mut transmit, &near, 100).await, 100);
    assert_eq!(send(&mut transmit, &mut near, 60).await, 60);
    assert_eq!(ready(&mut transmit, &near, 1 << 20).await, PIECE - 60);
    assert_eq!(send(&mut transmit, &mut near, 40).await, 40);
    step(&mut transmit, &mut near, 1 << 20).await.expect("sent");
    assert_eq!(transmit.remaining(), 200);
    assert_eq!(ready(&mut transmit, &near, 1 << 20).await, 200);
    assert_eq!(send(&mut transmit, &mut near, 200).await, 200);
    let mut got = vec![0; bytes.len()];
    far.read_exact(&mut got).await.expect("all of them");
    assert!(got == bytes);
}

#[test]
fn what_is_in_memory_is_ready_while_the_blocking_pool_is_busy() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    let bytes = pattern(200);
    if !sendfile::is_warm(&file_of(&bytes), 0, 200) {
        return; // A file system that cannot tell: each look is the pool's.
    }
    runtime.block_on(async {
        let (free, busy) = mpsc::channel::<()>();
        let task = spawn_blocking(move || busy.recv());
        let (socket, _far) = UnixStream::pair().expect("a pair");
        let (memory, _far) = duplex(1000);
        let budget = Budget::default();
        let (mut to_socket, mut through_memory) = (transmit(&bytes), transmit(&bytes));
        poll_fn(|cx| {
            let there = to_socket.poll_ready(cx, &socket, 200, &budget);
            assert!(matches!(there, Poll::Ready(Ok(200))), "{there:?}");
            let there = through_memory.poll_ready(cx, &memory, 200, &budget);
            assert!(matches!(there, Poll::Ready(Ok(200))), "{there:?}");
            Poll::Ready(())
        })
        .await;
        drop(free);
        task.await.expect("no panic").expect_err("nothing was sent");
    });
}

#[tokio::test]
async fn a_file_of_another_length_is_found_out_before_its_last_byte_goes() {
    let change = |len: u64| {
        let file = Arc::new(file_of(&pattern(200)));
        let source = Source::file(Arc::clone(&file)).expect("a length");
        file.set_len(len).expect("open to write");
        Transmit::new(source)
    };
    for (len, slice) in [(199, 150), (199, 1000), (201, 150), (201, 1000)] {
        let is_told = |error: &Error| match error {
            Error::SourceTooShort { len: 200, .. } => len < 200,
            Error::SourceTooLong { len: 200 } => len > 200,
            _ => false,
        };
        let (mut socket, _far) = UnixStream::pair().expect("a pair");
        let (mut memory, _far_memory) = duplex(1000);
        let error = through(change(len), &mut socket, slice).await;
        assert!(is_told(&error), "{len} over a socket: {error:?}");
        let error = through(change(len), &mut memory, slice).await;
        assert!(is_told(&error), "{len} through memory: {error:?}");
        let error = polled(change(len), &mut socket, slice).await;
        assert!(is_told(&error), "{len} polled over a socket: {error:?}");
        let error = polled(change(len), &mut memory, slice).await;
        assert!(is_told(&error), "{len} polled through memory: {error:?}");
    }
}

/// The error that a source ends with, sent step by step.
async fn through<W>(mut transmit: Transmit, io: &mut W, slice: usize) -> Error
where
    W: AsyncWrite + Unpin + 'static,
{
    while transmit.remaining() > 0 {
        if let Err(error) = step(&mut transmit, io, slice).await {
            return error;
        }
    }
    panic!("all of it was sent")
}

/// As [`through`], by an owner who polls.
async fn polled<W>(mut transmit: Transmit, io: &mut W, slice: usize) -> Error
where
    W: AsyncWrite + Unpin + 'static,
{
    let budget = Budget::default();
    while transmit.remaining() > 0 {
        let ready = poll_fn(|cx| transmit.poll_ready(cx, io, slice, &budget)).await;
        let sent = match ready {
            Ok(ready) => poll_fn(|cx| transmit.poll_send(cx, io, ready)).await,
            Err(error) => return error,
        };
        if let Err(error) = sent {
            return error;
        }
    }
    panic!("all of it was sent")
}

/// Gives zeros, and notes the most that it was asked for.
struct Asked(mpsc::Sender<usize>);

impl AsyncRead for Asked {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.send(buf.remaining()).expect("somebody looks");
        buf.put_slice(&[0]);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_long_source_is_asked_for_much_at_a_time() {
    let (asked, looked) = mpsc::channel();
    let mut transmit = Transmit::new(Source::reader(Asked(asked), 1 << 30));
    let (mut near, _far): (DuplexStream, DuplexStream) = duplex(1000);
    step(&mut transmit, &mut near, 1000).await.expect("sent");
    let room = looked.recv().expect("it was asked");
    assert!((64 * 1024..=1024 * 1024).contains(&room), "{room}");
}

#[tokio::test]
async fn nothing_is_asked_of_a_source_of_which_nothing_is_left() {
    let (asked, looked) = mpsc::channel();
    let mut transmit = Transmit::new(Source::reader(Asked(asked), 0));
    let (mut near, _far) = duplex(1000);
    assert_eq!(ready(&mut transmit, &near, 100).await, 0);
    step(&mut transmit, &mut near, 100).await.expect("no step");
    looked.try_recv().expect_err("it was asked");
}

#[tokio::test]
async fn bytes_go_from_where_they_are_in_any_portions() {
    let (mut near, mut far) = duplex(1000);
    let bytes = pattern(200);
    let mut transmit = Transmit::new(Source::bytes(bytes.clone()));
    step(&mut transmit, &mut near, 30).await.expect("sent");
    assert_eq!(ready(&mut transmit, &near, 50).await, 50);
    assert_eq!(send(&mut transmit, &mut near, 50).await, 50);
    step(&mut transmit, &mut near, 20).await.expect("sent");
    assert_eq!(ready(&mut transmit, &near, 1000).await, 100);
    assert_eq!(send(&mut transmit, &mut near, 100).await, 100);
    let mut got = vec![0; bytes.len()];
    far.read_exact(&mut got).await.expect("all of them");
    assert_eq!(got, bytes);
}

/// Takes nothing, and says so.
struct Full;

impl AsyncWrite for Full {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_writer_that_takes_nothing_is_an_error_and_not_asked_for_ever() {
    let is_told =
        |error: &Error| matches!(error, Error::Io(e) if e.kind() == io::ErrorKind::WriteZero);
    for source in [
        || Transmit::new(Source::bytes(pattern(200))),
        || transmit(&pattern(200)),
    ] {
        let error = through(source(), &mut Full, 150).await;
        assert!(is_told(&error), "{error:?}");
        let error = polled(source(), &mut Full, 150).await;
        assert!(is_told(&error), "{error:?}");
    }
}
