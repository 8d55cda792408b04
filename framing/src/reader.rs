//! Frames from any AsyncRead.

use std::{
    fmt,
    future::{Future, poll_fn},
    mem::MaybeUninit,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, timeout},
};

use crate::{
    attachment::Attachment,
    budget::Budget,
    chunk::Chunk,
    decoder::{Decoder, Event, Phase, Step},
    error::Error,
    header::Header,
    limits::Limits,
    rate::{Meter, until},
};

/// A first read goes to the stack, so that a connection which waits holds no buffer.
pub(crate) const FIRST_READ: usize = 4 * 1024;
/// The smallest buffer for a piece of an attachment, and the first one.
const MIN_CHUNK: usize = 64 * 1024;
/// The largest. Two or three of them are alive at once: one filled, one written, one in between.
const MAX_CHUNK: usize = 1024 * 1024;

/// A header and its message, still in the reader's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a, H> {
    /// The header.
    pub header: H,
    /// The message's bytes.
    pub bytes: &'a [u8],
}

/// Reads messages and attachments from any [`AsyncRead`], and keeps every limit of
/// [`Limits`] that is about a peer who sends.
///
/// Two ways to use it. A simple loop calls [`message`](Self::message) and
/// [`attachment`](Self::attachment). A task that does other things besides calls
/// [`decode`](Self::decode) until it gives nothing, then [`fill`](Self::fill) (or
/// [`gather`](Self::gather) in an attachment) in its `select!`.
///
/// Limits of time need a tokio runtime with its clock enabled.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), packetboat_framing::Error> {
/// use packetboat_framing::{BodyExt, Limits, Prefix, Reader};
///
/// let bytes: &[u8] = b"\x06\0\0\0upload\x00\x01\x02\x04\0\0\0list";
/// let mut reader = Reader::new(bytes, Prefix::CLASSIC, &Limits::default());
/// let message = reader.message().await?.expect("a frame is there");
/// assert_eq!(message.bytes, b"upload");
/// reader.attachment(3)?.skip().await?;
/// assert_eq!(reader.message().await?.map(|m| m.bytes), Some(&b"list"[..]));
/// assert_eq!(reader.message().await?, None);
/// # Ok(()) }
/// ```
pub struct Reader<R, H> {
    io: R,
    decoder: Decoder<H>,
    limits: Limits,
    budget: Budget,
    meter: Meter,
    gathered: Option<Chunk>,
    next_chunk: usize,
    /// When the reader first waited for the rest of a frame that had begun.
    begun: Option<Instant>,
    /// When the reader first waited for a frame.
    idle: Option<Instant>,
    idle_counts: bool,
}

impl<R: AsyncRead + Unpin, H: Header> Reader<R, H> {
    /// A reader of frames with headers like this one, with a budget of its own.
    pub fn new(io: R, header: H, limits: &Limits) -> Self {
        Self {
            io,
            decoder: Decoder::new(header, limits),
            budget: Budget::default(),
            meter: Meter::new(limits),
            limits: limits.clone(),
            gathered: None,
            next_chunk: MIN_CHUNK,
            begun: None,
            idle: None,
            idle_counts: true,
        }
    }

