//! Small buffers that the connections of a thread hand on to each other.

use std::{cell::RefCell, mem};

/// What each holds. One that has grown is not kept: a peer that sends one byte and waits would
/// hold it.
const BYTES: usize = 4 * 1024;
/// So many are kept for each thread.
const MAX_COUNT: usize = 4;

thread_local! {
    // Of the thread and not of a connection: an idle one holds no buffer, and one that says a
    // little and is silent again costs no allocation.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for 4 KiB.
pub(crate) fn take() -> Vec<u8> {
    // The thread may be on its way out.
    SPARE
        .try_with(|spare| spare.borrow_mut().pop())
        .ok()
        .flatten()
        .unwrap_or_else(|| Vec::with_capacity(BYTES))
}

/// Gives a buffer's memory back, and leaves it empty.
pub(crate) fn give(buffer: &mut Vec<u8>) {
    let mut buffer = mem::take(buffer);
    if buffer.capacity() != BYTES {
        return;
    }
    buffer.clear();
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MAX_COUNT {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty() {
        let mut buffer = take();
        buffer.extend_from_slice(b"a secret");
        give(&mut buffer);
        assert_eq!(buffer.capacity(), 0);
        SPARE.with(|spare| assert_eq!(spare.borrow().len(), 1));
        assert!(take().is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        give(&mut Vec::with_capacity(2 * BYTES));
        SPARE.with(|spare| assert!(spare.borrow().is_empty()));
        for _ in 0..10 * MAX_COUNT {
            give(&mut Vec::with_capacity(BYTES));
        }
        SPARE.with(|spare| assert_eq!(spare.borrow().len(), MAX_COUNT));
    }
}
