//! Who is here, for one node.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Presence, PresenceError, Present};
use crate::push::broker::MemberId;

/// Who is here, in the memory of this process: for one node and for tests. It holds as many entries
/// as there are connections that said so.
#[derive(Default)]
pub struct MemoryPresence {
    // A std lock: held to change or copy the entries of one room, never across an await.
    rooms: Mutex<HashMap<Box<str>, Entries>>,
}

#[derive(Default)]
struct Entries {
    by_member: HashMap<MemberId, Entry>,
    /// How many entries each key has.
    by_key: HashMap<String, usize>,
    next: u64,
}

struct Entry {
    present: Present,
    order: u64,
    until: Option<Instant>,
}

impl MemoryPresence {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Entries>> {
        // No line below leaves an entry in half when it panics.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Removes an entry; whether its key is gone with it.
    fn remove(&mut self, member: MemberId) -> Option<(Present, bool)> {
        let Entry { present, .. } = self.by_member.remove(&member)?;
        let left = self.by_key.get_mut(&present.key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            self.by_key.remove(&present.key);
        }
        Some((present, left == 0))
    }

    fn over(&self, now: Instant) -> Vec<MemberId> {
        let over = self
            .by_member
            .iter()
            .filter(|(_, entry)| entry.is_over(now));
        over.map(|(member, _)| *member).collect()
    }
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

#[async_trait]
impl Presence for MemoryPresence {
    async fn enter(
        &self,
        room: &str,
        member: MemberId,
        present: &Present,
        time: Duration,
    ) -> Result<bool, PresenceError> {
        let mut rooms = self.lock();
        if !rooms.contains_key(room) {
            rooms.insert(room.into(), Entries::default());
        }
        let Some(entries) = rooms.get_mut(room) else {
            unreachable!("it has just been put there")
        };
        let order = match entries.by_member.get(&member) {
            Some(entry) if entry.present.key == present.key => entry.order,
            _ => {
                entries.remove(member);
                entries.next += 1;
                *entries.by_key.entry(present.key.clone()).or_default() += 1;
                entries.next
            }
        };
        let is_new = !entries.by_member.contains_key(&member)
            && entries.by_key.get(&present.key) == Some(&1);
        let entry = Entry {
            present: present.clone(),
            order,
            until: Instant::now().checked_add(time),
        };
        entries.by_member.insert(member, entry);
        Ok(is_new)
    }

    async fn renew(
        &self,
        room: &str,
        members: &[MemberId],
        time: Duration,
    ) -> Result<Vec<MemberId>, PresenceError> {
        let until = Instant::now().checked_add(time);
        let mut rooms = self.lock();
        let mut entries = rooms.get_mut(room);
        let mut gone = Vec::new();
        for member in members {
            let entry = entries
                .as_mut()
                .and_then(|all| all.by_member.get_mut(member));
            match entry {
                Some(entry) => entry.until = until,
                None => gone.push(*member),
            }
        }
        Ok(gone)
    }

    async fn leave(&self, room: &str, member: MemberId) -> Result<bool, PresenceError> {
        let mut rooms = self.lock();
        let Some(entries) = rooms.get_mut(room) else {
            return Ok(false);
        };
        let is_new = entries.remove(member).is_some_and(|(_, is_last)| is_last);
        if entries.by_member.is_empty() {
            rooms.remove(room);
        }
        Ok(is_new)
    }

    async fn list(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        let now = Instant::now();
        let mut all: Vec<(u64, Present)> = match self.lock().get(room) {
            None => Vec::new(),
            Some(entries) => {
                let here = entries.by_member.values().filter(|e| !e.is_over(now));
                here.map(|e| (e.order, e.present.clone())).collect()
            }
        };
        all.sort_by_key(|(order, _)| *order);
        let mut seen = std::collections::HashSet::new();
        all.retain(|(_, present)| seen.insert(present.key.clone()));
        Ok(all.into_iter().map(|(_, present)| present).collect())
    }

    async fn sweep(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        let now = Instant::now();
        let mut rooms = self.lock();
        let Some(entries) = rooms.get_mut(room) else {
            return Ok(Vec::new());
        };
        let over = entries.over(now).into_iter();
        let removed = over.filter_map(|member| entries.remove(member));
        let gone = removed.filter(|(_, is_last)| *is_last);
        let gone = gone.map(|(present, _)| present).collect();
        if entries.by_member.is_empty() {
            rooms.remove(room);
        }
        Ok(gone)
    }
}

impl fmt::Debug for MemoryPresence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPresence")
            .field("rooms", &self.lock().len())
            .finish_non_exhaustive()
    }
}
