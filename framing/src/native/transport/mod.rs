//! A native connection on a socket: bytes, files and the clock.

mod clocks;
mod moving;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::{Future, poll_fn},
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};

use crate::{
    budget::{Budget, Lease},
    error::Error,
    limits::Limits,
    native::{Code, Connection, Digest, Event, Role},
    reader::FIRST_READ,
    source::Source,
    transmit::Transmit,
    writer::Pace,
};
use clocks::{Clocks, Rate};

/// Moves the bytes of a [`Connection`]: reads, writes, sends files between other frames, and keeps
/// the limits of time.
///
/// One task owns it. The task takes events until there are none, says what it has to say to the
/// [`connection`](Self::connection), and calls [`drive`](Self::drive) in its `select!`: that reads
/// and writes at once, so neither side waits for the other.
///
/// Files go by sendfile where the writer is a plain TCP or Unix socket of tokio, or the owned half
/// of one: in frames of 256 KiB while other requests are in flight, else of 1 MiB, and each has
/// its turn. Everything else overtakes them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), packetboat_framing::Error> {
/// use packetboat_framing::{Budget, Limits};
/// use packetboat_framing::native::{Event, Outgoing, Role, Transport};
///
/// let (ours, theirs) = tokio::io::duplex(1024);
/// let (limits, budget) = (Limits::default(), Budget::default());
/// let (read, write) = tokio::io::split(ours);
/// let mut client = Transport::new(read, write, Role::Client, &limits, &budget);
/// let (read, write) = tokio::io::split(theirs);
/// let mut server = Transport::new(read, write, Role::Server, &limits, &budget);
///
/// client.connection().request(&Outgoing::json(), |out| serde_json::to_writer(out, "Ann"))?;
/// let message = loop {
///     match server.next_event()? {
///         Some(Event::Message(message)) => break message.message.to_vec(),
///         Some(_) => {}
///         None => {
///             tokio::select! {
///                 moved = client.drive(true) => drop(moved?),
///                 moved = server.drive(true) => drop(moved?),
///             }
///         }
///     }
/// };
/// assert_eq!(message, b"\"Ann\"");
/// # Ok(()) }
/// ```
pub struct Transport<R, W> {
    connection: Connection,
    reader: R,
    writer: W,
    limits: Limits,
    budget: Budget,
    /// Attachments that this side sends, whose source is here.
    senders: HashMap<u32, Sender>,
    /// Whose data frame has begun and not ended.
    slice: Option<u32>,
    /// Attachments that this side receives and has asked for.
    receivers: HashMap<u32, Rate>,
    /// Attachments that this side sends and whose receiver has all of it.
    spent: VecDeque<u32>,
    /// What the clock has found, to be told one by one.
    late: VecDeque<Moved>,
    /// Room in the budget that an attachment waits for.
    leasing: Option<Pin<Box<dyn Future<Output = Lease> + Send>>>,
    clocks: Clocks,
    pace: Pace,
    /// After a slice it is the reader's turn.
    read_first: bool,
    /// Something was written and not flushed.
    dirty: bool,
    /// No further frame of a file is begun.
    closing: bool,
}

/// What [`Transport::drive`] did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Moved {
    /// So many bytes came: look for events. 0 when the other side has shut its write side; do not
    /// read on then.
    Read(usize),
    /// Bytes of frames left.
    Written,
    /// Bytes of an attachment left. With none left its end has been queued, and it is forgotten.
    Sent {
        /// The request.
        request: u32,
        /// Bytes that are still to be sent.
        left: u64,
    },
    /// An attachment that this side sends was broken off: its source failed, or its receiver takes
    /// nothing. The connection goes on.
    Unsent {
        /// The request.
        request: u32,
        /// Why.
        error: Error,
    },
    /// An attachment that this side receives came too slowly and was cancelled.
    TooSlow {
        /// The request.
        request: u32,
        /// [`Error::BodyTooSlow`].
        error: Error,
    },
    /// A ping was queued.
    Pinged,
}

