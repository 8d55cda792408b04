//! Which pools are open, who uses them, and whose turn it is to be closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OnceCell};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::driver::Pooled;
use crate::error::{Error, Result};
use crate::wrap::tenants::TenantName;

/// The pools by tenant.
pub(super) struct Slots<E> {
    max_open: usize,
    /// A plain mutex: held to count and to look up, never across an await.
    state: Mutex<State<E>>,
    /// Told when a place, or a user of a pool, has gone.
    changed: Notify,
}

struct State<E> {
    slots: HashMap<TenantName, Slot<E>>,
    /// How many places are taken: by a pool that is open, being opened, or being closed.
    open: usize,
    is_closed: bool,
    /// The task that closes idle pools; it runs while there are pools.
    sweeper: Option<AbortHandle>,
}

struct Slot<E> {
    /// Empty until it is open.
    pool: Arc<OnceCell<E>>,
    users: usize,
    last_used: Instant,
}

impl<E> Slots<E> {
    pub(super) fn new(max_open: usize) -> Self {
        Self {
            max_open,
            state: Mutex::new(State {
                slots: HashMap::new(),
                open: 0,
                is_closed: false,
                sweeper: None,
            }),
            changed: Notify::new(),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.state().open
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Pooled + 'static> Slots<E> {
    /// A place for one more pool. Where there is none left, the pool that nobody has used for longest is closed, and
    /// where all are in use, one of them is waited for.
    pub(super) async fn place(&self, wait: Duration) -> Result<Place<'_, E>> {
        let begun = Instant::now();
        loop {
            // Listens before it looks, so that nothing happens in between.
            let changed = self.changed.notified();
            let unused = {
                let mut state = self.state();
                if state.open < self.max_open {
                    state.open += 1;
                    return Ok(Place(self));
                }
                state.take_unused(|_| true)
            };
            if let Some(pool) = unused {
                // Its place goes over.
                let place = Place(self);
                pool.close_all().await;
                return Ok(place);
            }
            let left = wait.saturating_sub(begun.elapsed());
            timeout(left, changed)
                .await
                .map_err(|_| Error::TenantsBusy {
                    max_open: self.max_open,
                })?;
        }
    }

    pub(super) async fn close(&self) {
        self.state().is_closed = true;
        loop {
            let changed = self.changed.notified();
            let unused = {
                let mut state = self.state();
                if state.open == 0 {
                    return;
                }
                state.take_unused(|_| true)
            };
            match unused {
                Some(pool) => self.close_one(&pool).await,
                None => changed.await,
            }
        }
    }

    async fn close_one(&self, pool: &E) {
        let place = Place(self);
        pool.close_all().await;
        drop(place);
    }

    /// Has a task close idle pools, where there is none yet.
    pub(super) fn sweep_with<F>(self: &Arc<Self>, sweep: impl FnOnce(Weak<Self>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut state = self.state();
        if state.sweeper.is_none() {
            let task = tokio::spawn(sweep(Arc::downgrade(self)));
            state.sweeper = Some(task.abort_handle());
        }
    }
}

/// Nobody is left to whom an idle pool would matter.
impl<E> Drop for Slots<E> {
    fn drop(&mut self) {
        if let Some(sweeper) = self.state().sweeper.take() {
            sweeper.abort();
        }
    }
}

impl<E: Clone> State<E> {
    /// Takes out the pool that nobody has used for longest, if it was last used at such a time. Its place stays taken.
    fn take_unused(&mut self, is_due: impl Fn(Instant) -> bool) -> Option<E> {
        let unused = self.slots.iter().filter(|(_, slot)| slot.users == 0);
        let (tenant, slot) = unused.min_by_key(|(_, slot)| slot.last_used)?;
        if !is_due(slot.last_used) {
            return None;
        }
        let tenant = tenant.clone();
        self.slots.remove(&tenant)?.pool.get().cloned()
    }
}

/// Closes pools that were idle for this long, as long as there are any.
pub(super) async fn sweep<E: Pooled + 'static>(slots: Weak<Slots<E>>, idle: Duration) {
    let pause = (idle / 2).max(Duration::from_millis(1));
    loop {
        sleep(pause).await;
        let Some(slots) = slots.upgrade() else {
            return;
        };
        loop {
            let unused = slots
                .state()
                .take_unused(|last_used| last_used.elapsed() >= idle);
            let Some(pool) = unused else {
                break;
            };
            slots.close_one(&pool).await;
        }
        let mut state = slots.state();
        if state.open == 0 {
            state.sweeper = None;
            return;
        }
    }
}

/// A place for a pool, given up when it is dropped.
pub(super) struct Place<'s, E>(&'s Slots<E>);

impl<E> Place<'_, E> {
    /// The pool is open, and keeps the place.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl<E> Drop for Place<'_, E> {
    fn drop(&mut self) {
        self.0.state().open -= 1;
        self.0.changed.notify_waiters();
    }
}

/// Someone who uses a tenant's pool, or waits for it; it is not closed meanwhile.
pub(super) struct Use<E> {
    slots: Arc<Slots<E>>,
    tenant: TenantName,
    pool: Arc<OnceCell<E>>,
}

impl<E> Use<E> {
    pub(super) fn begin(slots: &Arc<Slots<E>>, tenant: &TenantName) -> Result<Self> {
        let mut state = slots.state();
        if state.is_closed {
            return Err(Error::Connection {
                source: sqlx::Error::PoolClosed,
            });
        }
        let slot = state.slots.entry(tenant.clone()).or_insert_with(|| Slot {
            pool: Arc::default(),
            users: 0,
            last_used: Instant::now(),
        });
        slot.users += 1;
        let pool = Arc::clone(&slot.pool);
        drop(state);
        Ok(Self {
            slots: Arc::clone(slots),
            tenant: tenant.clone(),
            pool,
        })
    }

    pub(super) fn pool(&self) -> &OnceCell<E> {
        &self.pool
    }
}

impl<E> Drop for Use<E> {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        // It is there as long as it has a user.
        if let Some(slot) = state.slots.get_mut(&self.tenant) {
            slot.users -= 1;
            slot.last_used = Instant::now();
            if slot.users == 0 && !slot.pool.initialized() {
                state.slots.remove(&self.tenant);
            }
        }
        drop(state);
        self.slots.changed.notify_waiters();
    }
}
