//! A fresh database for one test, removed afterwards.

use movie::messages::Secret;
use packetboat_orm::test;

pub use packetboat_orm::Dialect as Kind;

/// A database that exists for one test.
#[derive(Debug)]
pub struct Database {
    pub kind: Kind,
    /// What the server is told; on SQLite nothing, since it makes its own file.
    pub url: Option<Secret>,
    _database: Option<test::Database>,
}

impl Database {
    /// A new one; `None` when there is no server of this kind, which is said.
    pub async fn fresh(kind: Kind) -> Option<Self> {
        if kind == Kind::Sqlite {
            return Some(Self {
                kind,
                url: None,
                _database: None,
            });
        }
        let database = test::Database::fresh(kind).await?;
        Some(Self {
            kind,
            url: Some(Secret(database.url().to_owned())),
            _database: Some(database),
        })
    }
}
