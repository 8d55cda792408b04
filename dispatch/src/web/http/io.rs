//! The stream that hyper reads and writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::carrier::{Carrier, Rewound};
use crate::driver::Held;
use crate::web::stall::Stall;

/// A connection of which some bytes were read already, and on which a peer that takes nothing for too
/// long is an error. It holds the connection's place, wherever an upgrade takes it.
pub(in crate::web) struct HttpIo {
    stream: Rewound<Box<dyn Carrier>>,
    stall: Stall,
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
            stall: Stall::new(write_time),
            held,
        }
    }

    /// What was read and not taken, the stream itself, and its place.
    pub(super) fn into_parts(self) -> (Vec<u8>, Box<dyn Carrier>, Held) {
        let (read, carrier) = self.stream.into_parts();
        (read, carrier, self.held)
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
        self.stall.taken(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.stall.taken(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.stall.taken(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.stall.taken(cx, shut)
    }
}
