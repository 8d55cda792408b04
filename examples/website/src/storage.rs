//! Where the companies' databases are: one for each, on the writer and on every replica.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use packetboat_orm::{DbOptions, DbPool, Error, Routed, Router, TenantName, TenantPool, sqlite};
use sqlx::ConnectOptions as _;
use sqlx::migrate::MigrateDatabase as _;
use sqlx::postgres::PgConnectOptions;

use crate::models;
use crate::refusals::Refusal;

/// The executor of one request on one site's database: it reads from replicas until it writes.
pub type Db = TenantPool<Routed<DbPool>>;

/// The names of replicas, in the order in which they were given. A router wants names that do not end.
const REPLICAS: [&str; 8] = [
    "replica-1",
    "replica-2",
    "replica-3",
    "replica-4",
    "replica-5",
    "replica-6",
    "replica-7",
    "replica-8",
];

/// Connections of one pool to PostgreSQL. There is a pool for each open site and each database.
const CONNECTIONS: u32 = 4;

/// Bytes of a database's name on PostgreSQL.
const LONGEST: usize = 63;

/// What the names of SQLite's files end in, after the database's own.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// PostgreSQL: there is a database of this name.
const DUPLICATE_DATABASE: &str = "42P04";

/// Where databases are.
#[derive(Clone)]
pub enum Place {
    /// SQLite: a file `NAME.db` for each, in this folder.
    Folder(PathBuf),
    /// PostgreSQL: a database `website_NAME` for each, on the server of this URL, where `website` is the name in it.
    Server(Box<PgConnectOptions>),
}

/// A text that is no place for databases. It is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a database is postgres://.. or sqlite:FOLDER")]
pub struct BadPlace;

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        if let Some(folder) = text.strip_prefix("sqlite:") {
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            return match folder {
                "" => Err(BadPlace),
                folder => Ok(Self::Folder(folder.into())),
            };
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            let options = text.parse().map_err(|_| BadPlace)?;
            return Ok(Self::Server(Box::new(options)));
        }
        Err(BadPlace)
    }
}

/// Without the password.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
            Self::Server(options) => f.debug_tuple("Server").field(&options.get_host()).finish(),
        }
    }
}

impl Place {
    fn file(&self, key: &str) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.join(file_name(key))),
            Self::Server(_) => None,
        }
    }

    /// The files that the database of this key has, or may have, in a folder.
    fn files(&self, key: &str) -> impl Iterator<Item = PathBuf> {
        let file = self.file(key);
        file.into_iter().flat_map(|file| {
            ENDINGS.map(|ending| {
                let mut name = file.clone().into_os_string();
                name.push(ending);
                name.into()
            })
        })
    }

    /// The URL of the database of this key, on a server.
    fn url(&self, key: &str) -> Result<String, Refusal> {
        let Self::Server(options) = self else {
            return Err(Refusal::internal("a folder has no URL"));
        };
        let own = options.get_database().unwrap_or("website");
        let name = format!("{own}_{key}");
        // PostgreSQL cuts a longer one, and two companies would be one.
        if name.len() > LONGEST {
            return Err(Refusal::BadText { field: "name" });
        }
        let options = options.as_ref().clone().database(&name);
        Ok(options.to_url_lossy().to_string())
    }

    /// Opens the database of this key, with so many connections that read where it is SQLite.
    async fn open(&self, key: &str, readers: u32) -> packetboat_orm::Result<DbPool> {
        match self.file(key) {
            Some(file) => Ok(sqlite::Options::new(file)
                .readers(readers)
                .open()
                .await?
                .into()),
            None => {
                let url = self.url(key).map_err(|_| Error::TenantName)?;
                let options = DbOptions::from_url(&url)?;
                Ok(options.max_connections(CONNECTIONS).connect().await?)
            }
        }
    }
}

/// The writer and its replicas.
#[derive(Clone, Debug)]
pub struct Storage {
    writer: Place,
    replicas: Vec<Place>,
}

impl Storage {
    /// Databases at these places, of which the first takes the writes. Without replicas, SQLite reads through
    /// connections of their own beside the one that writes, and PostgreSQL through a pool of their own, under the name
    /// `replica-1` all the same.
    ///
    /// At most eight replicas are used.
    pub fn new(writer: Place, replicas: Vec<Place>) -> Self {
        let replicas = match replicas.is_empty() {
            true => vec![writer.clone()],
            false => replicas,
        };
        Self { writer, replicas }
    }

