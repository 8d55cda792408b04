//! How a pool that a URL chooses is opened: how many connections, and how long anything may take.

use std::time::Duration;

use crate::driver::DbPool;
use crate::error::{Error, Result};

/// How to open a [`DbPool`]: [`DbPool::connect`] with other numbers.
///
/// ```no_run
/// # use std::time::Duration;
/// # use packetboat_orm::{DbOptions, Result};
/// # async fn f() -> Result<()> {
/// let db = DbOptions::from_url("postgres://app@db.example.org/app")?
///     .max_connections(20)
///     .acquire_timeout(Duration::from_secs(1))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
///
/// Each can stand in the URL as well, times in milliseconds:
/// `postgres://app@db.example.org/app?max_connections=20&acquire_timeout_ms=1000`.
///
/// # Times
///
/// | | server | SQLite |
/// | --- | --- | --- |
/// | a connection: a free one, or making one | 2.5 s | 5 s, the lock included |
/// | an idle connection's sign of life before it is used, else a new one | 0.5 s | |
/// | a statement, while the server can be reached | no limit | no limit |
/// | a statement, when the server can no longer be reached | 2.5 s | |
///
/// So when the network to a server is cut, every call ends within 3 seconds with an error whose
/// [`is_connection`](Error::is_connection) is true, and none ends early because its statement is slow. For a limit on
/// statements use the database's own (`statement_timeout` of PostgreSQL, `max_statement_time` of MariaDB), or drop the
/// future, as a request's deadline does.
#[derive(Clone)]
#[must_use = "options do nothing until they are connected"]
pub struct DbOptions {
    pub(super) url: String,
    pub(super) max_connections: Option<u32>,
    pub(super) acquire_timeout: Option<Duration>,
    pub(super) silence_timeout: Duration,
}

/// How long to wait for a connection to a server: with what follows within 3 seconds.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) const ACQUIRE_TIME: Duration = Duration::from_millis(2500);
/// How many connections to a server; sqlx's number.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) const CONNECTIONS: u32 = 10;

impl DbOptions {
    /// The database of a URL, and the options that stand in it; see [`DbPool::connect`] for the schemes.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for an option whose value is no number.
    pub fn from_url(url: &str) -> Result<Self> {
        let mut options = Self {
            url: String::with_capacity(url.len()),
            max_connections: None,
            acquire_timeout: None,
            silence_timeout: Duration::from_millis(2500),
        };
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        options.url.push_str(base);
        // What is not ours is the driver's.
        let mut mark = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "max_connections" => options = options.max_connections(number(key, value)?),
                "acquire_timeout_ms" => options.acquire_timeout = Some(millis(key, value)?),
                "silence_timeout_ms" => options.silence_timeout = millis(key, value)?,
                _ => {
                    options.url.push(mark);
                    options.url.push_str(pair);
                    mark = '&';
                }
            }
        }
        Ok(options)
    }

    /// The most connections, at least 1: 10 to a server. On SQLite those that read, 4, beside the one that writes.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = Some(connections.max(1));
        self
    }

    /// How long to wait for a connection: 2.5 s. On SQLite for the connection and a lock together: 5 s.
    ///
    /// Afterwards it is [`Error::Connection`], on SQLite [`Error::Busy`].
    pub fn acquire_timeout(mut self, time: Duration) -> Self {
        self.acquire_timeout = Some(time);
        self
    }

    /// How long a server may be silent and unreachable while a statement is under way: 2.5 s.
    ///
    /// After two fifths of it, it is asked by connecting to it, which many silent statements do once. While it answers,
    /// the statement is only slow and is waited for. Nothing of this on SQLite.
    pub fn silence_timeout(mut self, time: Duration) -> Self {
        self.silence_timeout = time;
        self
    }

    /// Opens the pool.
    ///
    /// # Errors
    ///
    /// As [`DbPool::connect`].
    pub async fn connect(self) -> Result<DbPool> {
        DbPool::connect_with(self).await
    }
}

/// Without the URL, which may hold a password.
impl std::fmt::Debug for DbOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbOptions")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("silence_timeout", &self.silence_timeout)
            .finish_non_exhaustive()
    }
}

fn number(key: &str, value: &str) -> Result<u32> {
    value.parse().map_err(|_| Error::Configuration {
        reason: format!("{key} in the database's URL is no number"),
    })
}

fn millis(key: &str, value: &str) -> Result<Duration> {
    Ok(Duration::from_millis(number(key, value)?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_ours_are_taken_out_of_the_url() {
        let options = DbOptions::from_url(
            "postgres://a:b@c/d?max_connections=7&sslmode=disable&acquire_timeout_ms=40&host=%2Ftmp",
        )
        .expect("a URL");
        assert_eq!(
            options.url,
            "postgres://a:b@c/d?sslmode=disable&host=%2Ftmp"
        );
        assert_eq!(options.max_connections, Some(7));
        assert_eq!(options.acquire_timeout, Some(Duration::from_millis(40)));
    }

    #[test]
    fn an_option_that_is_no_number_is_named_without_the_url() {
        let error = DbOptions::from_url("postgres://a:secret@c/d?max_connections=many")
            .expect_err("no number");
        assert!(error.to_string().contains("max_connections"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let options = DbOptions::from_url("postgres://a:secret@c/d").expect("a URL");
        assert!(!format!("{options:?}").contains("secret"));
    }
}
