//! The file that follows a reply, while other calls go on.

use std::fmt;
use std::time::Duration;

use packetboat_framing::{Body, Chunk, Error};

use crate::client::body::paced;
use crate::client::config::Timeouts;
use crate::upload::Upload;

/// The file that follows a reply. `packetboat_framing::BodyExt` says what to do with it: take it
/// piece by piece, copy it, save it under a temporary name that is renamed at the end, skip it.
///
/// Where the server has stated its digest, the last piece is given only when all of it is what the
/// digest says; else it is [`Error::DigestMismatch`]. Dropping it cancels what has not come.
///
/// Its first byte may be held back by the server for as long as it likes, unless
/// [`Timeouts::first_byte`] says otherwise. From then on a pause of [`Timeouts::progress`] is
/// [`Error::BodyTooSlow`].
pub struct NativeBody {
    pub(super) body: Upload,
    first_byte: Option<Duration>,
    progress: Duration,
    begun: bool,
}

impl NativeBody {
    pub(super) fn new(body: Upload, timeouts: &Timeouts) -> Self {
        Self {
            body,
            first_byte: timeouts.first_byte,
            progress: timeouts.progress,
            begun: false,
        }
    }

    /// Another limit for the first byte of this file, where the reply says how long the server
    /// holds it back.
    pub fn set_first_byte(&mut self, limit: Option<Duration>) {
        self.first_byte = limit;
    }
}

impl Body for NativeBody {
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
        self.begun |= gathered.is_ok();
        gathered
    }

    fn take(&mut self) -> Option<Chunk> {
        self.body.take()
    }
}

impl fmt::Debug for NativeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeBody")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}
