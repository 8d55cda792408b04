//! sqlx's migrator on a connection of each database, one node at a time.

#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(
        unused,
        clippy::unused_async,
        reason = "without any database there is nothing to do"
    )
)]

use std::panic::resume_unwind;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::driver::DbPool;
use crate::driver::pool::Pools;
#[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
use crate::driver::pool::nothing;

/// What to do with migrations.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Note all of them as applied.
    Adopt,
    /// Undo those above this version.
    Down(i64),
    /// Apply those that are not.
    Up,
}

/// Why it was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A row of this table refers to one that is not there.
    #[cfg_attr(
        not(feature = "sqlite"),
        allow(dead_code, reason = "only there they are off meanwhile")
    )]
    ForeignKeys(String),
    /// Another node has it.
    #[cfg_attr(
        not(any(feature = "mysql", feature = "sqlite")),
        allow(dead_code, reason = "PostgreSQL waits as long as it takes")
    )]
    Locked,
    Migrate(MigrateError),
}

impl<E: Into<MigrateError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Migrate(error.into())
    }
}

/// The same on each kind of connection: what sqlx has for it is generic over references in a way that a function here
/// could not name.
macro_rules! act {
    ($migrator:expr, $act:expr, $connection:expr) => {
        match $act {
            Act::Adopt => $migrator.skip($connection, None).await,
            Act::Down(target) => $migrator.undo($connection, target).await,
            Act::Up => $migrator.run($connection).await,
        }
    };
}

impl DbPool {
    /// Runs the migrator on one connection, while no other node does. Once begun it goes on, also when this is dropped.
    pub(crate) async fn migrate(&self, migrator: Migrator, act: Act) -> Result<(), Failure> {
        let (pools, runtime) = (self.0.clone(), Handle::current());
        // On a thread of its own: the futures of sqlx's migrator cannot move between threads, and ours must.
        let done = spawn_blocking(move || runtime.block_on(pools.migrate(&migrator, act)));
        done.await
            .unwrap_or_else(|error| resume_unwind(error.into_panic()))
    }
}

impl Pools {
    async fn migrate(&self, migrator: &Migrator, act: Act) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "mysql")]
            Self::MySql(pool) => {
                let mut held = Held::acquire(pool.sqlx()).await?;
                on_mysql::migrate(held.connection(), migrator, act).await?;
                held.give_back();
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => {
                // sqlx locks, for as long as the connection lives.
                let mut held = Held::acquire(pool.sqlx()).await?;
                act!(migrator, act, &mut **held.connection())?;
                held.give_back();
                Ok(())
            }
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => {
                let mut held = Held::acquire(pool.writer()).await?;
                on_sqlite::migrate(held.connection(), migrator, act).await?;
                held.give_back();
                Ok(())
            }
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            Self::None(never) => nothing(never),
        }
    }
}

/// A connection that is closed unless it is given back: after an error, or dropped half way, it may still hold the lock,
/// be in a transaction, or have its foreign keys off.
struct Held<DB: Database>(Option<PoolConnection<DB>>);

impl<DB: Database> Held<DB> {
    async fn acquire(pool: &Pool<DB>) -> Result<Self, sqlx::Error> {
        pool.acquire().await.map(Some).map(Self)
    }

    fn connection(&mut self) -> &mut PoolConnection<DB> {
        self.0.as_mut().expect("only giving back takes it")
    }

    fn give_back(mut self) {
        self.0 = None;
    }
}

impl<DB: Database> Drop for Held<DB> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// How long another node's migrations may take before this one gives up.
#[cfg(any(feature = "mysql", feature = "sqlite"))]
const LOCK_TIME: Duration = Duration::from_secs(60);

#[cfg(feature = "mysql")]
mod on_mysql {
    //! A lock that MariaDB has too, and what a statement leaves that was refused.

    use sqlx::MySqlConnection;
    use sqlx::migrate::{Migrate as _, MigrateError, Migration, Migrator};

    use super::{Act, Failure, LOCK_TIME};

