//! Every refusal of the system: its stable code, its status, and what people read, in two languages.

use std::error::Error;

use packetboat_dispatch::session::StoreError;
use packetboat_dispatch::{Rejection, push::PushError};
use packetboat_orm as orm;

use crate::words::Lang;

/// A refusal that is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs; never changes.
    pub code: &'static str,
    /// The status over HTTP.
    pub status: u16,
    /// For people who read English.
    pub en: &'static str,
    /// For people who read Chinese.
    pub zh: &'static str,
}

impl Refusal {
    /// What people read.
    pub fn text(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.en)
    }
}

/// Why something was not done: the caller is refused, or something here is broken.
#[derive(Debug)]
pub enum Fault {
    /// The caller may read why.
    Refused(Refusal),
    /// The operator reads why, in the log.
    Broken(Box<dyn Error + Send + Sync>),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refusal) => refusal.into(),
            Fault::Broken(error) => Self::internal().with_source(error),
        }
    }
}

macro_rules! broken {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Broken(error.into())
            }
        })*
    };
}

broken!(
    orm::Error,
    StoreError,
    PushError,
    std::io::Error,
    tokio::task::JoinError,
    tokio::sync::AcquireError,
    std::num::ParseIntError,
    crate::accounts::HashError,
    csv::Error,
    qrcode::types::QrError,
    askama::Error
);

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $en:literal, $zh:literal;)*) => {
        $($(#[$doc])* pub const $name: Refusal =
            Refusal { code: $code, status: $status, en: $en, zh: $zh };)*

        /// All of them, for lists and tests.
        pub const ALL: &[Refusal] = &[$($name),*];
    };
}

refusals! {
    /// The account was locked by an operator.
    ACCOUNT_LOCKED = "account_locked", 403,
        "This account is locked.", "账号已锁定。";
    /// A name is empty, too long, or has characters that cannot be seen.
    BAD_NAME = "bad_name", 400,
        "A name has 1 to 64 visible characters.", "名称须为 1 至 64 个可见字符。";
    /// The password is too short or too long.
    BAD_PASSWORD = "bad_password", 400,
        "A password has 8 to 1,024 bytes.", "密码须为 8 至 1024 字节。";
    /// The reason of a correction is missing or too long.
    BAD_REASON = "bad_reason", 400,
        "A correction needs a reason of at most 200 characters.", "更正须填写原因,最多 200 字。";
    /// What was sent does not have the fields that it must have.
    BAD_REQUEST = "bad_request", 400,
        "The request is not complete. Go back and try again.", "请求不完整,请返回重试。";
    /// More people are logging in than the server has room for; try again.
    BUSY = "busy", 503,
        "The server is busy. Try again in a moment.", "服务器繁忙,请稍后再试。";
    /// The class is over.
    CLASS_CLOSED = "class_closed", 409,
        "This class is closed. Ask your teacher.", "签到已结束,请联系老师。";
    /// The code is one of another class of the student's, which is open too.
    CODE_ELSEWHERE = "code_of_another_class", 422,
        "This code belongs to another of your classes.", "这是你另一门课的签到码。";
    /// The code was shown, and is not any more.
    CODE_EXPIRED = "code_expired", 422,
        "This code has changed meanwhile. Use the one that is on the screen now.",
        "签到码已更换,请使用屏幕上最新的签到码。";
    /// The code is not one that was shown.
    CODE_WRONG = "code_wrong", 422,
        "This is not the code on the screen.", "签到码不正确。";
    /// There is a course of this name.
    COURSE_EXISTS = "course_exists", 409,
        "There is a course of this name already.", "已有同名课程。";
    /// Another student has signed in to this class with this device.
    DEVICE_USED = "device_used", 409,
        "Somebody else has signed in to this class with this device. Ask your teacher.",
        "本设备已为其他同学签到,请联系老师。";
    /// A message of a program does not say which device it is.
    DEVICE_MISSING = "device_missing", 400,
        "Say which device this is: 16 to 64 characters.", "缺少设备标识(16 至 64 个字符)。";
    /// The caller's role may not do this, or the form is not one of this server.
    FORBIDDEN = "forbidden", 403,
        "You may not do this.", "没有权限。";
    /// A form that was sent from another site, or without its token.
    FORM_EXPIRED = "form_expired", 403,
        "This form has expired, or was sent from another site. Reload the page and try again.",
        "表单已失效或来自其他网站,请刷新页面后重试。";
    /// The link for a first password was used, replaced, or never existed.
    LINK_USED = "link_used", 410,
        "This link has been used or replaced. Ask for a new one.", "链接已使用或已更换,请索取新的链接。";
    /// There is an account of this name.
    NAME_TAKEN = "name_taken", 409,
        "There is an account of this name already.", "已有同名账号。";
    /// There is no such thing, or it is not the caller's.
    NOT_FOUND = "not_found", 404,
        "There is no such thing here.", "没有找到。";
    /// Log in first.
    NOT_LOGGED_IN = "not_logged_in", 401,
        "Log in first.", "请先登录。";
    /// The student is not on the roster.
    NOT_ON_ROSTER = "not_on_roster", 403,
        "You are not on the roster of this course.", "你不在本课程名单中。";
    /// The roster has mistakes, or is too long.
    ROSTER_WRONG = "roster_wrong", 422,
        "The roster has mistakes; nothing was imported.", "名单有误,未导入任何内容。";
    /// Five codes within a minute.
    TOO_MANY_ATTEMPTS = "too_many_attempts", 429,
        "Too many attempts. Wait a minute, then use the code that is on the screen.",
        "尝试次数过多,请一分钟后使用屏幕上的签到码。";
    /// There is no such account, or the password is wrong; which of the two is not told.
    WRONG_PASSWORD = "wrong_password", 401,
        "Name or password is wrong.", "账号或密码错误。";
}

/// Something failed on the server; its log says what.
pub const INTERNAL: Refusal = Refusal {
    code: "internal",
    status: 500,
    en: "Something went wrong on the server.",
    zh: "服务器内部错误。",
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_refusal_has_a_code_of_its_own_and_two_languages() {
        let codes: HashSet<_> = ALL.iter().map(|refusal| refusal.code).collect();
        assert_eq!(codes.len(), ALL.len());
        for refusal in ALL {
            assert!(
                refusal.en.is_ascii() && !refusal.zh.is_ascii(),
                "{refusal:?}"
            );
            assert!((400..600).contains(&refusal.status), "{refusal:?}");
        }
    }
}
