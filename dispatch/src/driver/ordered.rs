//! An ordered wire: the next request begins when the last byte of the reply is queued.

use std::future::pending;
use std::io;
use std::pin::{Pin, pin};

use futures_core::future::BoxFuture;
use packetboat_framing::{Error, Event, Header, Phase, Reader, Writer, linger};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, Sleep, sleep};

use crate::app::Caller;
use crate::driver::handling::{Running, State, begin, panicked};
use crate::driver::outbox::Outbox;
use crate::driver::{Held, Shared};
use crate::error::Disconnect;
use crate::middleware::Response;
use crate::upload::Feed;
use crate::wire::Wire;

/// Bytes of later requests that are read while one is answered. Beyond them the peer waits.
const READ_AHEAD: usize = 64 * 1024;

/// The task of one connection.
///
/// ```text
///        begin            handler answers at once
///  read ───────▶ running ─────────────────────────▶ queue ──▶ file, if any ──▶ settle ─┐
///   ▲               │ or waits: feed its upload,      │                                │
///   │               │ flush, read ahead               ▼                                │
///   └───────────────┴──────────────── input dry: flush and read ◀──────────────────────┘
/// ```
pub(crate) struct Ordered<'a, R, W, H> {
    pub(super) shared: &'a Shared,
    caller: Caller,
    pub(super) held: Held,
    pub(super) inbox: Inbox<R, H>,
    pub(super) outbox: Outbox<W, H>,
    /// Looked at before each request; a look is one atomic load.
    stopping: watch::Receiver<bool>,
    clocks: Clocks,
}

/// What ends a connection between two requests. Both are made once and stay registered: to set up
/// a timer and a listener for each wait would cost as much as answering a small request.
struct Clocks {
    stop: BoxFuture<'static, ()>,
    /// Armed at or before the time that is meant, and set anew when it turns out to be early.
    idle: Pin<Box<Sleep>>,
}

/// The way in.
pub(super) struct Inbox<R, H> {
    pub(super) reader: Reader<R, H>,
    /// The peer has shut its write side. It may still read.
    pub(super) ended: bool,
}

/// What was read while a handler was at work.
enum Input {
    /// Bytes of later requests.
    Ahead(Result<(), Error>),
    /// Bytes of its upload; `false` when there is nothing more to do for it.
    Fed(Result<bool, Error>),
}

/// Whether a connection goes on after an answer.
enum Flow {
    On,
    Close(Disconnect),
}

