//! The two halves of an encrypted connection, which ends with a `close_notify`.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio_rustls::TlsStream;

use crate::carrier::Carrier;

type Encrypted = TlsStream<Box<dyn Carrier>>;

/// The half of an encrypted connection that is read.
///
/// A peer that goes without a `close_notify` is an error here and no end: somebody in between may
/// have cut the connection.
pub struct ReadHalf(Arc<Shared>);

/// The half of an encrypted connection that is written. What was written has left when it was
/// flushed.
pub struct WriteHalf(Arc<Shared>);

// A std lock: held for one poll, never across an await. One task has both halves, so nobody waits.
struct Shared(Mutex<Encrypted>);

pub(super) fn halves(stream: Encrypted) -> (ReadHalf, WriteHalf) {
    let shared = Arc::new(Shared(Mutex::new(stream)));
    (ReadHalf(Arc::clone(&shared)), WriteHalf(shared))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Encrypted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    /// However the connection ends, the peer is told that this is its end and no cut. Nobody can
    /// wait here: a peer that has taken nothing for so long that these few bytes find no room goes
    /// without.
    fn drop(&mut self) {
        let stream = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Whatever else its task has done in this turn, this is tried.
        let shutdown = unconstrained(poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx)));
        let _ = pin!(shutdown).poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(cx)
    }
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadHalf")
    }
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteHalf")
    }
}
