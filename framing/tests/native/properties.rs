//! What holds for any interleaving, any cut, and any junk.

use std::{collections::HashMap, sync::LazyLock};

use packetboat_framing::{
    Budget, Error, Limits,
    native::{
        Attached, Code, Codec, Connection, Digest, Extensions, Frame, FrameDecoder, FrameEncoder,
        FrameHeader, Kind, Outgoing, Preface, Role,
    },
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, RngSeed, TestError, TestRng, TestRunner},
};

use crate::pair::{Seen, frame, look, take, text_of};

const CASES: u32 = 10_000;

/// Runs a property with a fresh seed, which is printed, or with that of `FRAMING_SEED`.
fn check<S: Strategy>(
    name: &str,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let given = std::env::var("FRAMING_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let clock = || {
        std::time::UNIX_EPOCH
            .elapsed()
            .expect("now is after 1970")
            .as_nanos() as u64
    };
    let seed = given.unwrap_or_else(clock);
    println!("{name}: {CASES} cases, FRAMING_SEED={seed}");
    let config = Config {
        cases: CASES,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    match TestRunner::new_with_rng(config, rng).run(strategy, test) {
        Ok(()) => {}
        Err(TestError::Fail(why, case)) => {
            panic!("{name}: {why} (FRAMING_SEED={seed})\n{case:?}")
        }
        Err(TestError::Abort(why)) => panic!("{name} gave up: {why} (FRAMING_SEED={seed})"),
    }
}

/// One step of either side, or of the bytes between them.
#[derive(Debug, Clone)]
enum Step {
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
struct Dice(u64);

impl Dice {
    /// The next of `n` equally likely numbers.
    fn below(&mut self, n: u64) -> u64 {
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

    fn step(mut self) -> Step {
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = any::<u64>().prop_map(|number| Dice(number).step());
    vec(one, 0..60)
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

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
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
            Step::Arrive(role, n) => self.arrive(*role, *n as usize)?,
            Step::GoAway => self.server.go_away(Code::NONE),
        }
        self.invariants()
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
    fn arrive(&mut self, role: Role, n: usize) -> Result<(), TestCaseError> {
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
        let seen = seen.map_err(|error| TestCaseError::fail(format!("{role:?}: {error}")))?;
        for seen in seen {
            self.saw(role, seen)?;
        }
        Ok(())
    }

    fn saw(&mut self, role: Role, seen: Seen) -> Result<(), TestCaseError> {
        let other = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        match seen {
            Seen::Message(id, text, attachment) => {
                prop_assert_eq!(text, b"ask");
                self.announce(role, id, attachment);
            }
            Seen::Reply(id, text, attachment) => {
                prop_assert_eq!(text, b"answer");
                *self.answers.entry(id).or_default() += 1;
                self.announce(role, id, attachment);
            }
            Seen::Error(id, ..) => *self.answers.entry(id).or_default() += 1,
            Seen::Data(id, bytes, _) => {
                let Some(incoming) = self.incoming.get_mut(&(role, id)) else {
                    return Err(TestCaseError::fail("data of a cancelled attachment"));
                };
                let expected = content(other, id, incoming.at, bytes.len());
                prop_assert!(bytes == expected, "bytes of another attachment");
                prop_assert_eq!(incoming.ended, None);
                incoming.at += bytes.len() as u64;
            }
            Seen::End(id, outcome) => {
                let Some(incoming) = self.incoming.get_mut(&(role, id)) else {
                    return Err(TestCaseError::fail("the end of a cancelled attachment"));
                };
                prop_assert_eq!(incoming.ended, None);
                incoming.ended = Some(outcome.is_ok());
                if outcome.is_ok() {
                    let came = incoming.at - incoming.began;
                    prop_assert!(incoming.size.is_none_or(|size| size == came));
                    prop_assert!(self.whole.contains(&(other, id)));
                }
            }
            _ => {}
        }
        Ok(())
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
    fn invariants(&self) -> Result<(), TestCaseError> {
        for (connection, budget) in [
            (&self.client, &self.budgets[0]),
            (&self.server, &self.budgets[1]),
        ] {
            prop_assert_eq!(connection.leased() + budget.available(), budget.total());
            prop_assert!(connection.in_flight() <= 12);
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
                prop_assert!(promised <= incoming.consumed + window, "over the window");
            }
        }
        Ok(())
    }

    /// Lets everything come to an end: each side reads, sends and answers what is left.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..200 {
            for role in [Role::Server, Role::Client] {
                self.arrive(role, usize::MAX)?;
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
            self.invariants()?;
            if self.client.is_drained() && self.server.is_drained() {
                break;
            }
        }
        Ok(())
    }
}

#[test]
fn any_interleaving_and_any_cut_gives_each_receiver_its_own_bytes() {
    check("interleaving", &steps(), |steps| {
        let mut world = World::new();
        for step in &steps {
            world.step(step)?;
        }
        world.settle()?;
        for id in &world.ids {
            prop_assert_eq!(
                world.answers.get(id),
                Some(&1),
                "request {} has one answer",
                id
            );
        }
        for ((receiver, id), incoming) in &world.incoming {
            prop_assert!(incoming.ended.is_some(), "{receiver:?} {id} has an end");
        }
        prop_assert_eq!((world.client.in_flight(), world.server.in_flight()), (0, 0));
        for budget in &world.budgets {
            prop_assert_eq!(budget.available(), budget.total());
        }
        Ok(())
    });
}

/// A frame that is right in itself.
fn frames() -> impl Strategy<Value = (FrameHeader, Option<Vec<u8>>, Option<[u8; 32]>)> {
    let payload = vec(any::<u8>(), 1..200);
    (
        0..5_u8,
        1..u32::MAX,
        payload,
        proptest::option::of(any::<[u8; 32]>()),
    )
        .prop_map(|(kind, request, payload, digest)| {
            let control = FrameHeader::control;
            let (header, payload) = match kind {
                0 => (control(Kind::Message, request, 5), Some(payload)),
                1 => (control(Kind::Data, request, 0), Some(payload)),
                2 => (control(Kind::End, request, 0), None),
                3 => (control(Kind::Credit, request, 9), None),
                _ => (control(Kind::Ping, 0, request), None),
            };
            let digest = digest.filter(|_| matches!(header.kind, Kind::Data | Kind::End));
            (header, payload, digest)
        })
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_frames() {
    let strategy = (vec(frames(), 0..8), vec(any::<Index>(), 0..20));
    check("frames", &strategy, |(frames, cuts)| {
        let mut encoder = FrameEncoder::new(&Limits::default());
        for (header, payload, digest) in &frames {
            let digest = digest.map(Digest);
            match (header.kind, payload) {
                (Kind::Message, Some(payload)) => {
                    let header = FrameHeader {
                        codec: Codec::JSON,
                        ..*header
                    };
                    let written = encoder.message(header, &Extensions::default(), |out| {
                        std::io::Write::write_all(out, payload)
                    });
                    written.expect("within the limits");
                }
                (_, Some(payload)) => {
                    let fields = Extensions {
                        group: digest,
                        ..Extensions::default()
                    };
                    encoder.data(header.request, payload, &fields);
                }
                (_, None) => {
                    let fields = Extensions {
                        digest,
                        ..Extensions::default()
                    };
                    encoder.control(*header, &fields);
                }
            }
        }
        let wire = encoder.pending().to_vec();
        let mut cuts: Vec<_> = cuts.iter().map(|i| i.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let mut decoder = FrameDecoder::new(&Limits::default());
        let mut told = Vec::new();
        let mut data = Vec::new();
        for cut in cuts.windows(2) {
            decoder.feed(&wire[cut[0]..cut[1]]);
            loop {
                let frame = decoder
                    .decode()
                    .map_err(|e| TestCaseError::fail(e.to_string()))?;
                match frame {
                    None => break,
                    Some(Frame::Whole {
                        header,
                        extensions,
                        payload,
                    }) => {
                        let payload = Some(payload.to_vec()).filter(|bytes| !bytes.is_empty());
                        told.push((
                            header.kind,
                            header.request,
                            payload,
                            extensions.fields().digest,
                        ));
                    }
                    Some(Frame::Data {
                        header,
                        bytes,
                        left,
                        group,
                    }) => {
                        data.extend_from_slice(bytes);
                        if left == 0 {
                            let payload = Some(std::mem::take(&mut data));
                            told.push((header.kind, header.request, payload, group));
                        }
                    }
                    Some(Frame::TooLarge { .. }) => {
                        return Err(TestCaseError::fail("nothing is too large"));
                    }
                }
            }
        }
        let expected: Vec<_> = frames
            .into_iter()
            .map(|(header, payload, digest)| {
                (header.kind, header.request, payload, digest.map(Digest))
            })
            .collect();
        prop_assert_eq!(told, expected);
        prop_assert!(decoder.finish().is_ok());
        Ok(())
    });
}

#[test]
fn junk_gives_an_error_or_waits_and_never_panics() {
    let raw = vec(any::<u8>(), 0..200);
    // Headers with small numbers reach the deeper rules.
    let near = (
        0..12_u8,
        0..32_u8,
        0..3_u16,
        0..5_u32,
        0..80_u32,
        vec(any::<u8>(), 0..60),
    )
        .prop_map(|(kind, flags, codec, request, argument, body)| {
            frame(kind, flags, codec, request, argument, &body)
        });
    let bytes = prop_oneof![1 => raw, 4 => vec(near, 0..12).prop_map(|frames| frames.concat())];
    let strategy = (any::<bool>(), bytes, vec(any::<Index>(), 0..8));
    check("junk", &strategy, |(server, junk, cuts)| {
        let mut cuts: Vec<_> = cuts.iter().map(|i| i.index(junk.len() + 1)).collect();
        cuts.extend([0, junk.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &junk[cut[0]..cut[1]]).collect();
        let whole = told(server, &[&junk[..]])?;
        prop_assert_eq!(told(server, &pieces)?, whole);
        Ok(())
    });
}

/// The events and the error of a stream, however it is cut; data in one piece per frame.
fn told(server: bool, pieces: &[&[u8]]) -> Result<(Vec<Seen>, Option<Code>), TestCaseError> {
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
                Err(Error::Protocol { code, .. }) => return Ok((seen, Some(code))),
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
        }
    }
    Ok((seen, None))
}
