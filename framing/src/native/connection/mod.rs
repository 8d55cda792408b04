//! One native connection without a socket: the state that both sides keep.

mod attachment;
mod command;
mod handle;

use std::{collections::VecDeque, fmt};

use crate::{
    budget::Budget,
    error::Error,
    limits::Limits,
    native::{
        Code, Event, FrameDecoder, FrameEncoder, FrameHeader, Preface,
        exchange::{Exchange, Exchanges},
        kind::Kind,
        wire,
    },
};

pub use command::Outgoing;

/// Bytes of answers that this side gives on its own (pongs, refusals, ends) which may wait for a
/// peer that does not read. Beyond it the peer is flooding.
const MAX_UNASKED: usize = 64 * 1024;

/// Which side of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends requests.
    Client,
    /// Answers them.
    Server,
}

/// The state of one native connection, for either side.
///
/// It touches no socket and knows no clock. Its owner moves bytes, time and attachments:
///
/// ```text
///  socket --> feed / space --> next_event --> requests, replies, data, ends ..
///  socket <-- pending / advance <-- request, reply, receive, data, slice, cancel ..
/// ```
///
/// Whatever the peer sends, an error is the worst that happens. It has then been put into words
/// for the peer, as a going-away frame among what is [`pending`](Self::pending): write that, close
/// the write side, read and throw away for a moment, close.
///
/// ```
/// use packetboat_framing::{Budget, Limits};
/// use packetboat_framing::native::{Codec, Connection, Event, Outgoing, Role, type_hash};
///
/// let (limits, budget) = (Limits::default(), Budget::default());
/// let mut client = Connection::new(Role::Client, &limits, &budget);
/// let mut server = Connection::new(Role::Server, &limits, &budget);
///
/// let hello = Outgoing { message_type: type_hash("hello"), ..Outgoing::json() };
/// let id = client.request(&hello, |out| serde_json::to_writer(out, "Ann"))?;
///
/// server.feed(client.pending());
/// assert!(matches!(server.next_event()?, Some(Event::Ready { version: 1, .. })));
/// let Some(Event::Message(request)) = server.next_event()? else { panic!() };
/// assert_eq!((request.message, request.codec), (&b"\"Ann\""[..], Codec::JSON));
/// let id_there = request.request;
/// server.reply(id_there, &Outgoing::json(), |out| serde_json::to_writer(out, &true))?;
///
/// client.feed(server.pending());
/// assert!(matches!(client.next_event()?, Some(Event::Ready { .. })));
/// let Some(Event::Reply(reply)) = client.next_event()? else { panic!() };
/// assert_eq!((reply.request, reply.message), (id, &b"true"[..]));
/// # Ok::<(), packetboat_framing::Error>(())
/// ```
pub struct Connection {
    role: Role,
    decoder: FrameDecoder,
    encoder: FrameEncoder,
    exchanges: Exchanges,
    /// Exchanges that are open on the wire.
    in_flight: usize,
    /// How many may be.
    max_requests: u16,
    /// How many this side would have, whatever the other allows.
    own_requests: u16,
    /// The last request id: this side's own at a client, the peer's at a server.
    last: u32,
    /// The last of the peer's requests that was taken on: none after this side goes away.
    taken: u32,
    /// Whether the peer's preface has come.
    ready: bool,
    /// This side has said that it goes away.
    leaving: bool,
    /// It has been asked to, before there were frames to say it in.
    leaving_early: Option<Code>,
    /// The other side has.
    peer_leaving: bool,
    /// What ended the connection.
    failed: Option<(Code, u32)>,
    /// Bytes queued unasked, less what has been written since.
    unasked: usize,
    /// Requests whose attachment waits for room in the budget, oldest first.
    waiting: VecDeque<u32>,
    /// Requests whose attachment this side sends, in the order of their turns.
    senders: VecDeque<u32>,
    budget: Budget,
    max_window: usize,
    max_attachment: u64,
    /// Frames that have come, or their beginnings.
    frames: u64,
}

impl Connection {
    /// A connection at its very beginning, which takes its buffers out of this budget. A client
    /// has its preface pending.
    pub fn new(role: Role, limits: &Limits, budget: &Budget) -> Self {
        let mut encoder = FrameEncoder::new(limits);
        let mut decoder = FrameDecoder::new(limits);
        let own = limits.max_requests.max(1);
        let max_requests = match role {
            Role::Client => {
                encoder.preface(Preface::client());
                // What a server says is for clients; the two limits are for strangers.
                decoder.set_logged_in(true);
                own.min(wire::REQUESTS_BEFORE_PREFACE)
            }
            Role::Server => own,
        };
        Self {
            role,
            decoder,
            encoder,
            exchanges: Exchanges::default(),
            in_flight: 0,
            max_requests,
            own_requests: own,
            last: 0,
            taken: 0,
            ready: false,
            leaving: false,
            leaving_early: None,
            peer_leaving: false,
            failed: None,
            unasked: 0,
            waiting: VecDeque::new(),
            senders: VecDeque::new(),
            budget: budget.clone(),
            max_window: limits.max_window_bytes,
            max_attachment: limits.max_attachment_bytes,
            frames: 0,
        }
    }