/// An attachment on its way out.
struct Sender {
    transmit: Transmit,
    digest: Option<Digest>,
    /// Where in the whole its source begins.
    begin: u64,
    rate: Rate,
    /// It was broken off, and only the frame that has begun is still sent.
    over: bool,
}

impl Sender {
    /// Goes on from that position of the whole; whether nothing is left to be sent.
    fn go_on(&mut self, from: u64) -> bool {
        let at = self.begin + self.transmit.sent();
        let skip = from.saturating_sub(at).min(self.transmit.remaining());
        if skip == 0 {
            return false;
        }
        self.transmit.skip(skip);
        self.transmit.remaining() == 0
    }
}

impl<R, W> Transport<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    /// One side of a connection at its very beginning. The attachments' buffers, both ways, come
    /// out of this budget.
    pub fn new(reader: R, writer: W, role: Role, limits: &Limits, budget: &Budget) -> Self {
        Self {
            connection: Connection::new(role, limits, budget),
            reader,
            writer,
            limits: limits.clone(),
            budget: budget.clone(),
            senders: HashMap::new(),
            slice: None,
            receivers: HashMap::new(),
            spent: VecDeque::new(),
            late: VecDeque::new(),
            leasing: None,
            clocks: Clocks::default(),
            pace: Pace::Alone,
            read_first: false,
            dirty: false,
            closing: false,
        }
    }

    /// The state, to send messages with. Attachments are sent and received by the methods here.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Adds bytes that were read from the socket before.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.connection.feed(bytes);
    }

    /// The next event in what has arrived, as [`Connection::next_event`].
    ///
    /// # Errors
    ///
    /// As there. [`close`](Self::close) then, so that the other side learns why.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        let event = self.connection.next_event()?;
        match &event {
            Some(Event::Cancelled { request, .. }) => {
                forget(&mut self.senders, self.slice, *request);
            }
            Some(Event::Credit { request, from }) => {
                // Within a frame its position is ahead of what was sent, and was told before.
                if self.slice != Some(*request)
                    && let Some(sender) = self.senders.get_mut(request)
                    && sender.go_on(*from)
                {
                    self.spent.push_back(*request);
                }
            }
            Some(Event::Data { request, bytes, .. }) => {
                if let Some(rate) = self.receivers.get_mut(request) {
                    rate.moved(bytes.len());
                }
            }
            Some(Event::End { request, .. }) => {
                self.receivers.remove(request);
            }
            _ => {}
        }
        Ok(event)
    }

    /// Sends the attachment that a message has announced, from here on, as its receiver gives
    /// credit, with the digest of the whole at its end if it is known. What its receiver has
    /// already is left out of the source.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if it was broken off meanwhile. [`Error::SourceTooShort`] and
    /// [`Error::SourceTooLong`] when the source has another length than was announced: send
    /// another, or [`break_off`](Self::break_off).
    pub fn send(
        &mut self,
        request: u32,
        source: Source,
        digest: Option<Digest>,
    ) -> Result<(), Error> {
        let (announced, skip) = self.connection.announced(request)?;
        match announced {
            Some(len) if source.len() < len => {
                let sent = source.len();
                return Err(Error::SourceTooShort { len, sent });
            }
            Some(len) if source.len() > len => return Err(Error::SourceTooLong { len }),
            _ => {}
        }
        if source.is_empty() {
            return self.connection.end(request, digest);
        }
        let at = self.connection.position(request).unwrap_or(skip);
        let mut sender = Sender {
            transmit: Transmit::new(source),
            digest,
            begin: at - skip,
            rate: Rate::new(),
            over: false,
        };
        if sender.go_on(at) {
            self.spent.push_back(request);
        }
        self.senders.insert(request, sender);
        Ok(())
    }

    /// Bytes of an attachment that have not been sent, if it is being sent.
    pub fn left(&self, request: u32) -> Option<u64> {
        let sender = self.senders.get(&request).filter(|sender| !sender.over)?;
        Some(sender.transmit.remaining())
    }

    /// Breaks off an attachment that was announced, whether its source is here or not.
    ///
    /// # Panics
    ///
    /// If the code is one that ends connections.
    pub fn break_off(&mut self, request: u32, code: Code) {
        forget(&mut self.senders, self.slice, request);
        // It may be over already.
        let _ = self.connection.abort(request, code);
    }

    /// Asks for an attachment, as [`Connection::receive`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn receive(&mut self, request: u32, from: Option<u64>) -> Result<(), Error> {
        self.connection.receive(request, from)?;
        self.receivers.insert(request, Rate::new());
        Ok(())
    }

    /// So many bytes of an attachment have been dealt with, as [`Connection::consumed`].
    ///
    /// # Panics
    ///
    /// If more are consumed than came.
    pub fn consumed(&mut self, request: u32, bytes: usize) {
        if let Some(rate) = self.receivers.get_mut(&request)
            && !self.connection.is_owed(request)
        {
            rate.excuse();
        }
        self.connection.consumed(request, bytes);
    }

    /// Wants nothing more of a request, as [`Connection::cancel`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn cancel(&mut self, request: u32, code: Code) -> Result<(), Error> {
        self.receivers.remove(&request);
        let cancelled = self.connection.cancel(request, code);
        if self.connection.position(request).is_none() {
            forget(&mut self.senders, self.slice, request);
        }
        cancelled
    }

    /// Reads or writes once, or waits for one of the two, or for the clock. With `read` false it
    /// leaves what comes on the socket, and the other side's silence does not count.
    ///
    /// # Errors
    ///
    /// Those that end the connection: [`Error::HeaderTimeout`], [`Error::IdleTimeout`],
    /// [`Error::WriteTimeout`], [`Error::BodyTooSlow`] and the source's errors in the middle of a
    /// frame, [`Error::Io`]. [`close`](Self::close) then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn drive(&mut self, read: bool) -> Result<Moved, Error> {
        poll_fn(|cx| self.poll_drive(cx, read)).await
    }

    /// Whether something waits to be written, files that have credit not counted.
    pub fn has_pending(&self) -> bool {
        self.connection.queued() > 0 || self.connection.slice_left() > 0 || self.dirty
    }

    /// The end of the connection: writes what is queued, shuts the write side, and reads on for a
    /// while, throwing away what comes. A bare close while bytes are unread sends a reset, and a
    /// reset eats the last frames. Within [`Limits::drain_bytes`] and [`Limits::drain_time`].
    ///
    /// # Errors
    ///
    /// What was queued could not be written.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes at once.
    pub async fn close(&mut self) -> Result<(), Error> {
        self.closing = true;
        let (max, time) = (self.limits.drain_bytes, self.limits.drain_time);
        let (mut discarded, mut ended, mut shut) = (0_u64, false, false);
        let all = poll_fn(|cx| {
            while !ended {
                match self.poll_discard(cx) {
                    Poll::Ready(Ok(n @ 1..)) => {
                        discarded += n as u64;
                        ended = discarded > max;
                    }
                    Poll::Ready(_) => ended = true,
                    Poll::Pending => break,
                }
            }
            if !shut {
                while self.has_pending() {
                    ready!(self.poll_write(cx))?;
                }
                ready!(Pin::new(&mut self.writer).poll_shutdown(cx))?;
                shut = true;
            }
            match ended {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            }
        });
        match timeout(time, all).await {
            Ok(done) => done,
            // Whoever does not close by then is closed on.
            Err(_) if shut => Ok(()),
            Err(_) => Err(Error::WriteTimeout { after: time }),
        }
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); 4 * FIRST_READ];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.reader).poll_read(cx, &mut space))?;
        Poll::Ready(Ok(space.filled().len()))
    }
}

/// Forgets the source of an attachment that was broken off, unless a frame of it has begun: of
/// that all bytes must be sent.
fn forget(senders: &mut HashMap<u32, Sender>, slice: Option<u32>, request: u32) {
    if slice == Some(request) {
        if let Some(sender) = senders.get_mut(&request) {
            sender.over = true;
        }
    } else {
        senders.remove(&request);
    }
}

impl<R, W> fmt::Debug for Transport<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("connection", &self.connection)
            .field("sending", &self.senders.len())
            .finish_non_exhaustive()
    }
}
