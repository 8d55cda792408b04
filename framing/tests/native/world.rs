//! Two sides that do anything they may, and what must hold of it.
//!
//! The property tests and the fuzz targets both drive it. What does not hold panics.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target takes this in and uses a part of it"
)]

use std::{collections::HashMap, sync::LazyLock};

use packetboat_framing::{
    Budget, Error, Limits,
    native::{Attached, Code, Codec, Connection, Outgoing, Preface, Role},
};

use crate::pair::{Seen, look, take, text_of};

/// One step of either side, or of the bytes between them.
#[derive(Debug, Clone)]
pub enum Step {
    Request(Option<Attached>),
    Expect(usize),
    /// The server asks for an attachment, or the client for that of a reply.
    Receive(Role, usize, u8),
    Send(Role, usize, u32),
    Consume(Role, usize, u32),
    End(Role, usize),
    Abort(Role, usize),
    Reply(usize, Option<Attached>),
    Refuse(usize),
    Cancel(Role, usize),
    Ping(Role),
    /// So many bytes arrive at this side.
    Arrive(Role, u32),
    GoAway,
}

/// Numbers out of one number: a strategy for each of them would cost more than all that it tests.
pub struct Dice(pub u64);

impl Dice {
    /// The next of `n` equally likely numbers.
    pub fn below(&mut self, n: u64) -> u64 {
        let next = self.0 % n;
        self.0 /= n;
        next
    }

    fn attached(&mut self) -> Attached {
        let most = match self.below(8) {
            0 => 1,
            1 => 200_000,
            _ => 3000,
        };
        Attached {
            offset: [0, 0, 0, 700][self.below(4) as usize],
            resumable: self.below(2) == 0,
            size: (self.below(5) > 0).then(|| self.below(most)),
        }
    }

    fn maybe_attached(&mut self) -> Option<Attached> {
        (self.below(10) < 7).then(|| self.attached())
    }

    fn bytes(&mut self) -> u32 {
        let most = [40, 3000, 3000, 200_000][self.below(4) as usize];
        1 + self.below(most) as u32
    }

    pub fn step(mut self) -> Step {
        let dice = &mut self;
        let what = dice.below(45);
        let role = [Role::Client, Role::Server][dice.below(2) as usize];
        let id = dice.below(12) as usize;
        match what {
            0..4 => Step::Request(dice.maybe_attached()),
            4 => Step::Expect(id),
            5..9 => Step::Receive(role, id, dice.below(256) as u8),
            9..17 => Step::Send(role, id, dice.bytes()),
            17..21 => Step::Consume(role, id, dice.bytes()),
            21..23 => Step::End(role, id),
            23 => Step::Abort(role, id),
            24..27 => Step::Reply(id, dice.maybe_attached()),
            27 => Step::Refuse(id),
            28 => Step::Cancel(role, id),
            29 => Step::Ping(role),
            30 if dice.below(10) == 0 => Step::GoAway,
            _ => Step::Arrive(role, dice.bytes()),
        }
    }
}

/// All that these steps do comes to a good end, whatever they are.
pub fn run(steps: &[Step]) {
    let mut world = World::new();
    for step in steps {
        world.step(step);
    }
    world.settle();
    for id in &world.ids {
        assert_eq!(world.answers.get(id), Some(&1), "answers to {id}");
    }
    for ((receiver, id), incoming) in &world.incoming {
        assert!(incoming.ended.is_some(), "{receiver:?} {id} has an end");
    }
    assert_eq!((world.client.in_flight(), world.server.in_flight()), (0, 0));
    for budget in &world.budgets {
        assert_eq!(budget.available(), budget.total());
    }
}

/// What the fuzz target `native` does: a step for every eight bytes.
pub fn fuzz_steps(data: &[u8]) {
    let (numbers, _) = data.as_chunks();
    let steps = numbers.iter().take(100);
    let steps: Vec<_> = steps
        .map(|number| Dice(u64::from_le_bytes(*number)).step())
        .collect();
    run(&steps);
}

