//! How long sessions live.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The two limits of a session's life. Whichever comes first ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// The longest time without a request.
    pub idle: Duration,
    /// The longest time after the login, however busy the session is.
    pub absolute: Duration,
}

/// How long sessions live, and how often a store hears of their use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPolicy {
    /// Sessions that end with their connection. Default: 30 minutes idle, because people sit at a
    /// menu for minutes and leave a shared machine for longer; 12 hours in all, a working day.
    pub connection: Lifetime,
    /// Sessions made with `keep`. Default: 7 days idle, so a weekly user stays logged in; 30 days
    /// in all, after which the password is asked for again.
    pub kept: Lifetime,
    /// The least time between two writes of "last used" for one session, so that reading costs no
    /// write. A session may end this much early by its idle limit. Default: 1 minute.
    pub touch_every: Duration,
    /// The least time between two sweeps of expired sessions out of the store, which are made on
    /// the way of a login. Default: 5 minutes.
    pub sweep_every: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            connection: Lifetime {
                idle: 30 * MINUTE,
                absolute: 12 * HOUR,
            },
            kept: Lifetime {
                idle: 7 * DAY,
                absolute: 30 * DAY,
            },
            touch_every: MINUTE,
            sweep_every: 5 * MINUTE,
        }
    }
}

impl SessionPolicy {
    /// The limits for a session, by whether it was made with `keep`.
    #[must_use]
    pub fn lifetime(&self, keep: bool) -> Lifetime {
        if keep { self.kept } else { self.connection }
    }
}
