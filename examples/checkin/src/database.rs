//! The database: opened by URL, its tables brought up to date at start.

use std::path::Path;

use packetboat_orm::migrate::{self, Migrations, Models};
use packetboat_orm::{self as orm, DbPool, include_migrations};

use crate::models::{
    Account, Attempt, Attendance, Class, Correction, Course, Enrolment, KeptSession, Setting,
    Teaching,
};

/// The SQLite file, in the server's folder.
pub const SQLITE_FILE: &str = "checkin.db";

/// Why a database cannot be used. The URL is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// It cannot be reached, or the URL is none.
    #[error("the database cannot be opened")]
    Open(#[from] orm::Error),
    /// Its folder cannot be made.
    #[error("the folder of the database cannot be made")]
    Folder(#[from] std::io::Error),
    /// Its tables could not be brought up to date.
    #[error("the database's tables cannot be migrated")]
    Migrate(#[from] migrate::Error),
}

/// Everything that is a table.
pub fn models() -> Models {
    Models::new()
        .add::<Account>()
        .add::<Course>()
        .add::<Teaching>()
        .add::<Enrolment>()
        .add::<Class>()
        .add::<Attendance>()
        .add::<Correction>()
        .add::<Attempt>()
        .add::<KeptSession>()
        .add::<Setting>()
}

/// The migrations that the program has in itself.
pub fn migrations() -> Migrations {
    models().embedded(include_migrations!("migrations"))
}

/// Opens the database at `url`, or else the SQLite file in `folder`, and migrates it. Servers that
/// start at once take turns.
///
/// # Errors
///
/// When the folder cannot be made, and when the database cannot be reached, refuses, or holds
/// tables of another program's making.
pub async fn open(folder: &Path, url: Option<&str>) -> Result<DbPool, DatabaseError> {
    let db = match url {
        Some(url) => DbPool::connect(url).await?,
        None => {
            tokio::fs::create_dir_all(folder).await?;
            orm::sqlite::open(folder.join(SQLITE_FILE)).await?.into()
        }
    };
    migrations().up(&db).await?;
    Ok(db)
}
