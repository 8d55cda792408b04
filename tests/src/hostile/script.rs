//! A script, how it went, and the run of it.

use std::fmt;
use std::time::{Duration, Instant};

use crate::hostile::target::{Need, Target};
use crate::hostile::{classic, native};

/// A wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A little-endian length before each message.
    Classic,
    /// The wire of `WIRE.md`.
    Native,
}

/// What came in place of what had to come, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(pub(super) String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether what had to come came.
pub(super) type Played<T = ()> = Result<T, Wrong>;

/// Ends a script that was answered otherwise than it has to be.
pub(super) fn wrong<T>(what: impl Into<String>) -> Played<T> {
    Err(Wrong(what.into()))
}

type Play = Box<dyn Fn(&Target) -> Played + Send + Sync>;

/// One exchange.
pub struct Script {
    /// Its name: wire, room, and what the peer does.
    pub name: String,
    /// The wire that it speaks.
    pub wire: Wire,
    /// What the server has to offer for it.
    pub need: Option<Need>,
    play: Play,
}

/// How a script went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What had to come came.
    Passed,
    /// Something else did.
    Failed(Wrong),
    /// The server has nothing that the script needs.
    Skipped(Need),
}

/// How a script went, and how long it took.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it went.
    pub outcome: Outcome,
    /// The script alone, without the look afterwards.
    pub took: Duration,
}

impl Script {
    pub(super) fn new(
        wire: Wire,
        name: &str,
        play: impl Fn(&Target) -> Played + Send + Sync + 'static,
    ) -> Self {
        let prefix = match wire {
            Wire::Classic => "classic",
            Wire::Native => "native",
        };
        Self {
            name: format!("{prefix}.{name}"),
            wire,
            need: None,
            play: Box::new(play),
        }
    }

    pub(super) fn needs(mut self, need: Need) -> Self {
        self.need = Some(need);
        self
    }

    /// Plays it, and looks whether the server still serves a peer that keeps the rules.
    #[must_use]
    pub fn run(&self, target: &Target) -> Report {
        if let Some(need) = self.need
            && target.ask(need).is_none()
        {
            return Report {
                outcome: Outcome::Skipped(need),
                took: Duration::ZERO,
            };
        }
        let since = Instant::now();
        let played = (self.play)(target);
        let took = since.elapsed();
        let outcome = match played.and_then(|()| probe(target, self.wire)) {
            Ok(()) => Outcome::Passed,
            Err(wrong) => Outcome::Failed(wrong),
        };
        Report { outcome, took }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("name", &self.name).finish()
    }
}

/// A fresh connection is served as before.
fn probe(target: &Target, wire: Wire) -> Played {
    let probed = match wire {
        Wire::Classic => classic::probe(target),
        Wire::Native => native::probe(target),
    };
    probed.map_err(|Wrong(what)| Wrong(format!("afterwards a good peer found: {what}")))
}