    /// The directory's own database, made where it is missing.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn directory(&self) -> Result<DbPool, Refusal> {
        self.make("directory").await?;
        Ok(self.writer.open("directory", 4).await?)
    }

    /// Makes the database of a site, with its tables. Where that fails, nothing of it is left.
    ///
    /// # Errors
    ///
    /// [`Refusal::DatabaseExists`], of a database that is then untouched, and what the database says.
    pub async fn create(&self, key: &TenantName) -> Result<(), Refusal> {
        self.make_new(key.as_str()).await?;
        let made = self.furnish(key).await;
        if made.is_err() {
            self.delete(key).await?;
        }
        made
    }

    async fn furnish(&self, key: &TenantName) -> Result<(), Refusal> {
        let db = self.writer.open(key.as_str(), 1).await?;
        let made = models::models().create(&db).await;
        db.close().await;
        Ok(made?)
    }

    /// Makes an empty database, in one step with finding out that there is none.
    async fn make_new(&self, key: &str) -> Result<(), Refusal> {
        let exists = || Refusal::DatabaseExists {
            key: key.to_owned(),
        };
        let Place::Folder(folder) = &self.writer else {
            let url = self.writer.url(key)?;
            let made = sqlx::Postgres::create_database(&url).await;
            return made.map_err(|error| match &error {
                sqlx::Error::Database(said)
                    if said.code().as_deref() == Some(DUPLICATE_DATABASE) =>
                {
                    exists()
                }
                _ => Refusal::internal(error),
            });
        };
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(Refusal::internal)?;
        // A log without its database is of one that was moved away, and would be played into this one.
        for file in self.writer.files(key).skip(1) {
            let found = tokio::fs::try_exists(file).await;
            if found.map_err(Refusal::internal)? {
                return Err(exists());
            }
        }
        let file = folder.join(file_name(key));
        match tokio::fs::File::create_new(file).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
            Err(error) => Err(Refusal::internal(error)),
        }
    }

    async fn make(&self, key: &str) -> Result<(), Refusal> {
        match &self.writer {
            Place::Folder(folder) => tokio::fs::create_dir_all(folder)
                .await
                .map_err(Refusal::internal),
            Place::Server(_) => {
                let url = self.writer.url(key)?;
                let exists = sqlx::Postgres::database_exists(&url).await;
                if !exists.map_err(Refusal::internal)? {
                    let made = sqlx::Postgres::create_database(&url).await;
                    made.map_err(Refusal::internal)?;
                }
                Ok(())
            }
        }
    }

    /// The writer of a site's database and its replicas, as one executor.
    ///
    /// # Errors
    ///
    /// What the writer says. A replica that cannot be opened is left out until the site is opened anew, and one that
    /// fails later, until it does not.
    pub async fn open(&self, key: &TenantName) -> packetboat_orm::Result<Routed<DbPool>> {
        let writer = self.writer.open(key.as_str(), 1).await?;
        let mut router = Router::new("writer", writer);
        for (place, name) in self.replicas.iter().zip(REPLICAS) {
            if place.file(key.as_str()).is_some_and(|file| !file.exists()) {
                tracing::warn!(%key, name, "the replica does not have this site's database yet");
                continue;
            }
            match place.open(key.as_str(), 3).await {
                Ok(replica) => router = router.reader(name, replica),
                Err(error) => tracing::warn!(%key, name, %error, "the replica is left out"),
            }
        }
        Ok(router.scope())
    }

    /// Deletes a site's database. Nobody may use it any more.
    ///
    /// # Errors
    ///
    /// What the database or the file system says.
    pub async fn delete(&self, key: &TenantName) -> Result<(), Refusal> {
        if let Place::Server(_) = &self.writer {
            let url = self.writer.url(key.as_str())?;
            let gone = sqlx::Postgres::force_drop_database(&url).await;
            return gone.map_err(Refusal::internal);
        }
        for file in self.writer.files(key.as_str()) {
            match tokio::fs::remove_file(file).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Refusal::internal(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A database's file in its folder.
fn file_name(key: &str) -> String {
    format!("{key}.db")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_and_hide_their_password() {
        assert!(matches!("sqlite:some/folder".parse(), Ok(Place::Folder(_))));
        let server = "postgres://me:secret@host/db"
            .parse::<Place>()
            .expect("a URL");
        assert!(!format!("{server:?}").contains("secret"));
        assert!(server.url("shop-1").expect("short").contains("/db_shop-1"));
        assert!(server.url(&"x".repeat(61)).is_err());
        for bad in ["", "sqlite:", "mysql://x", "/folder"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