    /// Adds bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.decoder.feed(bytes);
    }

    /// A buffer with room at its end, for a read that appends to it. What stands in it must stay.
    pub fn space(&mut self) -> &mut Vec<u8> {
        self.decoder.space()
    }

    /// The next thing that happened, or `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] when the peer breaks a rule, [`Error::InvalidHeader`] when it does not
    /// begin with the preface. Every later call gives an error too.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        if let Some((code, request)) = self.failed {
            return Err(Error::Protocol { code, request });
        }
        if !self.ready {
            return self.greet();
        }
        loop {
            let found = match self.decoder.next() {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.fail(error)),
            };
            self.frames += 1;
            match self.handle(&found) {
                Ok(Some(happened)) => return Ok(Some(self.tell(&found, happened))),
                Ok(None) => {}
                Err(code) => {
                    let request = found.header.request;
                    return Err(self.fail(Error::Protocol { code, request }));
                }
            }
        }
    }

    /// The bytes to be written next.
    #[inline]
    pub fn pending(&self) -> &[u8] {
        self.encoder.pending()
    }

    /// The socket took the first `n` bytes of [`pending`](Self::pending).
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn advance(&mut self, n: usize) {
        self.encoder.advance(n);
        self.unasked = self.unasked.saturating_sub(n);
    }

    /// Bytes that wait to be written, those behind an open slice included.
    pub fn queued(&self) -> usize {
        self.encoder.queued()
    }

    /// Requests in flight: those of which either side may still send a frame.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many requests may be in flight.
    pub fn max_requests(&self) -> u16 {
        self.max_requests
    }

    /// Whether another request can be begun here now.
    pub fn can_request(&self) -> bool {
        self.role == Role::Client
            && self.failed.is_none()
            && !self.leaving
            && self.leaving_early.is_none()
            && !self.peer_leaving
            && self.in_flight < usize::from(self.max_requests)
    }

    /// The ids of the requests in flight, in no order: those that were lost if the socket is.
    pub fn requests(&self) -> impl Iterator<Item = u32> {
        let open = self.exchanges.iter().filter(|(_, ex)| !ex.closed);
        open.map(|(id, _)| *id)
    }

    /// Whether nothing is in flight and everything has been written: after
    /// [`go_away`](Self::go_away) the connection can then be closed.
    pub fn is_drained(&self) -> bool {
        self.in_flight == 0 && self.encoder.is_empty()
    }

    /// Whether some of a frame has come, and not all of it.
    pub fn is_in_frame(&self) -> bool {
        self.decoder.is_in_frame()
    }

    /// The peer has logged in, or out: which of the two limits holds for its messages to come.
    pub fn set_logged_in(&mut self, logged_in: bool) {
        self.decoder.set_logged_in(logged_in);
    }

    /// Gives back buffers in which nothing stands. An idle connection then holds none.
    pub fn release(&mut self) {
        self.decoder.release();
        self.encoder.release();
        if self.exchanges.is_empty() {
            self.exchanges.shrink_to_fit();
        }
        if self.waiting.is_empty() && self.senders.is_empty() {
            self.waiting.shrink_to_fit();
            self.senders.shrink_to_fit();
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if it ended in the middle of a frame. That requests were in flight is
    /// told by [`requests`](Self::requests).
    pub fn finish(&self) -> Result<(), Error> {
        self.decoder.finish()
    }

    /// Frames that have come, or pieces of them.
    pub(in crate::native) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether the stream stands within a frame that is not data: one that has a time to come in.
    pub(in crate::native) fn is_in_message(&self) -> bool {
        self.decoder.is_in_frame() && !self.decoder.is_in_data()
    }

    /// Whether it holds a buffer for what is read.
    pub(in crate::native) fn is_warm(&self) -> bool {
        self.decoder.is_warm()
    }

    /// Reads the other side's preface, and answers it.
    fn greet(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Some(preface) = Preface::read(self.decoder.front())? else {
            return Ok(None);
        };
        self.decoder.skip(Preface::BYTES);
        let spoken = match self.role {
            Role::Client => preface,
            Role::Server => {
                let answer = Preface::answer(preface, self.max_requests);
                self.encoder.preface(answer);
                answer
            }
        };
        if let Err(error) = spoken.accept() {
            // Said by the preface itself; without a version there is no frame to say it in.
            self.failed = Some((Code::UNSUPPORTED_VERSION, 0));
            return Err(error);
        }
        self.ready = true;
        if self.role == Role::Client {
            self.max_requests = self.own_requests.min(spoken.requests);
        }
        if let Some(code) = self.leaving_early.take() {
            self.say_goodbye(code);
        }
        Ok(Some(Event::Ready {
            version: spoken.version,
            requests: spoken.requests,
        }))
    }

    /// Tells the peer which rule it broke. Nothing is read after that.
    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        if let Error::Protocol { code, request } = error {
            self.failed = Some((code, request));
            self.say_goodbye(code);
        }
        error
    }

    fn say_goodbye(&mut self, code: Code) {
        self.leaving = true;
        self.control(FrameHeader::control(Kind::GoingAway, self.taken, code.0));
    }

    /// Adds a frame that is nothing but its header.
    #[inline]
    fn control(&mut self, header: FrameHeader) {
        self.encoder.control(header, &super::Extensions::default());
    }

    /// Counts a frame that the peer makes this side send.
    fn unasked(&mut self) -> Result<(), Code> {
        self.unasked += FrameHeader::BYTES;
        match self.unasked > MAX_UNASKED {
            true => Err(Code::FLOOD),
            false => Ok(()),
        }
    }

    /// Remembers a new request.
    fn open(&mut self, request: u32, exchange: Exchange) {
        if exchange.outflow.is_some() {
            self.senders.push_back(request);
        }
        self.exchanges.insert(request, exchange);
        self.in_flight += 1;
    }

    /// Forgets a request of which nothing more can come.
    fn settle(&mut self, request: u32) {
        let Some(exchange) = self.exchanges.get_mut(&request) else {
            return;
        };
        if exchange.is_open() {
            return;
        }
        if !exchange.closed {
            exchange.closed = true;
            self.in_flight -= 1;
        }
        if !exchange.is_unread() {
            self.exchanges.remove(&request);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("in_flight", &self.in_flight)
            .field("queued", &self.queued())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
