//! One attachment on its way, from either end.

use crate::native::{
    Code,
    credit::{Allowance, Window},
};

/// What is known of an attachment before its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attached {
    /// Bytes from the offset to the end; `None` when only the end will tell.
    pub size: Option<u64>,
    /// Where in the whole it begins.
    pub offset: u64,
    /// Whether its receiver may have it begin later than that.
    pub resumable: bool,
}

impl Attached {
    /// A whole of known size that can be begun anywhere, as a file.
    pub const fn whole(size: u64) -> Self {
        Self {
            size: Some(size),
            offset: 0,
            resumable: true,
        }
    }

    /// Where it ends, if that is known.
    pub(super) fn end(&self) -> Option<u64> {
        // The block that stated both was refused unless their sum is a number.
        self.size.map(|size| self.offset.saturating_add(size))
    }

    /// Whether it may begin there. Both sides come to the same answer.
    pub(super) fn can_begin_at(&self, offset: u64) -> bool {
        offset == self.offset
            || (self.resumable
                && offset > self.offset
                && self.end().is_none_or(|end| offset <= end))
    }
}

/// An attachment that this side receives.
#[derive(Debug)]
pub(super) struct Inflow {
    pub(super) state: InState,
    pub(super) attached: Attached,
    pub(super) window: Window,
    /// The offset that the first credit frame has to tell.
    pub(super) begin_at: Option<u64>,
    /// Bytes to come, from where it really begins.
    size: Option<u64>,
}

/// How far an incoming attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InState {
    /// Credit was given before the reply that may bring it.
    Expected,
    /// Announced; the owner has not asked for it.
    Offered,
    /// The owner reads it.
    Open,
    /// What still comes is thrown away.
    Discarded,
    /// Its end has come.
    Ended,
}

impl Inflow {
    pub(super) fn new(state: InState, attached: Attached, max_window: usize) -> Self {
        Self {
            state,
            attached,
            window: Window::new(max_window),
            begin_at: None,
            size: attached.size,
        }
    }

    /// The reply has come, and brings it.
    pub(super) fn announce(&mut self, attached: Attached) {
        self.attached = attached;
        self.size = attached.size;
        self.state = InState::Open;
        // The credit that told it has gone out. The sender ignores an offset where it cannot
        // begin, by the same rule.
        if let Some(offset) = self.begin_at.take() {
            self.begin(offset);
        }
    }

    /// Begins at that offset, if the attachment can.
    pub(super) fn begin(&mut self, offset: u64) -> bool {
        let can = self.attached.can_begin_at(offset);
        if can {
            let skipped = offset - self.attached.offset;
            self.size = self.attached.size.map(|size| size - skipped);
            self.attached = Attached {
                size: self.size,
                offset,
                ..self.attached
            };
        }
        can
    }

    /// Counts what a data frame's header announces.
    pub(super) fn receive(&mut self, n: u64) -> Result<(), Code> {
        self.window.receive(n)?;
        match self.size {
            Some(size) if self.window.received() > size => Err(Code::WRONG_SIZE),
            _ => Ok(()),
        }
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.size.is_none_or(|size| self.window.received() == size)
    }

    /// Whether only its end is missing. Its sender has to have been told where it begins.
    pub(super) fn has_come(&self) -> bool {
        self.begin_at.is_none() && self.size == Some(self.window.received())
    }

    /// Bytes that may still be granted.
    pub(super) fn left(&self) -> u64 {
        self.window.left_of(self.size)
    }

    /// Whether frames of it may still come.
    pub(super) fn is_open(&self) -> bool {
        matches!(
            self.state,
            InState::Offered | InState::Open | InState::Discarded
        )
    }

    pub(super) fn discard(&mut self) {
        self.state = InState::Discarded;
        self.begin_at = None;
        self.window.close();
    }
}

/// An attachment that this side sends.
#[derive(Debug, Default)]
pub(super) struct Outflow {
    pub(super) allowance: Allowance,
    /// Nothing until the reply that brings it has gone out; credit may come before.
    pub(super) attached: Option<Attached>,
    /// Where the receiver wants it to begin, told before it was announced.
    pub(super) wanted: Option<u64>,
    /// The position of the next byte.
    pub(super) at: u64,
}

impl Outflow {
    pub(super) fn announced(attached: Attached) -> Self {
        let mut flow = Self::default();
        flow.announce(attached);
        flow
    }

    pub(super) fn announce(&mut self, attached: Attached) {
        self.at = match self.wanted {
            Some(offset) if attached.can_begin_at(offset) => offset,
            _ => attached.offset,
        };
        self.attached = Some(attached);
    }

    /// Takes a credit frame. The offset may be a wish that was sent before the attachment was known.
    pub(super) fn credit(
        &mut self,
        bytes: u32,
        offset: Option<u64>,
        may_be_a_wish: bool,
    ) -> Result<(), Code> {
        if let Some(offset) = offset {
            if self.allowance.has_started() {
                return Err(Code::UNEXPECTED_FRAME);
            }
            match &self.attached {
                None => self.wanted = Some(offset),
                Some(attached) if attached.can_begin_at(offset) => self.at = offset,
                Some(_) if may_be_a_wish => {}
                Some(_) => return Err(Code::UNEXPECTED_FRAME),
            }
        }
        self.allowance.add(bytes)
    }

    /// Bytes that are still to be sent, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        let end = self.attached?.end()?;
        Some(end - self.at)
    }

    /// Bytes that may be sent now.
    pub(super) fn sendable(&self) -> u64 {
        if self.attached.is_none() {
            return 0;
        }
        self.left().unwrap_or(u64::MAX).min(self.allowance.bytes())
    }

    pub(super) fn send(&mut self, n: u64) {
        self.allowance.take(n);
        self.at += n;
    }
}
