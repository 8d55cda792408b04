//! Tells each step in one line and counts those that held.

use std::fmt;

use packetboat_dispatch::ClientError;

use crate::browser::BrowserError;
use crate::refusals::{Refusal, with_causes};

/// Why a step did not hold.
#[derive(Debug)]
pub(super) struct Broken(String);

impl Broken {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// A step that could not be played at all.
macro_rules! broken {
    ($($Error:ty)+) => {$(
        impl From<$Error> for Broken {
            fn from(error: $Error) -> Self {
                Self(with_causes(&error))
            }
        }
    )+};
}

broken!(BrowserError ClientError packetboat_orm::Error std::io::Error tokio::task::JoinError);

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.in_one_line())
    }
}

/// How many steps held, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Steps that held.
    pub held: usize,
    /// Steps that the story has.
    pub steps: usize,
}

impl Tally {
    /// Whether every step held.
    pub fn is_whole(self) -> bool {
        self.held == self.steps
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.held, self.steps)
    }
}

/// Tells the steps as they come.
#[derive(Debug)]
pub(super) struct Teller {
    told: usize,
    tally: Tally,
}

impl Teller {
    pub(super) fn new(steps: usize) -> Self {
        let tally = Tally { held: 0, steps };
        Self { told: 0, tally }
    }

    /// Tells one step: what it is, and what it found.
    pub(super) async fn step(
        &mut self,
        what: &str,
        step: impl Future<Output = Result<String, Broken>>,
    ) {
        self.told += 1;
        let result = step.await;
        self.tally.held += usize::from(result.is_ok());
        let (mark, found) = match result {
            Ok(found) => ("ok", found),
            Err(Broken(why)) => ("FAILED", why),
        };
        println!("{mark:>6} {:>2}  {what}: {found}", self.told);
    }

    /// What was counted. Steps that were never told did not hold.
    pub(super) fn tally(&self) -> Tally {
        debug_assert!(
            self.told <= self.tally.steps,
            "the story has more steps than it says"
        );
        self.tally
    }
}

/// A step's condition: what was found, or what is wrong with it.
pub(super) fn hold(holds: bool, found: impl Into<String>) -> Result<String, Broken> {
    let found = found.into();
    if holds { Ok(found) } else { Err(Broken(found)) }
}
