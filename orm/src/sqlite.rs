//! SQLite as a server wants it: one writer, several readers.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::driver::{Driver as _, Tx, connection_error, run_within};
use crate::error::Result;
use crate::executor::{Collect, Done, Executor};
use crate::shared::Shared;
use crate::statement::Statement;

/// Opens the database in a file, which is created where there is none, with the default [`Options`].
///
/// # Errors
///
/// [`Error::Connection`](crate::Error::Connection) when the file cannot be opened.
pub async fn open(path: impl AsRef<Path>) -> Result<Pool> {
    Options::new(path).open().await
}

/// How to open a database.
///
/// Every connection checks foreign keys, and writes ahead (WAL), so that readers and the writer do not wait for each
/// other. Who wants to write waits up to 5 seconds: for the one connection that writes, and for a lock that another
/// process holds, together.
///
/// The writer syncs at every commit (`synchronous = FULL`): what was committed survives a power cut. SQLite's usual
/// advice for WAL, `NORMAL`, syncs at checkpoints only: a power cut then undoes the last commits, though it leaves the
/// file sound. [`relaxed`](Self::relaxed) chooses that.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until they are opened"]
pub struct Options {
    connect: SqliteConnectOptions,
    readers: u32,
    relaxed: bool,
    busy_timeout: Duration,
    in_memory: bool,
}

impl Options {
    /// The database in a file.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::with(SqliteConnectOptions::new().filename(path), false)
    }

    /// The database of a URL: `sqlite:PATH`, or `sqlite::memory:` for one that ends with its pool.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`](crate::Error::Configuration) for a URL that sqlx does not read.
    pub fn from_url(url: &str) -> Result<Self> {
        let connect = SqliteConnectOptions::from_str(url).map_err(connection_error)?;
        let in_memory = url.contains(":memory:") || url.contains("mode=memory");
        Ok(Self::with(connect, in_memory))
    }

    /// A database in memory, which ends with its pool. It has one connection for reading and writing.
    pub fn in_memory() -> Self {
        Self::with(SqliteConnectOptions::new().in_memory(true), true)
    }

    fn with(connect: SqliteConnectOptions, in_memory: bool) -> Self {
        Self {
            connect,
            readers: 4,
            relaxed: false,
            busy_timeout: Duration::from_secs(5),
            in_memory,
        }
    }

    /// How many connections read; 4 by default, at least 1. Each is a thread.
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Syncs at checkpoints and not at every commit: faster, but a power cut undoes the last commits.
    pub fn relaxed(mut self) -> Self {
        self.relaxed = true;
        self
    }

    /// How long to wait for a connection and for a lock together, before it is [`Error::Busy`](crate::Error::Busy); 5
    /// seconds by default.
    pub fn busy_timeout(mut self, time: Duration) -> Self {
        self.busy_timeout = time;
        self
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`](crate::Error::Connection) when the file cannot be opened.
    pub async fn open(self) -> Result<Pool> {
        let synchronous = if self.relaxed {
            SqliteSynchronous::Normal
        } else {
            SqliteSynchronous::Full
        };
        let connect = self
            .connect
            .create_if_missing(true)
            // Set on the handle before any statement, so that the others wait as well.
            .busy_timeout(self.busy_timeout)
            .foreign_keys(true)
            .synchronous(synchronous);
        if self.in_memory {
            let pool = pool(1, self.busy_timeout)
                .connect_with(connect)
                .await
                .map_err(connection_error)?;
            return Ok(Pool {
                writer: pool.clone(),
                readers: pool,
                busy_timeout: Some(self.busy_timeout),
            });
        }
        // The writer first: it makes the file, and the journal mode is kept in it.
        let write = connect.clone().journal_mode(SqliteJournalMode::Wal);
        let writer = pool(1, self.busy_timeout)
            .connect_with(write)
            .await
            .map_err(connection_error)?;
        let read = connect.create_if_missing(false).pragma("query_only", "ON");
        let readers = pool(self.readers, self.busy_timeout)
            .connect_with(read)
            .await
            .map_err(connection_error)?;
        Ok(Pool {
            writer,
            readers,
            busy_timeout: Some(self.busy_timeout),
        })
    }
}

/// Connections that stay: there is no server that could have gone away, and one in memory must not end.
fn pool(connections: u32, acquire_timeout: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(acquire_timeout)
}

/// One connection that writes and several that read. Cheap to clone; pass it as `&pool`.
///
/// A statement's kind chooses: what reads runs on a reader, everything else on the writer, an INSERT with RETURNING
/// too. [`enter`](Executor::enter) begins a transaction on the writer, [`begin_read`](Self::begin_read) on a reader.
#[derive(Clone, Debug)]
pub struct Pool {
    writer: SqlitePool,
    readers: SqlitePool,
    /// For a connection and a lock together; `None` for a pool that was made with sqlx, which has two times for them.
    busy_timeout: Option<Duration>,
}

impl Pool {
    /// The connection that writes.
    #[must_use]
    pub const fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// The connections that read; the writer's own for a database in memory.
    #[must_use]
    pub const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a transaction on the writer.
    ///
    /// # Errors
    ///
    /// As [`Executor::enter`]; [`Error::Busy`](crate::Error::Busy) when another transaction or process holds the lock
    /// for longer than 5 seconds.
    pub async fn begin(&self) -> Result<Tx<sqlx::Sqlite>> {
        Tx::begin_within(&self.writer, sqlx::Sqlite::BEGIN, self.busy_timeout).await
    }

    /// Begins a transaction on a reader: it sees one state of the database, and the writer goes on meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Executor::enter`]. The database refuses a write in it; SQLite does so on the readers of [`open`], and not on a
    /// pool that was made with sqlx, or in memory.
    pub async fn begin_read(&self) -> Result<Tx<sqlx::Sqlite>> {
        Tx::begin_within(&self.readers, sqlx::Sqlite::BEGIN_READ, self.busy_timeout).await
    }

    /// Closes every connection, once each has come back. The readers close first, so that the writer, as the last one,
    /// can put the log back into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A pool made with sqlx, reading and writing on all its connections.
impl From<SqlitePool> for Pool {
    fn from(pool: SqlitePool) -> Self {
        Self {
            writer: pool.clone(),
            readers: pool,
            busy_timeout: None,
        }
    }
}

/// Each statement takes a connection for itself, by its kind.
impl Executor for Pool {
    type Tx = Tx<sqlx::Sqlite>;

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        self.begin().await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let pool = if statement.kind().is_read() {
            &self.readers
        } else {
            &self.writer
        };
        run_within(pool, self.busy_timeout, statement, params, out).await
    }
}

impl Shared for Pool {}
