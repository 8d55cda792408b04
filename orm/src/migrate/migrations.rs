//! Migrations of models: made, applied, undone, listed.

use sqlx::migrate::{MigrateError, Migration, Migrator};

use crate::driver::{Act, DbPool, Failure};
use crate::executor::Executor;
use crate::migrate::error::{Error, Result};
use crate::migrate::ledger::{self, Known};
use crate::migrate::make::{self, Made, Make};
use crate::migrate::models::Models;
use crate::migrate::source::Source;
use crate::migrate::status::Status;
use crate::schema::{Difference, Report};

/// Models, and the migrations that lead to them.
#[derive(Clone, Debug)]
#[must_use = "migrations do nothing until they are made or applied"]
pub struct Migrations {
    models: Models,
    source: Source,
}

impl Migrations {
    pub(super) const fn new(models: Models, source: Source) -> Self {
        Self { models, source }
    }

    /// The models.
    pub const fn models(&self) -> &Models {
        &self.models
    }

    /// Makes the next migration: what is different between the models and `schema.json`, which stands beside the last
    /// one, as SQL for each database, up and down. Review it before it is applied. It blocks on files for a moment.
    ///
    /// A rename is declared (`#[model(was = "..")]`, or [`Make::rename_column`]), never guessed. What loses data is marked
    /// in the SQL by a comment, and made only where [`Make::allow_loss`] says so.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], with what to do, for what cannot be right for every row: a new column without a value for the
    /// rows that are there, another primary key, a type that values cannot follow. [`Error::Io`] when a file cannot be
    /// written.
    pub fn make(&self, make: impl Into<Make>) -> Result<Made> {
        make::make(self.root()?, &self.models.shapes(), &make.into())
    }

    /// Writes `schema.json` without a migration: for a folder whose migrations were written by hand, while the models are
    /// as the last one left them ([`check`](Self::check) says whether they are).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be written.
    pub fn snapshot(&self) -> Result<()> {
        make::write_snapshot(self.root()?, &self.models.shapes())
    }

    fn root(&self) -> Result<&std::path::Path> {
        match &self.source {
            Source::Folder(root) => Ok(root),
            Source::Embedded(_) => Err(Error::Refused {
                reasons: vec![
                    "migrations are made in a folder, and these stand in the program".to_owned(),
                ],
            }),
        }
    }

    /// Applies what is not applied yet; says which migrations those were.
    ///
    /// Nodes that start at once take turns, and each may name what the other has applied. One waits for a minute, on
    /// PostgreSQL as long as it takes. On SQLite and PostgreSQL a migration happens whole or not at all, and on SQLite
    /// so do all of them together. On MySQL each statement does, and one that broke off half way is named, and refused.
    ///
    /// # Errors
    ///
    /// [`Error::Dirty`], [`Error::Failed`], [`Error::Changed`], [`Error::Missing`], [`Error::ForeignKeys`],
    /// [`Error::Locked`], [`Error::Absent`], or that the database or the folder cannot be used.
    ///
    /// # Cancel safety
    ///
    /// Once it has begun it goes on, also when the future is dropped.
    pub async fn up(&self, db: impl Into<DbPool>) -> Result<Vec<String>> {
        let db = db.into();
        let migrations = self.source.read(db.dialect()).await?;
        let before = self.status_of(&db, &migrations).await?;
        act(&db, &migrations, Act::Up).await?;
        Ok(before.pending().map(str::to_owned).collect())
    }

    /// Undoes the last `count` migrations; says which those were, the last one first.
    ///
    /// # Errors
    ///
    /// [`Error::NoDown`] before anything is done, where one of them has no down file; and as [`up`](Self::up).
    ///
    /// # Cancel safety
    ///
    /// As [`up`](Self::up).
    pub async fn down(&self, db: impl Into<DbPool>, count: usize) -> Result<Vec<String>> {
        let db = db.into();
        let migrations = self.source.read(db.dialect()).await?;
        let applied = ledger::entries(&mut &db).await?;
        let is_applied = |version| applied.iter().any(|entry| entry.version == version);
        let known = ledger::known(db.dialect(), &migrations);
        let undone: Vec<&Known<'_>> = known
            .iter()
            .rev()
            .filter(|known| known.files.iter().any(|file| is_applied(file.version)))
            .take(count)
            .collect();
        for migration in &undone {
            let lacks = |file: &ledger::File<'_>| is_applied(file.version) && !file.has_down;
            if migration.files.iter().any(lacks) {
                return Err(Error::NoDown {
                    name: migration.name.clone(),
                });
            }
        }
        let Some(first) = undone.last().and_then(|known| known.files.first()) else {
            return Ok(Vec::new());
        };
        act(&db, &migrations, Act::Down(first.version - 1)).await?;
        Ok(undone.iter().map(|known| known.name.clone()).collect())
    }

