//! An attachment on its reader.

use std::fmt;

use tokio::io::AsyncRead;

use crate::{body::Body, chunk::Chunk, error::Error, header::Header, reader::Reader};

/// The attachment that a [`Reader`] stands in. [`BodyExt`](crate::BodyExt) says what to do with
/// it. What is left of it when it is dropped is settled before the next message.
pub struct Attachment<'a, R, H> {
    reader: &'a mut Reader<R, H>,
}

impl<'a, R, H> Attachment<'a, R, H> {
    pub(crate) fn new(reader: &'a mut Reader<R, H>) -> Self {
        Self { reader }
    }
}

impl<R, H> Body for Attachment<'_, R, H>
where
    R: AsyncRead + Unpin + Send,
    H: Header,
{
    fn remaining(&self) -> u64 {
        self.reader.remaining()
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        self.reader.gather().await
    }

    fn take(&mut self) -> Option<Chunk> {
        self.reader.take()
    }
}

impl<R, H> fmt::Debug for Attachment<'_, R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").finish_non_exhaustive()
    }
}
