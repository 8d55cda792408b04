//! What differs between databases.

use std::fmt;

/// The SQL that a database speaks.
///
/// MariaDB and MySQL are one dialect here: where they are known to differ, the SQL is written so that each reads its
/// own part. What is tested is MariaDB.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dialect {
    /// MariaDB 10.7 and later; meant for MySQL from 8.0 too, which is not tested.
    MySql,
    /// PostgreSQL 13 and later.
    Postgres,
    /// SQLite as bundled with sqlx.
    Sqlite,
}

impl Dialect {
    /// The character around an identifier.
    #[must_use]
    pub const fn quote(self) -> char {
        match self {
            Self::MySql => '`',
            Self::Postgres | Self::Sqlite => '"',
        }
    }

    /// The most values that one statement may bind.
    #[must_use]
    pub const fn max_params(self) -> usize {
        match self {
            // SQLITE_MAX_VARIABLE_NUMBER of the bundled library.
            Self::Sqlite => 32_766,
            // Both count parameters in a u16 on the wire.
            Self::MySql | Self::Postgres => 65_535,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL/MariaDB",
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}
