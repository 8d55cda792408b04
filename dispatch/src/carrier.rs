//! A stream behind a pointer, of which the first bytes may have been read already.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What TLS, or HTTP, runs over. Behind a pointer, so that what lies above is compiled once for all of
/// them; beside encryption, or the parsing of a request, the call costs nothing.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrier for T {}

/// Gives bytes that were read to tell what a connection speaks once more, and then the rest.
pub(crate) struct Rewound<T> {
    read: Vec<u8>,
    stream: T,
}

impl<T> Rewound<T> {
    pub(crate) fn new(read: &[u8], stream: T) -> Self {
        let read = read.to_vec();
        Self { read, stream }
    }

    /// The stream, and what is left of the bytes that were read.
    #[cfg(feature = "web")]
    pub(crate) fn into_parts(self) -> (Vec<u8>, T) {
        (self.read, self.stream)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Rewound<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let n = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..n]);
        self.read.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Rewound<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    // A handshake that fails writes once: what it has said so far, and why it goes.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_was_read_comes_first_whatever_the_cut() {
        for cut in 1..=8 {
            let stream = io::Cursor::new(b"rest".to_vec());
            let mut rewound = Rewound::new(b"read", stream);
            let (mut all, mut piece) = (Vec::new(), vec![0; cut]);
            loop {
                let n = rewound.read(&mut piece).await.expect("memory");
                if n == 0 {
                    break;
                }
                all.extend_from_slice(&piece[..n]);
            }
            assert_eq!(all, b"readrest", "in pieces of {cut}");
        }
    }
}
