//! Replies that carry every spelling.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::classic::zero_one;
use crate::messages::{
    DownloadReply, LoginReply, MovieList, MovieRow, Notice, NoticeList, RecordList, RecordRow,
    Secret,
};

/// Said where a list was cut.
pub const MORE: &str = "内容较多,仅显示最新部分";

/// A notice as `{title: content}`.
#[derive(JsonSchema)]
#[schemars(with = "BTreeMap<String, String>", inline)]
struct Titled<'a>(&'a Notice);

impl Serialize for Titled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.0.title, &self.0.content)?;
        map.end()
    }
}

fn titled(notices: &[Notice]) -> Vec<Titled<'_>> {
    notices.iter().map(Titled).collect()
}

/// `more` and its text, present only where a list was cut.
fn cut(more: bool) -> (Option<&'static str>, Option<bool>) {
    if more {
        (Some(MORE), Some(true))
    } else {
        (None, None)
    }
}

/// [`LoginReply`] in every spelling.
#[derive(JsonSchema, Serialize)]
pub(crate) struct LoginReplyWire<'a> {
    msg: &'a str,
    session: &'a Secret,
    #[schemars(schema_with = "zero_one::schema")]
    is_vip: u8,
    last_notice: LastNotice<'a>,
    new_notice: Option<&'a Notice>,
    notice: &'a [Notice],
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

/// The notices, or `false` where there are none.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[schemars(inline)]
enum LastNotice<'a> {
    List(Vec<Titled<'a>>),
    None(bool),
}

impl Serialize for LoginReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last_notice = if self.notices.is_empty() {
            LastNotice::None(false)
        } else {
            LastNotice::List(titled(&self.notices))
        };
        LoginReplyWire {
            msg: &self.msg,
            session: &self.session,
            is_vip: u8::from(self.is_vip),
            last_notice,
            new_notice: self.notices.first(),
            notice: &self.notices,
            more: cut(self.more).1,
        }
        .serialize(serializer)
    }
}

/// [`MovieList`] in every spelling.
#[derive(JsonSchema, Serialize)]
pub(crate) struct MovieListWire<'a> {
    movie_list: &'a [MovieRow],
    back_movie_list: &'a [MovieRow],
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

impl Serialize for MovieList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (msg, more) = cut(self.more);
        MovieListWire {
            movie_list: &self.movie_list,
            back_movie_list: &self.movie_list,
            msg,
            more,
        }
        .serialize(serializer)
    }
}

/// [`DownloadReply`] in every spelling.
#[derive(JsonSchema, Serialize)]
pub(crate) struct DownloadReplyWire<'a> {
    wait_time: u64,
    price: i32,
    file_name: &'a str,
    filename: &'a str,
    file_size: u64,
    filesize: u64,
    movie_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
}

impl Serialize for DownloadReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DownloadReplyWire {
            wait_time: self.wait_time,
            price: self.price,
            file_name: &self.file_name,
            filename: &self.file_name,
            file_size: self.file_size,
            filesize: self.file_size,
            movie_size: self.file_size,
            digest: self.digest.as_deref(),
        }
        .serialize(serializer)
    }
}

/// [`RecordList`] in every spelling.
#[derive(JsonSchema, Serialize)]
pub(crate) struct RecordListWire<'a> {
    download_list: Vec<&'a str>,
    record_list: &'a [RecordRow],
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

impl Serialize for RecordList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (msg, more) = cut(self.more);
        RecordListWire {
            download_list: self
                .record_list
                .iter()
                .map(|row| row.movie.as_str())
                .collect(),
            record_list: &self.record_list,
            msg,
            more,
        }
        .serialize(serializer)
    }
}

/// [`NoticeList`] in every spelling.
#[derive(JsonSchema, Serialize)]
pub(crate) struct NoticeListWire<'a> {
    notice_list: Vec<Titled<'a>>,
    back_notice_list: &'a [Notice],
    back_list: &'a [Notice],
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

impl Serialize for NoticeList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (msg, more) = cut(self.more);
        NoticeListWire {
            notice_list: titled(&self.notices),
            back_notice_list: &self.notices,
            back_list: &self.notices,
            msg,
            more,
        }
        .serialize(serializer)
    }
}
