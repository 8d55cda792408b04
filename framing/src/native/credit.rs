//! How many bytes of an attachment may be on their way, and out of which purse.

use crate::{
    budget::{Budget, Lease},
    native::{Code, wire},
};

/// What an attachment begins with, and shrinks to under pressure.
pub(super) const MIN_WINDOW: usize = 64 * 1024;

/// The receiving side's account of one attachment.
///
/// ```text
///  consumed        received        granted
///     |  with the owner |  on the way  |
/// ----+-----------------+--------------+---------> bytes since the beginning
///     |<------ never more than the lease ----->|
/// ```
///
/// There is no lease before the owner asks for the attachment, so one that nobody reads costs
/// nothing. It begins with 64 KiB and doubles each time that a whole window has been read.
#[derive(Debug)]
pub(super) struct Window {
    granted: u64,
    received: u64,
    consumed: u64,
    /// What had been consumed when the window last grew.
    grown_at: u64,
    lease: Option<Lease>,
    max: usize,
}

impl Window {
    pub(super) fn new(max: usize) -> Self {
        Self {
            granted: 0,
            received: 0,
            consumed: 0,
            grown_at: 0,
            lease: None,
            max: max.clamp(MIN_WINDOW, wire::MAX_CREDIT as usize),
        }
    }

    /// Counts what a data frame's header announces.
    pub(super) fn receive(&mut self, n: u64) -> Result<(), Code> {
        if n > self.granted - self.received {
            return Err(Code::CREDIT_EXCEEDED);
        }
        self.received += n;
        Ok(())
    }

    /// Counts what the owner is done with.
    pub(super) fn consume(&mut self, n: u64) {
        assert!(
            n <= self.received - self.consumed,
            "more consumed than was received"
        );
        self.consumed += n;
    }

    /// Bytes that have been received and not consumed.
    pub(super) fn unread(&self) -> u64 {
        self.received - self.consumed
    }

    /// Credit that the sender has and has not used.
    pub(super) fn unused(&self) -> u64 {
        self.granted - self.received
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether there is room out of the budget for any credit at all.
    pub(super) fn has_lease(&self) -> bool {
        self.lease.is_some()
    }

    /// Gives it its first room.
    pub(super) fn supply(&mut self, lease: Lease) {
        match &mut self.lease {
            Some(own) => own.merge(lease),
            none => *none = Some(lease),
        }
    }

    /// Takes its first room out of the budget, or tells that it must wait. `left` is how much of
    /// the attachment may still be granted: a small one takes no more than it needs.
    pub(super) fn open(&mut self, budget: &Budget, left: u64) -> bool {
        if self.lease.is_none() {
            let wanted = usize::try_from(left).map_or(MIN_WINDOW, |left| left.min(MIN_WINDOW));
            self.lease = budget.try_lease(wanted, wanted);
        }
        self.lease.is_some()
    }

    /// The credit to be granted now, if it is worth a frame. `left` as in [`open`](Self::open).
    pub(super) fn grant(&mut self, budget: &Budget, left: u64) -> Option<u32> {
        let held = self.granted - self.consumed;
        let lease = self.lease.as_mut()?;
        let window = if is_pressed(budget) {
            // What is promised stays promised; beyond it the purse has it back.
            lease.shrink_to(usize::try_from(held).map_or(self.max, |held| held.max(MIN_WINDOW)));
            lease.bytes().min(MIN_WINDOW)
        } else {
            let size = lease.bytes();
            let read = self.consumed - self.grown_at >= size as u64;
            if read && size < self.max && left > size as u64 {
                let more = size.min(self.max - size);
                if let Some(more) = budget.try_lease(more, more) {
                    lease.merge(more);
                    self.grown_at = self.consumed;
                }
            }
            lease.bytes().min(self.max)
        };
        let room = (window as u64).saturating_sub(held).min(left);
        // Half a window at a time, unless it is the rest or the sender may have nothing at all.
        if room == 0 || (room < window as u64 / 2 && room < left && self.granted > self.received) {
            return None;
        }
        self.granted += room;
        // A window is at most `max`, which is a `usize` below 16 MiB.
        Some(room as u32)
    }

    /// Bytes that may still be granted of an attachment that has `size` in all.
    pub(super) fn left_of(&self, size: Option<u64>) -> u64 {
        size.map_or(u64::MAX, |size| size.saturating_sub(self.granted))
    }

    /// Nothing more is wanted: what still comes is thrown away, and needs no room.
    pub(super) fn close(&mut self) {
        self.lease = None;
    }

    /// Bytes of the budget that it holds.
    pub(super) fn leased(&self) -> usize {
        self.lease.as_ref().map_or(0, Lease::bytes)
    }
}

/// Whether so little is left that windows shrink, so that others find a beginning.
fn is_pressed(budget: &Budget) -> bool {
    budget.available() < budget.total() / 4
}

/// The sending side's account of one attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Allowance {
    bytes: u64,
    started: bool,
}

