//! The client's own words, in Chinese and English.

use clap::ValueEnum;

/// The language of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English.
    En,
    /// 简体中文。
    Zh,
}

impl Lang {
    /// The language of this user's locale: Chinese where it says so, else English.
    pub fn of_locale() -> Self {
        sys_locale::get_locale().map_or(Self::En, |locale| Self::of(&locale))
    }

    /// The language of a locale, as `zh-CN` or `zh_CN.UTF-8`.
    fn of(locale: &str) -> Self {
        if locale.split(['-', '_', '.']).next() == Some("zh") {
            Self::Zh
        } else {
            Self::En
        }
    }
}

macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        impl Lang {
            $(
                #[doc = concat!("\"", $en, "\"")]
                pub fn $name(self) -> &'static str {
                    match self {
                        Self::En => $en,
                        Self::Zh => $zh,
                    }
                }
            )*
        }
    };
}

words! {
    admin: "Admin", "管理员";
    admin_menu: "1 Register  2 Log in  3 Upload a movie  4 Delete a movie  5 Publish a notice  0 Back",
        "1 注册  2 登录  3 上传视频  4 删除视频  5 发布公告  0 返回";
    already_vip: "You are a VIP already.", "您已经是会员。";
    asked_for_free: "Is it free? (y/n): ", "是否免费(y/n): ";
    ask_choice: "Choose: ", "请选择: ";
    ask_content: "Content: ", "内容: ";
    ask_name: "Name: ", "用户名: ";
    ask_password: "Password: ", "密码: ";
    ask_title: "Title: ", "标题: ";
    ask_vip: "VIPs do not wait and pay less. Become one? (y/n): ", "会员免等待且更便宜,是否购买(y/n): ";
    bought_vip: "You are a VIP now.", "购买成功,您已是会员。";
    bye: "Bye.", "再见。";
    charged: "charged", "收费";
    column_id: "id", "编号";
    column_movie: "movie", "电影";
    column_price: "price", "价格";
    column_time: "downloaded", "下载时间";
    connection_lost: "The connection was lost; log in again.", "连接已断开,请重新登录。";
    damaged: "What came is not the movie that the server has; nothing was saved", "下载内容校验失败,未保存";
    deleted: "Deleted.", "删除成功。";
    downloading: "Downloading", "正在下载";
    free: "free", "免费";
    log_in_first: "Log in first.", "请先登录。";
    logged_in: "Logged in as", "登录成功:";
    logged_out: "Logged out.", "已退出登录。";
    main_menu: "1 Admin  2 User  0 Quit", "1 管理员  2 普通用户  0 退出";
    more: "There are older ones.", "还有更早的记录。";
    no_connection: "No connection to", "无法连接服务器";
    no_files: "There is no file to upload in", "没有可上传的文件:";
    no_movies: "There is no movie yet.", "暂无电影。";
    no_notices: "There is no notice yet.", "暂无公告。";
    no_records: "You have downloaded nothing yet.", "暂无下载记录。";
    not_a_choice: "That is not one of the choices.", "没有这个选项。";
    not_known: "New: it can be uploaded.", "可以上传。";
    paid: "paid", "已付";
    published: "Published.", "公告发布成功。";
    refused: "The server refused.", "服务器拒绝了请求。";
    registered: "Registered; now log in.", "注册成功,请登录。";
    saved: "Saved as", "已保存为";
    server_error: "The server did not answer as it should", "服务器应答异常";
    uploaded: "Uploaded.", "上传成功。";
    uploading: "Uploading", "正在上传";
    user: "User", "普通用户";
    user_menu: "1 Register  2 Log in  3 Become a VIP  4 All movies  5 Download a free movie  6 Download a charged movie  7 My downloads  8 Notices  0 Back",
        "1 注册  2 登录  3 购买会员  4 查看所有视频  5 下载免费电影  6 下载收费电影  7 查看下载记录  8 查看公告  0 返回";
    waiting: "The movie begins in", "请等待";
    which_delete: "Number of the movie to delete (0: none): ", "要删除的电影序号(0 取消): ";
    which_download: "Number of the movie to download (0: none): ", "要下载的电影序号(0 取消): ";
    which_upload: "Number of the file to upload (0: none): ", "要上传的文件序号(0 取消): ";
}

impl Lang {
    /// A refusal in this language. The server says it in Chinese; the code says which one it is.
    pub fn refusal(self, code: &str) -> Option<&'static str> {
        let Self::En = self else {
            return None;
        };
        Some(match code {
            "account_locked" => "The account is locked.",
            "admin_registration_closed" => "Admins cannot register here (any more).",
            "already_vip" => "You are a VIP already.",
            "attachment_too_large" | "movie_too_large" => {
                "The file is larger than the server takes."
            }
            "bad_message" => "The server does not take this value.",
            "bad_name" => "This name cannot be used.",
            "bad_notice" => "A title has 1 to 200 characters, a content at most 8 KiB.",
            "bad_password" => "This password cannot be used.",
            "busy" => "The server is busy; try again.",
            "forbidden" => "Your account may not do this.",
            "internal" => "Something went wrong on the server.",
            "key_reused" => "Another request was made under this idempotency key.",
            "movie_exists" => "The movie is there already.",
            "movie_not_found" => "There is no such movie.",
            "no_movies" => "There is no movie yet.",
            "no_notices" => "There is no notice yet.",
            "no_records" => "You have downloaded nothing yet.",
            "no_space" => "The server's disk is full.",
            "not_logged_in" => "Log in first.",
            "part_in_use" => "The same file is being uploaded already; try again.",
            "quota_exceeded" => "You have stored as much as you may.",
            "shutting_down" => "The server is stopping.",
            "timeout" => "The server took too long.",
            "user_exists" => "The name is taken.",
            "wrong_password" => "No such account, or a wrong password.",
            "wrong_user_type" => "This account is of the other kind.",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusals;

    #[test]
    fn every_refusal_of_the_server_has_english_words() {
        // Two that this client cannot cause: it hashes what it sends and knows the types.
        let ours = ["bad_file_md5", "unknown_type"];
        for refusal in refusals::ALL.iter().filter(|r| !ours.contains(&r.code)) {
            assert!(Lang::En.refusal(refusal.code).is_some(), "{}", refusal.code);
        }
    }

    #[test]
    fn menus_are_numbered_alike_in_both_languages() {
        let numbers = |menu: &str| {
            menu.chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        };
        for lang in [Lang::En, Lang::Zh] {
            assert_eq!(numbers(lang.admin_menu()), "123450");
            assert_eq!(numbers(lang.user_menu()), "123456780");
        }
    }

    #[test]
    fn a_chinese_locale_is_spoken_to_in_chinese() {
        for locale in ["zh", "zh-CN", "zh_TW.UTF-8", "zh-Hant-HK"] {
            assert_eq!(Lang::of(locale), Lang::Zh, "{locale}");
        }
        for locale in ["", "C", "en-GB", "de_DE.UTF-8", "zha"] {
            assert_eq!(Lang::of(locale), Lang::En, "{locale}");
        }
        assert_eq!(Lang::Zh.admin(), "管理员");
    }
}
