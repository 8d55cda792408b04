//! Buffers out of one purse.

use std::{fmt, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in pages of this size, rounded up.
const PAGE: usize = 4 * 1024;

/// One purse of bytes for all attachment buffers of a server. Clones share it.
///
/// A [`Lease`] is taken before a buffer is allocated and goes back when it is dropped. When the
/// purse is empty, [`lease`](Self::lease) waits its turn, in the order of asking: attachments
/// become slower and memory does not grow.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use packetboat_framing::Budget;
///
/// let budget = Budget::new(1024 * 1024);
/// let lease = budget.lease(64 * 1024, 512 * 1024).await;
/// assert_eq!((lease.bytes(), budget.available()), (512 * 1024, 512 * 1024));
/// drop(lease);
/// assert_eq!(budget.available(), budget.total());
/// # }
/// ```
#[derive(Clone)]
pub struct Budget {
    pages: Arc<Semaphore>,
    total: usize,
}

impl Budget {
    /// 64 MiB: sixty-four attachments at full speed, or a thousand at the smallest buffer.
    pub const DEFAULT_BYTES: usize = 64 * 1024 * 1024;
    /// The smallest purse that can be made, in bytes.
    pub const MIN_BYTES: usize = 64 * 1024;

    /// A purse of so many bytes, and at least [`MIN_BYTES`](Self::MIN_BYTES).
    pub fn new(bytes: usize) -> Self {
        let pages = (bytes.max(Self::MIN_BYTES) / PAGE).min(Semaphore::MAX_PERMITS);
        Self {
            pages: Arc::new(Semaphore::new(pages)),
            total: pages * PAGE,
        }
    }

    /// Takes as much as is free between `min` and `max` bytes, waiting until `min` are.
    ///
    /// Both are cut to what the purse holds in all, so that no lease waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the place in the queue and nothing else.
    pub async fn lease(&self, min: usize, max: usize) -> Lease {
        if let Some(lease) = self.try_lease(min, max) {
            return lease;
        }
        let pages = self.pages_of(min);
        let permit = Arc::clone(&self.pages).acquire_many_owned(pages).await;
        Lease {
            permit: permit.expect("the semaphore is private and never closed"),
        }
    }

    /// Takes as much as is free between `min` and `max` bytes, or nothing.
    pub fn try_lease(&self, min: usize, max: usize) -> Option<Lease> {
        let (min, max) = (self.pages_of(min), self.pages_of(max.max(min)));
        let free = self.pages.available_permits();
        let wanted = max.min(u32::try_from(free).unwrap_or(u32::MAX)).max(min);
        // Another thread may have been quicker; the least is then worth a second try.
        let take = |n| Arc::clone(&self.pages).try_acquire_many_owned(n).ok();
        take(wanted)
            .or_else(|| take(min))
            .map(|permit| Lease { permit })
    }

    /// Bytes that nobody holds.
    pub fn available(&self) -> usize {
        self.pages.available_permits() * PAGE
    }

    /// Bytes in all.
    pub fn total(&self) -> usize {
        self.total
    }

    fn pages_of(&self, bytes: usize) -> u32 {
        let pages = bytes.min(self.total).div_ceil(PAGE);
        u32::try_from(pages).unwrap_or(u32::MAX)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::DEFAULT_BYTES)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("available", &self.available())
            .field("total", &self.total)
            .finish()
    }
}

/// Bytes taken out of a [`Budget`], given back on drop.
#[must_use = "a lease that is dropped at once reserves nothing"]
pub struct Lease {
    permit: OwnedSemaphorePermit,
}

impl Lease {
    /// How many bytes it stands for.
    pub fn bytes(&self) -> usize {
        self.permit.num_permits() * PAGE
    }

    /// Adds another lease to this one.
    ///
    /// # Panics
    ///
    /// If it came out of another purse.
    pub fn merge(&mut self, other: Self) {
        self.permit.merge(other.permit);
    }

    /// Gives back what is over `bytes`, in whole pages.
    pub fn shrink_to(&mut self, bytes: usize) {
        let keep = bytes.div_ceil(PAGE);
        drop(
            self.permit
                .split(self.permit.num_permits().saturating_sub(keep)),
        );
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("bytes", &self.bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_shrinks_under_pressure_and_then_waits() {
        let budget = Budget::new(256 * 1024);
        let first = budget.lease(64 * 1024, 1024 * 1024).await;
        assert_eq!(first.bytes(), 256 * 1024);
        assert!(budget.try_lease(64 * 1024, 64 * 1024).is_none());
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.lease(64 * 1024, 128 * 1024).await.bytes() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert_eq!(waiting.await.expect("the task only leases"), 64 * 1024);
        assert_eq!(budget.available(), budget.total());
    }

    #[test]
    fn a_lease_grows_and_shrinks_by_whole_pages() {
        let budget = Budget::new(256 * 1024);
        let mut lease = budget.try_lease(1, 1).expect("nobody else asks");
        assert_eq!(lease.bytes(), PAGE);
        lease.merge(budget.try_lease(1, 64 * 1024).expect("enough is left"));
        assert_eq!(lease.bytes(), PAGE + 64 * 1024);
        lease.shrink_to(PAGE + 1);
        assert_eq!(lease.bytes(), 2 * PAGE);
        lease.shrink_to(64 * 1024);
        assert_eq!(lease.bytes(), 2 * PAGE);
        assert_eq!(budget.available(), budget.total() - 2 * PAGE);
    }

    #[tokio::test]
    async fn a_lease_larger_than_the_purse_is_cut_to_it() {
        let budget = Budget::new(1);
        assert_eq!(budget.total(), Budget::MIN_BYTES);
        assert_eq!(
            budget.lease(usize::MAX, usize::MAX).await.bytes(),
            Budget::MIN_BYTES
        );
    }
}
