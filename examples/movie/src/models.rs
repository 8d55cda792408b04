//! The tables: user, movie, notice, download record; and two that the server keeps for itself.

use chrono::{DateTime, Utc};
use packetboat_dispatch::IdempotencyKey;
use packetboat_orm::Model;

use crate::messages::{Fee, Secret, UserType};

/// An account.
#[derive(Clone, Debug, Model)]
#[model(table = "user")]
pub struct User {
    /// Chosen by the database.
    pub id: i64,
    /// Unique.
    #[model(unique, size = 64)]
    pub name: String,
    /// Argon2id over what the client sends, as a PHC string.
    #[model(size = 255)]
    pub password: Secret,
    /// Which kind of account.
    #[model(size = 8, check = "user_type IN ('admin', 'user')")]
    pub user_type: UserType,
    /// Set by an operator; refused at login and at the next request.
    #[model(default = false)]
    pub is_locked: bool,
    /// Pays less and does not wait.
    #[model(default = false)]
    pub is_vip: bool,
    /// When it was made.
    pub register_time: DateTime<Utc>,
}

/// A movie. Its file is stored under [`key`](Self::key).
#[derive(Clone, Debug, Model)]
#[model(table = "movie")]
pub struct Movie {
    /// Chosen by the database.
    pub id: i64,
    /// As uploaded, sanitised.
    #[model(size = 255)]
    pub name: String,
    /// The stored file's name, of the server's making.
    #[model(unique, size = 64)]
    pub key: String,
    /// Bytes.
    #[model(check = "file_size >= 0")]
    pub file_size: i64,
    /// The sampled md5 as the client sent it: a hint.
    #[model(index, size = 32)]
    pub file_md5: String,
    /// BLAKE3 of the content.
    #[model(size = 64)]
    pub digest: String,
    /// The same while the movie is not deleted, else nothing. Unique, so that of two uploads of
    /// the same content one wins, and a deleted movie may come again.
    #[model(unique, size = 64)]
    pub live_digest: Option<String>,
    /// Whether it costs nothing.
    pub is_free: bool,
    /// What a VIP pays for a charged movie.
    #[model(default = 5)]
    pub price_vip: i32,
    /// What everyone else pays for it.
    #[model(default = 10)]
    pub price: i32,
    /// Deleted movies stay as rows, for the records.
    #[model(default = false)]
    pub is_delete: bool,
    /// The admin who uploaded it.
    #[model(references = User, index)]
    pub user_id: i64,
    /// When it was stored.
    pub upload_time: DateTime<Utc>,
}

impl Movie {
    /// What a VIP pays for a charged movie.
    pub const PRICE_VIP: i32 = 5;
    /// What everyone else pays for it.
    pub const PRICE: i32 = 10;

    /// Whether it costs money, as lists say it.
    pub fn fee(&self) -> Fee {
        if self.is_free {
            Fee::Free
        } else {
            Fee::Charged
        }
    }
}

/// A published notice.
#[derive(Clone, Debug, Model)]
#[model(table = "notice")]
pub struct Notice {
    /// Chosen by the database.
    pub id: i64,
    /// At most 200 characters.
    #[model(size = 200)]
    pub title: String,
    /// At most 8 KiB.
    #[model(size = 8192)]
    pub content: String,
    /// The admin who published it.
    #[model(references = User)]
    pub user_id: i64,
    /// When it was published.
    pub create_time: DateTime<Utc>,
}

/// One download, written when its bytes begin to be sent.
#[derive(Clone, Debug, Model)]
#[model(table = "download_record", index(user_id, movie_id))]
pub struct DownloadRecord {
    /// Chosen by the database.
    pub id: i64,
    /// Who downloaded.
    #[model(references = User)]
    pub user_id: i64,
    /// What was downloaded.
    #[model(references = Movie)]
    pub movie_id: i64,
    /// The movie's name as it was.
    #[model(size = 255)]
    pub movie_name: String,
    /// What this download cost: 0 for a free movie, or one that was paid for before.
    pub price: i32,
    /// When sending began.
    pub download_time: DateTime<Utc>,
    /// Whether the last byte was sent.
    #[model(default = false)]
    pub completed: bool,
}

/// A session that outlives its connection.
#[derive(Clone, Debug, Model)]
#[model(table = "session")]
pub struct KeptSession {
    /// The SHA-256 of its id, in hexadecimal.
    #[model(key, size = 64)]
    pub key: String,
    /// The account's id.
    #[model(index, size = 64)]
    pub subject: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last used.
    pub touched: DateTime<Utc>,
    /// The longest time without a request.
    pub idle_seconds: i64,
    /// The longest time after the login.
    pub absolute_seconds: i64,
    /// When it ends if nobody uses it, for sweeping.
    #[model(index)]
    pub expires: DateTime<Utc>,
}

/// What may happen once: whoever inserts the row does it.
#[derive(Clone, Debug, Model)]
#[model(table = "claim")]
pub struct Claim {
    /// What it is.
    #[model(key, size = 64)]
    pub name: String,
    /// When it happened.
    pub claimed: DateTime<Utc>,
    /// The BLAKE3 of what came with it, in hexadecimal; empty where nothing did.
    #[model(size = 64, default = "")]
    pub content: String,
}

impl Claim {
    /// The first admin's registration, where only the first may.
    pub fn first_admin() -> Self {
        Self {
            name: "first_admin".to_owned(),
            claimed: Utc::now(),
            content: String::new(),
        }
    }

    /// What this account asks for under this key, however often it does.
    pub fn once(user: i64, key: IdempotencyKey) -> Self {
        Self {
            name: format!("{user}:{}", key.to_hex()),
            claimed: Utc::now(),
            content: String::new(),
        }
    }

    /// The same with what came along: a key with another content is a mistake of its client, and
    /// must not be told that it is done.
    pub fn with_content(mut self, content: String) -> Self {
        self.content = content;
        self
    }
}
