//! In place of the metrics, where the program does without: nothing is kept and nothing is done.

use std::time::Duration;

use crate::error::Disconnect;
use crate::outcome::Outcome;
use crate::wire::{Speaks, Wire};

pub(crate) fn describe() {}

pub(crate) fn refused(_: &'static str) {}

pub(crate) fn logged_in(_: bool) {}

pub(crate) fn attachment_received(_: u64) {}

pub(crate) fn attachment_sent(_: u64) {}

pub(crate) fn pushes_sent(_: u64, _: u64) {}

pub(crate) fn pushes_lost(_: &'static str, _: u64) {}

pub(crate) fn slow_reader(_: &'static str) {}

pub(crate) struct Connection;

impl Connection {
    pub(crate) fn accepted() -> Self {
        Self
    }

    pub(crate) fn speaks(&mut self, _: Speaks) {}

    pub(crate) fn closed(self, _: &Disconnect) {}
}

#[derive(Clone)]
pub(crate) struct Meter;

impl Meter {
    pub(crate) fn of(_: &'static str) -> Self {
        Self
    }
}

pub(crate) struct Measure;

impl Measure {
    pub(crate) fn begin(_: Meter, _: Wire, _: usize) -> Self {
        Self
    }

    pub(crate) fn waits(&mut self) {}

    pub(crate) fn end(self, _: Outcome, _: impl FnOnce() -> Duration, _: usize) {}
}

pub(crate) struct Queued;

impl Queued {
    pub(crate) fn new() -> Self {
        Self
    }
}
