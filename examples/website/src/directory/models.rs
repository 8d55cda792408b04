//! The tables that the companies share: who they are, what they pay for, which sessions there are.

use chrono::{DateTime, Utc};
use packetboat_orm::Model;
use packetboat_orm::migrate::Models;

use crate::plans::{Component, Plan};

/// A company.
#[derive(Clone, Debug, Model)]
#[model(table = "company")]
pub struct Company {
    /// Chosen by the database, and never used twice: a part of the name of its database, so that a company that takes
    /// the name of one that left does not find its rows.
    pub id: i64,
    /// The first label of its host, and its part of a path.
    #[model(unique, size = 40)]
    pub name: String,
    /// As visitors read it.
    #[model(size = 80)]
    pub title: String,
    /// A host of its own, beside the one under the platform's domain.
    #[model(unique, size = 255)]
    pub host: Option<String>,
    /// What it pays for.
    #[model(size = 16)]
    pub plan: Plan,
    /// When it came.
    #[model(created)]
    pub since: DateTime<Utc>,
}

/// A component that is switched on.
#[derive(Clone, Debug, Model)]
#[model(table = "switched_on", unique(company_id, component))]
pub struct SwitchedOn {
    /// Chosen by the database: the order in which they were switched on.
    pub id: i64,
    /// Whose.
    #[model(references(Company, on_delete = cascade))]
    pub company_id: i64,
    /// Which.
    #[model(size = 16)]
    pub component: Component,
}

/// A name that was used, so that the next company of the same name has another number on every database: SQLite gives
/// the number of the last row again when that row is gone.
#[derive(Clone, Debug, Model)]
#[model(table = "number")]
pub struct Number {
    /// 1: there is one row.
    pub id: i64,
    /// The last number that a company got.
    pub last: i64,
}

/// A session that outlives its connection.
#[derive(Clone, Debug, Model)]
#[model(table = "session")]
pub struct KeptSession {
    /// SHA-256 of the id, in hexadecimal.
    #[model(key, size = 64)]
    pub key: String,
    /// `COMPANY:OWNER`, the numbers of both.
    #[model(index, size = 64)]
    pub subject: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last used.
    pub touched: DateTime<Utc>,
    /// Its longest time without a request.
    pub idle_seconds: i64,
    /// Its longest life.
    pub absolute_seconds: i64,
    /// When it is over if nobody uses it.
    #[model(index)]
    pub expires: DateTime<Utc>,
}

/// Everything that is a table of the directory.
pub fn models() -> Models {
    Models::new()
        .add::<Company>()
        .add::<SwitchedOn>()
        .add::<Number>()
        .add::<KeptSession>()
}