/// What the fuzz target `native_frames` does: the bytes of a stranger, at a connection of either
/// side, tell the same in one piece and in many.
pub fn fuzz_frames(data: &[u8]) {
    let [how, stream @ ..] = data else {
        return;
    };
    let server = how % 2 == 0;
    let whole = told(server, &[stream]);
    let pieces: Vec<_> = stream.chunks(usize::from(how / 2 % 32) + 1).collect();
    assert_eq!(told(server, &pieces), whole);
}

/// The contents of all attachments: each has its own beginning in one long table.
fn content(side: Role, id: u32, from: u64, len: usize) -> &'static [u8] {
    static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut state = 1_u32;
        (0..1 << 20)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    });
    let start = (id as usize * 2 + usize::from(side == Role::Server)) * 7919 % (1 << 19);
    &TABLE[start + from as usize..][..len]
}

/// What a receiver knows of one attachment.
#[derive(Debug, Default, Clone)]
struct Incoming {
    /// Where it began, and where it stands.
    began: u64,
    at: u64,
    consumed: u64,
    size: Option<u64>,
    ended: Option<bool>,
}

struct World {
    client: Connection,
    server: Connection,
    budgets: [Budget; 2],
    /// Bytes on their way to the client, and to the server.
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    /// All requests ever made.
    ids: Vec<u32>,
    /// Attachments by receiver.
    incoming: HashMap<(Role, u32), Incoming>,
    /// Those that their sender has brought to an end in good order.
    whole: Vec<(Role, u32)>,
    answers: HashMap<u32, u32>,
}

impl World {
    fn new() -> Self {
        // Small enough that attachments wait for one another.
        let budgets = [Budget::new(256 * 1024), Budget::new(256 * 1024)];
        let limits = Limits {
            max_requests: 12,
            ..Limits::default()
        };
        Self {
            client: Connection::new(Role::Client, &limits, &budgets[0]),
            server: Connection::new(Role::Server, &limits, &budgets[1]),
            budgets,
            to_client: Vec::new(),
            to_server: Vec::new(),
            ids: Vec::new(),
            incoming: HashMap::new(),
            whole: Vec::new(),
            answers: HashMap::new(),
        }
    }