    /// Takes the buffers of attachments out of this budget, which all connections of a server
    /// share.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The next message, or `None` when the peer closed between two frames. What is left of the
    /// last attachment is settled first.
    ///
    /// # Errors
    ///
    /// A refused header, a limit of time, a peer that leaves in the middle of a frame, and those
    /// of [`settle`](Self::settle).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn message(&mut self) -> Result<Option<Message<'_, H>>, Error> {
        self.settle().await?;
        loop {
            match self.step()? {
                Some(Step::Message { header, at }) => {
                    return Ok(Some(Message {
                        header,
                        bytes: self.decoder.bytes(at),
                    }));
                }
                Some(Step::Attachment { .. } | Step::End) => {}
                None if self.fill().await? == 0 => return Ok(None),
                None => {}
            }
        }
    }

    /// Says that the message just read is followed by an attachment of `len` bytes, and gives it.
    ///
    /// # Errors
    ///
    /// [`Error::AttachmentTooLarge`]. Answer, then close.
    ///
    /// # Panics
    ///
    /// If the last thing read was not a message, or its header stated the attachment's length.
    pub fn attachment(&mut self, len: u64) -> Result<Attachment<'_, R, H>, Error> {
        self.decoder.attachment(len)?;
        Ok(self.body())
    }

    /// What is left of the attachment that the stream stands in, which may be nothing.
    pub fn body(&mut self) -> Attachment<'_, R, H> {
        Attachment::new(self)
    }

    /// The next event in what has arrived, as [`Decoder::decode`].
    ///
    /// # Errors
    ///
    /// A header that is refused.
    pub fn decode(&mut self) -> Result<Option<Event<'_, H>>, Error> {
        let step = self.step()?;
        Ok(step.map(|step| step.event(&self.decoder)))
    }

    /// Reads once, and gives the number of bytes; 0 when the peer closed between two frames.
    ///
    /// # Errors
    ///
    /// [`Error::IdleTimeout`], [`Error::HeaderTimeout`], [`Error::BodyTooSlow`],
    /// [`Error::Truncated`], [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, the time waited so far included.
    pub async fn fill(&mut self) -> Result<usize, Error> {
        let Self {
            io,
            decoder,
            limits,
            meter,
            begun,
            idle,
            idle_counts,
            ..
        } = self;
        let phase = decoder.phase();
        let mut read = pin!(poll_fn(|cx| read_some(io, decoder, cx)));
        let n = match phase {
            Phase::Attachment => {
                let n = meter.watch(read).await??;
                meter.moved(n);
                n
            }
            // What is there already costs no look at the clock.
            _ => match poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await {
                Poll::Ready(n) => n?,
                Poll::Pending => {
                    let error;
                    let deadline = if phase == Phase::Message {
                        error = Error::HeaderTimeout {
                            after: limits.header_time,
                        };
                        let since = *begun.get_or_insert_with(Instant::now);
                        since.checked_add(limits.header_time)
                    } else {
                        error = Error::IdleTimeout {
                            after: limits.idle_time,
                        };
                        let since = *idle.get_or_insert_with(Instant::now);
                        since.checked_add(limits.idle_time).filter(|_| *idle_counts)
                    };
                    tokio::select! {
                        biased;
                        n = read => n?,
                        () = until(deadline) => return Err(error),
                    }
                }
            },
        };
        self.idle = None;
        if n == 0 {
            self.decoder.finish()?;
        }
        Ok(n)
    }

    /// As [`fill`](Self::fill), without any limit of time: for the owner of an ordered wire who
    /// reads ahead, and notices a reset, while it is the peer that waits for an answer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. A peer that closed in the middle of a frame gives 0.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn read_ahead(&mut self) -> Result<usize, Error> {
        let (io, decoder) = (&mut self.io, &mut self.decoder);
        let n = poll_fn(|cx| read_some(io, decoder, cx)).await?;
        self.idle = None;
        Ok(n)
    }

    /// Waits until more of the attachment has been gathered into the current chunk, as
    /// [`Body::gather`](crate::Body::gather).
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], [`Error::BodyTooSlow`], [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn gather(&mut self) -> Result<bool, Error> {
        let left = self.decoder.attachment_left();
        if left == 0 {
            return Ok(false);
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let chunk = match &mut self.gathered {
            Some(chunk) if chunk.room() == 0 => return Ok(false),
            Some(chunk) => chunk,
            None => {
                // Only bytes that are here are worth a buffer.
                if self.decoder.buffered() == 0 {
                    self.fill().await?;
                }
                let max = left.min(self.next_chunk);
                let lease = self.budget.lease(max.min(MIN_CHUNK), max).await;
                self.gathered.insert(Chunk::new(max, lease))
            }
        };
        let room = chunk.room();
        let bytes = self.decoder.attachment_bytes(room);
        if !bytes.is_empty() {
            chunk.buffer().extend_from_slice(bytes);
            return Ok(true);
        }
        self.decoder.release();
        let io = &mut self.io;
        let buffer = chunk.buffer();
        let n = self
            .meter
            .watch(read_into(io, buffer, room.min(left)))
            .await??;
        self.meter.moved(n);
        if n == 0 {
            return self.decoder.finish().map(|()| false);
        }
        self.decoder.passed_by(n as u64);
        Ok(true)
    }

    /// Takes what has been gathered of the attachment.
    pub fn take(&mut self) -> Option<Chunk> {
        let chunk = self.gathered.take()?;
        if chunk.room() == 0 {
            self.next_chunk = (self.next_chunk * 4).min(MAX_CHUNK);
        }
        Some(chunk)
    }

    /// Bytes of the attachment that have not been taken.
    pub fn remaining(&self) -> u64 {
        let gathered = self.gathered.as_ref().map_or(0, |chunk| chunk.len());
        self.decoder.attachment_left() + gathered as u64
    }

    /// Settles an attachment that nobody read: throws the rest away if it is at most
    /// [`Limits::drain_bytes`] and comes within [`Limits::drain_time`]. The stream then stands at
    /// the next frame.
    ///
    /// # Errors
    ///
    /// [`Error::DrainLimit`] when it is more, or did not come in time: answer and
    /// [`linger`](crate::linger). And those of [`gather`](Self::gather).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; the time begins anew.
    pub async fn settle(&mut self) -> Result<(), Error> {
        self.gathered = None;
        self.next_chunk = MIN_CHUNK;
        self.meter.reset();
        let remaining = self.decoder.attachment_left();
        if remaining == 0 {
            return Ok(());
        }
        if remaining > self.limits.drain_bytes {
            return Err(Error::DrainLimit { remaining });
        }
        let time = self.limits.drain_time;
        let all = async {
            while self.decoder.attachment_left() > 0 {
                if self.decoder.attachment_bytes(usize::MAX).is_empty() {
                    self.fill().await?;
                }
            }
            Ok(())
        };
        match timeout(time, all).await {
            Ok(result) => result,
            Err(_) => Err(Error::DrainLimit {
                remaining: self.decoder.attachment_left(),
            }),
        }
    }

    /// Reads and throws away whatever comes, frames or not, until the peer closes or a drain
    /// limit is reached. Gives the number of bytes. Only for a connection that is being closed.
    pub(crate) async fn discard(&mut self) -> u64 {
        self.gathered = None;
        let (io, decoder) = (&mut self.io, &mut self.decoder);
        let mut discarded = decoder.buffered() as u64;
        let max = self.limits.drain_bytes;
        let all = async {
            while discarded <= max {
                let read = poll_fn(|cx| {
                    let mut space = [MaybeUninit::uninit(); 4 * FIRST_READ];
                    let mut space = ReadBuf::uninit(&mut space);
                    ready!(Pin::new(&mut *io).poll_read(cx, &mut space))?;
                    Poll::Ready(Ok::<_, std::io::Error>(space.filled().len()))
                });
                match read.await {
                    Ok(n @ 1..) => discarded += n as u64,
                    _ => break,
                }
            }
        };
        // Whether it ended by the clock, the limit or the peer, the connection is closed next.
        let _ = timeout(self.limits.drain_time, all).await;
        discarded
    }

    /// The peer has logged in, or out: which limit holds for the messages to come.
    pub fn set_logged_in(&mut self, logged_in: bool) {
        self.decoder.set_logged_in(logged_in);
    }

    /// Whether the idle limit counts. A server stops it while a request is being answered, since
    /// the peer is then the one who waits; it counts from the beginning afterwards.
    pub fn set_idle_counts(&mut self, counts: bool) {
        if self.idle_counts != counts {
            self.idle = None;
        }
        self.idle_counts = counts;
    }

    /// Where in the stream the reader stands.
    pub fn phase(&self) -> Phase {
        self.decoder.phase()
    }

    /// Bytes that were read and belong to no event yet.
    pub fn buffered(&self) -> usize {
        self.decoder.buffered()
    }

    /// The decoder, for an owner who announces attachments itself.
    pub fn decoder_mut(&mut self) -> &mut Decoder<H> {
        &mut self.decoder
    }

    /// What it reads from.
    pub fn get_ref(&self) -> &R {
        &self.io
    }

    /// What it reads from.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.io
    }

    /// What it read from. Buffered bytes are lost.
    pub fn into_inner(self) -> R {
        self.io
    }

    /// The message that was last given, which is there until the next call.
    pub(crate) fn last_message(&self) -> &[u8] {
        self.decoder.lent()
    }

    fn step(&mut self) -> Result<Option<Step<H>>, Error> {
        let step = self.decoder.step()?;
        if let Some(Step::Message { .. }) = step {
            self.begun = None;
            self.meter.reset();
        }
        Ok(step)
    }
}

