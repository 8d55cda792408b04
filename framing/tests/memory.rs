//! What is on the heap, counted by the allocator: by bytes that arrived, never by a claim.

#![allow(
    unsafe_code,
    reason = "an allocator that counts; the proof stands beside it"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::Write as _,
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use packetboat_framing::{
    BodyExt, Budget, Connection, Decoder, Error, Limits, Prefix, Reader, Source, Writer,
};
use tokio::io::{AsyncWriteExt, duplex};

/// The system's allocator, and a count of what it has given out.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn count(more: usize, less: usize) {
    let live = LIVE.fetch_add(more, Relaxed) + more - less;
    LIVE.fetch_sub(less, Relaxed);
    PEAK.fetch_max(live, Relaxed);
}

// SAFETY: every call goes to `System` unchanged, which keeps the contract of `GlobalAlloc`; the
// counters are atomic, do not allocate and do not unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One measurement at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a measurement starts: what is held now, to which the peak is brought down.
fn mark() -> usize {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    live
}

fn peak_over(start: usize) -> usize {
    PEAK.load(Relaxed).saturating_sub(start)
}

fn live_over(start: usize) -> usize {
    LIVE.load(Relaxed).saturating_sub(start)
}

/// Limits that let every claim through, so that only the claim itself could do harm.
fn credulous() -> Limits {
    Limits {
        max_message_bytes: usize::MAX >> 8,
        max_message_bytes_before_login: usize::MAX >> 8,
        max_attachment_bytes: u64::MAX,
        ..Limits::default()
    }
}

#[test]
fn a_thousand_length_bombs_hold_eight_kibibytes_each_at_most() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let _in = runtime.enter();
    for limits in [Limits::default(), credulous()] {
        let budget = Budget::default();
        let mut peers: Vec<_> = (0..1000).map(|_| duplex(16)).collect();
        for (peer, _) in &mut peers {
            runtime
                .block_on(peer.write_all(&i32::MAX.to_le_bytes()))
                .expect("room for it");
        }
        let mut readers = Vec::with_capacity(1000);
        let start = mark();
        for (_peer, io) in &mut peers {
            let reader = Reader::new(io, Prefix::CLASSIC, &limits).with_budget(budget.clone());
            readers.push(reader);
        }
        let mut refused = 0;
        for reader in &mut readers {
            let mut message = pin!(reader.message());
            match message
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                std::task::Poll::Pending => {}
                std::task::Poll::Ready(Err(Error::MessageTooLarge { .. })) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        let each = peak_over(start) / 1000;
        println!("{refused} of 1000 refused, {each} bytes each");
        assert!(each <= 8 * 1024, "{each} bytes for four");
        assert_eq!(refused, if limits == Limits::default() { 1000 } else { 0 });
    }
}

#[test]
fn a_claimed_attachment_costs_nothing_until_its_bytes_come() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let (mut peer, io) = duplex(1 << 16);
        peer.write_all(b"\x02\0\0\0up").await.expect("room for it");
        let mut reader = Reader::new(io, Prefix::CLASSIC, &credulous());
        reader.message().await.expect("a message");
        let start = mark();
        let mut body = reader.attachment(1 << 60).expect("let through");
        let waiting = async {
            tokio::select! {
                biased;
                _ = body.chunk() => panic!("no byte has come"),
                () = tokio::task::yield_now() => {}
            }
        };
        waiting.await;
        assert!(peak_over(start) <= 1024, "{} bytes", peak_over(start));
        peer.write_all(b"one").await.expect("room for it");
        let chunk = body
            .chunk()
            .await
            .expect("three bytes")
            .expect("not at the end");
        assert_eq!(&chunk[..], b"one");
        assert!(
            peak_over(start) <= 72 * 1024,
            "{} bytes for three",
            peak_over(start)
        );
    });
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        // The kernel's own buffers are not on this heap.
        let (near, far) = tokio::net::UnixStream::pair().expect("a pair");
        let start = mark();
        let mut peer = Connection::unix(near, Prefix::CLASSIC, &Limits::default());
        let mut server = Connection::unix(far, Prefix::CLASSIC, &Limits::default());
        let fresh = live_over(start);
        for len in [10, 10_000, 60_000] {
            peer.writer
                .send(&vec![b'x'; len])
                .await
                .expect("room for it");
            let message = server
                .reader
                .message()
                .await
                .expect("a message")
                .expect("one");
            let reply = message.bytes.to_vec();
            server.writer.send(&reply).await.expect("room for it");
            peer.reader.message().await.expect("a reply");
        }
        let next = async {
            tokio::select! {
                biased;
                _ = server.reader.message() => panic!("nothing more was sent"),
                _ = peer.reader.message() => panic!("nothing more was sent"),
                () = tokio::task::yield_now() => {}
            }
        };
        next.await;
        let idle = live_over(start);
        println!("{fresh} bytes fresh, {idle} idle after three messages, both ends");
        // A timer or a waker may be new; no buffer is as small.
        assert!(idle <= fresh + 256, "{idle} bytes, {fresh} when new");
        assert!(fresh <= 1024, "{fresh} bytes");
    });
}

#[test]
fn a_message_takes_little_more_than_its_own_length() {
    let _alone = alone();
    let limits = Limits::default();
    let max = limits.max_message_bytes;
    let start = mark();
    let mut decoder = Decoder::new(Prefix::CLASSIC, &limits);
    decoder.set_logged_in(true);
    decoder.feed(&(max as i32).to_le_bytes());
    let mut sent = 0;
    loop {
        let claimed = peak_over(start);
        assert!(
            claimed <= 8 * 1024 + 3 * sent,
            "{claimed} bytes held after {sent} came"
        );
        if decoder.decode().expect("within the limit").is_some() {
            break;
        }
        let space = decoder.space();
        let room = space.capacity() - space.len();
        space.resize(space.len() + room.min(1000), b'x');
        sent += room.min(1000);
    }
    let peak = peak_over(start);
    println!("{peak} bytes for a message of {max}");
    assert!(peak <= max + max / 2 + 64 * 1024, "{peak} bytes for {max}");
}

#[test]
fn an_attachment_of_any_size_takes_three_mebibytes_at_most() {
    let _alone = alone();
    const LEN: u64 = 48 * 1024 * 1024;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("film");
    let pipe = 256 * 1024;
    runtime.block_on(async {
        for turn in ["warm up", "saved", "sent through memory"] {
            let (near, far) = duplex(pipe);
            let start = mark();
            let mut writer = Writer::new(near, Prefix::CLASSIC, &Limits::default());
            let mut reader = Reader::new(far, Prefix::CLASSIC, &Limits::default());
            let source = match turn {
                "sent through memory" => Source::open(&path).await.expect("saved before"),
                _ => Source::reader(
                    tokio::io::AsyncReadExt::take(tokio::io::repeat(7), LEN),
                    LEN,
                ),
            };
            let send = writer.send_with(source, |out| out.write_all(b"up"));
            let save = async {
                reader.message().await?;
                reader
                    .attachment(LEN)?
                    .save(folder.path().join("copy"))
                    .await
            };
            let (sent, saved) = tokio::join!(send, save);
            sent.expect("nothing stops it");
            assert_eq!(saved.expect("the disk takes it"), LEN);
            std::fs::rename(folder.path().join("copy"), &path).expect("just saved");
            // Both ends stand in this process: a piece of 256 KiB on its way out, and the pipe.
            let peak = peak_over(start).saturating_sub(2 * pipe + 256 * 1024);
            println!("{turn}: {peak} bytes");
            assert!(peak <= 3 * 1024 * 1024, "{turn}: {peak} bytes");
        }
    });
}
