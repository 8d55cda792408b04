//! What has been applied: the table that sqlx keeps.

use sqlx::migrate::Migration;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::executor::Executor;
use crate::migrate::name::number;
use crate::sql::sql;

/// A file that was applied, or is half.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) version: i64,
    /// False for one that broke off half way.
    pub(super) success: bool,
    pub(super) checksum: Vec<u8>,
}

/// What has been applied, by version; nothing where the table is not there yet, which is not made here.
pub(super) async fn entries(db: &mut impl Executor) -> Result<Vec<Entry>> {
    let is_there = match db.dialect() {
        Dialect::MySql => sql("SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations'"),
        Dialect::Postgres => sql(
            "SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = current_schema() AND c.relname = '_sqlx_migrations'",
        ),
        Dialect::Sqlite => sql(
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
        ),
    };
    if is_there.one::<i64>(&mut *db).await? == 0 {
        return Ok(Vec::new());
    }
    let rows = sql("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
        .all::<(i64, bool, Vec<u8>)>(&mut *db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(version, success, checksum)| Entry {
            version,
            success,
            checksum,
        })
        .collect())
}

/// Notes the change of a file that broke off half way as applied, or as not; says whether there was one.
pub(super) async fn settle(db: &mut impl Executor, is_applied: bool) -> Result<bool> {
    let settle = if is_applied {
        sql("UPDATE _sqlx_migrations SET success = TRUE WHERE success = FALSE")
    } else {
        sql("DELETE FROM _sqlx_migrations WHERE success = FALSE")
    };
    Ok(settle.exec(db).await?.rows_affected > 0)
}

/// A migration: the files of one number.
#[derive(Clone, Debug)]
pub(super) struct Known<'m> {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) files: Vec<File<'m>>,
}

#[derive(Clone, Debug)]
pub(super) struct File<'m> {
    pub(super) version: i64,
    pub(super) up: Option<&'m Migration>,
    pub(super) has_down: bool,
}

/// The migrations that these files make, by number.
pub(super) fn known(dialect: Dialect, migrations: &[Migration]) -> Vec<Known<'_>> {
    let mut known: Vec<Known<'_>> = Vec::new();
    for migration in migrations {
        let number = number(dialect, migration.version);
        if known.last().is_none_or(|last| last.number != number) {
            known.push(Known {
                number,
                name: file_name(migration),
                files: Vec::new(),
            });
        }
        let Some(last) = known.last_mut() else {
            continue;
        };
        if last
            .files
            .last()
            .is_none_or(|file| file.version != migration.version)
        {
            last.files.push(File {
                version: migration.version,
                up: None,
                has_down: false,
            });
        }
        let Some(file) = last.files.last_mut() else {
            continue;
        };
        if migration.migration_type.is_down_migration() {
            file.has_down = true;
        } else {
            file.up = Some(migration);
        }
    }
    for migration in &mut known {
        // Without the number of the statement.
        if let Some((_, description)) = migration.name.split_once('_') {
            migration.name = format!("{:04}_{description}", migration.number);
        }
    }
    known
}

/// The name of a migration's file, without its ending.
pub(super) fn file_name(migration: &Migration) -> String {
    format!(
        "{:04}_{}",
        migration.version,
        migration.description.replace(' ', "_")
    )
}