    fn at(&mut self, role: Role) -> &mut Connection {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    fn pick(&self, index: &usize) -> u32 {
        match self.ids.len() {
            0 => 0,
            n => self.ids[index % n],
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Request(attachment) => {
                let outgoing = Outgoing {
                    attachment: *attachment,
                    ..Outgoing::json()
                };
                if let Ok(id) = self.client.request(&outgoing, text_of("ask")) {
                    self.ids.push(id);
                }
            }
            Step::Expect(id) => {
                let id = self.pick(id);
                let _ = self.client.expect(id, None);
            }
            Step::Receive(role, id, from) => {
                let id = self.pick(id);
                self.receive(*role, id, *from);
            }
            Step::Send(role, id, n) => {
                let id = self.pick(id);
                self.send(*role, id, *n as usize);
            }
            Step::Consume(role, id, n) => {
                let id = self.pick(id);
                self.consume(*role, id, u64::from(*n));
            }
            Step::End(role, id) => {
                let id = self.pick(id);
                self.end(*role, id);
            }
            Step::Abort(role, id) => {
                let id = self.pick(id);
                let _ = self.at(*role).abort(id, Code::SOURCE_FAILED);
            }
            Step::Reply(id, attachment) => {
                let id = self.pick(id);
                self.reply(id, *attachment);
            }
            Step::Refuse(id) => {
                let id = self.pick(id);
                let code = Code::APPLICATION;
                let sent = self.server.error(id, code, Codec::NONE, text_of(""));
                self.answered(id, sent.is_ok());
            }
            Step::Cancel(role, id) => {
                let id = self.pick(id);
                if self.at(*role).cancel(id, Code::CANCELLED).is_ok() {
                    self.incoming.remove(&(*role, id));
                }
            }
            Step::Ping(role) => self.at(*role).ping(1),
            Step::Arrive(role, n) => self.arrive(*role, *n as usize),
            Step::GoAway => self.server.go_away(Code::NONE),
        }
        self.invariants();
    }

    fn receive(&mut self, role: Role, id: u32, from: u8) {
        let Some(incoming) = self.incoming.get_mut(&(role, id)) else {
            return;
        };
        let at = incoming.began + u64::from(from);
        let connection = match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        let asked = from.is_multiple_of(3);
        if asked && connection.receive(id, Some(at)).is_ok() {
            let skipped = at - incoming.began;
            incoming.size = incoming.size.map(|size| size - skipped);
            (incoming.began, incoming.at) = (at, at);
        } else {
            let _ = connection.receive(id, None);
        }
    }

    fn send(&mut self, role: Role, id: u32, n: usize) {
        let connection = self.at(role);
        let n = n.min(connection.sendable(id) as usize);
        let Some(from) = connection.position(id).filter(|_| n > 0) else {
            return;
        };
        // Attachments of unknown size end before the table does.
        let n = n.min((400_000_u64.saturating_sub(from)) as usize);
        if n > 0 {
            let sent = connection.data(id, content(role, id, from, n), None);
            sent.expect("it may send");
        }
    }

    fn end(&mut self, role: Role, id: u32) {
        if self.at(role).end(id, None).is_ok() {
            self.whole.push((role, id));
        }
    }

    fn reply(&mut self, id: u32, attachment: Option<Attached>) {
        let outgoing = Outgoing {
            attachment,
            ..Outgoing::json()
        };
        let sent = self.server.reply(id, &outgoing, text_of("answer"));
        self.answered(id, sent.is_ok());
    }

    /// What was not read of a request is cancelled by its answer.
    fn answered(&mut self, id: u32, sent: bool) {
        let incoming = self.incoming.get(&(Role::Server, id));
        if sent && incoming.is_some_and(|incoming| incoming.ended.is_none()) {
            self.incoming.remove(&(Role::Server, id));
        }
    }

    fn consume(&mut self, role: Role, id: u32, n: u64) {
        let Some(incoming) = self.incoming.get_mut(&(role, id)) else {
            return;
        };
        let n = n.min(incoming.at - incoming.began - incoming.consumed);
        incoming.consumed += n;
        self.at(role).consumed(id, n as usize);
    }

    /// Moves bytes, and holds what comes of them against what was sent.
    fn arrive(&mut self, role: Role, n: usize) {
        let sent = take(&mut self.server);
        self.to_client.extend_from_slice(&sent);
        let sent = take(&mut self.client);
        self.to_server.extend_from_slice(&sent);
        let wire = match role {
            Role::Client => &mut self.to_client,
            Role::Server => &mut self.to_server,
        };
        let n = n.min(wire.len());
        let bytes: Vec<_> = wire.drain(..n).collect();
        self.at(role).feed(&bytes);
        let seen = look(self.at(role));
        let seen = seen.unwrap_or_else(|error| panic!("{role:?}: {error}"));
        for seen in seen {
            self.saw(role, seen);
        }
    }

    fn saw(&mut self, role: Role, seen: Seen) {
        let other = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        match seen {
            Seen::Message(id, text, attachment) => {
                assert_eq!(text, b"ask");
                self.announce(role, id, attachment);
            }
            Seen::Reply(id, text, attachment) => {
                assert_eq!(text, b"answer");
                *self.answers.entry(id).or_default() += 1;
                self.announce(role, id, attachment);
            }
            Seen::Error(id, ..) => *self.answers.entry(id).or_default() += 1,
            Seen::Data(id, bytes, _) => {
                let Some(incoming) = self.incoming.get_mut(&(role, id)) else {
                    panic!("data of a cancelled attachment");
                };
                let expected = content(other, id, incoming.at, bytes.len());
                assert!(bytes == expected, "bytes of another attachment");
                assert_eq!(incoming.ended, None);
                incoming.at += bytes.len() as u64;
            }
            Seen::End(id, outcome) => {
                let Some(incoming) = self.incoming.get_mut(&(role, id)) else {
                    panic!("the end of a cancelled attachment");
                };
                assert_eq!(incoming.ended, None);
                incoming.ended = Some(outcome.is_ok());
                if outcome.is_ok() {
                    let came = incoming.at - incoming.began;
                    assert!(incoming.size.is_none_or(|size| size == came));
                    assert!(self.whole.contains(&(other, id)));
                }
            }
            _ => {}
        }
    }

    fn announce(&mut self, role: Role, id: u32, attachment: Option<Attached>) {
        if let Some(attached) = attachment {
            let incoming = Incoming {
                began: attached.offset,
                at: attached.offset,
                size: attached.size,
                ..Incoming::default()
            };
            self.incoming.insert((role, id), incoming);
        }
    }

    /// What holds after every step.
    fn invariants(&self) {
        for (connection, budget) in [
            (&self.client, &self.budgets[0]),
            (&self.server, &self.budgets[1]),
        ] {
            assert_eq!(connection.leased() + budget.available(), budget.total());
            assert!(connection.in_flight() <= 12);
        }
        for id in &self.ids {
            for (sender, receiver) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
                let sending = match sender {
                    Role::Client => &self.client,
                    Role::Server => &self.server,
                };
                let Some(incoming) = self.incoming.get(&(receiver, *id)) else {
                    continue;
                };
                let Some(position) = sending.position(*id) else {
                    continue;
                };
                // Before the offset has reached the sender it stands at the beginning.
                let sent = position.saturating_sub(incoming.began);
                let promised = sent + sending.sendable(*id);
                let window = 256 * 1024;
                assert!(promised <= incoming.consumed + window, "over the window");
            }
        }
    }

