//! Frames to any AsyncWrite, files by sendfile.

use std::{
    error, fmt,
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::Instant,
};

use crate::{
    budget::Budget,
    encoder::{Encoder, MessageWriter},
    error::Error,
    header::Header,
    limits::Limits,
    rate::{Meter, until},
    sendfile::Socket,
    source::Source,
    transmit::Transmit,
};

/// How much of an attachment goes out before other work has its turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Nothing else is in flight: slices of up to 4 MiB.
    #[default]
    Alone,
    /// Other replies wait: slices of 256 KiB, and the kernel holds at most 128 KiB unsent
    /// (`TCP_NOTSENT_LOWAT`). What comes next then leaves in milliseconds and not behind the
    /// whole of a socket's buffer.
    Shared,
}

impl Pace {
    /// The largest slice in bytes.
    pub const fn slice(self) -> usize {
        match self {
            Self::Alone => 4 * 1024 * 1024,
            Self::Shared => 256 * 1024,
        }
    }

    /// Bytes that the kernel may hold unsent.
    pub(crate) const fn unsent(self) -> u32 {
        match self {
            // 0 is the system's own default.
            Self::Alone => 0,
            Self::Shared => 128 * 1024,
        }
    }
}

/// Writes messages and attachments to any [`AsyncWrite`]. Header and message leave in one write.
/// A file goes by sendfile where the writer is a plain TCP or Unix socket of tokio, or the owned
/// half of one.
///
/// Two ways to use it. [`send`](Self::send) and [`send_with`](Self::send_with) return when all has
/// been written. A task that does other things besides queues with [`encode`](Self::encode) and
/// [`attach`](Self::attach), and calls [`step`](Self::step) in its `select!`.
///
/// Limits of time need a tokio runtime with its clock enabled.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), packetboat_framing::Error> {
/// use packetboat_framing::{Limits, Prefix, Source, Writer};
///
/// let mut writer = Writer::new(Vec::new(), Prefix::CLASSIC, &Limits::default());
/// writer.send(b"list").await?;
/// writer.send_with(Source::bytes("abc"), |out| serde_json::to_writer(out, "upload")).await?;
/// assert_eq!(writer.get_ref(), b"\x04\0\0\0list\x08\0\0\0\"upload\"abc");
/// # Ok(()) }
/// ```
pub struct Writer<W, H> {
    io: W,
    encoder: Encoder<H>,
    limits: Limits,
    budget: Budget,
    meter: Meter,
    pace: Pace,
    /// Bytes of an attachment that a message announced and that has no source yet.
    owed: u64,
    // Boxed: most connections have none, and an idle one should be small.
    transmit: Option<Box<Transmit>>,
    /// Something was written and not flushed.
    dirty: bool,
    /// When the peer first took nothing of what is written.
    stalled: Option<Instant>,
}

