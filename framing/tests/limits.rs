//! Every limit of time, rate and drain, made to fire. Limits of length are in `refusals.rs`.

use std::time::Duration;

use packetboat_framing::{
    BodyExt, Connection, Error, Limits, Prefix, Reader, Source, Writer, linger,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

fn reader(io: DuplexStream) -> Reader<DuplexStream, Prefix> {
    Reader::new(io, Prefix::CLASSIC, &Limits::default())
}

/// Writes these bytes one at a time, each after a pause, until the other end is gone.
fn trickle(mut io: DuplexStream, bytes: Vec<u8>, pause: Duration) {
    tokio::spawn(async move {
        for byte in bytes {
            sleep(pause).await;
            if io.write_all(&[byte]).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    });
}

#[tokio::test(start_paused = true)]
async fn header_time_is_a_total_from_the_first_byte() {
    let (peer, io) = duplex(64);
    // The first byte comes after a minute of silence, which is the idle limit's affair.
    let start = Instant::now();
    tokio::spawn(async move {
        sleep(60 * SECOND).await;
        trickle(
            peer,
            b"\x40\0\0\0{\"type\": \"login\", \"name\": \"someone who types".to_vec(),
            SECOND,
        );
    });
    let error = reader(io).message().await.expect_err("a byte per second");
    assert!(matches!(error, Error::HeaderTimeout { after } if after == 10 * SECOND));
    let after = start.elapsed() - 61 * SECOND;
    assert!((10 * SECOND..11 * SECOND).contains(&after), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn header_time_runs_on_when_the_future_is_made_anew() {
    let (peer, io) = duplex(64);
    trickle(peer, vec![1; 60], SECOND);
    let (mut reader, start) = (reader(io), Instant::now());
    let error = loop {
        match timeout(Duration::from_millis(300), reader.fill()).await {
            Ok(Err(error)) => break error,
            Ok(Ok(_)) | Err(_) => assert!(start.elapsed() < 12 * SECOND),
        }
    };
    assert!(matches!(error, Error::HeaderTimeout { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn idle_time_counts_between_frames_only_while_it_is_let() {
    let (mut peer, io) = duplex(64);
    let mut reader = reader(io);
    peer.write_all(b"\x02\0\0\0{}").await.expect("room for it");
    reader.message().await.expect("a message");
    reader.set_idle_counts(false);
    let waiting = timeout(1000 * SECOND, reader.message()).await;
    assert!(
        waiting.is_err(),
        "a peer that waits for its answer is not idle"
    );
    reader.set_idle_counts(true);
    let start = Instant::now();
    let error = reader.message().await.expect_err("silence");
    assert!(matches!(error, Error::IdleTimeout { after } if after == 120 * SECOND));
    assert_eq!(start.elapsed(), 120 * SECOND);
    assert!(error.is_timeout() && error.is_peer_fault());
    assert_eq!(Limits::classic().idle_time, 30 * 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_body_below_the_lowest_rate_is_cut_off_within_its_window() {
    let (mut peer, io) = duplex(64);
    peer.write_all(b"\x02\0\0\0up").await.expect("room for it");
    trickle(peer, vec![7; 100], 10 * SECOND);
    let mut reader = reader(io);
    reader.message().await.expect("a message");
    let start = Instant::now();
    let body = reader
        .attachment(1_000_000)
        .expect("within the limit")
        .skip()
        .await;
    let error = body.expect_err("a byte in ten seconds");
    assert!(
        matches!(
            error,
            Error::BodyTooSlow {
                rate: 0,
                min: 1024,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        (30 * SECOND..=31 * SECOND).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_at_the_lowest_rate_is_let_through() {
    let (mut peer, io) = duplex(4096);
    peer.write_all(b"\x02\0\0\0up").await.expect("room for it");
    tokio::spawn(async move {
        for _ in 0..100 {
            // Two windows' worth at the end of every other window is not enough; this is even.
            peer.write_all(&[7; 2048])
                .await
                .expect("the reader is alive");
            sleep(Duration::from_millis(1900)).await;
        }
    });
    let mut reader = reader(io);
    reader.message().await.expect("a message");
    let skipped = reader
        .attachment(204_800)
        .expect("within the limit")
        .skip()
        .await;
    assert_eq!(skipped.expect("1078 bytes per second"), 204_800);
}

#[tokio::test(start_paused = true)]
async fn the_rate_counts_no_time_in_which_nobody_waits_for_the_peer() {
    let (mut peer, io) = duplex(4096);
    peer.write_all(b"\x02\0\0\0up").await.expect("room for it");
    let mut reader = reader(io);
    reader.message().await.expect("a message");
    let mut body = reader.attachment(10).expect("within the limit");
    for _ in 0..10 {
        sleep(100 * SECOND).await; // the handler is busy
        peer.write_all(b"x").await.expect("room for it");
        assert!(
            body.chunk()
                .await
                .expect("the peer was never late")
                .is_some()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_an_attachment_too_slowly_is_cut_off() {
    let (mut peer, io) = duplex(1000);
    let mut writer = Writer::new(io, Prefix::CLASSIC, &Limits::default());
    tokio::spawn(async move {
        while peer.read_u8().await.is_ok() {
            sleep(SECOND / 4).await;
        }
    });
    let source = Source::bytes(vec![7; 1_000_000]);
    let sent = writer
        .send_with(source, |out| std::io::Write::write_all(out, b"{}"))
        .await;
    let error = sent.expect_err("four bytes per second");
    assert!(
        matches!(error, Error::BodyTooSlow { min: 1024, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn write_time_runs_out_when_the_peer_takes_nothing() {
    let (_peer, io) = duplex(100);
    let mut writer = Writer::new(io, Prefix::CLASSIC, &Limits::default());
    writer.encode(&[b'x'; 1000], 0).expect("within the limit");
    let start = Instant::now();
    let error = loop {
        match timeout(SECOND, writer.flush()).await {
            Ok(result) => break result.expect_err("the peer takes nothing"),
            Err(_) => assert!(start.elapsed() < 12 * SECOND),
        }
    };
    assert!(matches!(error, Error::WriteTimeout { after } if after == 10 * SECOND));
    assert_eq!(start.elapsed(), 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_unread_body_over_the_drain_limit_is_not_read_at_all() {
    let (mut peer, io) = duplex(1 << 16);
    peer.write_all(b"\x02\0\0\0up").await.expect("room for it");
    let mut reader = reader(io);
    reader.message().await.expect("a message");
    let len = Limits::default().drain_bytes + 1;
    reader.attachment(len).expect("within the limit");
    let start = Instant::now();
    let error = reader.message().await.expect_err("too much to throw away");
    assert!(matches!(error, Error::DrainLimit { remaining } if remaining == len));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_unread_body_that_does_not_come_is_waited_for_only_so_long() {
    let (mut peer, io) = duplex(1 << 16);
    peer.write_all(b"\x02\0\0\0up123")
        .await
        .expect("room for it");
    let mut reader = reader(io);
    reader.message().await.expect("a message");
    reader.attachment(10).expect("within the limit");
    let start = Instant::now();
    let error = reader.message().await.expect_err("seven bytes never come");
    assert!(
        matches!(error, Error::DrainLimit { remaining: 7 }),
        "{error}"
    );
    assert_eq!(start.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_lingering_close_ends_by_time_and_by_bytes() {
    let (_silent, io) = duplex(1 << 16);
    let mut one = Connection::stream(io, Prefix::CLASSIC, &Limits::default());
    let start = Instant::now();
    let discarded = linger(&mut one.reader, &mut one.writer)
        .await
        .expect("nothing to write");
    assert_eq!((discarded, start.elapsed()), (0, 5 * SECOND));

    let (mut peer, io) = duplex(1 << 16);
    tokio::spawn(async move { while peer.write_all(&[7; 1 << 16]).await.is_ok() {} });
    let mut other = Connection::stream(io, Prefix::CLASSIC, &Limits::default());
    let discarded = linger(&mut other.reader, &mut other.writer)
        .await
        .expect("nothing to write");
    let max = Limits::default().drain_bytes;
    assert!((max..max + (1 << 17)).contains(&discarded), "{discarded}");
}
