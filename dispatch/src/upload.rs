//! What follows a message, on its way from the connection's task to the handler.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use packetboat_framing::{Body, Chunk, Error, Part};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The attachment of a request: an argument of a handler, and a [`Body`].
///
/// Save it, copy it, hash it on the way, or read it piece by piece
/// ([`BodyExt`](packetboat_framing::BodyExt)). The peer is held back while the handler is not
/// reading, and time spent waiting for the peer does not count against the handler's deadline. A
/// body that ends early, or comes too slowly, is an error of the next read, which `?` turns into a
/// rejection. What is left when the handler returns is thrown away, or the connection is closed.
///
/// ```no_run
/// use packetboat_dispatch::{BodyExt, Message, Rejection, Upload};
/// use serde::Deserialize;
///
/// #[derive(Deserialize, Message)]
/// #[message(type = "upload", reply = (), attachment = "file_size")]
/// struct UploadFile { file_size: u64 }
///
/// async fn upload(mut body: Upload, request: UploadFile) -> Result<(), Rejection> {
///     body.save("/srv/blobs/4711").await?;
///     Ok(())
/// }
/// ```
pub struct Upload {
    len: u64,
    taken: u64,
    shared: Arc<Shared>,
}

/// The connection's end of an upload.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
}

/// How long a handler has waited for its upload; the deadline's clock stands meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Waited(Arc<Shared>);

struct Shared {
    // A std lock: held for a look or a swap, never across an await.
    slot: Mutex<Slot>,
    filled: Notify,
    emptied: Notify,
}

/// One chunk and no queue: with the one being written and the one being gathered, an upload holds
/// three buffers at most.
#[derive(Default)]
struct Slot {
    chunk: Option<Chunk>,
    error: Option<Error>,
    /// No more will come: the feed is gone.
    ended: bool,
    /// Nobody will take more: the upload is gone.
    dropped: bool,
    waited: Duration,
    waiting_since: Option<Instant>,
}

/// An upload of `len` bytes, and the end that feeds it.
pub(crate) fn upload(len: u64) -> (Upload, Feed) {
    let shared = Arc::new(Shared {
        slot: Mutex::default(),
        filled: Notify::new(),
        emptied: Notify::new(),
    });
    (
        Upload {
            len,
            taken: 0,
            shared: Arc::clone(&shared),
        },
        Feed { shared },
    )
}

impl Upload {
    /// The announced length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was announced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn cut(&self) -> Error {
        Error::Truncated {
            part: Part::Attachment,
            len: self.len,
            received: self.taken,
        }
    }
}

impl Body for Upload {
    fn remaining(&self) -> u64 {
        self.len - self.taken
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        let mut waiting = None;
        loop {
            {
                let mut slot = self.shared.lock();
                // A chunk in the slot is as full as it gets: the next one grows behind it.
                if slot.chunk.is_some() {
                    return Ok(waiting.is_some());
                }
                if self.taken == self.len {
                    return Ok(false);
                }
                if slot.ended {
                    return Err(slot.error.take().unwrap_or_else(|| self.cut()));
                }
            }
            waiting.get_or_insert_with(|| Waiting::new(&self.shared));
            self.shared.filled.notified().await;
        }
    }

    fn take(&mut self) -> Option<Chunk> {
        let chunk = self.shared.lock().chunk.take()?;
        self.taken += chunk.len() as u64;
        self.shared.emptied.notify_one();
        Some(chunk)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut slot = self.shared.lock();
        slot.dropped = true;
        slot.chunk = None;
        drop(slot);
        self.shared.emptied.notify_one();
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("len", &self.len)
            .field("taken", &self.taken)
            .finish()
    }
}

impl Feed {
    /// Waits until the handler has taken the last chunk; `false` when it wants no more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn ready(&self) -> bool {
        loop {
            {
                let slot = self.shared.lock();
                if slot.dropped {
                    return false;
                }
                if slot.chunk.is_none() {
                    return true;
                }
            }
            self.shared.emptied.notified().await;
        }
    }

    /// Waits until the handler wants no more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn dropped(&self) {
        while !self.shared.lock().dropped {
            self.shared.emptied.notified().await;
        }
    }

    /// Hands a chunk over. Only after [`ready`](Self::ready).
    pub(crate) fn give(&self, chunk: Chunk) {
        let mut slot = self.shared.lock();
        debug_assert!(slot.chunk.is_none(), "the slot was found empty");
        if !slot.dropped {
            slot.chunk = Some(chunk);
        }
        drop(slot);
        self.shared.filled.notify_one();
    }

    /// Ends the upload with what went wrong.
    pub(crate) fn fail(self, error: Error) {
        self.shared.lock().error = Some(error);
    }

    /// The clock of this upload.
    pub(crate) fn waited(&self) -> Waited {
        Waited(Arc::clone(&self.shared))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.filled.notify_one();
    }
}

impl Waited {
    /// Time that the handler has spent waiting for its upload, up to now.
    pub(crate) fn so_far(&self) -> Duration {
        let slot = self.0.lock();
        slot.waited
            + slot
                .waiting_since
                .map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Every change is a few assignments, so a panic leaves nothing in half.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.lock();
        f.debug_struct("Shared")
            .field("ended", &slot.ended)
            .finish_non_exhaustive()
    }
}

/// Stops the deadline's clock, also when the waiting future is dropped.
struct Waiting {
    shared: Arc<Shared>,
}

impl Waiting {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.lock().waiting_since = Some(Instant::now());
        Self {
            shared: Arc::clone(shared),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut slot = self.shared.lock();
        if let Some(since) = slot.waiting_since.take() {
            slot.waited += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use packetboat_framing::BodyExt;

    use super::*;

    #[tokio::test]
    async fn chunks_pass_one_at_a_time_and_end_at_the_announced_length() {
        let (mut upload, feed) = upload(5);
        let feeding = tokio::spawn(async move {
            for piece in [&b"abc"[..], b"de"] {
                assert!(feed.ready().await);
                feed.give(Chunk::from(piece.to_vec()));
            }
            feed
        });
        let mut all = Vec::new();
        assert_eq!(upload.copy_to(&mut all).await.expect("whole"), 5);
        assert_eq!((all, upload.remaining()), (b"abcde".to_vec(), 0));
        let feed = feeding.await.expect("the feed does not panic");
        drop(upload);
        assert!(!feed.ready().await);
    }

    #[tokio::test]
    async fn an_upload_that_is_cut_says_so() {
        let (mut upload, feed) = upload(5);
        feed.give(Chunk::from(b"abc".to_vec()));
        drop(feed);
        let error = upload.skip().await.expect_err("two bytes are missing");
        assert!(
            matches!(
                error,
                Error::Truncated {
                    len: 5,
                    received: 3,
                    ..
                }
            ),
            "{error}"
        );
        let (mut upload, feed) = super::upload(5);
        feed.fail(Error::IdleTimeout {
            after: Duration::ZERO,
        });
        let error = upload.skip().await.expect_err("the feed failed");
        assert!(matches!(error, Error::IdleTimeout { .. }), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_for_the_peer_is_counted() {
        let (mut upload, feed) = upload(2);
        let waited = feed.waited();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(waited.so_far(), Duration::ZERO);
        let ten = tokio::time::timeout(Duration::from_secs(10), upload.chunk());
        assert!(ten.await.is_err(), "nothing was fed");
        assert_eq!(waited.so_far(), Duration::from_secs(10));
        feed.give(Chunk::from(b"ab".to_vec()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(upload.skip().await.expect("whole"), 2);
        assert_eq!(waited.so_far(), Duration::from_secs(10));
    }
}
