//! How much is worked on at once, for each site and in all; what waits; and what is sent away.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusals::Refusal;

/// How much is worked on at once.
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    /// Requests of one site at once; 8 by default: twice what its database has connections for reading, so that one is
    /// rendered while another reads.
    pub running: usize,
    /// Requests of one site that wait; 32 by default, which at 10 ms each is 40 ms.
    pub waiting: usize,
    /// Requests of all sites at once; 64 by default. A site that is slow holds no more than its own share of them.
    pub all: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            running: 8,
            waiting: 32,
            all: 64,
        }
    }
}

/// The gate before the handlers; clones are the same.
#[derive(Clone)]
pub struct Gate {
    limits: GateLimits,
    all: Arc<Semaphore>,
    /// As many as there are companies that were ever visited. A plain mutex: held to look one up.
    lanes: Arc<Mutex<HashMap<i64, Arc<Lane>>>>,
}

/// What one site has at work.
struct Lane {
    name: String,
    /// A permit for each that runs.
    running: Arc<Semaphore>,
    /// A permit for each that runs or waits.
    room: Arc<Semaphore>,
    served: AtomicU64,
    refused: AtomicU64,
    throttled: AtomicU64,
}

/// One request inside. Dropped, it makes room for another.
#[derive(Debug)]
pub struct Pass {
    _room: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// What the operator sees of one site.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LaneStatus {
    /// The company's name.
    pub site: String,
    /// Requests at work.
    pub working: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that were let in since the start.
    pub served: u64,
    /// Requests that found everything full since the start.
    pub refused: u64,
    /// Requests that one address sent too many of.
    pub throttled: u64,
}

impl Gate {
    /// A gate with these limits.
    pub fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            all: Arc::new(Semaphore::new(limits.all)),
            lanes: Arc::default(),
        }
    }

    /// Waits until a request of this site may be worked on.
    ///
    /// # Errors
    ///
    /// [`Refusal::Full`] at once, where as many wait as may.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it gives its place back.
    pub async fn enter(&self, id: i64, name: &str) -> Result<Pass, Refusal> {
        let lane = self.lane(id, name);
        let Ok(room) = Arc::clone(&lane.room).try_acquire_owned() else {
            lane.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Full);
        };
        // Its own turn first: who waits here holds nothing that another site needs.
        let running = Arc::clone(&lane.running).acquire_owned();
        let running = running.await.map_err(Refusal::internal)?;
        let all = Arc::clone(&self.all).acquire_owned();
        let all = all.await.map_err(Refusal::internal)?;
        lane.served.fetch_add(1, Ordering::Relaxed);
        Ok(Pass {
            _room: room,
            _running: running,
            _all: all,
        })
    }

    /// Counts a request that came too soon after others from its address.
    pub fn throttled(&self, id: i64, name: &str) {
        self.lane(id, name)
            .throttled
            .fetch_add(1, Ordering::Relaxed);
    }

    /// What each site that was visited has at work, by name.
    pub fn status(&self) -> Vec<LaneStatus> {
        let lanes = self.lock().values().cloned().collect::<Vec<_>>();
        let mut all = lanes
            .iter()
            .map(|lane| lane.status(self.limits))
            .collect::<Vec<_>>();
        all.sort_by(|a, b| a.site.cmp(&b.site));
        all
    }

    /// How many requests of all sites are at work.
    pub fn working(&self) -> usize {
        self.limits.all.saturating_sub(self.all.available_permits())
    }

    fn lane(&self, id: i64, name: &str) -> Arc<Lane> {
        let mut lanes = self.lock();
        let lane = lanes.entry(id).or_insert_with(|| {
            Arc::new(Lane {
                name: name.to_owned(),
                running: Arc::new(Semaphore::new(self.limits.running)),
                room: Arc::new(Semaphore::new(self.limits.running + self.limits.waiting)),
                served: AtomicU64::new(0),
                refused: AtomicU64::new(0),
                throttled: AtomicU64::new(0),
            })
        });
        Arc::clone(lane)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn status(&self, limits: GateLimits) -> LaneStatus {
        let inside =
            (limits.running + limits.waiting).saturating_sub(self.room.available_permits());
        let working = limits
            .running
            .saturating_sub(self.running.available_permits());
        LaneStatus {
            site: self.name.clone(),
            working,
            waiting: inside.saturating_sub(working),
            served: self.served.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: GateLimits = GateLimits {
        running: 1,
        waiting: 1,
        all: 2,
    };

    #[tokio::test]
    async fn a_site_that_is_full_sends_away_and_holds_up_no_other() {
        let gate = Gate::new(SMALL);
        let slow = gate.enter(1, "slow").await.expect("the first");
        let waits = gate.clone();
        let waits = tokio::spawn(async move { waits.enter(1, "slow").await });
        while gate.status()[0].waiting == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(gate.enter(1, "slow").await, Err(Refusal::Full)));
        // The other has its own turn, and there is a place in all: the one that waits holds none.
        let other = gate.enter(2, "fast").await.expect("another site");
        let status = gate.status();
        assert_eq!(
            (status[0].site.as_str(), status[1].site.as_str()),
            ("fast", "slow")
        );
        let slow_status = &status[1];
        assert_eq!(
            (
                slow_status.working,
                slow_status.waiting,
                slow_status.refused
            ),
            (1, 1, 1)
        );
        assert_eq!(gate.working(), 2);
        drop(slow);
        let second = waits.await.expect("no panic").expect("its turn");
        drop((second, other));
        assert_eq!((gate.working(), gate.status()[1].working), (0, 0));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_his_place() {
        let gate = Gate::new(SMALL);
        let first = gate.enter(1, "a").await.expect("the first");
        let gives_up =
            tokio::time::timeout(std::time::Duration::from_millis(10), gate.enter(1, "a"));
        assert!(gives_up.await.is_err());
        assert_eq!(gate.status()[0].waiting, 0);
        drop(first);
        gate.enter(1, "a").await.expect("a free place");
    }
}
