//! Two connections and the bytes between them.

#![allow(dead_code, reason = "each target takes this in and uses a part of it")]

use packetboat_framing::{
    Budget, Error, Limits,
    native::{Attached, Code, Codec, Connection, Digest, Event, Outgoing, Role},
};

/// An event that owns what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Ready(u16),
    Message(u32, Vec<u8>, Option<Attached>),
    Reply(u32, Vec<u8>, Option<Attached>),
    Error(u32, Code, Vec<u8>),
    Push(Vec<u8>),
    Refused(u32, Code),
    Data(u32, Vec<u8>, Option<Digest>),
    End(u32, Result<Option<Digest>, Code>),
    Credit(u32, u64),
    Cancelled(u32, Code),
    Pong(u32),
    GoingAway(Code, u32),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Ready { requests, .. } => Self::Ready(requests),
            Event::Message(m) => Self::Message(m.request, m.message.to_vec(), m.attachment),
            Event::Reply(m) => Self::Reply(m.request, m.message.to_vec(), m.attachment),
            Event::Error {
                request,
                code,
                message,
                ..
            } => Self::Error(request, code, message.to_vec()),
            Event::Push(m) => Self::Push(m.message.to_vec()),
            Event::Refused { request, code } => Self::Refused(request, code),
            Event::Data {
                request,
                bytes,
                group,
            } => Self::Data(request, bytes.to_vec(), group),
            Event::End { request, outcome } => Self::End(request, outcome),
            Event::Credit { request, from } => Self::Credit(request, from),
            Event::Cancelled { request, code } => Self::Cancelled(request, code),
            Event::Pong { argument } => Self::Pong(argument),
            Event::GoingAway { code, last } => Self::GoingAway(code, last),
        }
    }
}

/// A client and a server that have greeted each other.
pub(crate) struct Pair {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) budget: Budget,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(&Limits::default(), &Budget::default())
    }

    pub(crate) fn with(limits: &Limits, budget: &Budget) -> Self {
        let mut pair = Self {
            client: Connection::new(Role::Client, limits, &Budget::default()),
            server: Connection::new(Role::Server, limits, budget),
            budget: budget.clone(),
        };
        assert_eq!(pair.reach_server(), [Seen::Ready(limits.max_requests)]);
        assert_eq!(pair.reach_client(), [Seen::Ready(limits.max_requests)]);
        pair
    }

    /// Brings what the client has to say to the server, and what it makes of it.
    pub(crate) fn reach_server(&mut self) -> Vec<Seen> {
        carry(&mut self.client, &mut self.server)
    }

    /// The other way.
    pub(crate) fn reach_client(&mut self) -> Vec<Seen> {
        carry(&mut self.server, &mut self.client)
    }

    /// A request with this text, and its id.
    pub(crate) fn request(&mut self, text: &str, attachment: Option<Attached>) -> u32 {
        let outgoing = Outgoing {
            attachment,
            ..Outgoing::json()
        };
        let id = self.client.request(&outgoing, text_of(text));
        id.expect("the client may")
    }

    /// The same, and it has come to the server.
    pub(crate) fn asked(&mut self, text: &str, attachment: Option<Attached>) -> u32 {
        let id = self.request(text, attachment);
        let seen = Seen::Message(id, text.as_bytes().to_vec(), attachment);
        assert_eq!(self.reach_server(), [seen]);
        id
    }

    pub(crate) fn reply(&mut self, id: u32, text: &str, attachment: Option<Attached>) {
        let outgoing = Outgoing {
            attachment,
            ..Outgoing::json()
        };
        let sent = self.server.reply(id, &outgoing, text_of(text));
        sent.expect("the request waits");
    }

    pub(crate) fn refuse(&mut self, id: u32, code: Code) {
        let sent = self.server.error(id, code, Codec::NONE, text_of(""));
        sent.expect("the request waits");
    }

    /// Nothing is in flight, and nobody holds anything.
    pub(crate) fn assert_at_rest(&mut self) {
        assert_eq!(self.reach_server(), []);
        assert_eq!(self.reach_client(), []);
        assert!(self.client.is_drained() && self.server.is_drained());
        assert_eq!((self.client.leased(), self.server.leased()), (0, 0));
        assert_eq!(self.budget.available(), self.budget.total());
    }
}

/// What writes a text.
pub(crate) fn text_of(
    text: &str,
) -> impl FnOnce(&mut packetboat_framing::MessageWriter<'_>) -> std::io::Result<()> {
    move |out| std::io::Write::write_all(out, text.as_bytes())
}

/// Everything that is pending at one side, slices included (they are sent as zeros).
pub(crate) fn take(from: &mut Connection) -> Vec<u8> {
    let mut wire = Vec::new();
    loop {
        let pending = from.pending().len();
        wire.extend_from_slice(from.pending());
        from.advance(pending);
        let slice = from.slice_left();
        if slice == 0 {
            return wire;
        }
        wire.resize(wire.len() + slice, 0);
        from.slice_sent(slice);
    }
}

/// All that there is to see.
pub(crate) fn look(at: &mut Connection) -> Result<Vec<Seen>, Error> {
    let mut seen = Vec::new();
    while let Some(event) = at.next_event()? {
        seen.push(Seen::from(event));
    }
    Ok(seen)
}

fn carry(from: &mut Connection, to: &mut Connection) -> Vec<Seen> {
    to.feed(&take(from));
    look(to).expect("both keep the rules")
}

/// What a table of frames is written in: header fields and what stands behind them.
pub(crate) fn frame(
    kind: u8,
    flags: u8,
    codec: u16,
    request: u32,
    argument: u32,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![kind, flags];
    bytes.extend_from_slice(&codec.to_be_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&request.to_be_bytes());
    bytes.extend_from_slice(&argument.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}
