//! A body of known length, as a stream with backpressure.

use std::{
    future::{Future, poll_fn},
    io,
    path::Path,
    pin::pin,
    task::Poll,
};

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{
    chunk::Chunk,
    error::Error,
    save::{self, TempFile},
};

/// A body that arrives in pieces: an attachment on its reader, or an upload behind a channel.
///
/// Nothing is read ahead of what the receiver takes, apart from one chunk. What every receiver
/// wants to do with a body stands in [`BodyExt`].
pub trait Body: Send {
    /// Bytes that have not been taken yet.
    fn remaining(&self) -> u64;

    /// Waits until more has been gathered. `false` when nothing can be added: the chunk is full,
    /// or it holds the body's last byte, or the body was at its end.
    ///
    /// # Errors
    ///
    /// The body ended early or came too slowly, or its socket failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; what came stays gathered.
    fn gather(&mut self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// What has been gathered, if anything.
    fn take(&mut self) -> Option<Chunk>;
}

/// What to do with a [`Body`].
pub trait BodyExt: Body + Sized {
    /// The next piece, as large as what has arrived and at most 1 MiB; `None` at the end.
    ///
    /// # Errors
    ///
    /// As [`Body::gather`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Chunk>, Error>> + Send {
        async move {
            // Wait for something, then take along whatever else is there already.
            let mut more = self.gather().await?;
            while more {
                let mut next = pin!(self.gather());
                let next = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
                more = match next {
                    Poll::Ready(more) => more?,
                    Poll::Pending => false,
                };
            }
            Ok(self.take())
        }
    }

    /// Copies what is left to a writer and flushes it. Gives the number of bytes.
    ///
    /// # Errors
    ///
    /// As [`Body::gather`], or the writer's as [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// None: a piece may have been taken and not written.
    fn copy_to<W>(&mut self, to: &mut W) -> impl Future<Output = Result<u64, Error>> + Send
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        async move {
            let mut copied = 0;
            while let Some(chunk) = self.chunk().await? {
                to.write_all(&chunk).await?;
                copied += chunk.len() as u64;
            }
            to.flush().await?;
            Ok(copied)
        }
    }

    /// Throws away what is left. Gives the number of bytes.
    ///
    /// # Errors
    ///
    /// As [`Body::gather`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the rest of the body to be read.
    fn skip(&mut self) -> impl Future<Output = Result<u64, Error>> + Send {
        async move {
            let mut skipped = 0;
            while let Some(chunk) = self.chunk().await? {
                skipped += chunk.len() as u64;
            }
            Ok(skipped)
        }
    }

    /// Saves what is left as the file `path`, and returns once it is durable. Gives its length.
    ///
    /// It is written under a temporary name in the same folder, synced, renamed over `path`, and
    /// the folder is synced. Whatever fails on the way, a dropped future included, removes the
    /// temporary file and leaves `path` as it was.
    ///
    /// # Errors
    ///
    /// As [`Body::gather`], or the disk's as [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// The file is there whole or not at all. The body is lost.
    fn save(
        &mut self,
        path: impl AsRef<Path> + Send,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        async move {
            let (file, _) = save::receive(self, path.as_ref(), io::sink()).await?;
            let len = file.len();
            file.persist().await?;
            Ok(len)
        }
    }

    /// As [`save`](Self::save), stopping before the rename, and writing every byte to `tee` as
    /// well, which may be a hasher. The file is synced and invisible; the caller looks at the tee
    /// and then calls [`TempFile::persist`], or drops it.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save), or the tee's as [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future removes the temporary file. The body is lost.
    fn receive<T>(
        &mut self,
        path: impl AsRef<Path> + Send,
        tee: T,
    ) -> impl Future<Output = Result<(TempFile, T), Error>> + Send
    where
        T: io::Write + Send + 'static,
    {
        async move { save::receive(self, path.as_ref(), tee).await }
    }
}

impl<B: Body> BodyExt for B {}

impl<B: Body> Body for &mut B {
    fn remaining(&self) -> u64 {
        (**self).remaining()
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        (**self).gather().await
    }

    fn take(&mut self) -> Option<Chunk> {
        (**self).take()
    }
}
