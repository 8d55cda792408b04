//! A request, its reply and the attachments of both, as one entry.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::native::flow::{Inflow, Outflow};

/// What is remembered of a request while it is in flight.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The reply or the error has gone out, or come.
    pub(super) answered: bool,
    /// The client wants nothing more of it.
    pub(super) cancelled: bool,
    /// Over on the wire. What was received may still wait to be consumed.
    pub(super) closed: bool,
    pub(super) inflow: Option<Box<Inflow>>,
    pub(super) outflow: Option<Box<Outflow>>,
}

impl Exchange {
    /// Whether either side may still send a frame of it.
    pub(super) fn is_open(&self) -> bool {
        !self.answered
            || self.inflow.as_ref().is_some_and(|flow| flow.is_open())
            || self.outflow.is_some()
    }

    /// Whether the owner has bytes of it that count against the budget.
    pub(super) fn is_unread(&self) -> bool {
        self.inflow
            .as_ref()
            .is_some_and(|flow| flow.window.has_lease() && flow.window.unread() > 0)
    }
}

/// Requests by id. The ids are few and nearly in a row, so one multiplication spreads them.
pub(super) type Exchanges = HashMap<u32, Exchange, BuildHasherDefault<IdHasher>>;

/// A hash for request ids: a table holds at most as many as may be in flight, so a peer that
/// chooses its ids badly gains nothing.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    #[inline]
    fn write_u32(&mut self, id: u32) {
        // 2^64 divided by the golden ratio: neighbours end far apart.
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
