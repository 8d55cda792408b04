//! One connection for the messages of all rooms of a node, fanned out to their subscriptions.
//!
//! A task sees to it that the channels of the rooms that are wanted, and no others, are subscribed
//! to: on this connection, and again on the next.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ::redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::payload;
use super::queue::Queue;
use crate::redis::{Connection, Redis, RedisError};

/// Channels that are subscribed to by one command.
const AT_A_TIME: usize = 500;

/// How long a Redis that has not done so is left alone.
const REFUSED: Duration = Duration::from_millis(500);

pub(super) struct Fan {
    redis: Redis,
    shared: Arc<Shared>,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct Shared {
    // A std lock: held to find, add and remove entries, never across an await.
    rooms: Mutex<Rooms>,
    /// There is something to subscribe to, or to unsubscribe from.
    changed: Notify,
}

#[derive(Default)]
struct Rooms {
    /// By channel.
    queues: HashMap<Arc<str>, Vec<Arc<Queue>>>,
    /// Channels that are subscribed to.
    on: HashSet<Arc<str>>,
    to_add: HashSet<Arc<str>>,
    to_remove: HashSet<Arc<str>>,
}

/// A subscription's place. It leaves it when it is dropped.
pub(super) struct Place {
    pub(super) queue: Arc<Queue>,
    channel: Arc<str>,
    fan: Weak<Shared>,
}

impl Fan {
    pub(super) fn new(redis: &Redis) -> Result<Arc<Self>, RedisError> {
        let shared = Arc::<Shared>::default();
        let to = Arc::clone(&shared);
        let redis = redis.apart(Box::new(move |push| to.came(push)))?;
        Ok(Arc::new(Self {
            redis,
            shared,
            task: Mutex::default(),
        }))
    }

    pub(super) fn channel(&self, room: &str) -> Arc<str> {
        self.redis.name("said", room).into()
    }

    pub(super) fn rooms(&self) -> usize {
        self.shared.lock().queues.len()
    }

    pub(super) fn subscribe(&self, room: &str) -> Place {
        self.begin();
        let channel = self.channel(room);
        let queue = Arc::new(Queue::new());
        let mut rooms = self.shared.lock();
        if rooms.on.contains(&channel) {
            rooms.to_remove.remove(&channel);
            queue.confirm();
        } else {
            rooms.to_add.insert(Arc::clone(&channel));
            self.shared.changed.notify_one();
        }
        let queues = rooms.queues.entry(Arc::clone(&channel)).or_default();
        queues.push(Arc::clone(&queue));
        Place {
            queue,
            channel,
            fan: Arc::downgrade(&self.shared),
        }
    }

    /// Whether a new place's channel is there in time. If not, what is missing is told of when it
    /// is.
    pub(super) async fn confirmed(&self, place: &Place) -> bool {
        let limit = self.redis.options().limit;
        let is_known = tokio::select! {
            biased;
            () = place.queue.confirmation() => return true,
            () = self.redis.away() => true,
            () = sleep(limit) => false,
        };
        place.queue.misses();
        if place.queue.is_confirmed() {
            // Just now, perhaps before it was noted that something is missed.
            place.queue.confirm();
            return true;
        }
        if !is_known {
            self.redis.suspect();
        }
        is_known
    }

    fn begin(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() {
            let (redis, shared) = (self.redis.clone(), Arc::clone(&self.shared));
            *task = Some(tokio::spawn(keep(redis, shared)).abort_handle());
        }
    }
}

impl Drop for Fan {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

/// Keeps the channels, on one connection after the other.
async fn keep(redis: Redis, shared: Arc<Shared>) {
    loop {
        let connection = redis.connected().await;
        shared.begin_anew();
        tokio::select! {
            // Where Redis refuses, it is not asked again and again.
            () = shared.keep_on(&redis, &connection) => sleep(REFUSED).await,
            () = redis.over(&connection) => {}
        }
    }
}

impl Shared {
    /// Has the channels of the rooms on this connection, until it fails.
    async fn keep_on(&self, redis: &Redis, connection: &Connection) {
        let limit = redis.options().limit;
        loop {
            let (add, remove) = self.lock().work();
            if add.is_empty() && remove.is_empty() {
                self.changed.notified().await;
                continue;
            }
            let doing = async {
                if !add.is_empty() {
                    connection.subscribe(&add).await?;
                }
                if !remove.is_empty() {
                    connection.unsubscribe(&remove).await?;
                }
                Ok::<_, RedisError>(())
            };
            match timeout(limit, doing).await {
                Ok(Ok(())) => self.lock().confirm(add),
                Ok(Err(error)) => {
                    let cause = &error as &dyn std::error::Error;
                    tracing::warn!(cause, "the rooms' channels were not subscribed to");
                    return redis.lost(connection);
                }
                // What has been done of it is not known: on the next connection all begins anew.
                Err(_) => return redis.lost(connection),
            }
        }
    }

    /// No channel is subscribed to any more.
    fn begin_anew(&self) {
        let rooms = &mut *self.lock();
        rooms.to_remove.clear();
        rooms.on.clear();
        rooms.to_add = rooms.queues.keys().cloned().collect();
        for queue in rooms.queues.values().flatten() {
            if queue.is_confirmed() {
                queue.misses();
            }
        }
    }

    /// Something came on the connection.
    fn came(&self, push: PushInfo) {
        if push.kind != PushKind::Message {
            return;
        }
        let mut data = push.data.into_iter();
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) =
            (data.next(), data.next())
        else {
            return;
        };
        let Ok(channel) = std::str::from_utf8(&channel) else {
            return;
        };
        let delivery = payload::delivered(message);
        let rooms = self.lock();
        if let Some(queues) = rooms.queues.get(channel) {
            for queue in queues {
                queue.put(delivery.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        // Only single entries are changed, so a panic leaves nothing in half.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    /// What to subscribe to and what to unsubscribe from, some of it.
    fn work(&mut self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let some = |all: &mut HashSet<Arc<str>>| -> Vec<Arc<str>> {
            let some: Vec<_> = all.iter().take(AT_A_TIME).cloned().collect();
            for channel in &some {
                all.remove(channel);
            }
            some
        };
        let (add, remove) = (some(&mut self.to_add), some(&mut self.to_remove));
        for channel in &remove {
            self.on.remove(channel);
        }
        (add, remove)
    }

    /// These are subscribed to.
    fn confirm(&mut self, added: Vec<Arc<str>>) {
        for channel in added {
            match self.queues.get(&channel) {
                Some(queues) => queues.iter().for_each(|queue| queue.confirm()),
                // All have left meanwhile.
                None => {
                    self.to_remove.insert(Arc::clone(&channel));
                }
            }
            self.on.insert(channel);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(fan) = self.fan.upgrade() else {
            return;
        };
        let mut rooms = fan.lock();
        let Some(queues) = rooms.queues.get_mut(&self.channel) else {
            return;
        };
        queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        if queues.is_empty() {
            rooms.queues.remove(&self.channel);
            rooms.to_add.remove(&self.channel);
            if rooms.on.contains(&self.channel) {
                rooms.to_remove.insert(Arc::clone(&self.channel));
                fan.changed.notify_one();
            }
        }
    }
}
