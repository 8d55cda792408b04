//! Every refusal of the movie system: its stable code and what people read.

use packetboat_dispatch::{Flagged, Rejection};

/// A refusal that is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs; never changes.
    pub code: &'static str,
    /// For people.
    pub text: &'static str,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.text)
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Refusal = Refusal { code: $code, text: $text };)*

        /// All of them, for lists and tests.
        pub const ALL: &[Refusal] = &[$($name),*];
    };
}

refusals! {
    /// The account was locked by an operator.
    ACCOUNT_LOCKED = "account_locked", "账号已锁定";
    /// No admin may register (any more). Says nothing about the name.
    ADMIN_REGISTRATION_CLOSED = "admin_registration_closed", "管理员注册已关闭";
    /// The caller is a VIP already.
    ALREADY_VIP = "already_vip", "已经是会员";
    /// The name is empty, longer than 64 characters, or has characters that cannot be seen.
    BAD_NAME = "bad_name", "用户名不合法";
    /// The title or the content of a notice is empty, too long, or steers terminals.
    BAD_NOTICE = "bad_notice", "公告标题最多200字,内容最多8KiB,且不能为空或含控制字符";
    /// The password is empty or longer than 1,024 bytes.
    BAD_PASSWORD = "bad_password", "密码不合法";
    /// The sampled md5 is not 32 hexadecimal characters.
    BAD_SAMPLED_MD5 = "bad_file_md5", "file_md5不合法";
    /// More people are logging in than the server has room for; try again.
    BUSY = "busy", "服务器繁忙,请稍后再试";
    /// The caller's role may not do this.
    FORBIDDEN = "forbidden", "没有权限";
    /// The idempotency key was used before, for something else.
    KEY_REUSED = "key_reused", "幂等键已用于其他请求";
    /// The movie is there already.
    MOVIE_EXISTS = "movie_exists", "电影已存在";
    /// There is no such movie, or it is deleted.
    MOVIE_NOT_FOUND = "movie_not_found", "电影不存在";
    /// There is an account of this name.
    NAME_TAKEN = "user_exists", "用户已存在";
    /// There is no movie of the kind asked for.
    NO_MOVIES = "no_movies", "暂无电影";
    /// There is no notice.
    NO_NOTICES = "no_notices", "暂无公告";
    /// The caller has downloaded nothing yet.
    NO_RECORDS = "no_records", "暂无下载记录";
    /// The disk is full, or would be.
    NO_SPACE = "no_space", "磁盘空间不足";
    /// Log in first.
    NOT_LOGGED_IN = "not_logged_in", "请先登录";
    /// The caller has stored as much as one admin may.
    QUOTA_EXCEEDED = "quota_exceeded", "超出存储配额";
    /// There is no request of this type.
    UNKNOWN_TYPE = "unknown_type", "请求不存在";
    /// The password is right, the kind of account is not.
    WRONG_TYPE = "wrong_user_type", "登录类型不匹配";
    /// There is no such account, or the password is wrong; which of the two is not told.
    WRONG_PASSWORD = "wrong_password", "密码错误";
}

/// The shape of replies, with this system's own words for what the dispatcher refuses by itself.
pub fn shape() -> Flagged {
    Flagged::new()
        .text(NOT_LOGGED_IN.code, NOT_LOGGED_IN.text)
        .text(FORBIDDEN.code, FORBIDDEN.text)
        .text(UNKNOWN_TYPE.code, UNKNOWN_TYPE.text)
        .text("attachment_too_large", "文件过大")
        .text("bad_attachment_size", "文件大小不合法")
        .text("bad_json", "请求格式错误")
        .text("bad_message", "请求参数错误: {}")
        .text("internal", "服务器内部错误")
        .text("missing_type", "缺少请求类型")
        .text("part_in_use", "同一文件正在上传,请稍后再试")
        .text("repeated_key", "请求参数重复: {}")
        .text("shutting_down", "服务器正在关闭")
        .text("timeout", "处理超时")
        .text("too_deep", "请求嵌套过深")
}
