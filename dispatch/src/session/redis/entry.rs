//! A session as an entry of the cache.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::session::id::SessionKey;
use crate::session::policy::Lifetime;
use crate::session::record::Session;

/// What stands in place of a session that was removed.
pub(super) const REMOVED: &str = "removed";

/// What the cache knows of a key.
pub(super) enum Found {
    Nothing,
    Removed,
    Session(Session),
}

#[derive(Serialize, Deserialize)]
struct Entry {
    subject: String,
    keep: bool,
    created: SystemTime,
    touched: SystemTime,
    idle: Duration,
    absolute: Duration,
}

/// As JSON. Times before 1970 cannot be written, and are not cached.
pub(super) fn write(session: &Session) -> Option<String> {
    let entry = Entry {
        subject: session.subject.clone(),
        keep: session.keep,
        created: session.created,
        touched: session.touched,
        idle: session.lifetime.idle,
        absolute: session.lifetime.absolute,
    };
    serde_json::to_string(&entry).ok()
}

/// What cannot be read, and what was swept out of the other store, is not there.
pub(super) fn read(key: SessionKey, entry: Option<&str>, swept: Option<&str>) -> Found {
    let Some(entry) = entry else {
        return Found::Nothing;
    };
    if entry == REMOVED {
        return Found::Removed;
    }
    let Ok(entry) = serde_json::from_str::<Entry>(entry) else {
        return Found::Nothing;
    };
    let lifetime = Lifetime {
        idle: entry.idle,
        absolute: entry.absolute,
    };
    let mut session = Session::new(key, entry.subject, entry.keep, entry.created, lifetime);
    session.touched = entry.touched;
    let swept = swept.and_then(|time| serde_json::from_str(time).ok());
    if swept.is_some_and(|swept| session.is_expired(swept)) {
        return Found::Nothing;
    }
    Found::Session(session)
}

/// A time, as [`read`] takes it.
pub(super) fn time(time: SystemTime) -> Option<String> {
    serde_json::to_string(&time).ok()
}
