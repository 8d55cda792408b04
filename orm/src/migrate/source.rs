//! Where migrations are read from: a folder, or the program itself.

use std::borrow::Cow;
use std::path::PathBuf;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationSource as _, MigrationType};

use crate::dialect::Dialect;
use crate::migrate::error::{Error, Result};
use crate::migrate::make::io;
use crate::migrate::name::{FileName, folder};

/// Migrations that stand in the program: what [`include_migrations!`](crate::include_migrations) makes of a folder.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    files: &'static [(&'static str, &'static str, &'static str)],
}

impl Embedded {
    /// Files: the folder of the dialect, the name, the SQL.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(files: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        Self { files }
    }
}

/// Where migrations are read from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Embedded(Embedded),
    Folder(PathBuf),
}

impl Source {
    /// The migrations for a database, by version.
    pub(super) async fn read(&self, dialect: Dialect) -> Result<Vec<Migration>> {
        let migrations = match self {
            Self::Embedded(embedded) => embedded.read(dialect),
            Self::Folder(root) => {
                let path = root.join(folder(dialect));
                // sqlx says of a missing folder only that it cannot be made canonical.
                match tokio::fs::metadata(&path).await {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                    Err(error) => return Err(io(&path)(error)),
                    Ok(_) => path.resolve().await.map_err(|source| {
                        Error::Source(sqlx::migrate::MigrateError::Source(source))
                    })?,
                }
            }
        };
        // None at all is a folder that was forgotten, or a wrong one.
        if migrations.is_empty() {
            Err(Error::Absent { dialect })
        } else {
            Ok(migrations)
        }
    }
}

impl Embedded {
    fn read(&self, dialect: Dialect) -> Vec<Migration> {
        let mut migrations: Vec<Migration> = self
            .files
            .iter()
            .filter(|(of, ..)| *of == folder(dialect))
            .filter_map(|(_, name, sql)| Some((FileName::parse(name)?, *sql)))
            .map(|(name, sql)| {
                let ty = MigrationType::from_filename(name.rest);
                let description = name.rest.trim_end_matches(ty.suffix()).replace('_', " ");
                Migration::new(
                    name.version,
                    Cow::Owned(description),
                    ty,
                    sql.into_sql_str(),
                    sql.starts_with("-- no-transaction"),
                )
            })
            .collect();
        migrations.sort();
        migrations
    }
}
