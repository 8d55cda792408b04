//! What a migration's file is called.
//!
//! `0007_add_year.up.sql` and `0007_add_year.down.sql`. On MySQL, where each statement has a file of its own, three more
//! digits count them: `0007001_add_year.up.sql`, `0007002_add_year.up.sql`.

use crate::dialect::Dialect;

/// The folder of a database's migrations.
pub(super) const fn folder(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MySql => "mysql",
        Dialect::Postgres => "postgres",
        Dialect::Sqlite => "sqlite",
    }
}

/// A file's name, taken apart as sqlx does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FileName<'n> {
    /// The number under which the ledger keeps it.
    pub(super) version: i64,
    /// What follows the number, `.up.sql` included.
    pub(super) rest: &'n str,
}

impl<'n> FileName<'n> {
    /// `None` for a file that is no migration.
    pub(super) fn parse(name: &'n str) -> Option<Self> {
        let (version, rest) = name.split_once('_')?;
        let version = version.parse().ok().filter(|version| *version > 0)?;
        rest.ends_with(".sql").then_some(Self { version, rest })
    }

    /// The number of the migration to which the file belongs.
    pub(super) fn number(&self, dialect: Dialect) -> i64 {
        number(dialect, self.version)
    }

    /// The name without its ending.
    pub(super) fn stem(dialect: Dialect, number: i64, step: u32, name: &str) -> String {
        match dialect {
            Dialect::MySql => format!("{number:04}{step:03}_{name}"),
            Dialect::Postgres | Dialect::Sqlite => format!("{number:04}_{name}"),
        }
    }
}

/// The number of the migration whose file has this version.
///
/// On MySQL, a version of four to seven digits ends with the number of the statement. A longer one is a date, as
/// other tools write it, and a shorter one was written by hand.
pub(super) const fn number(dialect: Dialect, version: i64) -> i64 {
    match (dialect, version) {
        (Dialect::MySql, 1_000..=9_999_999) => version / 1_000,
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_to_which_migration_a_file_belongs() {
        let number = |dialect, name| FileName::parse(name).map(|name| name.number(dialect));
        assert_eq!(number(Dialect::Sqlite, "0007_add_year.up.sql"), Some(7));
        assert_eq!(number(Dialect::MySql, "0007012_add_year.up.sql"), Some(7));
        assert_eq!(number(Dialect::MySql, "0006_claim.sql"), Some(6));
        assert_eq!(
            number(Dialect::MySql, "20240131120000_x.sql"),
            Some(20_240_131_120_000)
        );
        assert_eq!(number(Dialect::MySql, "README.md"), None);
        assert_eq!(number(Dialect::MySql, "x_y.sql"), None);
    }
}
