//! The file that follows a reply.

use std::fmt;
use std::time::Duration;

use packetboat_framing::{Attachment, Body, Chunk, Error, Prefix};
use tokio::io::AsyncRead;
use tokio::time::timeout;

use crate::client::config::Timeouts;

/// The file that follows a reply. `packetboat_framing::BodyExt` says what to do with it: take it
/// piece by piece, copy it, save it under a temporary name that is renamed at the end, skip it.
///
/// Its first byte may be held back by the server for as long as it likes, unless
/// [`Timeouts::first_byte`] says otherwise. From then on a pause of [`Timeouts::progress`] is
/// [`Error::BodyTooSlow`].
pub struct ReplyBody<'a, R> {
    body: Attachment<'a, R, Prefix>,
    first_byte: Option<Duration>,
    progress: Duration,
    begun: bool,
}

impl<'a, R> ReplyBody<'a, R> {
    pub(super) fn new(body: Attachment<'a, R, Prefix>, timeouts: &Timeouts) -> Self {
        Self {
            body,
            first_byte: timeouts.first_byte,
            progress: timeouts.progress,
            begun: false,
        }
    }

    /// Another limit for the first byte of this file, where the reply says how long the server holds
    /// it back.
    pub fn set_first_byte(&mut self, limit: Option<Duration>) {
        self.first_byte = limit;
    }
}

impl<R: AsyncRead + Unpin + Send> Body for ReplyBody<'_, R> {
    fn remaining(&self) -> u64 {
        self.body.remaining()
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        let limit = if self.begun {
            Some(self.progress)
        } else {
            self.first_byte
        };
        let gathered = paced(limit, self.body.gather()).await;
        self.begun |= matches!(gathered, Ok(true));
        gathered
    }

    fn take(&mut self) -> Option<Chunk> {
        self.body.take()
    }
}

impl<R> fmt::Debug for ReplyBody<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyBody")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// Waits for more of a file, but not longer than that.
pub(super) async fn paced(
    limit: Option<Duration>,
    gather: impl Future<Output = Result<bool, Error>>,
) -> Result<bool, Error> {
    let Some(window) = limit else {
        return gather.await;
    };
    match timeout(window, gather).await {
        Ok(gathered) => gathered,
        Err(_) => Err(Error::BodyTooSlow {
            rate: 0,
            min: 1,
            window,
        }),
    }
}
