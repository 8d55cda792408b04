//! What a visitor, an owner or an operator may be told, in a code for programs and in words.

use std::error::Error;
use std::fmt;

use axum::http::StatusCode;
use packetboat_dispatch::Rejection;
use packetboat_orm as orm;

use crate::plans::{Component, Plan};
use crate::words::Lang;

/// Why something was not done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The form is not one that this site made for this visitor, or came from another site.
    BadForm,
    /// A name or text is empty, too long or has signs that cannot be seen.
    BadText {
        /// Which.
        field: &'static str,
    },
    /// The name and password do not belong together.
    BadLogin,
    /// What is to be changed is no longer what was seen.
    Changed,
    /// The site has no such component switched on.
    ComponentOff(Component),
    /// A new company's database is there already, and is somebody's.
    DatabaseExists {
        /// Its key.
        key: String,
    },
    /// The site is at work on as much as it may be, and as much waits.
    Full,
    /// Something failed here, of which the log knows more.
    Internal(Box<dyn Error + Send + Sync>),
    /// What cannot be undone was not confirmed.
    NotConfirmed,
    /// The owner's session is needed.
    NotLoggedIn,
    /// There is no such site, page, file or entry.
    NotFound,
    /// The plan has no room for one more component.
    PlanFull {
        /// The plan.
        plan: Plan,
    },
    /// One address asks too often.
    TooMany {
        /// Whole seconds until it is worth trying again.
        wait: u64,
    },
    /// The site keeps as much of this as it may.
    NoRoom,
    /// The name is taken already.
    Taken,
    /// The file is larger than a site takes.
    TooLarge,
    /// The body is of a kind that is not asked for here.
    WrongKind,
}

/// In English, for a log or a terminal. It is no `std::error::Error`: of those the native wire says no more than that
/// something failed.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadForm => f.write_str("the form is not this site's"),
            Self::BadText { field } => {
                write!(
                    f,
                    "the {field} is empty, too long or has signs that cannot be seen"
                )
            }
            Self::BadLogin => f.write_str("wrong name or password"),
            Self::Changed => {
                f.write_str("this was changed meanwhile; go back to what you wrote, and load the page anew beside it")
            }
            Self::ComponentOff(component) => write!(f, "{component} is not switched on"),
            Self::DatabaseExists { key } => write!(
                f,
                "there is a database {key} already, which is left as it is; the next try takes another number"
            ),
            Self::Full => f.write_str("too much is asked of this site at once"),
            Self::Internal(_) => f.write_str("something failed here"),
            Self::NotConfirmed => {
                f.write_str("nothing was done: --confirm does not say the company's name")
            }
            Self::NotLoggedIn => f.write_str("log in first"),
            Self::NotFound => f.write_str("there is no such thing"),
            Self::PlanFull { plan } => {
                write!(f, "the plan {plan} allows {} components", plan.allows())
            }
            Self::TooMany { wait } => write!(f, "too many requests; try again in {wait} s"),
            Self::NoRoom => f.write_str("this site has no room for more"),
            Self::Taken => f.write_str("the name is taken"),
            Self::TooLarge => f.write_str("the file is too large"),
            Self::WrongKind => f.write_str("this is no form"),
        }
    }
}

impl Refusal {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadForm => "bad_form",
            Self::BadText { .. } => "bad_text",
            Self::BadLogin => "bad_login",
            Self::Changed => "changed",
            Self::ComponentOff(_) => "component_off",
            Self::DatabaseExists { .. } => "database_exists",
            Self::Full => "full",
            Self::Internal(_) => "internal",
            Self::NotConfirmed => "not_confirmed",
            Self::NotLoggedIn => "not_logged_in",
            Self::NotFound => "not_found",
            Self::PlanFull { .. } => "plan_full",
            Self::TooMany { .. } => "too_many",
            Self::NoRoom => "no_room",
            Self::Taken => "taken",
            Self::TooLarge => "too_large",
            Self::WrongKind => "wrong_kind",
        }
    }

    /// What HTTP says of it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadForm => StatusCode::FORBIDDEN,
            Self::BadText { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BadLogin | Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::ComponentOff(_) | Self::NotFound => StatusCode::NOT_FOUND,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Changed
            | Self::DatabaseExists { .. }
            | Self::NotConfirmed
            | Self::PlanFull { .. }
            | Self::Taken
            | Self::NoRoom => StatusCode::CONFLICT,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongKind => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// Whole seconds after which it may go well, where that is so.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Full => Some(1),
            Self::TooMany { wait } => Some(*wait),
            _ => None,
        }
    }

    /// In words, for people.
    pub fn text(&self, lang: Lang) -> String {
        if lang == Lang::En {
            return match self {
                Self::BadForm => "This form has expired or came from another site. Go back, load the page anew and send it again.".to_owned(),
                _ => format!("{}.", capitalised(&self.to_string())),
            };
        }
        match self {
            Self::BadForm => "表单已过期，或来自其他网站。请返回、刷新页面后再提交。".to_owned(),
            Self::BadText { .. } => "内容为空、过长，或含有不可见字符。".to_owned(),
            Self::BadLogin => "名称或密码不正确。".to_owned(),
            Self::Changed => {
                "内容在此期间已被修改。请返回保留您所写的内容，并另开页面查看最新版本。".to_owned()
            }
            Self::ComponentOff(_) => "本站未开通此功能。".to_owned(),
            Self::DatabaseExists { key } => {
                format!("数据库 {key} 已存在，未作改动；再试一次会使用新的编号。")
            }
            Self::Full => "本站正忙，请稍后再试。".to_owned(),
            Self::Internal(_) => "服务器内部出错。".to_owned(),
            Self::NotConfirmed => "未确认，未执行任何操作。".to_owned(),
            Self::NotLoggedIn => "请先登录。".to_owned(),
            Self::NotFound => "没有找到。".to_owned(),
            Self::PlanFull { plan } => format!("当前套餐最多开通 {} 个功能。", plan.allows()),
            Self::TooMany { wait } => format!("请求过于频繁，请 {wait} 秒后再试。"),
            Self::NoRoom => "本站存储已满。".to_owned(),
            Self::Taken => "名称已被使用。".to_owned(),
            Self::TooLarge => "文件过大。".to_owned(),
            Self::WrongKind => "提交的不是表单。".to_owned(),
        }
    }

    /// With what caused it, in one line, for a log or a terminal.
    pub fn in_one_line(&self) -> String {
        match self {
            Self::Internal(error) => format!("{self}: {}", with_causes(&**error)),
            refusal => refusal.to_string(),
        }
    }

    /// Something that failed here.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

/// An error and its causes in one line.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line.replace('\n', " ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

impl From<orm::Error> for Refusal {
    fn from(error: orm::Error) -> Self {
        match error {
            orm::Error::NotFound { .. } => Self::NotFound,
            // Whoever holds the lock, or all the connections, is this site's own.
            orm::Error::Busy { .. } | orm::Error::TenantsBusy { .. } => Self::Full,
            error => Self::internal(error),
        }
    }
}

impl From<packetboat_dispatch::session::StoreError> for Refusal {
    fn from(error: packetboat_dispatch::session::StoreError) -> Self {
        Self::internal(error)
    }
}

/// The same, on the native wire.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Internal(source) => Self::internal().with_source(source),
            refusal => Self::new(refusal.code(), refusal.text(Lang::En)),
        }
    }
}
