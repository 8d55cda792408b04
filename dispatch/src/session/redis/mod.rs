//! Kept sessions behind a cache that nodes share: a Redis in front of another store.

mod entry;
mod scripts;

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::redis::{Again, Call, Redis, RedisError};
use crate::session::clock::Clock;
use crate::session::id::SessionKey;
use crate::session::record::Session;
use crate::session::store::{SessionStore, StoreError};
use entry::Found;

/// How long a removal stands in the cache, so that nobody puts there again what was read before it.
const MARK: Duration = Duration::from_secs(60);

/// A cache in Redis in front of another store, which has everything: a database's say. Nodes that
/// share both share their sessions.
///
/// ```text
///  load    ──▶ Redis ── has it ──▶ session
///                │ has it not, or is away
///                └──▶ the other store ──▶ session, and put into Redis
///  touch, remove  ──▶ the other store, then Redis
/// ```
///
/// What the other store answers is what holds. A Redis that is away, flushed or restarted logs
/// nobody out; it costs the other store more work.
///
/// A session that is removed is refused on every node when [`remove`](SessionStore::remove) or
/// [`remove_subject`](SessionStore::remove_subject) returns. Where Redis could not be told, it is
/// so when its entry has lived its time: after [one second](Self::with_life), since an entry lives
/// from when it was read out of the other store, and is renewed by nothing.
///
/// Entries have no session ids, but the keys of the other store.
pub struct RedisStore<S> {
    redis: Redis,
    inner: S,
    life: Duration,
    clock: Clock,
}

impl<S: SessionStore> RedisStore<S> {
    /// In front of this store.
    #[must_use]
    pub fn new(redis: &Redis, inner: S) -> Self {
        Self {
            redis: redis.clone(),
            inner,
            life: Duration::from_secs(1),
            clock: Clock::new(),
        }
    }

    /// How long an entry lives in Redis. Default: one second, which is also how long a revoked
    /// session may live on where Redis could not be told of it. Zero keeps nothing there.
    #[must_use]
    pub fn with_life(mut self, life: Duration) -> Self {
        // A removal has to outlive what was read before it.
        self.life = life.min(MARK / 2);
        self
    }

    /// The store behind the cache.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn key(&self, key: &SessionKey) -> String {
        self.redis.name("session", &key.to_hex())
    }

    /// There while sessions of this subject are not kept here.
    fn revoked(&self, subject: &str) -> String {
        self.redis.name("revoked", subject)
    }

    fn swept(&self) -> String {
        self.redis.name("swept", "sessions")
    }

    /// Puts a session there that was read out of the other store after this time of Redis' clock,
    /// unless it was removed since.
    async fn fill(&self, session: &Session, asked: u64) -> Result<(), RedisError> {
        let Some(entry) = entry::write(session) else {
            return Ok(());
        };
        // Until a time, and not for so long: a Redis that stood still does late what it was asked
        // when the session was still there.
        let life = u64::try_from(self.life.as_millis()).unwrap_or(u64::MAX);
        let call = Call::new(&scripts::FILL)
            .key(self.key(&session.key))
            .key(self.revoked(&session.subject))
            .arg(entry)
            .arg(asked.saturating_add(life));
        self.redis.script(Again::Never, &call).await
    }

    /// What is known of a key, and when that was.
    async fn find(&self, key: &SessionKey) -> Result<(Found, u64), RedisError> {
        let call = Call::new(&scripts::FIND)
            .key(self.key(key))
            .key(self.swept());
        let (asked, entry, swept): (u64, Option<String>, Option<String>) =
            self.redis.script(Again::Once, &call).await?;
        let found = entry::read(*key, entry.as_deref(), swept.as_deref());
        let Found::Session(session) = found else {
            return Ok((found, asked));
        };
        let mut exists = ::redis::cmd("EXISTS");
        exists.arg(self.revoked(&session.subject));
        let is_revoked: bool = self.redis.command(Again::Once, &exists).await?;
        let found = match is_revoked {
            true => Found::Nothing,
            false => Found::Session(session),
        };
        Ok((found, asked))
    }

    /// A mark, for as long as something that was read before it may still come.
    async fn mark(&self, key: String, value: &str) -> Result<(), RedisError> {
        let mut set = ::redis::cmd("SET");
        set.arg(key).arg(value);
        set.arg("PX").arg(MARK.as_secs() * 1000);
        self.redis.command(Again::Once, &set).await
    }
}

/// What the cache could not do costs time, and changes nothing.
fn note(done: Result<(), RedisError>) {
    if let Err(error) = done
        && !error.is_away()
    {
        let cause = &error as &dyn std::error::Error;
        tracing::debug!(cause, "the session cache failed");
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for RedisStore<S> {
    async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        self.inner.insert(session).await?;
        // Its first use brings it into the cache. A key is new; one that comes again, by hand say,
        // is removed no more.
        let mut unlink = ::redis::cmd("UNLINK");
        unlink.arg(self.key(&session.key));
        note(self.redis.command::<()>(Again::Once, &unlink).await);
        Ok(())
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        let asked = match self.find(key).await {
            // One that is over here may have been used since, on a node that could not tell Redis.
            Ok((Found::Session(session), asked)) if session.is_expired(self.clock.now()) => {
                Some(asked)
            }
            Ok((Found::Session(session), _)) => return Ok(Some(session)),
            Ok((Found::Removed, _)) => return Ok(None),
            Ok((Found::Nothing, asked)) => Some(asked),
            Err(error) => {
                note(Err(error));
                None
            }
        };
        let session = self.inner.load(key).await?;
        if let (Some(session), Some(asked)) = (&session, asked) {
            note(self.fill(session, asked).await);
        }
        Ok(session)
    }

    async fn touch(&self, key: &SessionKey, now: SystemTime) -> Result<(), StoreError> {
        self.inner.touch(key, now).await?;
        let call = Call::new(&scripts::FORGET).key(self.key(key));
        note(self.redis.script(Again::Once, &call).await);
        Ok(())
    }

    async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.inner.remove(key).await?;
        // After it is gone there: who reads it before that finds the mark when it fills.
        note(self.mark(self.key(key), entry::REMOVED).await);
        Ok(())
    }

    async fn remove_subject(&self, subject: &str) -> Result<(), StoreError> {
        self.inner.remove_subject(subject).await?;
        note(self.mark(self.revoked(subject), "").await);
        Ok(())
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        self.inner.sweep(now).await?;
        if let Some(now) = entry::time(now) {
            note(self.mark(self.swept(), &now).await);
        }
        Ok(())
    }
}

impl<S> fmt::Debug for RedisStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("redis", &self.redis)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