    /// Under a lock of our own: sqlx asks for its own without a limit of time, which MariaDB does not know, so that it
    /// locks nothing there. A connection that ends, ends its lock.
    pub(super) async fn migrate(
        connection: &mut MySqlConnection,
        migrator: &Migrator,
        act: Act,
    ) -> Result<(), Failure> {
        // The name is hashed since it may not be longer than 64 characters.
        let taken: Option<i64> =
            sqlx::query_scalar("SELECT GET_LOCK(CONCAT('packetboat_', MD5(DATABASE())), ?)")
                .bind(LOCK_TIME.as_secs())
                .fetch_one(&mut *connection)
                .await?;
        if taken != Some(1) {
            return Err(Failure::Locked);
        }
        let outcome = act!(migrator, act, &mut *connection);
        if let Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) =
            &outcome
            && error.as_database_error().is_some()
        {
            settle(connection, migrator, act).await?;
        }
        outcome?;
        sqlx::query("DO RELEASE_LOCK(CONCAT('packetboat_', MD5(DATABASE())))")
            .execute(connection)
            .await?;
        Ok(())
    }

    /// The note that a migration has begun is committed by its own statement, whatever becomes of that. One statement that
    /// the server refused has changed nothing, so the note is taken back.
    async fn settle(
        connection: &mut MySqlConnection,
        migrator: &Migrator,
        act: Act,
    ) -> Result<(), Failure> {
        let Some(version) = connection.dirty_version("_sqlx_migrations").await? else {
            return Ok(());
        };
        let is_down = matches!(act, Act::Down(_));
        let tried = migrator.iter().find(|migration| {
            migration.version == version && migration.migration_type.is_down_migration() == is_down
        });
        if !tried.is_some_and(is_one_statement) {
            return Ok(());
        }
        let settle = if is_down {
            "UPDATE _sqlx_migrations SET success = TRUE WHERE version = ?"
        } else {
            "DELETE FROM _sqlx_migrations WHERE version = ?"
        };
        sqlx::query(settle)
            .bind(version)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// A semicolon in a text counts as the end of a statement: better dirty than wrong.
    fn is_one_statement(migration: &Migration) -> bool {
        let sql = migration.sql.as_str().lines();
        let sql: Vec<&str> = sql.filter(|line| !line.starts_with("--")).collect();
        !sql.join(" ").trim_end_matches([';', ' ']).contains(';')
    }
}

#[cfg(feature = "sqlite")]
mod on_sqlite {
    //! SQLite's own lock, and its foreign keys.

    use std::time::Duration;

    use sqlx::migrate::Migrator;
    use sqlx::{Connection as _, Executor as _, SqliteConnection};
    use tokio::time::Instant;

    use super::{Act, Failure, LOCK_TIME};

    /// All of it in one transaction, which holds the lock from its first statement on: sqlx's own does nothing here.
    ///
    /// Foreign keys are off meanwhile, since a table that is rebuilt is dropped on the way, and are checked at the end.
    pub(super) async fn migrate(
        connection: &mut SqliteConnection,
        migrator: &Migrator,
        act: Act,
    ) -> Result<(), Failure> {
        let checks: bool = sqlx::query_scalar("PRAGMA foreign_keys")
            .fetch_one(&mut *connection)
            .await?;
        // Has no effect inside of a transaction.
        connection.execute("PRAGMA foreign_keys = OFF").await?;
        let begun = Instant::now();
        let outcome = loop {
            // Each try waits as long as the connection's busy timeout says.
            match locked(connection, migrator, act, checks).await {
                Ok(Turn::Taken) if begun.elapsed() < LOCK_TIME => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(Turn::Taken) => break Err(Failure::Locked),
                Ok(Turn::Done) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        if checks {
            connection.execute("PRAGMA foreign_keys = ON").await?;
        }
        outcome
    }

    enum Turn {
        Done,
        /// Another node writes.
        Taken,
    }

    async fn locked(
        connection: &mut SqliteConnection,
        migrator: &Migrator,
        act: Act,
        checks: bool,
    ) -> Result<Turn, Failure> {
        let mut transaction = match connection.begin_with("BEGIN IMMEDIATE").await {
            Err(error) if is_busy(&error) => return Ok(Turn::Taken),
            begun => begun?,
        };
        act!(migrator, act, &mut *transaction)?;
        if checks {
            let broken: Option<String> =
                sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
                    .fetch_optional(&mut *transaction)
                    .await?;
            if let Some(table) = broken {
                transaction.rollback().await?;
                return Err(Failure::ForeignKeys(table));
            }
        }
        transaction.commit().await?;
        Ok(Turn::Done)
    }

    fn is_busy(error: &sqlx::Error) -> bool {
        error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<u32>().ok())
            // The primary code of SQLITE_BUSY and all its kin.
            .is_some_and(|code| code & 0xff == 5)
    }
}