impl Allowance {
    /// Adds credit.
    pub(super) fn add(&mut self, bytes: u32) -> Result<(), Code> {
        let sum = self.bytes + u64::from(bytes);
        if sum > wire::MAX_CREDIT {
            return Err(Code::CREDIT_OVERFLOW);
        }
        self.bytes = sum;
        self.started = true;
        Ok(())
    }

    /// Takes what is about to be sent.
    pub(super) fn take(&mut self, n: u64) {
        assert!(n <= self.bytes, "more data than credit");
        self.bytes -= n;
    }

    /// Bytes that may be sent now.
    pub(super) fn bytes(self) -> u64 {
        self.bytes
    }

    /// Whether any credit has come.
    pub(super) fn has_started(self) -> bool {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    #[test]
    fn a_window_grows_only_while_it_is_read() {
        let budget = Budget::new(64 * 1024 * KIB);
        let mut window = Window::new(2048 * KIB);
        assert_eq!(window.grant(&budget, u64::MAX), None);
        assert!(window.open(&budget, u64::MAX));
        let mut seen = Vec::new();
        for _ in 0..8 {
            let granted = window.grant(&budget, u64::MAX).expect("all was read");
            seen.push(granted as usize / KIB);
            assert_eq!(window.grant(&budget, u64::MAX), None);
            window.receive(u64::from(granted)).expect("within credit");
            assert_eq!(window.grant(&budget, u64::MAX), None);
            window.consume(u64::from(granted));
        }
        assert_eq!(seen, [64, 128, 256, 512, 1024, 2048, 2048, 2048]);
        assert_eq!(window.receive(1), Err(Code::CREDIT_EXCEEDED));
        drop(window);
        assert_eq!(budget.available(), budget.total());
    }

    #[test]
    fn under_pressure_windows_shrink_and_then_new_ones_wait() {
        let budget = Budget::new(1024 * KIB);
        let mut first = Window::new(512 * KIB);
        assert!(first.open(&budget, u64::MAX));
        let read = |first: &mut Window| {
            let granted = u64::from(first.grant(&budget, u64::MAX).expect("all was read"));
            first.receive(granted).expect("within credit");
            first.consume(granted);
            granted as usize / KIB
        };
        let grown: Vec<_> = (0..4).map(|_| read(&mut first)).collect();
        assert_eq!(grown, [64, 128, 256, 512]);
        let rest = budget.available();
        let other = budget.try_lease(rest, rest).expect("all that is left");
        let mut late = Window::new(512 * KIB);
        assert!(!late.open(&budget, u64::MAX));
        assert_eq!(read(&mut first), 64);
        assert_eq!(first.leased(), 64 * KIB);
        assert!(
            late.open(&budget, u64::MAX),
            "what was given up is enough to begin"
        );
        drop(other);
    }

    #[test]
    fn a_small_attachment_takes_what_it_needs() {
        let budget = Budget::new(1024 * KIB);
        let mut window = Window::new(512 * KIB);
        assert!(window.open(&budget, 10));
        assert_eq!(window.leased(), 4 * KIB);
        assert_eq!(window.grant(&budget, 10), Some(10));
        assert_eq!(window.grant(&budget, window.left_of(Some(10))), None);
    }

    #[test]
    fn credit_has_a_largest() {
        let mut allowance = Allowance::default();
        let most = wire::MAX_CREDIT as u32;
        assert_eq!(allowance.add(most), Ok(()));
        assert_eq!(allowance.add(1), Err(Code::CREDIT_OVERFLOW));
        allowance.take(1);
        assert_eq!(allowance.add(1), Ok(()));
        assert_eq!(allowance.add(u32::MAX), Err(Code::CREDIT_OVERFLOW));
    }
}