impl<R, H> fmt::Debug for Reader<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("decoder", &self.decoder)
            .finish_non_exhaustive()
    }
}

/// Reads once into the decoder: into its buffer where it holds one, else by way of the stack, and
/// while nothing comes the buffer is given back.
fn read_some<R: AsyncRead + Unpin, H: Header>(
    io: &mut R,
    decoder: &mut Decoder<H>,
    cx: &mut Context<'_>,
) -> Poll<std::io::Result<usize>> {
    if decoder.buffered() == 0 && !decoder.is_warm() {
        let mut space = [MaybeUninit::uninit(); FIRST_READ];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(io).poll_read(cx, &mut space))?;
        decoder.feed(space.filled());
        return Poll::Ready(Ok(space.filled().len()));
    }
    let space = decoder.space();
    let room = space.capacity() - space.len();
    let read = pin!(read_into(io, space, room)).poll(cx);
    if read.is_pending() {
        decoder.release();
    }
    read
}

/// Reads at most `max` bytes to the end of a buffer that has room for them.
pub(crate) async fn read_into<R: AsyncRead + Unpin>(
    io: &mut R,
    buffer: &mut Vec<u8>,
    max: usize,
) -> std::io::Result<usize> {
    use bytes::BufMut;
    use tokio::io::AsyncReadExt;
    io.read_buf(&mut buffer.limit(max)).await
}
