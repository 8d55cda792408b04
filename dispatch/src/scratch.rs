//! Where replies are written before they join the way out.

use std::cell::Cell;

/// A buffer that has grown beyond this is not kept, in bytes.
const KEEP: usize = 64 * 1024;

thread_local! {
    // Of the thread and not of the connection: an idle connection holds no buffer, and a reply
    // that is made on the connection's own task costs no allocation.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer, with luck one that has room already.
pub(crate) fn take() -> Vec<u8> {
    SCRATCH.take()
}

/// Gives a buffer back for the next reply.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEEP {
        buffer.clear();
        SCRATCH.set(buffer);
    }
}
