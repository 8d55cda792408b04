//! The wire contract both sides share.
//!
//! Keys are those of the classic wire; where other clients in the field spell a key differently,
//! [`crate::classic`] reads and writes their spellings as well.

use std::fmt;

use packetboat_dispatch::Message;
use packetboat_orm::Field;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::classic;

/// A string that no log may show: its `Debug` prints `[redacted]`.
#[derive(Clone, Deserialize, Field, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The two kinds of account.
#[derive(Clone, Copy, Debug, Deserialize, Field, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserType {
    /// Uploads, deletes, publishes.
    Admin,
    /// Lists, buys, downloads.
    User,
}

/// Which movies a list shall hold.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = classic::also_pay)]
pub enum MovieType {
    /// Every movie.
    All,
    /// Those that cost money.
    #[serde(alias = "pay")]
    Charge,
    /// Those that cost nothing.
    Free,
}

/// Makes an account.
#[derive(Clone, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "register", reply = Done, schema)]
#[serde(try_from = "classic::Register")]
pub struct Register {
    /// The account's name, at most 64 characters.
    pub name: String,
    /// What stands for the password. Our own client sends its lower-case md5 hex.
    pub password: Secret,
    /// Which kind of account.
    pub user_type: UserType,
}

/// Opens a session.
#[derive(Clone, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "login", reply = LoginReply, schema)]
#[serde(try_from = "classic::Login")]
pub struct Login {
    /// The account's name.
    pub name: String,
    /// The same as at registration.
    pub password: Secret,
    /// Must be the account's own kind.
    pub user_type: UserType,
    /// Asks for a session that outlives the connection.
    #[serde(default)]
    pub keep: bool,
}

/// Ends the session that sends it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "logout", reply = Done, schema)]
pub struct Logout {}

/// Asks whether a movie is new. The reply is a refusal when it is known.
#[derive(Clone, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "check_movie", reply = Done, safe, schema)]
pub struct CheckMovie {
    /// The file's sampled md5, see [`crate::sampled`].
    pub file_md5: String,
}

/// Brings a movie; the file follows the message.
#[derive(Clone, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "upload_movie", alias = "upload", attachment = "file_size", reply = Done, schema)]
#[serde(try_from = "classic::UploadMovie")]
pub struct UploadMovie {
    /// The movie's name. It is shown, and never becomes a path.
    pub file_name: String,
    /// Bytes of the file.
    pub file_size: u64,
    /// The file's sampled md5: a hint, never verified.
    pub file_md5: String,
    /// Whether the movie costs nothing.
    #[serde(with = "classic::zero_one")]
    #[schemars(schema_with = "classic::zero_one::schema")]
    pub is_free: bool,
}

/// Lists movies, newest first.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "get_movie_list", reply = MovieList, safe, schema)]
pub struct ListMovies {
    /// Which movies.
    pub movie_type: MovieType,
    /// How many of the newest to leave out.
    #[serde(default)]
    pub offset: u32,
    /// How many rows at most; as many as one reply holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Marks a movie as deleted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "delete_movie", reply = Done, schema)]
#[serde(try_from = "classic::DeleteMovie")]
pub struct DeleteMovie {
    /// The movie's id, out of a list.
    pub delete_movie_id: i64,
}

/// Publishes a notice.
#[derive(Clone, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "release_notice", alias = "put_notice", reply = Done, schema)]
#[serde(try_from = "classic::ReleaseNotice")]
pub struct ReleaseNotice {
    /// 1 to 200 characters.
    pub title: String,
    /// At most 8 KiB.
    pub content: String,
}

/// Makes the caller a VIP.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "buy_vip", alias = "buy_member", reply = Done, schema)]
pub struct BuyVip {}

/// Fetches a movie; the file follows the reply.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "download_movie", reply = DownloadReply, reply_attachment = "file_size", schema)]
pub struct DownloadMovie {
    /// The movie's id, out of a list.
    pub movie_id: i64,
}

/// Lists the caller's own downloads, newest first.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "check_download_record", reply = RecordList, safe, schema)]
pub struct ListRecords {
    /// How many of the newest to leave out.
    #[serde(default)]
    pub offset: u32,
    /// How many rows at most; as many as one reply holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Lists notices, newest first.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "check_notice", alias = "check_all_notice", reply = NoticeList, safe, schema)]
pub struct ListNotices {
    /// How many of the newest to leave out.
    #[serde(default)]
    pub offset: u32,
    /// How many rows at most; as many as one reply holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A success that says only that.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub struct Done {
    /// What was done, for people.
    pub msg: String,
}

impl Done {
    /// A success with this text.
    pub fn new(msg: impl Into<String>) -> Self {
        Self { msg: msg.into() }
    }
}

/// What a login gives.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(with = "classic::LoginReplyWire<'static>")]
pub struct LoginReply {
    /// What was done, for people.
    pub msg: String,
    /// The session: 32 hexadecimal characters.
    pub session: Secret,
    /// Whether the account is a VIP.
    #[serde(with = "classic::zero_one")]
    pub is_vip: bool,
    /// The newest notices, newest first.
    #[serde(rename = "notice", default)]
    pub notices: Vec<Notice>,
    /// Whether there are older notices that did not fit.
    #[serde(default)]
    pub more: bool,
}

/// One notice as it travels.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
}

/// One row of a list of movies: `[name, 免费 or 收费, id]`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub struct MovieRow(
    /// The movie's name.
    pub String,
    /// Whether it costs money.
    pub Fee,
    /// The movie's id.
    pub i64,
);

/// Whether a movie costs money, as lists say it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub enum Fee {
    /// It costs money.
    #[serde(rename = "收费")]
    Charged,
    /// It costs nothing.
    #[serde(rename = "免费")]
    Free,
}

/// Movies, newest first.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(with = "classic::MovieListWire<'static>")]
pub struct MovieList {
    /// The rows.
    pub movie_list: Vec<MovieRow>,
    /// Whether there are older rows that did not fit.
    #[serde(default)]
    pub more: bool,
}

/// What comes before a movie's bytes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(with = "classic::DownloadReplyWire<'static>")]
pub struct DownloadReply {
    /// The movie's name. A client must not take it for a path.
    pub file_name: String,
    /// Bytes that follow.
    pub file_size: u64,
    /// Whole seconds until the first byte.
    pub wait_time: u64,
    /// What this download costs: 0, 5 or 10.
    #[serde(default)]
    pub price: i32,
    /// The BLAKE3 of the bytes, in hexadecimal; other servers of this kind send none.
    #[serde(default)]
    pub digest: Option<String>,
}

/// One download of the past.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub struct RecordRow {
    /// Who downloaded.
    pub user: String,
    /// The movie's name as it was.
    pub movie: String,
    /// When sending began, `YYYY-mm-dd HH:MM:SS` on the server's clock.
    pub download_time: String,
}

/// The caller's downloads, newest first.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(with = "classic::RecordListWire<'static>")]
pub struct RecordList {
    /// The rows.
    pub record_list: Vec<RecordRow>,
    /// Whether there are older rows that did not fit.
    #[serde(default)]
    pub more: bool,
}

/// Notices, newest first.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(with = "classic::NoticeListWire<'static>")]
pub struct NoticeList {
    /// The rows.
    #[serde(rename = "back_notice_list")]
    pub notices: Vec<Notice>,
    /// Whether there are older rows that did not fit.
    #[serde(default)]
    pub more: bool,
}