impl<'a, R, W, H> Ordered<'a, R, W, H>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
    H: Header,
{
    pub(crate) fn new(
        shared: &'a Shared,
        caller: Caller,
        held: Held,
        reader: Reader<R, H>,
        writer: Writer<W, H>,
    ) -> Self {
        let reader = reader.with_budget(shared.budget.clone());
        let writer = writer.with_budget(shared.budget.clone());
        let mut inbox = Inbox {
            reader,
            ended: false,
        };
        inbox.reader.set_idle_counts(false);
        let stopping = shared.stopping.clone();
        let mut stop = stopping.clone();
        let clocks = Clocks {
            // An error means that the server is gone, which is a stop, too.
            stop: Box::pin(async move { drop(stop.changed().await) }),
            idle: Box::pin(sleep(shared.limits.wire.idle_time)),
        };
        Self {
            shared,
            caller,
            held,
            inbox,
            outbox: Outbox::new(writer),
            stopping,
            clocks,
        }
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(&mut self) -> Disconnect {
        let disconnect = match self.serve().await {
            Ok(disconnect) => disconnect,
            Err(error) => Disconnect::Failed(error),
        };
        let is_queued = self.outbox.has_work() && !disconnect.is_lost();
        if is_queued || disconnect.answers_first() {
            // Unread bytes would turn the close into a reset, and a reset eats the answer.
            let lingering = Box::pin(linger(&mut self.inbox.reader, self.outbox.writer()));
            if let Err(error) = lingering.await {
                tracing::debug!(%error, "the last answer did not leave");
            }
        }
        disconnect
    }

    async fn serve(&mut self) -> Result<Disconnect, Error> {
        loop {
            if self.outbox.is_full() {
                self.flush().await?;
            }
            match self.inbox.reader.decode()? {
                Some(Event::Message { message, .. }) => {
                    let running = begin(self.shared, &self.caller, message, None);
                    if let Flow::Close(disconnect) = self.answer(running).await? {
                        return Ok(disconnect);
                    }
                }
                Some(Event::Attachment(_) | Event::End) => {}
                None => {
                    if let Flow::Close(disconnect) = self.more().await? {
                        return Ok(disconnect);
                    }
                }
            }
        }
    }

    /// Input has run dry: flushes, and reads.
    async fn more(&mut self) -> Result<Flow, Error> {
        let idle_time = self.shared.limits.wire.idle_time;
        let since = Instant::now();
        loop {
            // A request that has begun to arrive is still answered.
            let is_between = self.inbox.reader.phase() == Phase::Idle && !self.outbox.has_work();
            if is_between && self.is_stopping() {
                return Ok(Flow::Close(Disconnect::Stopped));
            }
            if self.inbox.ended {
                self.outbox.writer().flush().await?;
                return Ok(Flow::Close(Disconnect::Closed));
            }
            tokio::select! {
                biased;
                written = self.outbox.writer().step(), if self.outbox.has_work() => {
                    written?;
                }
                read = self.inbox.reader.fill() => {
                    self.inbox.ended = read? == 0;
                    return Ok(Flow::On);
                }
                () = &mut self.clocks.stop, if is_between => {
                    return Ok(Flow::Close(Disconnect::Stopped));
                }
                () = self.clocks.idle.as_mut(), if is_between => {
                    let until = since + idle_time;
                    if Instant::now() >= until {
                        return Err(Error::IdleTimeout { after: idle_time });
                    }
                    self.clocks.idle.as_mut().reset(until);
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        // It changes once, from false to true.
        !matches!(self.stopping.has_changed(), Ok(false))
    }

    /// Sees a request to its end: its handler, its upload, its reply and its file. What takes time
    /// is boxed: it would make up most of an idle connection's future.
    async fn answer(&mut self, running: Running) -> Result<Flow, Error> {
        let Running {
            state,
            upload,
            is_last,
        } = running;
        let (len, feed) = upload.map_or((0, None), |(len, feed)| (len, Some(feed)));
        if len > 0 {
            // Over the limit it is refused already; its bytes are an attachment's all the same.
            let _ = self.inbox.reader.decoder_mut().attachment(len);
        }
        let (response, cut) = match state {
            State::Answered(response) => (response, None),
            State::Waiting(waiting) => {
                let spawned = waiting.spawn(self.shared, &self.held, None);
                Box::pin(self.wait(spawned.receiver, feed)).await?
            }
        };
        self.inbox
            .reader
            .set_logged_in(self.caller.peer.is_logged_in());
        let code = response.refused.clone();
        let file = self.outbox.push(&self.shared.app, response)?;
        if let Some(reason) = cut {
            // A close without lingering: who sends too slowly is not waited for once more.
            if let Err(error) = Box::pin(self.flush()).await {
                tracing::debug!(%error, "the answer to a cut upload did not leave");
            }
            return Ok(Flow::Close(Disconnect::UploadCut { reason }));
        }
        let last = move || {
            Flow::Close(Disconnect::Answered {
                code: code.unwrap_or_default().into(),
            })
        };
        if is_last {
            return Ok(last());
        }
        if self.inbox.reader.remaining() > 0 {
            match Box::pin(self.settle()).await {
                Err(Error::DrainLimit { .. }) => return Ok(last()),
                settled => settled?,
            }
        }
        if let Some(file) = file {
            Box::pin(self.send(*file)).await?;
        }
        if self.is_stopping() {
            return Ok(Flow::Close(Disconnect::Stopped));
        }
        Ok(Flow::On)
    }

    /// Waits for a handler on its own task, feeding its upload, flushing and reading meanwhile.
    /// Also gives the reason why the upload was cut, if it was.
    async fn wait(
        &mut self,
        mut receiver: oneshot::Receiver<Response>,
        mut feed: Option<Feed>,
    ) -> Result<(Response, Option<String>), Error> {
        let mut cut = None;
        loop {
            let input = tokio::select! {
                biased;
                response = &mut receiver => {
                    // The task ends without an answer only when the runtime takes it down.
                    let response = response.unwrap_or_else(|_| panicked(&self.shared.app, Wire::Classic));
                    return Ok((response, cut));
                }
                written = self.outbox.writer().step(), if self.outbox.has_work() => {
                    written?;
                    continue;
                }
                input = self.inbox.input(feed.as_ref()) => input,
            };
            match input {
                Input::Ahead(read) => read?,
                Input::Fed(Ok(true)) => {}
                Input::Fed(Ok(false)) => feed = None,
                Input::Fed(Err(error)) => {
                    self.inbox.ended = true;
                    cut = Some(error.to_string());
                    let reset = match &error {
                        Error::Io(error) => Some(error.kind()),
                        _ => None,
                    };
                    if let Some(feed) = feed.take() {
                        feed.fail(error);
                    }
                    if let Some(kind) = reset {
                        // Nobody will read an answer. The handler goes on by itself.
                        return Err(io::Error::from(kind).into());
                    }
                }
            }
        }
    }

    /// Writes what is queued. Reads meanwhile: a peer that sends before it reads would otherwise
    /// wait for us, and we for it.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        while self.flush_some().await? {}
        Ok(())
    }

    /// One step of [`flush`](Self::flush); `false` when there is nothing to do.
    pub(super) async fn flush_some(&mut self) -> Result<bool, Error> {
        if !self.outbox.has_work() {
            return Ok(false);
        }
        tokio::select! {
            biased;
            written = self.outbox.writer().step() => {
                written?;
            }
            read = self.inbox.ahead(), if self.inbox.may_read_ahead() => read?,
        }
        Ok(true)
    }

    /// Throws away what nobody read of an upload, within limits; the answer leaves meanwhile. What
    /// is left of it then is written as every other, while the next request is read.
    async fn settle(&mut self) -> Result<(), Error> {
        let mut settled = pin!(self.inbox.reader.settle());
        loop {
            tokio::select! {
                biased;
                settled = &mut settled => return settled,
                written = self.outbox.writer().step(), if self.outbox.has_work() => {
                    written?;
                }
            }
        }
    }
}

impl<R: AsyncRead + Unpin, H: Header> Inbox<R, H> {
    /// Whether later requests may be read while one is answered.
    pub(super) fn may_read_ahead(&self) -> bool {
        !self.ended && self.reader.buffered() < READ_AHEAD
    }

    /// Reads once, with no limit of time: the peer is the one that waits.
    pub(super) async fn ahead(&mut self) -> Result<(), Error> {
        self.ended = self.reader.read_ahead().await? == 0;
        Ok(())
    }

    /// One step of reading while a handler is at work.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    async fn input(&mut self, feed: Option<&Feed>) -> Input {
        match feed {
            Some(feed) => Input::Fed(self.feed(feed).await),
            None if self.may_read_ahead() => Input::Ahead(self.ahead().await),
            None => pending().await,
        }
    }

    /// One step of an upload: a chunk handed over, or more of the next one gathered. `false` when
    /// there is nothing more to do for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    async fn feed(&mut self, feed: &Feed) -> Result<bool, Error> {
        if self.reader.remaining() == 0 {
            return Ok(false);
        }
        if self.has_gathered() {
            tokio::select! {
                biased;
                wanted = feed.ready() => return Ok(self.give(feed, wanted)),
                more = self.reader.gather() => {
                    if more? {
                        return Ok(true);
                    }
                }
            }
            // The chunk is as full as it gets: now it is the handler's turn.
            let wanted = feed.ready().await;
            return Ok(self.give(feed, wanted));
        }
        tokio::select! {
            biased;
            () = feed.dropped() => Ok(false),
            more = self.reader.gather() => more.map(|_| true),
        }
    }

    fn give(&mut self, feed: &Feed, wanted: bool) -> bool {
        match self.reader.take() {
            Some(chunk) if wanted => feed.give(chunk),
            _ => {}
        }
        wanted
    }

    /// Whether a chunk has been begun that nobody has taken.
    fn has_gathered(&mut self) -> bool {
        self.reader.remaining() > self.reader.decoder_mut().attachment_left()
    }
}