    /// Which migrations are applied. It changes nothing.
    ///
    /// # Errors
    ///
    /// That the database or the folder cannot be used.
    pub async fn status(&self, db: impl Into<DbPool>) -> Result<Status> {
        let db = db.into();
        let migrations = self.source.read(db.dialect()).await?;
        self.status_of(&db, &migrations).await
    }

    async fn status_of(&self, db: &DbPool, migrations: &[Migration]) -> Result<Status> {
        let applied = ledger::entries(&mut &*db).await?;
        let known = ledger::known(db.dialect(), migrations);
        Ok(Status::new(db.dialect(), &known, &applied))
    }

    /// Compares the models with the tables of a database; as [`Models::check`].
    ///
    /// # Errors
    ///
    /// Whatever the database refuses; a table that differs is no error.
    pub async fn check(&self, db: impl Executor) -> crate::error::Result<Report> {
        self.models.check(db).await
    }

    /// Takes a database whose tables were made without migrations, by
    /// [`create_table`](crate::ModelExt::create_table), as one to which all migrations have been applied; says whether it
    /// was one. Call it before [`up`](Self::up). A database that is empty, or that has been migrated, is left alone.
    ///
    /// # Errors
    ///
    /// [`Error::Differs`] where there are tables, and they are not as the models declare them.
    pub async fn adopt(&self, db: impl Into<DbPool>) -> Result<bool> {
        let db = db.into();
        if !ledger::entries(&mut &db).await?.is_empty() {
            return Ok(false);
        }
        let report = self.models.check(&db).await?;
        let missing = report
            .differences()
            .iter()
            .filter(|difference| matches!(difference, Difference::Table { .. }))
            .count();
        if missing == self.models.shapes().len() {
            return Ok(false);
        }
        report.into_result().map_err(Error::Differs)?;
        let migrations = self.source.read(db.dialect()).await?;
        act(&db, &migrations, Act::Adopt).await?;
        Ok(true)
    }

    /// After [`Error::Dirty`], when its change is in the database: notes it as applied. Says whether there was one.
    ///
    /// # Errors
    ///
    /// Whatever the database refuses.
    pub async fn mark_applied(&self, mut db: impl Executor) -> Result<bool> {
        Ok(ledger::settle(&mut db, true).await?)
    }

    /// After [`Error::Dirty`], when its change is not in the database: notes it as not applied. Says whether there was one.
    ///
    /// # Errors
    ///
    /// Whatever the database refuses.
    pub async fn mark_unapplied(&self, mut db: impl Executor) -> Result<bool> {
        Ok(ledger::settle(&mut db, false).await?)
    }
}

/// Runs sqlx's migrator, and says what went wrong by the names of files.
async fn act(db: &DbPool, migrations: &[Migration], act: Act) -> Result<()> {
    let migrator = Migrator::with_migrations(migrations.to_vec());
    let failure = match db.migrate(migrator, act).await {
        Ok(()) => return Ok(()),
        Err(Failure::ForeignKeys(table)) => return Err(Error::ForeignKeys { table }),
        Err(Failure::Locked) => return Err(Error::Locked),
        Err(Failure::Migrate(error)) => error,
    };
    let name = |version: i64| {
        migrations
            .iter()
            .find(|migration| migration.version == version)
            .map_or_else(|| version.to_string(), ledger::file_name)
    };
    Err(match failure {
        MigrateError::Dirty(version) => Error::Dirty {
            name: name(version),
        },
        MigrateError::ExecuteMigration(source, version) => Error::Failed {
            name: name(version),
            source,
        },
        MigrateError::VersionMismatch(version) => Error::Changed {
            name: name(version),
        },
        MigrateError::VersionMissing(version) => Error::Missing { version },
        error => Error::Ledger(error),
    })
}
