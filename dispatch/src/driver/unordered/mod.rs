//! A multiplexed wire: many requests in flight, answered in any order.

mod attending;
mod pushing;
mod reply;
mod request;

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use futures_core::future::BoxFuture;
use packetboat_framing::native::{Code, Codec, Digest, Event, Moved, Received, Role, Transport};
use packetboat_framing::{Error, Limits};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::app::{Caller, Framed};
use crate::bell::Bell;
use crate::carried::Carried;
use crate::driver::handling::{Running, begin};
use crate::driver::{Held, Shared};
use crate::error::Disconnect;
use crate::metrics::Queued;
use pushing::Pushes;
use request::Request;

/// With so many bytes of replies waiting, no new request is begun.
const FULL: usize = 64 * 1024;
/// Bytes of requests that are kept meanwhile. Beyond them the peer waits.
const READ_AHEAD: usize = 64 * 1024;

/// The task of one connection.
///
/// ```text
///            begin          handler answers at once
///  events ──────▶ request ────────────────────────────▶ reply ──▶ file, if any
///    ▲               │ or waits: on a task of its own,    ▲            │
///    │               │ which rings when it has ended      │            │
///    │               └────────── bell ────────────────────┘            │
///    │        upload wanted, taken, dropped; file ready: bell          │
///    └────── drive: read, write, a slice of a file, the clock ◀────────┘
/// ```
///
/// What answers in place leaves nothing behind. Everything else has an entry among the requests
/// until nothing of it is left.
pub(crate) struct Unordered<'a, R, W> {
    shared: &'a Shared,
    caller: Caller,
    carried: Carried,
    held: Held,
    transport: Transport<R, W>,
    requests: HashMap<u32, Request>,
    bell: Arc<Bell>,
    pushes: Pushes,
    /// Requests that came while the way out was full.
    backlog: VecDeque<Kept>,
    backlog_bytes: usize,
    stop: BoxFuture<'static, ()>,
    /// The server is to stop, and the peer has been told.
    stopping: bool,
    /// The peer goes away in good order.
    peer_leaving: bool,
    /// The peer has shut its write side.
    ended: bool,
}

/// A request that waits for its turn.
struct Kept {
    head: Head,
    message: Vec<u8>,
    _queued: Queued,
}

/// What stands beside a message.
struct Head {
    request: u32,
    framed: Framed,
}

/// What an event leaves to be done once its bytes are given back.
enum Next {
    /// Nothing.
    Done,
    /// A request has been answered at once, or runs; and whether it has an attachment.
    Begun(u32, Running, bool),
    /// Bytes that nobody waits for any more.
    Unread(u32, usize),
    Ended(u32, Result<Option<Digest>, Code>),
    Cancelled(u32),
}