impl<W, H> Writer<W, H>
where
    W: AsyncWrite + Unpin + 'static,
    H: Header,
{
    /// A writer that begins each frame with a copy of this header, with a budget of its own.
    pub fn new(io: W, header: H, limits: &Limits) -> Self {
        Self {
            io,
            encoder: Encoder::new(header, limits),
            budget: Budget::default(),
            meter: Meter::new(limits),
            limits: limits.clone(),
            pace: Pace::Alone,
            owed: 0,
            transmit: None,
            dirty: false,
            stalled: None,
        }
    }

    /// Takes buffers for attachments that pass through memory out of this budget, which all
    /// connections of a server share.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Writes a message that has no attachment, and all that was queued before it.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode) and [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// The message stays queued and leaves at the next flush.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.encode(message, 0)?;
        self.flush().await
    }

    /// Writes a message, serialised by `write`, and its attachment.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with), [`attach`](Self::attach) and
    /// [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// Both stay queued and leave at the next flush.
    pub async fn send_with<E>(
        &mut self,
        attachment: Source,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.encode_with(attachment.len(), write)?;
        self.attach(attachment)?;
        self.flush().await
    }

    /// Queues a message whose attachment of `attachment` bytes (0 for none) is given next, by
    /// [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with).
    pub fn encode(&mut self, message: &[u8], attachment: u64) -> Result<(), Error> {
        self.check_order()?;
        self.encoder.encode(message, attachment)?;
        self.owed = attachment;
        Ok(())
    }

    /// Queues a message that `write` serialises straight into the buffer, for example
    /// `|out| serde_json::to_writer(out, &value)`.
    ///
    /// # Errors
    ///
    /// [`Error::AttachmentPending`] while an earlier attachment is not sent, and those of
    /// [`Encoder::encode_with`]. Nothing is queued then.
    pub fn encode_with<E>(
        &mut self,
        attachment: u64,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.check_order()?;
        self.encoder.encode_with(attachment, write)?;
        self.owed = attachment;
        Ok(())
    }

    /// As [`encode_with`](Self::encode_with), with a header of its own for this frame.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with).
    pub fn encode_as<E>(
        &mut self,
        header: H,
        attachment: u64,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.check_order()?;
        self.encoder.encode_as(header, attachment, write)?;
        self.owed = attachment;
        Ok(())
    }

    /// Gives the attachment that the last message announced. It may come much later than the
    /// message, which can be flushed before.
    ///
    /// # Errors
    ///
    /// [`Error::SourceTooShort`] and [`Error::SourceTooLong`] when its length is another than
    /// announced. The peer waits for what was announced: give another, or close.
    pub fn attach(&mut self, source: Source) -> Result<(), Error> {
        if source.len() < self.owed {
            return Err(Error::SourceTooShort {
                len: self.owed,
                sent: source.len(),
            });
        }
        if source.len() > self.owed {
            return Err(Error::SourceTooLong { len: self.owed });
        }
        self.owed = 0;
        self.meter.reset();
        self.transmit = (!source.is_empty()).then(|| Box::new(Transmit::new(source)));
        Ok(())
    }

    /// Writes once: queued messages first, then a slice of the attachment. `false` when there is
    /// nothing to do.
    ///
    /// # Errors
    ///
    /// [`Error::WriteTimeout`], [`Error::BodyTooSlow`], [`Error::SourceTooShort`],
    /// [`Error::SourceTooLong`], [`Error::Io`]. The connection must then be closed, since the
    /// peer waits for the rest of something.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn step(&mut self) -> Result<bool, Error> {
        if !self.encoder.is_empty() {
            let pending = self.encoder.pending();
            let write = self.io.write(pending);
            let n = in_time(&mut self.stalled, &self.limits, write).await?;
            if n == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            self.encoder.advance(n);
            self.dirty = true;
            return Ok(true);
        }
        if let Some(transmit) = &mut self.transmit {
            let (slice, meter) = (self.pace.slice(), &mut self.meter);
            // Boxed: it is most of what this future would be, and a box for a slice costs nothing.
            Box::pin(transmit.step(&mut self.io, slice, &self.budget, meter)).await?;
            if transmit.remaining() == 0 {
                self.transmit = None;
            }
            self.dirty = true;
            return Ok(true);
        }
        if self.dirty {
            in_time(&mut self.stalled, &self.limits, self.io.flush()).await?;
            self.dirty = false;
            self.encoder.release();
        }
        Ok(false)
    }

    /// Writes all that is queued, and flushes. An announced attachment without a source is not
    /// waited for.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; the rest stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        while self.step().await? {}
        Ok(())
    }

    /// Flushes, and shuts the write side: the peer then reads to the end of what was sent.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn shutdown(&mut self) -> Result<(), Error> {
        self.flush().await?;
        in_time(&mut self.stalled, &self.limits, self.io.shutdown()).await
    }

    /// How much of an attachment goes out at once, from the next slice on.
    ///
    /// # Errors
    ///
    /// The socket refused the option.
    pub fn set_pace(&mut self, pace: Pace) -> io::Result<()> {
        if self.pace != pace
            && let Some(socket) = Socket::of(&self.io)
        {
            socket.set_notsent_lowat(pace.unsent())?;
        }
        self.pace = pace;
        Ok(())
    }

    /// Bytes of messages that are queued.
    pub fn queued(&self) -> usize {
        self.encoder.pending().len()
    }

    /// Bytes of the attachment that are not sent, its source given or not.
    pub fn attachment_left(&self) -> u64 {
        self.owed + self.transmit.as_deref().map_or(0, Transmit::remaining)
    }

    /// Whether [`step`](Self::step) would write something.
    pub fn has_work(&self) -> bool {
        !self.encoder.is_empty() || self.transmit.is_some() || self.dirty
    }

    /// What it writes to.
    pub fn get_ref(&self) -> &W {
        &self.io
    }

    /// What it writes to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.io
    }

    /// What it wrote to. What is queued is lost.
    pub fn into_inner(self) -> W {
        self.io
    }

    /// A message may not come between another and its attachment.
    fn check_order(&self) -> Result<(), Error> {
        match self.attachment_left() {
            0 => Ok(()),
            remaining => Err(Error::AttachmentPending { remaining }),
        }
    }
}

impl<W, H> fmt::Debug for Writer<W, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}

/// Waits for a peer that takes nothing, up to the write limit, counted over dropped futures.
async fn in_time<T>(
    stalled: &mut Option<Instant>,
    limits: &Limits,
    future: impl Future<Output = io::Result<T>>,
) -> Result<T, Error> {
    let mut future = pin!(future);
    // What the socket takes at once costs no look at the clock.
    let result = match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(result) => result,
        Poll::Pending => {
            let since = *stalled.get_or_insert_with(Instant::now);
            tokio::select! {
                biased;
                result = future => result,
                () = until(since.checked_add(limits.write_time)) => {
                    return Err(Error::WriteTimeout { after: limits.write_time });
                }
            }
        }
    };
    *stalled = None;
    Ok(result?)
}
