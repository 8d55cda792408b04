//! Bytes that have arrived and wait to be read.

use std::mem;

use crate::spare;

/// The least room made for a read. A peer that has sent nothing but a header costs this much.
const MIN_ROOM: usize = 4 * 1024;
/// The most room made at once, reached by doubling while reads fill what they are given.
const MAX_ROOM: usize = 64 * 1024;

/// A buffer that grows by what arrives, never by what a peer claims.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Where the bytes begin that have not been consumed.
    start: usize,
    room: usize,
}

impl Buffer {
    /// Adds bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// The buffer with room for at least one byte at its end.
    pub(super) fn space(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() > 0 && self.bytes.len() == self.bytes.capacity() {
            self.room = (self.room * 2).min(MAX_ROOM);
        }
        self.make_room(1);
        &mut self.bytes
    }

    /// What has arrived and was not consumed.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// So many of them have been read.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.bytes.len());
    }

    /// Whether it holds memory.
    pub(super) fn is_warm(&self) -> bool {
        self.bytes.capacity() > 0
    }

    /// Gives the memory back if nothing waits in it.
    pub(super) fn release(&mut self) {
        if self.bytes().is_empty() {
            spare::give(&mut self.bytes);
            *self = Self::default();
        }
    }

    fn make_room(&mut self, least: usize) {
        self.room = self.room.max(MIN_ROOM);
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take();
        }
        if self.bytes.capacity() - self.bytes.len() >= least {
            return;
        }
        self.bytes.drain(..mem::take(&mut self.start));
        let spare = self.bytes.capacity() - self.bytes.len();
        if spare >= least && spare >= self.room / 2 {
            return;
        }
        // At most as much again as has arrived.
        let wanted = self.bytes.len().max(self.room);
        self.bytes.reserve_exact(wanted.max(least));
    }
}
