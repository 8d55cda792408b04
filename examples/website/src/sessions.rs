//! Sessions of owners, in the directory: each says which company it is of.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use packetboat_dispatch::async_trait;
use packetboat_dispatch::session::{Lifetime, Session, SessionKey, SessionStore, StoreError};
use packetboat_orm::{DbPool, ModelExt};

use crate::directory::models::{KeptSession, kept_session};

/// Keeps sessions in the table `session`.
#[derive(Clone, Debug)]
pub struct DatabaseSessions(pub DbPool);

#[async_trait]
impl SessionStore for DatabaseSessions {
    async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        row(session).insert(&self.0).await.map_err(StoreError::new)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        let row = KeptSession::find(key.to_hex(), &self.0)
            .await
            .map_err(StoreError::new)?;
        row.map(|row| session(*key, row)).transpose()
    }

    async fn touch(&self, key: &SessionKey, now: SystemTime) -> Result<(), StoreError> {
        let Some(mut session) = self.load(key).await? else {
            return Ok(());
        };
        session.touched = now;
        let row = row(&session);
        let changes = [
            kept_session::touched.set(row.touched),
            kept_session::expires.set(row.expires),
        ];
        let own = KeptSession::select().filter(kept_session::key.eq(row.key));
        own.update(changes, &self.0)
            .await
            .map(drop)
            .map_err(StoreError::new)
    }

    async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
        let own = KeptSession::select().filter(kept_session::key.eq(key.to_hex()));
        own.delete(&self.0).await.map(drop).map_err(StoreError::new)
    }

    async fn remove_subject(&self, subject: &str) -> Result<(), StoreError> {
        let own = KeptSession::select().filter(kept_session::subject.eq(subject));
        own.delete(&self.0).await.map(drop).map_err(StoreError::new)
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        let over =
            KeptSession::select().filter(kept_session::expires.le(DateTime::<Utc>::from(now)));
        over.delete(&self.0)
            .await
            .map(drop)
            .map_err(StoreError::new)
    }
}

fn row(session: &Session) -> KeptSession {
    let seconds = |limit: Duration| i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    KeptSession {
        key: session.key.to_hex(),
        subject: session.subject.clone(),
        created: session.created.into(),
        touched: session.touched.into(),
        idle_seconds: seconds(session.lifetime.idle),
        absolute_seconds: seconds(session.lifetime.absolute),
        expires: session.expires().map_or(LAST_DAY, Into::into),
    }
}

/// The end of what every database can store, for a session without an end.
const LAST_DAY: DateTime<Utc> = NaiveDate::from_ymd_opt(9999, 12, 31)
    .expect("a day")
    .and_time(NaiveTime::MIN)
    .and_utc();

fn session(key: SessionKey, row: KeptSession) -> Result<Session, StoreError> {
    let seconds = |limit: i64| {
        u64::try_from(limit)
            .map(Duration::from_secs)
            .map_err(StoreError::new)
    };
    let lifetime = Lifetime {
        idle: seconds(row.idle_seconds)?,
        absolute: seconds(row.absolute_seconds)?,
    };
    let mut session = Session::new(key, row.subject, true, row.created.into(), lifetime);
    session.touched = row.touched.into();
    Ok(session)
}
