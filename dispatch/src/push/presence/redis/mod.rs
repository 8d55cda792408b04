//! Who is here, on many nodes: in a Redis that they share.

mod scripts;

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{Presence, PresenceError, Present};
use crate::push::broker::MemberId;
use crate::redis::{Again, Call, Redis, RedisError};

/// Entries that are renewed in one step, so that a large room does not stop Redis for others.
const AT_A_TIME: usize = 1000;

/// Who is here, in a Redis that nodes share.
///
/// For each room there is a hash of its entries and a sorted set of when their time is over. Each
/// step is one script. Times are those of Redis' clock alone, so the nodes' need not agree. The
/// entries of a node that is gone end with their time; one node finds that out, and tells.
///
/// While Redis is away, everything fails within
/// [`RedisOptions::limit`](crate::redis::RedisOptions::limit), with an error that
/// [is away](PresenceError::is_away), and a hub goes by who is present on its own node. When Redis
/// is back, empty perhaps, the next heartbeat of each room puts its entries there again.
pub struct RedisPresence {
    redis: Redis,
}

impl RedisPresence {
    /// In this Redis, by the connection that the handle has.
    #[must_use]
    pub fn new(redis: &Redis) -> Self {
        let redis = redis.clone();
        Self { redis }
    }

    fn keys(&self, room: &str) -> [String; 2] {
        ["here", "until"].map(|kind| self.redis.name(kind, room))
    }
}

/// A member, as it is named in Redis.
fn name(member: MemberId) -> String {
    format!("{:016x}{:016x}", member.node, member.connection)
}

/// Whole milliseconds: no more than ten years, since some times have no end.
fn millis(time: Duration) -> u64 {
    const TEN_YEARS: u128 = 10 * 365 * 24 * 60 * 60 * 1000;
    u64::try_from(time.as_millis().clamp(1, TEN_YEARS)).unwrap_or(u64::MAX)
}

/// An entry: its place among those who came, and who it is.
fn read(entry: &str) -> Result<(u64, Present), RedisError> {
    let (order, present) = entry.split_once(' ').ok_or(RedisError::Unreadable)?;
    let order = order.parse().map_err(|_| RedisError::Unreadable)?;
    let present = serde_json::from_str(present).map_err(|_| RedisError::Unreadable)?;
    Ok((order, present))
}

/// All of them, in the order in which they came.
fn in_order(entries: &[String]) -> Result<Vec<Present>, RedisError> {
    let all: Result<Vec<_>, _> = entries.iter().map(|entry| read(entry)).collect();
    let mut all = all?;
    all.sort_by_key(|(order, _)| *order);
    Ok(all.into_iter().map(|(_, present)| present).collect())
}

#[async_trait]
impl Presence for RedisPresence {
    async fn enter(
        &self,
        room: &str,
        member: MemberId,
        present: &Present,
        time: Duration,
    ) -> Result<bool, PresenceError> {
        let keys = self.keys(room);
        let entry = serde_json::to_string(present).map_err(PresenceError::new)?;
        // Twice is as once, but for the answer: whoever joined then is told of by nobody.
        let call = Call::new(&scripts::ENTER)
            .key(&keys)
            .arg(name(member))
            .arg(&present.key)
            .arg(&entry)
            .arg(millis(time));
        let is_new: bool = self.redis.script(Again::Never, &call).await?;
        Ok(is_new)
    }

    async fn renew(
        &self,
        room: &str,
        members: &[MemberId],
        time: Duration,
    ) -> Result<Vec<MemberId>, PresenceError> {
        let keys = self.keys(room);
        let mut gone = Vec::new();
        for some in members.chunks(AT_A_TIME) {
            // As numbers from 1 on.
            let call = Call::new(&scripts::RENEW)
                .key(&keys)
                .arg(millis(time))
                .arg(some.iter().copied().map(name).collect::<Vec<_>>());
            let missing: Vec<usize> = self.redis.script(Again::Once, &call).await?;
            gone.extend(missing.iter().filter_map(|n| some.get(n.wrapping_sub(1))));
        }
        Ok(gone)
    }

    async fn leave(&self, room: &str, member: MemberId) -> Result<bool, PresenceError> {
        let keys = self.keys(room);
        let call = Call::new(&scripts::LEAVE).key(&keys).arg(name(member));
        let was_last: bool = self.redis.script(Again::Never, &call).await?;
        Ok(was_last)
    }

    async fn list(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        let keys = self.keys(room);
        let call = Call::new(&scripts::LIST).key(&keys);
        let entries: Vec<String> = self.redis.script(Again::Once, &call).await?;
        let mut all = in_order(&entries)?;
        let mut seen = HashSet::new();
        all.retain(|present| seen.insert(present.key.clone()));
        Ok(all)
    }

    async fn sweep(&self, room: &str) -> Result<Vec<Present>, PresenceError> {
        let keys = self.keys(room);
        let call = Call::new(&scripts::SWEEP).key(&keys);
        let gone: Vec<String> = self.redis.script(Again::Never, &call).await?;
        Ok(in_order(&gone)?)
    }
}

impl From<RedisError> for PresenceError {
    fn from(error: RedisError) -> Self {
        match error.is_away() {
            true => Self::away(error),
            false => Self::new(error),
        }
    }
}

impl fmt::Debug for RedisPresence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisPresence")
            .field("redis", &self.redis)
            .finish()
    }
}
