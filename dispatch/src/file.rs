//! What follows a reply: a file, or what stands for one; now, or not before an instant.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use packetboat_framing::native::Digest;
use packetboat_framing::{Error, Source};
use tokio::io::AsyncRead;

use crate::metrics;
use crate::rejection::Rejection;

type OnEnd = Box<dyn FnOnce(Outcome) -> BoxFuture<'static, ()> + Send>;

/// Bytes that follow a reply. A handler returns them beside its value.
///
/// The reply states the length in a field of its own, since the classic wire has no other place
/// for it.
///
/// ```no_run
/// use std::time::{Duration, Instant};
/// use packetboat_dispatch::{File, Rejection};
///
/// # #[derive(serde::Serialize)] struct Found { file_size: u64 }
/// async fn download() -> Result<(Found, File), Rejection> {
///     let file = File::open("/srv/blobs/4711").await?
///         .not_before(Instant::now() + Duration::from_secs(30))
///         .on_start(async { println!("the first byte goes out now"); Ok(()) })
///         .on_end(|outcome| async move { println!("all of it: {}", outcome.is_complete()) });
///     Ok((Found { file_size: file.len() }, file))
/// }
/// ```
pub struct File {
    source: Source,
    terms: Terms,
}

/// How sending a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    sent: u64,
    len: u64,
    started: bool,
}

impl File {
    /// Opens a file, whole, as long as it is now.
    ///
    /// # Errors
    ///
    /// The disk's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the file.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Source::open(path).await.map(Self::from)
    }

    /// A file that is open already, whole. An `Arc` of one may be sent any number of times.
    ///
    /// # Errors
    ///
    /// It has no length that could be asked for.
    pub fn from_std(file: impl Into<Arc<std::fs::File>>) -> std::io::Result<Self> {
        Source::file(file).map(Self::from)
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Source::bytes(bytes).into()
    }

    /// `len` bytes from a reader, which has to end there.
    #[must_use]
    pub fn reader(reader: impl AsyncRead + Send + Sync + 'static, len: u64) -> Self {
        Source::reader(reader, len).into()
    }

    /// A part of it, for a file or bytes. What was stated of the whole is forgotten.
    ///
    /// # Errors
    ///
    /// The part does not lie within it, or it is a reader.
    pub fn range(mut self, part: Range<u64>) -> Result<Self, Error> {
        self.source = self.source.range(part)?;
        self.terms.digest = None;
        self.terms.outcome.len = self.source.len();
        Ok(self)
    }

    /// Holds the bytes back until an instant. The reply goes out at once.
    ///
    /// The wait counts against no limit of time, takes no memory, and ends when the peer is gone.
    #[must_use]
    pub fn not_before(mut self, instant: Instant) -> Self {
        self.terms.not_before = Some(instant);
        self
    }

    /// Runs before the first byte, which waits for it, and only if there will be one: the place
    /// to record a download. If it fails, no byte is sent and the connection is closed, since its
    /// peer waits for the file. It has the time that a handler has.
    #[must_use]
    pub fn on_start(
        mut self,
        future: impl Future<Output = Result<(), Rejection>> + Send + 'static,
    ) -> Self {
        self.terms.on_start = Some(Box::pin(future));
        self
    }

    /// Runs once sending has ended, one way or the other, on a task of its own.
    #[must_use]
    pub fn on_end<Fut>(mut self, end: impl FnOnce(Outcome) -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        // Called within the future, which has a task of its own: if it panics, nobody else ends.
        self.terms.on_end = Some(Box::new(move |outcome| {
            Box::pin(async move { end(outcome).await })
        }));
        self
    }

    /// States its BLAKE3 digest, which the receiver then holds its bytes against, on the native
    /// wire. Kept by the application from when it got the file: nothing is computed here. A client
    /// that has some of it, with this digest, may then have the rest alone, unless it is a reader.
    #[must_use]
    pub fn with_digest(mut self, digest: [u8; 32]) -> Self {
        self.terms.digest = Some(Digest(digest));
        self
    }

    /// What [`with_digest`](Self::with_digest) has stated.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.terms.digest
    }

    /// Whether a client may go on with it: it can say that it is the same, and begin anywhere.
    pub(crate) fn is_resumable(&self) -> bool {
        self.terms.digest.is_some() && self.source.is_seekable()
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.source.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// What the connection sends, and what it has to keep to.
    pub(crate) fn into_parts(self) -> (Source, Terms) {
        (self.source, self.terms)
    }
}

impl From<Source> for File {
    fn from(source: Source) -> Self {
        let outcome = Outcome {
            sent: 0,
            len: source.len(),
            started: false,
        };
        Self {
            source,
            terms: Terms {
                not_before: None,
                on_start: None,
                digest: None,
                on_end: None,
                outcome,
            },
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("source", &self.source)
            .field("not_before", &self.terms.not_before)
            .finish_non_exhaustive()
    }
}

impl Outcome {
    /// Whether every byte was handed to the network, now or when the client got what it went on
    /// from.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.started && self.sent == self.len
    }

    /// Whether sending began; if not, the peer left while the file was held back, or `on_start`
    /// failed.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Bytes that were handed to the network, with those that the client had before.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes in all.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an outcome is no container")]
    pub fn len(&self) -> u64 {
        self.len
    }
}

/// What is to happen before, and after, a source is sent.
///
/// Its end runs once, also when the connection's task is dropped with the file on its way.
pub(crate) struct Terms {
    pub(crate) not_before: Option<Instant>,
    pub(crate) on_start: Option<BoxFuture<'static, Result<(), Rejection>>>,
    pub(crate) digest: Option<Digest>,
    on_end: Option<OnEnd>,
    outcome: Outcome,
}

impl Terms {
    /// Sending begins.
    pub(crate) fn started(&mut self) {
        self.outcome.started = true;
    }

    /// So many bytes have not been sent.
    pub(crate) fn left(&mut self, left: u64) {
        self.outcome.sent = self.outcome.len - left;
    }

    /// What is to run now that sending has ended.
    pub(crate) fn end(mut self) -> Option<BoxFuture<'static, ()>> {
        self.take_end()
    }

    fn take_end(&mut self) -> Option<BoxFuture<'static, ()>> {
        self.on_end.take().map(|end| end(self.outcome))
    }
}

impl Drop for Terms {
    fn drop(&mut self) {
        metrics::attachment_sent(self.outcome.sent);
        // A handler's reply may be dropped anywhere: by middleware, or with a connection. Whoever
        // asked to be told is told.
        if let Some(end) = self.take_end()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(end);
        }
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
