//! The tables of a site: each company's database has these, and no other company's rows.

use chrono::{DateTime, Utc};
use packetboat_orm::Model;
use packetboat_orm::migrate::Models;

/// Somebody who may change the site.
#[derive(Clone, Debug, Model)]
#[model(table = "owner")]
pub struct Owner {
    /// Chosen by the database.
    pub id: i64,
    /// Unique within the site.
    #[model(unique, size = 64)]
    pub name: String,
    /// Argon2id, as a PHC string.
    #[model(size = 255)]
    pub password: String,
}

/// A login that went well or did not, for the owner to look at.
#[derive(Clone, Debug, Model)]
#[model(table = "login")]
pub struct Login {
    /// Chosen by the database.
    pub id: i64,
    /// Whose name was given, where there is such an owner.
    #[model(references(Owner, on_delete = cascade), index)]
    pub owner_id: Option<i64>,
    /// The client's address, as trusted proxies tell it.
    #[model(size = 64)]
    pub address: String,
    /// Whether the password was right.
    pub succeeded: bool,
    /// When.
    #[model(created)]
    pub at: DateTime<Utc>,
}

/// A page in Markdown.
#[derive(Clone, Debug, Model)]
#[model(table = "page")]
pub struct Page {
    /// Chosen by the database.
    pub id: i64,
    /// The last part of its address.
    #[model(unique, size = 60)]
    pub slug: String,
    /// Shown in the navigation.
    #[model(size = 120)]
    pub title: String,
    /// Markdown.
    #[model(size = 16_000)]
    pub body: String,
    /// When it was last changed.
    #[model(updated)]
    pub updated: DateTime<Utc>,
}

/// A notice.
#[derive(Clone, Debug, Model)]
#[model(table = "notice")]
pub struct Notice {
    /// Chosen by the database.
    pub id: i64,
    /// One line.
    #[model(size = 120)]
    pub title: String,
    /// Markdown.
    #[model(size = 4_000)]
    pub body: String,
    /// When it was published.
    #[model(created)]
    pub at: DateTime<Utc>,
}

/// An entry of the guest book.
#[derive(Clone, Debug, Model)]
#[model(table = "entry", index(is_shown, id))]
pub struct Entry {
    /// Chosen by the database.
    pub id: i64,
    /// As the visitor calls himself.
    #[model(size = 60)]
    pub name: String,
    /// What he wrote: text, and no markup.
    #[model(size = 1_000)]
    pub text: String,
    /// Whether the owner lets others see it.
    pub is_shown: bool,
    /// When it was written.
    #[model(created)]
    pub at: DateTime<Utc>,
}

/// A file to download. Its bytes lie in the site's folder, under its key.
#[derive(Clone, Debug, Model)]
#[model(table = "file")]
pub struct StoredFile {
    /// Chosen by the database.
    pub id: i64,
    /// The name on the disk, of the server's making.
    #[model(unique, size = 32)]
    pub key: String,
    /// The name that visitors see.
    #[model(size = 200)]
    pub name: String,
    /// Bytes.
    #[model(check = "size >= 0")]
    pub size: i64,
    /// When it was stored.
    #[model(created)]
    pub at: DateTime<Utc>,
}

/// The counter of visits: one row, whose key is 1.
#[derive(Clone, Debug, Model)]
#[model(table = "visits")]
pub struct Visits {
    /// 1.
    pub id: i64,
    /// How many there were.
    pub count: i64,
}

/// A question, and its answer.
#[derive(Clone, Debug, Model)]
#[model(table = "question")]
pub struct Question {
    /// Chosen by the database.
    pub id: i64,
    /// As the visitor calls himself.
    #[model(size = 60)]
    pub name: String,
    /// What he asks: text, and no markup.
    #[model(size = 1_000)]
    pub text: String,
    /// What the owner answers; only what is answered is shown.
    #[model(size = 4_000)]
    pub answer: Option<String>,
    /// When it was asked.
    #[model(created)]
    pub at: DateTime<Utc>,
}

/// Everything that is a table of a site.
pub fn models() -> Models {
    Models::new()
        .add::<Owner>()
        .add::<Login>()
        .add::<Page>()
        .add::<Notice>()
        .add::<Entry>()
        .add::<StoredFile>()
        .add::<Visits>()
        .add::<Question>()
}
