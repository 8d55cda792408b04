//! What the server knows of one session.

use std::time::SystemTime;

use crate::session::id::SessionKey;
use crate::session::policy::Lifetime;

/// One session as the server keeps it. The id itself is not in it.
///
/// A guard that is handed a `Session` may trust it: the id was presented, found and compared, and
/// nothing in it came from the request. It says *who* is calling, not what they may do: roles
/// change while sessions live, so a guard asks the database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The SHA-256 of the id.
    pub key: SessionKey,
    /// Who logged in: what the application gave to `login`, such as a user's id.
    pub subject: String,
    /// Whether it outlives its connection.
    pub keep: bool,
    /// When it was made.
    pub created: SystemTime,
    /// When it was last used, to the accuracy of `SessionPolicy::touch_every`.
    pub touched: SystemTime,
    /// The limits that it was made with.
    pub lifetime: Lifetime,
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn new(
        key: SessionKey,
        subject: impl Into<String>,
        keep: bool,
        created: SystemTime,
        lifetime: Lifetime,
    ) -> Self {
        Self {
            key,
            subject: subject.into(),
            keep,
            created,
            touched: created,
            lifetime,
        }
    }

    /// The instant from which on it is refused, if nobody uses it until then.
    ///
    /// A limit too long for the clock counts as none.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        let idle = self.touched.checked_add(self.lifetime.idle);
        let absolute = self.created.checked_add(self.lifetime.absolute);
        match (idle, absolute) {
            (Some(idle), Some(absolute)) => Some(idle.min(absolute)),
            (one, other) => one.or(other),
        }
    }

    /// Whether it is over at `now`.
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires().is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn session(idle: Duration, absolute: Duration) -> Session {
        let key = SessionKey::from([7; 32]);
        let lifetime = Lifetime { idle, absolute };
        Session::new(key, "1", true, SystemTime::UNIX_EPOCH, lifetime)
    }

    #[test]
    fn session_ends_at_the_earlier_limit() {
        let mut session = session(10 * MINUTE, 15 * MINUTE);
        let at = |minutes| SystemTime::UNIX_EPOCH + MINUTE * minutes;
        assert_eq!(session.expires(), Some(at(10)));
        assert!(!session.is_expired(at(9)));
        assert!(session.is_expired(at(10)), "the end itself is over");
        session.touched = at(9);
        assert_eq!(
            session.expires(),
            Some(at(15)),
            "use does not pass the absolute limit"
        );
    }

    #[test]
    fn limit_too_long_for_the_clock_is_none() {
        assert_eq!(session(Duration::MAX, Duration::MAX).expires(), None);
        let end = SystemTime::UNIX_EPOCH + MINUTE;
        assert_eq!(session(Duration::MAX, MINUTE).expires(), Some(end));
    }
}
