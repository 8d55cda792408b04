//! Requests in any spelling; of two in one request the first of the table wins.
//!
//! serde's `alias` refuses a request that has both, so each message is read by way of a struct
//! that has a field for every spelling.

use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::classic::zero_one;
use crate::messages::{self, Secret, UserType};

/// A key that is missing or holds the wrong thing. Its text names the key in serde's way, which is
/// where the dispatcher finds it for the reply.
#[derive(Debug)]
pub struct BadKey(String);

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that is only looked at when its spelling wins.
type Unread = Option<Box<RawValue>>;

/// The value under the first spelling that was sent.
fn first<T: DeserializeOwned>(spellings: &[(&str, Unread)]) -> Result<T, BadKey> {
    let sent = spellings
        .iter()
        .find_map(|(key, raw)| raw.as_ref().map(|raw| (key, raw)));
    let Some((key, raw)) = sent else {
        return Err(BadKey(format!("missing field `{}`", spellings[0].0)));
    };
    serde_json::from_str(raw.get()).map_err(|error| BadKey(format!("field `{key}`: {error}")))
}

/// Says that a movie type may be spelled in another way, too.
pub(crate) fn also_pay(schema: &mut Schema) {
    if let Some(Value::Array(kinds)) = schema.get_mut("oneOf") {
        let same = "The same as `charge`.";
        kinds.push(json!({ "const": "pay", "description": same, "type": "string" }));
    }
}

/// [`messages::Register`] in any spelling.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{"required": ["name"]}, {"required": ["username"]}]))]
pub struct Register {
    /// The account's name, at most 64 characters.
    #[schemars(with = "Option<String>")]
    name: Unread,
    /// The same as `name`, which wins.
    #[schemars(with = "Option<String>")]
    username: Unread,
    /// What stands for the password.
    password: Secret,
    /// Which kind of account.
    user_type: UserType,
}

impl TryFrom<Register> for messages::Register {
    type Error = BadKey;

    fn try_from(sent: Register) -> Result<Self, BadKey> {
        Ok(Self {
            name: first(&[("name", sent.name), ("username", sent.username)])?,
            password: sent.password,
            user_type: sent.user_type,
        })
    }
}

/// [`messages::Login`] in any spelling.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{"required": ["name"]}, {"required": ["username"]}]))]
pub struct Login {
    /// The account's name.
    #[schemars(with = "Option<String>")]
    name: Unread,
    /// The same as `name`, which wins.
    #[schemars(with = "Option<String>")]
    username: Unread,
    /// The same as at registration.
    password: Secret,
    /// Must be the account's own kind.
    user_type: UserType,
    /// Asks for a session that outlives the connection.
    #[serde(default)]
    keep: bool,
}

impl TryFrom<Login> for messages::Login {
    type Error = BadKey;

    fn try_from(sent: Login) -> Result<Self, BadKey> {
        Ok(Self {
            name: first(&[("name", sent.name), ("username", sent.username)])?,
            password: sent.password,
            user_type: sent.user_type,
            keep: sent.keep,
        })
    }
}

/// [`messages::UploadMovie`] in any spelling.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{"required": ["file_name"]}, {"required": ["movie_name"]}]))]
pub struct UploadMovie {
    /// The movie's name.
    #[schemars(with = "Option<String>")]
    file_name: Unread,
    /// The same as `file_name`, which wins.
    #[schemars(with = "Option<String>")]
    movie_name: Unread,
    /// Bytes of the file.
    file_size: u64,
    /// The file's sampled md5.
    file_md5: String,
    /// Whether the movie costs nothing.
    #[serde(with = "zero_one")]
    #[schemars(schema_with = "zero_one::schema")]
    is_free: bool,
}

impl TryFrom<UploadMovie> for messages::UploadMovie {
    type Error = BadKey;

    fn try_from(sent: UploadMovie) -> Result<Self, BadKey> {
        Ok(Self {
            file_name: first(&[
                ("file_name", sent.file_name),
                ("movie_name", sent.movie_name),
            ])?,
            file_size: sent.file_size,
            file_md5: sent.file_md5,
            is_free: sent.is_free,
        })
    }
}

/// [`messages::DeleteMovie`] in any spelling.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{"required": ["delete_movie_id"]}, {"required": ["movie_id"]}]))]
pub struct DeleteMovie {
    /// The movie's id, out of a list.
    #[schemars(with = "Option<i64>")]
    delete_movie_id: Unread,
    /// The same as `delete_movie_id`, which wins.
    #[schemars(with = "Option<i64>")]
    movie_id: Unread,
}

impl TryFrom<DeleteMovie> for messages::DeleteMovie {
    type Error = BadKey;

    fn try_from(sent: DeleteMovie) -> Result<Self, BadKey> {
        let ids = [
            ("delete_movie_id", sent.delete_movie_id),
            ("movie_id", sent.movie_id),
        ];
        Ok(Self {
            delete_movie_id: first(&ids)?,
        })
    }
}

/// [`messages::ReleaseNotice`] in any spelling.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("allOf" = [
    {"anyOf": [{"required": ["title"]}, {"required": ["notice_name"]}]},
    {"anyOf": [{"required": ["content"]}, {"required": ["notice_content"]}]},
]))]
pub struct ReleaseNotice {
    /// 1 to 200 characters.
    #[schemars(with = "Option<String>")]
    title: Unread,
    /// The same as `title`, which wins.
    #[schemars(with = "Option<String>")]
    notice_name: Unread,
    /// At most 8 KiB.
    #[schemars(with = "Option<String>")]
    content: Unread,
    /// The same as `content`, which wins.
    #[schemars(with = "Option<String>")]
    notice_content: Unread,
}

impl TryFrom<ReleaseNotice> for messages::ReleaseNotice {
    type Error = BadKey;

    fn try_from(sent: ReleaseNotice) -> Result<Self, BadKey> {
        Ok(Self {
            title: first(&[("title", sent.title), ("notice_name", sent.notice_name)])?,
            content: first(&[
                ("content", sent.content),
                ("notice_content", sent.notice_content),
            ])?,
        })
    }
}
