//! The databases to measure on: fresh, with the three tables, filled as a work wants it.

use std::{env, fmt, fs, process};

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tempfile::TempDir;

use super::{BoxError, work::Work};

/// Which database.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Kind {
    /// PostgreSQL, at the URL in `PACKETBOAT_POSTGRES_URL`.
    Postgres,
    /// SQLite, in a file of the temporary folder.
    Sqlite,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        })
    }
}

impl Kind {
    /// How many users the work `associations` reads, as in Diesel's suite.
    pub(super) const fn associated(self) -> usize {
        match self {
            Self::Postgres => 100,
            Self::Sqlite => 9,
        }
    }
}

/// What every SQLite connection of every peer is told.
pub(super) const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;";

/// How many connections a pool may open.
const CONNECTIONS: u32 = 4;

const SQLITE: &str = "
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, hair_color TEXT);
CREATE TABLE posts (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id BIGINT NOT NULL, title TEXT NOT NULL, body TEXT);
CREATE TABLE comments (id INTEGER PRIMARY KEY AUTOINCREMENT, post_id BIGINT NOT NULL, text TEXT NOT NULL);
CREATE INDEX posts_user ON posts (user_id);
CREATE INDEX comments_post ON comments (post_id);
";

const POSTGRES: &str = "
CREATE TABLE users (id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL, hair_color TEXT);
CREATE TABLE posts (id BIGSERIAL PRIMARY KEY, user_id BIGINT NOT NULL, title TEXT NOT NULL, body TEXT);
CREATE TABLE comments (id BIGSERIAL PRIMARY KEY, post_id BIGINT NOT NULL, text TEXT NOT NULL);
CREATE INDEX posts_user ON posts (user_id);
CREATE INDEX comments_post ON comments (post_id);
";

/// A database of this run, and where it is.
#[derive(Debug)]
pub(super) enum Database {
    Postgres {
        server: String,
        name: String,
        url: String,
        pool: PgPool,
    },
    Sqlite {
        folder: TempDir,
        pool: SqlitePool,
    },
}

impl Database {
    /// A fresh one with the tables.
    pub(super) async fn make(kind: Kind) -> Result<Self, BoxError> {
        match kind {
            Kind::Postgres => {
                let server = env::var("PACKETBOAT_POSTGRES_URL")
                    .map_err(|_| "PACKETBOAT_POSTGRES_URL is not set")?;
                let name = format!("packetboat_bench_{}", process::id());
                let mut connection = PgConnection::connect(&server).await?;
                connection
                    .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
                    .await?;
                let (base, _) = server.rsplit_once('/').ok_or("a URL without a database")?;
                let url = format!("{base}/{name}");
                let pool = PgPoolOptions::new()
                    .max_connections(1)
                    .connect(&url)
                    .await?;
                pool.execute(POSTGRES).await?;
                Ok(Self::Postgres {
                    server,
                    name,
                    url,
                    pool,
                })
            }
            Kind::Sqlite => {
                let folder = tempfile::tempdir()?;
                let pool = sqlite(&folder, 1).await?;
                pool.execute(SQLITE).await?;
                Ok(Self::Sqlite { folder, pool })
            }
        }
    }

    /// Empties the tables, and fills them for a work.
    pub(super) async fn fill(&self, kind: Kind, work: Work) -> Result<(), BoxError> {
        let users = work.users(kind.associated());
        // The left join finds no post, as in Diesel's suite.
        let (posts, comments) = match work {
            Work::Associations => (super::work::POSTS, super::work::COMMENTS),
            _ => (0, 0),
        };
        match self {
            Self::Postgres { pool, .. } => {
                let fill = format!(
                    "TRUNCATE users, posts, comments RESTART IDENTITY;
                     INSERT INTO users (name, hair_color)
                        SELECT 'User ' || n, CASE n % 2 WHEN 0 THEN 'black' ELSE 'brown' END FROM generate_series(0, {users} - 1) n;
                     INSERT INTO posts (user_id, title)
                        SELECT id, 'Post ' || n FROM users, generate_series(1, {posts}) n ORDER BY id, n;
                     INSERT INTO comments (post_id, text)
                        SELECT id, 'Comment ' || n FROM posts, generate_series(1, {comments}) n ORDER BY id, n;
                     ANALYZE users, posts, comments;"
                );
                sqlx::raw_sql(AssertSqlSafe(fill)).execute(pool).await?;
            }
            Self::Sqlite { pool, .. } => {
                let series = |name, count| {
                    format!(
                        "WITH RECURSIVE {name}(n) AS (SELECT 0 WHERE {count} > 0 UNION ALL SELECT n + 1 FROM {name} WHERE n + 1 < {count})"
                    )
                };
                let fill = format!(
                    "BEGIN;
                     DELETE FROM users; DELETE FROM posts; DELETE FROM comments; DELETE FROM sqlite_sequence;
                     INSERT INTO users (name, hair_color)
                        {} SELECT 'User ' || n, CASE n % 2 WHEN 0 THEN 'black' ELSE 'brown' END FROM u;
                     INSERT INTO posts (user_id, title) {} SELECT id, 'Post ' || n FROM users, p ORDER BY id, n;
                     INSERT INTO comments (post_id, text) {} SELECT id, 'Comment ' || n FROM posts, c ORDER BY id, n;
                     COMMIT; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);",
                    series("u", users), series("p", posts), series("c", comments),
                );
                sqlx::raw_sql(AssertSqlSafe(fill)).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Takes away what was inserted.
    pub(super) async fn clean(&self) -> Result<(), BoxError> {
        match self {
            Self::Postgres { pool, .. } => sqlx::raw_sql("TRUNCATE users")
                .execute(pool)
                .await
                .map(drop)?,
            Self::Sqlite { pool, .. } => {
                let clean = "DELETE FROM users; PRAGMA wal_checkpoint(PASSIVE);";
                sqlx::raw_sql(clean).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// The URL, for those who connect by themselves.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Postgres { url, .. } => url.clone(),
            Self::Sqlite { folder, .. } => path(folder).display().to_string(),
        }
    }

    /// A pool of sqlx with its default options. Each peer on sqlx has one of its own.
    pub(super) async fn pool(&self) -> Result<Pool, BoxError> {
        Ok(match self {
            Self::Postgres { url, .. } => {
                let options = PgPoolOptions::new().max_connections(CONNECTIONS);
                Pool::Postgres(options.connect(url).await?)
            }
            Self::Sqlite { folder, .. } => Pool::Sqlite(sqlite(folder, CONNECTIONS).await?),
        })
    }

    /// Removes it.
    pub(super) async fn remove(self) -> Result<(), BoxError> {
        match self {
            Self::Postgres {
                server, name, pool, ..
            } => {
                pool.close().await;
                let mut connection = PgConnection::connect(&server).await?;
                connection
                    .execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
                    .await?;
            }
            Self::Sqlite { folder, pool } => {
                pool.close().await;
                fs::remove_dir_all(folder.keep())?;
            }
        }
        Ok(())
    }
}

/// A pool of one of the databases.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

fn path(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("bench.db")
}

async fn sqlite(folder: &TempDir, connections: u32) -> Result<SqlitePool, BoxError> {
    let connect = SqliteConnectOptions::new()
        .filename(path(folder))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    Ok(SqlitePoolOptions::new()
        .max_connections(connections)
        .connect_with(connect)
        .await?)
}
