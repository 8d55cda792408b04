//! A sender who may lie, and the wire to the one who receives.

use std::{io, ops::Range, sync::Arc};

use packetboat_framing::{
    Body, Chunk, Error,
    native::{Attached, Code, Event, wire},
};
use tokio::sync::Notify;

use crate::{
    pair::{Pair, Seen},
    world::Dice,
};

use super::films::{Film, Films, GROUP, bytes};

/// What is sent in truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    changed: Option<u64>,
    /// It comes from so far behind where it should.
    shift: u64,
}

impl Sent {
    pub(crate) fn truly(film: Film) -> Self {
        Self {
            changed: film.changed,
            shift: 0,
        }
    }

    pub(crate) fn pick(dice: &mut Dice, film: usize, films: &Films) -> Self {
        let mut sent = Self::truly(films.all[film]);
        match dice.below(8) {
            0 => sent.changed = films.all[film ^ 1].changed,
            1 => sent.shift = [1, 1024, 4096][dice.below(3) as usize],
            _ => {}
        }
        sent
    }

    /// Whether what is sent of this range are the film's own bytes.
    pub(crate) fn is_of(&self, film: &Film, range: Range<u64>) -> bool {
        let changed = |at: Option<u64>| at.filter(|at| range.contains(at));
        match self.shift {
            0 => changed(self.changed) == changed(film.changed),
            _ => self.bytes(range.clone()) == bytes(film.changed, range),
        }
    }

    fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let shifted = range.start + self.shift..range.end + self.shift;
        bytes(self.changed, shifted)
    }
}

/// How it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Whole,
    /// The sender says that no more will come.
    Aborted(u64),
    /// The connection is lost.
    Cut(u64),
    /// Nothing more comes, until the receiver goes.
    Silent(u64),
}

impl End {
    pub(crate) fn pick(dice: &mut Dice, size: u64) -> Self {
        let how = dice.below(8);
        let at = match dice.below(4) {
            0 => dice.below(size + 1),
            _ => {
                let groups = dice.below(size / GROUP + 1);
                let more = [0, 1, -1, 1000][dice.below(4) as usize];
                (groups * GROUP).saturating_add_signed(more)
            }
        };
        match how {
            0..3 => Self::Whole,
            3 => Self::Aborted(at),
            4 => Self::Silent(at),
            _ => Self::Cut(at),
        }
    }

    /// How far it comes.
    pub(crate) fn stop(self, size: u64) -> u64 {
        match self {
            Self::Whole => size,
            Self::Aborted(at) | Self::Cut(at) | Self::Silent(at) => at.min(size),
        }
    }
}

/// The rest of an attachment, from where the receiver asked for it.
pub(crate) struct Rest {
    pair: Pair,
    id: u32,
    sent: Sent,
    end: End,
    /// Announced, of the whole.
    size: u64,
    /// Taken up to here.
    taken: u64,
    gathered: Vec<u8>,
    ended: bool,
    /// Told when nothing more will come.
    pub(crate) silent: Arc<Notify>,
}

impl Rest {
    /// `None` where the wire refuses to begin there.
    pub(crate) fn new(size: u64, from: u64, sent: Sent, end: End) -> Option<Self> {
        let mut pair = Pair::new();
        let id = pair.asked("up", Some(Attached::whole(size)));
        pair.server.receive(id, Some(from)).ok()?;
        if size > 0 {
            assert_eq!(pair.reach_client(), [Seen::Credit(id, from)]);
        }
        Some(Self {
            pair,
            id,
            sent,
            end,
            size,
            taken: from,
            gathered: Vec::new(),
            ended: false,
            silent: Arc::default(),
        })
    }

    pub(crate) fn taken_to(&self) -> u64 {
        self.taken
    }

    /// Sends what the credit allows, and gathers what arrives. `false` when nothing did.
    fn go_on(&mut self) -> Result<bool, Error> {
        self.pair.reach_client();
        let Pair { client, server, .. } = &mut self.pair;
        let Some(at) = client.position(self.id).filter(|_| !self.ended) else {
            return Ok(false);
        };
        let stop = self.end.stop(self.size);
        let n = client.sendable(self.id).min(u64::from(wire::MAX_DATA));
        let n = n.min(stop.saturating_sub(at));
        if n > 0 {
            let bytes = self.sent.bytes(at..at + n);
            client.data(self.id, &bytes, None).expect("it has credit");
        } else if at >= self.size {
            client.end(self.id, None).expect("all was sent");
            self.ended = true;
        } else if at >= stop && matches!(self.end, End::Aborted(_)) {
            let aborted = client.abort(self.id, Code::SOURCE_FAILED);
            aborted.expect("it was being sent");
            self.ended = true;
        }
        // Without the copies that `reach_server` makes, which cost more than all the rest.
        server.feed(client.pending());
        client.advance(client.pending().len());
        while let Some(event) = server.next_event().expect("both keep the rules") {
            match event {
                Event::Data { bytes, .. } => self.gathered.extend_from_slice(bytes),
                Event::End {
                    outcome: Ok(None), ..
                } => assert!(self.ended),
                Event::End {
                    outcome: Err(Code::SOURCE_FAILED),
                    ..
                } => {
                    return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
                }
                event => panic!("{event:?}"),
            }
        }
        Ok(n > 0)
    }

    /// Bytes that have not arrived.
    fn unseen(&self) -> u64 {
        self.remaining() - self.gathered.len() as u64
    }
}

impl Body for Rest {
    fn remaining(&self) -> u64 {
        self.size - self.taken
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        if self.unseen() == 0 {
            return Ok(false);
        }
        if self.go_on()? {
            return Ok(true);
        }
        match self.end {
            // The credit is used up: what has come has to be taken first.
            _ if self.taken + (self.gathered.len() as u64) < self.end.stop(self.size) => Ok(false),
            End::Silent(_) => {
                if self.gathered.is_empty() {
                    self.silent.notify_one();
                }
                std::future::pending().await
            }
            _ => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        }
    }

    fn take(&mut self) -> Option<Chunk> {
        if self.gathered.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.gathered);
        self.taken += bytes.len() as u64;
        self.pair.server.consumed(self.id, bytes.len());
        Some(Chunk::from(bytes))
    }
}
