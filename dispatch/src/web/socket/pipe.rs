//! A WebSocket's connection as the codec reads and writes it: never beyond the end of a frame.

use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::carrier::Carrier;
use crate::web::stall::Stall;

/// Bytes of one read.
const READ: usize = 8 * 1024;

/// The connection, and what was read of it ahead.
///
/// The codec has a buffer of its own that it never gives back: as large as the largest frame, for as
/// long as the connection lives. It is given no byte beyond a frame's end, so that between two
/// messages nothing stands in there, and it can be exchanged for a new one.
pub(super) struct Pipe {
    carrier: Box<dyn Carrier>,
    ahead: Vec<u8>,
    at: usize,
    /// Bytes of this frame, its header included, that the codec has not been given.
    left: u64,
    /// Frames of a message have come, and not its last one.
    in_fragments: bool,
    /// Bytes have come since this was last looked at.
    heard: bool,
    stall: Stall,
    /// When the message that is coming began, and how much of it has come.
    begun: Option<(Instant, u64)>,
}

/// The pipe for the time of one poll.
pub(super) struct Turn<'a, 'b> {
    pub(super) pipe: &'a mut Pipe,
    pub(super) cx: &'a mut Context<'b>,
}

impl Pipe {
    pub(super) fn new(carrier: Box<dyn Carrier>, read: Vec<u8>, write_time: Duration) -> Self {
        Self {
            carrier,
            ahead: read,
            at: 0,
            left: 0,
            in_fragments: false,
            heard: false,
            stall: Stall::new(write_time),
            begun: None,
        }
    }

    pub(super) fn carrier(&mut self) -> &mut Box<dyn Carrier> {
        &mut self.carrier
    }

    /// Whether bytes have come since the last time.
    pub(super) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// When a message began of which more is to come, and how much of it has come.
    pub(super) fn begun(&self) -> Option<(Instant, u64)> {
        self.begun
    }

    /// Whether it stands between two messages, and the codec has had all of the last one.
    pub(super) fn is_between(&self) -> bool {
        self.left == 0 && !self.in_fragments
    }

    /// Looks at the header of the next frame, once all of it is there.
    fn begin_frame(&mut self) {
        let mut header = Cursor::new(&self.ahead[self.at..]);
        match FrameHeader::parse(&mut header) {
            Ok(Some((frame, len))) => {
                self.left = header.position().saturating_add(len);
                if let OpCode::Data(data) = frame.opcode {
                    let is_first = data != Data::Continue;
                    self.in_fragments = !frame.is_final && (is_first || self.in_fragments);
                }
            }
            Ok(None) => {}
            // The codec finds the same, and says so.
            Err(_) => self.left = u64::MAX,
        }
    }

    /// Reads some bytes ahead; 0 at the end.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut space = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.carrier).poll_read(cx, &mut space) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                if self.at == self.ahead.len() {
                    // An idle connection holds no buffer.
                    (self.ahead, self.at) = (Vec::new(), 0);
                }
                return Poll::Pending;
            }
        }
        let read = space.filled();
        self.ahead.drain(..self.at);
        self.at = 0;
        self.ahead.extend_from_slice(read);
        self.heard = true;
        let (_, bytes) = self.begun.get_or_insert_with(|| (Instant::now(), 0));
        *bytes += read.len() as u64;
        Poll::Ready(Ok(read.len()))
    }
}

impl Read for Turn<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let pipe = &mut *self.pipe;
        loop {
            if pipe.left == 0 {
                pipe.begin_frame();
            }
            let there = &pipe.ahead[pipe.at..];
            if pipe.left > 0 && !there.is_empty() {
                let most = usize::try_from(pipe.left).unwrap_or(usize::MAX);
                let n = out.len().min(there.len()).min(most);
                out[..n].copy_from_slice(&there[..n]);
                pipe.at += n;
                pipe.left -= n as u64;
                if pipe.is_between() {
                    // What is there of the next one has begun just now.
                    let more = (pipe.ahead.len() - pipe.at) as u64;
                    pipe.begun = (more > 0).then(|| (Instant::now(), more));
                }
                return Ok(n);
            }
            match pipe.fill(self.cx) {
                Poll::Ready(Ok(0)) => return Ok(0),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Err(ErrorKind::WouldBlock.into()),
            }
        }
    }
}

impl Write for Turn<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pipe = &mut *self.pipe;
        let written = Pin::new(&mut pipe.carrier).poll_write(self.cx, bytes);
        blocking(pipe.stall.taken(self.cx, written))
    }

    fn flush(&mut self) -> io::Result<()> {
        let pipe = &mut *self.pipe;
        let flushed = Pin::new(&mut pipe.carrier).poll_flush(self.cx);
        blocking(pipe.stall.taken(self.cx, flushed))
    }
}

fn blocking<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(done) => done,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
