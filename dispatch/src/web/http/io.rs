//! The stream that hyper reads and writes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::carrier::{Carrier, Rewound};
use crate::driver::Held;

/// A connection of which some bytes were read already, and on which a peer that takes nothing for too
/// long is an error. It holds the connection's place, wherever an upgrade takes it.
pub(in crate::web) struct HttpIo {
    stream: Rewound<Box<dyn Carrier>>,
    write_time: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    held: Held,
}

impl HttpIo {
    pub(super) fn new(
        read: &[u8],
        carrier: Box<dyn Carrier>,
        write_time: Duration,
        held: Held,
    ) -> Self {
        Self {
            stream: Rewound::new(read, carrier),
            write_time,
            stalled: None,
            held,
        }
    }

    /// What was read and not taken, the stream itself, and its place.
    pub(super) fn into_parts(self) -> (Vec<u8>, Box<dyn Carrier>, Held) {
        let (read, carrier) = self.stream.into_parts();
        (read, carrier, self.held)
    }

    fn taken<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        if self.stalled.is_none() {
            let until = Instant::now().checked_add(self.write_time);
            self.stalled = until.map(|until| Box::pin(sleep_until(until)));
        }
        let Some(sleep) = &mut self.stalled else {
            return Poll::Pending;
        };
        sleep
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for HttpIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for HttpIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.taken(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.taken(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.taken(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.taken(cx, shut)
    }
}
