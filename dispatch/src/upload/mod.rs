//! What follows a message, on its way from the connection's task to the handler.

mod feed;
mod resume;
mod slot;

use std::fmt;

use packetboat_framing::native::{Digest, Verifier};
use packetboat_framing::{Body, Chunk, Error, Part};

use crate::bell::Ringer;
use crate::metrics;
use crate::sync::{Arc, Mutex, Notify};
pub(crate) use feed::{Feed, Waited};
pub(crate) use resume::can_be_resumed;
use slot::{Shared, Waiting};

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
    verify: Option<Box<Verify>>,
    /// Its sender can begin it later.
    resumable: bool,
}

/// What an upload has to be in the end.
struct Verify {
    verifier: Verifier,
    digest: Digest,
    hashed: u64,
    /// Hashed, and not taken.
    ready: Option<Chunk>,
}

/// An upload of `len` bytes, and the end that feeds it.
pub(crate) fn upload(len: u64) -> (Upload, Feed) {
    new(len, None)
}

/// An upload whose bytes are asked for, and accounted for, through a bell: the end that feeds it
/// hears when something has changed.
pub(crate) fn upload_with_bell(
    len: u64,
    digest: Option<Digest>,
    resumable: bool,
    ringer: Ringer,
) -> (Upload, Feed) {
    let (mut upload, feed) = new(len, Some(ringer));
    upload.resumable = resumable;
    upload.verify = digest.map(|digest| {
        Box::new(Verify {
            verifier: Verifier::new(),
            digest,
            hashed: 0,
            ready: None,
        })
    });
    (upload, feed)
}

fn new(len: u64, ringer: Option<Ringer>) -> (Upload, Feed) {
    let shared = Arc::new(Shared {
        slot: Mutex::default(),
        filled: Notify::new(),
        emptied: Notify::new(),
        ringer,
    });
    (
        Upload {
            len,
            taken: 0,
            shared: Arc::clone(&shared),
            verify: None,
            resumable: false,
        },
        Feed::new(shared),
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

    /// The BLAKE3 digest that its sender has stated of it, on the native wire. Before any of it was
    /// read; who has taken all of it knows that it is so.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.verify.as_ref().map(|verify| verify.digest)
    }

    /// Waits until something is there to be taken; `false` at the end. Also whether it had to wait.
    async fn arrival(&mut self, got: u64) -> Result<(bool, bool), Error> {
        let mut waiting = None;
        loop {
            {
                let mut slot = self.shared.lock();
                // A chunk in the slot is as full as it gets: the next one grows behind it.
                if slot.has_some() {
                    return Ok((true, waiting.is_some()));
                }
                if got == self.len {
                    return Ok((false, false));
                }
                if slot.ended {
                    return Err(slot.error.take().unwrap_or_else(|| self.cut()));
                }
                if !slot.wanted {
                    slot.wanted = true;
                    self.shared.ring(&mut slot);
                }
            }
            waiting.get_or_insert_with(|| Waiting::new(&self.shared));
            self.shared.filled.notified().await;
        }
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
        let Some(verify) = &self.verify else {
            let (_, waited) = self.arrival(self.taken).await?;
            return Ok(waited);
        };
        if verify.ready.is_some() {
            return Ok(false);
        }
        if !self.arrival(verify.hashed).await?.0 {
            // Of an empty one no piece comes that could be the last.
            if self.len == 0
                && let Some(verify) = &self.verify
            {
                verify.verifier.check(verify.digest)?;
            }
            return Ok(false);
        }
        let chunk = self.shared.take();
        let Some((verify, chunk)) = self.verify.as_mut().zip(chunk) else {
            return Ok(false);
        };
        verify.verifier.update(&chunk);
        verify.hashed += chunk.len() as u64;
        if verify.hashed == self.len {
            // Before the last piece is given: who has that takes the whole for complete.
            if let Err(error) = verify.verifier.check(verify.digest) {
                verify.hashed = 0;
                self.shared.lock().ended = true;
                return Err(error);
            }
        }
        verify.ready = Some(chunk);
        Ok(true)
    }

    fn take(&mut self) -> Option<Chunk> {
        let chunk = match &mut self.verify {
            Some(verify) => verify.ready.take()?,
            None => self.shared.take()?,
        };
        self.taken += chunk.len() as u64;
        Some(chunk)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        metrics::attachment_received(self.taken);
        let mut slot = self.shared.lock();
        slot.dropped = true;
        slot.clear();
        self.shared.ring(&mut slot);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[tokio::test]
    async fn an_empty_upload_is_verified_before_it_is_saved() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for (digest, is_right) in [(Digest::from([7; 32]), false), (Digest::of(b""), true)] {
            let bell = Arc::<crate::bell::Bell>::default();
            let (mut upload, feed) = upload_with_bell(0, Some(digest), false, bell.ringer(1));
            feed.end(None);
            let saved = upload.save(&path).await;
            assert_eq!(saved.is_ok(), is_right, "{saved:?}");
            assert_eq!(path.exists(), is_right);
        }
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
