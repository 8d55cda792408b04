//! A piece of an attachment, in a buffer that the budget knows of.

use std::{fmt, ops::Deref};

use bytes::Bytes;

use crate::budget::Lease;

/// Some bytes of a body. Its buffer goes back to the [`Budget`](crate::Budget) when it is dropped,
/// so a handler that hoards chunks comes to wait for itself.
pub struct Chunk {
    bytes: Vec<u8>,
    max: usize,
    _held: Option<Held>,
}

/// What a chunk gives back when it is dropped.
enum Held {
    Lease { _lease: Lease },
    Guard { _guard: Box<dyn Send + Sync> },
}

impl Chunk {
    /// An empty chunk for at most `max` bytes, and no more than the lease stands for.
    pub(crate) fn new(max: usize, lease: Lease) -> Self {
        let max = max.min(lease.bytes());
        Self {
            bytes: Vec::with_capacity(max),
            max,
            _held: Some(Held::Lease { _lease: lease }),
        }
    }

    /// A chunk whose room is accounted for elsewhere: `guard` is dropped with it, and learns so
    /// that its bytes are done with.
    pub fn with_guard(bytes: Vec<u8>, guard: impl Send + Sync + 'static) -> Self {
        Self {
            max: bytes.len(),
            bytes,
            _held: Some(Held::Guard {
                _guard: Box::new(guard),
            }),
        }
    }

    /// The buffer, for a read that appends at most [`room`](Self::room) bytes.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many bytes may still be added.
    pub(crate) fn room(&self) -> usize {
        self.max - self.bytes.len()
    }

    /// The same bytes as [`Bytes`], without a copy. The buffer goes back with the last clone.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Vec<u8>> for Chunk {
    /// A chunk outside any budget, for a body of one's own.
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            max: bytes.len(),
            bytes,
            _held: None,
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
