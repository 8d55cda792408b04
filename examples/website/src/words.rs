//! The words of the pages, in English and Chinese.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::plans::Component;

/// A language.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    /// By its name in a query or a cookie.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// The first that the browser asks for and that there is.
    pub fn asked(headers: &HeaderMap) -> Self {
        let asked = headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        let mut names = asked.unwrap_or_default().split(',').map(str::trim);
        let found = names.find_map(|name| match name.get(..2) {
            Some(name) => Self::named(&name.to_ascii_lowercase()),
            None => None,
        });
        found.unwrap_or_default()
    }

    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Zh => &ZH,
        }
    }
}

/// The words of the pages, each under what it says in English.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field is what it says")]
pub struct Words {
    pub home: &'static str,
    pub pages: &'static str,
    pub notices: &'static str,
    pub guest_book: &'static str,
    pub files: &'static str,
    pub counter: &'static str,
    pub questions: &'static str,
    pub log_in: &'static str,
    pub log_out: &'static str,
    pub manage: &'static str,
    pub name: &'static str,
    pub your_name: &'static str,
    pub password: &'static str,
    pub text: &'static str,
    pub title: &'static str,
    pub address: &'static str,
    pub send: &'static str,
    pub save: &'static str,
    pub publish: &'static str,
    pub delete: &'static str,
    pub show: &'static str,
    pub answer: &'static str,
    pub upload: &'static str,
    pub edit: &'static str,
    pub new_page: &'static str,
    pub switch_on: &'static str,
    pub switch_off: &'static str,
    pub nothing_yet: &'static str,
    pub waits_for_owner: &'static str,
    pub visits: &'static str,
    pub download: &'static str,
    pub bytes: &'static str,
    pub ask: &'static str,
    pub sign: &'static str,
    pub markdown: &'static str,
    pub plan: &'static str,
    pub components: &'static str,
    pub switched_on: &'static str,
    pub waiting: &'static str,
    pub public: &'static str,
    pub older: &'static str,
    pub logins: &'static str,
    pub succeeded: &'static str,
    pub failed: &'static str,
    pub file: &'static str,
    pub welcome: &'static str,
    pub choose_above: &'static str,
    pub skip: &'static str,
    pub time: &'static str,
    pub back: &'static str,
    pub sorry: &'static str,
    pub language: &'static str,
    pub other_lang: &'static str,
    pub html_lang: &'static str,
}

impl Words {
    /// What a component is called.
    pub fn component(&self, component: &Component) -> &'static str {
        match component {
            Component::Counter => self.counter,
            Component::Files => self.files,
            Component::GuestBook => self.guest_book,
            Component::Notices => self.notices,
            Component::Pages => self.pages,
            Component::Questions => self.questions,
        }
    }
}

static EN: Words = Words {
    home: "Home",
    pages: "Pages",
    notices: "Notices",
    guest_book: "Guest book",
    files: "Files",
    counter: "Counter",
    questions: "Questions",
    log_in: "Log in",
    log_out: "Log out",
    manage: "Manage",
    name: "Name",
    your_name: "Your name",
    password: "Password",
    text: "Text",
    title: "Title",
    address: "Address",
    send: "Send",
    save: "Save",
    publish: "Publish",
    delete: "Delete",
    show: "Show",
    answer: "Answer",
    upload: "Upload",
    edit: "Edit",
    new_page: "New page",
    switch_on: "Switch on",
    switch_off: "Switch off",
    nothing_yet: "Nothing here yet.",
    waits_for_owner: "Thank you. It is shown when the owner has read it.",
    visits: "Visits",
    download: "Download",
    bytes: "bytes",
    ask: "Ask a question",
    sign: "Sign the guest book",
    markdown: "Markdown; HTML is shown as it is written",
    plan: "Plan",
    components: "Components",
    switched_on: "switched on",
    waiting: "Waiting for you",
    public: "Seen by everybody",
    older: "Older ones",
    logins: "Last logins",
    succeeded: "succeeded",
    failed: "failed",
    file: "File",
    welcome: "Welcome",
    choose_above: "Choose above what you would like to see.",
    skip: "Skip to the content",
    time: "Time",
    back: "Back to the home page",
    sorry: "Sorry",
    language: "中文",
    other_lang: "zh",
    html_lang: "en",
};

static ZH: Words = Words {
    home: "首页",
    pages: "页面",
    notices: "公告",
    guest_book: "留言簿",
    files: "文件",
    counter: "访问计数",
    questions: "问答",
    log_in: "登录",
    log_out: "退出",
    manage: "管理",
    name: "名称",
    your_name: "您的名字",
    password: "密码",
    text: "内容",
    title: "标题",
    address: "地址",
    send: "提交",
    save: "保存",
    publish: "发布",
    delete: "删除",
    show: "展示",
    answer: "回答",
    upload: "上传",
    edit: "编辑",
    new_page: "新页面",
    switch_on: "开通",
    switch_off: "关闭",
    nothing_yet: "暂无内容。",
    waits_for_owner: "谢谢！站长审阅后会显示。",
    visits: "访问次数",
    download: "下载",
    bytes: "字节",
    ask: "提问",
    sign: "写留言",
    markdown: "支持 Markdown；HTML 将按原文显示",
    plan: "套餐",
    components: "功能",
    switched_on: "个已开通",
    waiting: "待处理",
    public: "已公开",
    older: "更早的内容",
    logins: "最近登录",
    succeeded: "成功",
    failed: "失败",
    file: "文件",
    welcome: "欢迎",
    choose_above: "请从上方选择您想看的内容。",
    skip: "跳到正文",
    time: "时间",
    back: "返回首页",
    sorry: "抱歉",
    language: "English",
    other_lang: "en",
    html_lang: "zh-CN",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_there_is_wins() {
        for (asked, lang) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("fr, EN-gb;q=0.8, zh", Lang::En),
            ("", Lang::En),
            ("*", Lang::En),
            ("é, zh", Lang::Zh),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, asked.parse().expect("a value"));
            // What is not ASCII is not read at all.
            let lang = if asked.is_ascii() { lang } else { Lang::En };
            assert_eq!(Lang::asked(&headers), lang, "{asked}");
        }
    }
}