impl<'a, R, W> Unordered<'a, R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    /// A connection of which these bytes have been read already.
    pub(crate) fn new(
        shared: &'a Shared,
        limits: &Limits,
        caller: Caller,
        held: Held,
        (reader, writer): (R, W),
        read: &[u8],
    ) -> Self {
        let mut transport = Transport::new(reader, writer, Role::Server, limits, &shared.budget);
        transport.feed(read);
        let mut stop = shared.stopping.clone();
        Self {
            shared,
            pushes: Pushes::new(&caller.peer, &shared.tasks),
            caller,
            carried: Carried::default(),
            held,
            transport,
            requests: HashMap::new(),
            bell: Arc::default(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            // An error means that the server is gone, which is a stop, too.
            stop: Box::pin(async move { drop(stop.wait_for(|stop| *stop).await) }),
            stopping: false,
            peer_leaving: false,
            ended: false,
        }
    }

    /// With what is known of the request that opened it.
    #[cfg(feature = "web")]
    pub(crate) fn with_carried(mut self, carried: Carried) -> Self {
        self.carried = carried;
        self
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(&mut self) -> Disconnect {
        let disconnect = match self.serve().await {
            Ok(disconnect) => disconnect,
            Err(error) => Disconnect::Failed(error),
        };
        // Uploads learn of it, and files that were on their way are told how far they came.
        for (_, request) in mem::take(&mut self.requests) {
            request.abandon(self.shared, &self.held);
        }
        if disconnect.is_lost() && !disconnect.is_late() {
            return disconnect;
        }
        if disconnect.is_late() {
            self.transport.connection().go_away(Code::TIMEOUT);
        }
        if let Err(error) = self.transport.close().await {
            tracing::debug!(%error, "the last frames did not leave");
        }
        disconnect
    }

    async fn serve(&mut self) -> Result<Disconnect, Error> {
        let mut rung = Vec::new();
        loop {
            self.bell.swap(&mut rung);
            for request in rung.drain(..) {
                self.look(request)?;
            }
            // Before requests: their answers could fill the way out for ever.
            if !self.push()? {
                return Ok(Disconnect::SlowReader);
            }
            self.work()?;
            if let Some(disconnect) = self.is_over() {
                return Ok(disconnect);
            }
            let read = !self.ended && self.backlog_bytes < READ_AHEAD;
            tokio::select! {
                biased;
                moved = self.transport.drive(read) => self.moved(moved?),
                () = self.bell.rung() => {}
                () = &mut self.stop, if !self.stopping => {
                    self.stopping = true;
                    self.push_all()?;
                    self.transport.connection().go_away(Code::NONE);
                }
            }
        }
    }

    /// Takes events until input runs dry, and begins requests while there is room for answers.
    fn work(&mut self) -> Result<(), Error> {
        loop {
            if !self.is_full()
                && let Some(kept) = self.backlog.pop_front()
            {
                self.backlog_bytes -= kept.message.len();
                let Head { request, framed } = kept.head;
                let attached = framed.attachment.is_some();
                let running = begin(self.shared, &self.caller, &kept.message, Some(framed));
                self.begun(request, running, attached)?;
                continue;
            }
            if self.backlog_bytes >= READ_AHEAD {
                return Ok(());
            }
            let is_full = self.is_full();
            let next = match self.transport.next_event()? {
                None => return Ok(()),
                Some(Event::Message(message)) => {
                    let head = head(&message, &self.bell, &self.carried);
                    if is_full {
                        let message = message.message.to_vec();
                        self.backlog_bytes += message.len();
                        self.backlog.push_back(Kept {
                            head,
                            message,
                            _queued: Queued::new(),
                        });
                        continue;
                    }
                    let Head { request, framed } = head;
                    let (attached, message) = (framed.attachment.is_some(), message.message);
                    let running = begin(self.shared, &self.caller, message, Some(framed));
                    Next::Begun(request, running, attached)
                }
                Some(Event::Data { request, bytes, .. }) => {
                    let entry = self.requests.get_mut(&request);
                    match entry.is_some_and(|entry| entry.feed(bytes)) {
                        true => Next::Done,
                        false => Next::Unread(request, bytes.len()),
                    }
                }
                Some(Event::End { request, outcome }) => Next::Ended(request, outcome),
                Some(Event::Cancelled { request, .. }) => Next::Cancelled(request),
                Some(Event::Ready { .. }) => {
                    self.pushes.begin(&self.bell);
                    Next::Done
                }
                Some(Event::GoingAway {
                    code: Code::NONE, ..
                }) => {
                    self.peer_leaving = true;
                    Next::Done
                }
                Some(Event::GoingAway { code, last }) => {
                    return Err(Error::Protocol {
                        code,
                        request: last,
                    });
                }
                Some(Event::Refused { request, code }) => {
                    tracing::debug!(request, %code, "request refused");
                    Next::Done
                }
                Some(_) => Next::Done,
            };
            match next {
                Next::Done => {}
                Next::Begun(request, running, attached) => {
                    self.begun(request, running, attached)?
                }
                Next::Unread(request, bytes) => self.transport.consumed(request, bytes),
                Next::Ended(request, outcome) => self.upload_ended(request, outcome),
                Next::Cancelled(request) => self.cancelled(request)?,
            }
        }
    }

    fn moved(&mut self, moved: Moved) {
        match moved {
            Moved::Read(0) => {
                self.ended = true;
                self.half_closed();
            }
            Moved::Sent { request, left } => self.file_sent(request, left),
            Moved::Unsent { request, error } => {
                tracing::warn!(%error, "a file was broken off");
                self.file_over(request);
            }
            Moved::TooSlow { request, error } => {
                self.upload_over(request, Some(error));
            }
            _ => {}
        }
    }

    /// Nothing more can come: no upload goes on, and no file, for want of credit.
    fn half_closed(&mut self) {
        let requests: Vec<u32> = self.requests.keys().copied().collect();
        for request in requests {
            self.upload_over(request, None);
            self.transport.break_off(request, Code::CANCELLED);
            self.file_over(request);
        }
    }

    /// The peer wants nothing more of a request. It is answered all the same.
    fn cancelled(&mut self, request: u32) -> Result<(), Error> {
        let kept = self
            .backlog
            .iter()
            .position(|kept| kept.head.request == request);
        if let Some(kept) = kept.and_then(|at| self.backlog.remove(at)) {
            self.backlog_bytes -= kept.message.len();
            let connection = self.transport.connection();
            return connection.error(request, Code::CANCELLED, Codec::NONE, |_| {
                Ok::<_, std::io::Error>(())
            });
        }
        if let Some(entry) = self.requests.get(&request) {
            entry.stop();
        }
        self.file_over(request);
        Ok(())
    }

    fn is_over(&mut self) -> Option<Disconnect> {
        let leaving = self.stopping || self.peer_leaving;
        if !(leaving || self.ended) || !self.backlog.is_empty() || self.transport.has_pending() {
            return None;
        }
        if self.ended {
            let waits = self.requests.values().any(Request::is_running);
            return (!waits).then_some(Disconnect::Closed);
        }
        let connection = self.transport.connection();
        if connection.in_flight() > 0 || connection.is_in_frame() {
            return None;
        }
        Some(match self.stopping {
            true => Disconnect::Stopped,
            false => Disconnect::Closed,
        })
    }

    fn is_full(&mut self) -> bool {
        self.transport.connection().queued() >= FULL
    }
}

fn head(message: &Received<'_>, bell: &Arc<Bell>, carried: &Carried) -> Head {
    let fields = message.extensions.fields();
    let deadline = fields
        .deadline()
        .and_then(|left| Instant::now().checked_add(left));
    Head {
        request: message.request,
        framed: Framed {
            message_type: message.message_type,
            attachment: message.attachment,
            digest: fields.digest,
            deadline,
            idempotency_key: fields.idempotency_key,
            carried: carried.clone(),
            ringer: bell.ringer(message.request),
        },
    }
}