    /// Lets everything come to an end: each side reads, sends and answers what is left.
    fn settle(&mut self) {
        for _ in 0..200 {
            for role in [Role::Server, Role::Client] {
                self.arrive(role, usize::MAX);
                for id in self.ids.clone() {
                    let _ = self.at(role).receive(id, None);
                    self.consume(role, id, u64::MAX);
                    self.send(role, id, usize::MAX);
                    let unknown = self.at(role).position(id).is_some_and(|at| at >= 400_000);
                    if self.at(role).sendable(id) == 0 || unknown {
                        self.end(role, id);
                    }
                }
                while let Some(bytes) = self.at(role).wants_lease() {
                    let budget = self.budgets[usize::from(role == Role::Server)].clone();
                    let Some(lease) = budget.try_lease(bytes, bytes) else {
                        break;
                    };
                    self.at(role).supply(lease);
                }
            }
            // Not before the request has come whole, or its attachment would be cancelled.
            let waiting: Vec<_> = self.server.requests().collect();
            for id in waiting {
                let reading = self.incoming.get(&(Role::Server, id));
                if reading.is_none_or(|incoming| incoming.ended.is_some()) {
                    self.reply(id, None);
                }
            }
            self.invariants();
            if self.client.is_drained() && self.server.is_drained() {
                break;
            }
        }
    }
}

/// The events and the error of a stream, however it is cut; data in one piece per frame.
pub fn told(server: bool, pieces: &[&[u8]]) -> (Vec<Seen>, Option<Code>) {
    let (limits, budget) = (Limits::default(), Budget::default());
    let role = if server { Role::Server } else { Role::Client };
    let mut connection = Connection::new(role, &limits, &budget);
    match role {
        Role::Server => connection.feed(&Preface::client().to_bytes()),
        Role::Client => connection.feed(&Preface::answer(Preface::client(), 9).to_bytes()),
    }
    look(&mut connection).expect("the preface is right");
    if role == Role::Client {
        for _ in 0..3 {
            let _ = connection.request(&Outgoing::json(), text_of("x"));
        }
    }
    let mut seen: Vec<Seen> = Vec::new();
    for piece in pieces {
        connection.feed(piece);
        loop {
            match connection.next_event() {
                Ok(None) => break,
                Ok(Some(event)) => {
                    let event = Seen::from(event);
                    if let Seen::Message(id, _, Some(_)) | Seen::Reply(id, _, Some(_)) = event {
                        let _ = connection.receive(id, None);
                    }
                    match (&event, seen.last_mut()) {
                        (Seen::Data(id, more, None), Some(Seen::Data(last, bytes, None)))
                            if id == last =>
                        {
                            bytes.extend_from_slice(more);
                        }
                        _ => seen.push(event),
                    }
                }
                Err(Error::Protocol { code, .. }) => return (seen, Some(code)),
                Err(other) => panic!("{other}"),
            }
        }
    }
    (seen, None)
}
