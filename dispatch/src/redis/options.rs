//! Which Redis, and how long it may take.

use std::fmt;
use std::time::Duration;

/// Which Redis, and how long it may take. Plain data; the defaults are those of
/// [`RedisOptions::new`].
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// Where it is: `redis://user:password@host:port/database`.
    pub url: String,

    /// What the names of all keys and channels begin with. Applications that share a Redis have one
    /// each. Channels know no databases: two applications in two databases need two prefixes, too.
    /// Default: `packetboat`.
    pub prefix: String,

    /// How long a command may take, waiting for a connection included. Default: 500 ms, some
    /// hundred times what one takes in a data centre, and little enough that a caller does not give
    /// up.
    pub limit: Duration,

    /// Between two looks at whether a connection is alive, 50 ms at the least. Default: 5 s.
    pub check: Duration,

    /// Commands that may be on their way at a time; others wait, within their limit. Default:
    /// 1,024.
    pub commands: usize,
}

impl RedisOptions {
    /// The defaults, for the Redis at this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "packetboat".to_owned(),
            limit: Duration::from_millis(500),
            check: Duration::from_secs(5),
            commands: 1024,
        }
    }

    /// With another prefix.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

/// Without the URL, in which there may be a password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("limit", &self.limit)
            .field("check", &self.check)
            .finish_non_exhaustive()
    }
}
