//! What a visitor, an owner or an operator may be told, in a code for programs and in words.

use axum::http::StatusCode;
use packetboat_dispatch::Rejection;
use packetboat_orm as orm;

use crate::plans::{Component, Plan};
use crate::words::Lang;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The form is not one that this site made for this visitor, or came from another site.
    #[error("the form is not this site's")]
    BadForm,
    /// A name or text is empty, too long or has signs that cannot be seen.
    #[error("{field} is empty, too long or has signs that cannot be seen")]
    BadText {
        /// Which.
        field: &'static str,
    },
    /// The name and password do not belong together.
    #[error("wrong name or password")]
    BadLogin,
    /// The site has no such component switched on.
    #[error("{0} is not switched on")]
    ComponentOff(Component),
    /// The site is at work on as much as it may be, and as much waits.
    #[error("too much is asked of this site at once")]
    Full,
    /// Something failed here, of which the log knows more.
    #[error("something failed here")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What cannot be undone was not confirmed.
    #[error("nothing was done: --confirm does not say the company's name")]
    NotConfirmed,
    /// The owner's session is needed.
    #[error("log in first")]
    NotLoggedIn,
    /// There is no such site, page, file or entry.
    #[error("there is no such thing")]
    NotFound,
    /// The plan has no room for one more component.
    #[error("the plan {plan} allows {} components", plan.allows())]
    PlanFull {
        /// The plan.
        plan: Plan,
    },
    /// One address asks too often.
    #[error("too many requests")]
    TooMany {
        /// Whole seconds until it is worth trying again.
        wait: u64,
    },
    /// The site keeps as much of this as it may.
    #[error("this site has no room for more")]
    NoRoom,
    /// The name is taken already.
    #[error("the name is taken")]
    Taken,
    /// The file is larger than a site takes.
    #[error("the file is too large")]
    TooLarge,
    /// The body is of a kind that is not asked for here.
    #[error("this is no form")]
    WrongKind,
}

impl Refusal {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadForm => "bad_form",
            Self::BadText { .. } => "bad_text",
            Self::BadLogin => "bad_login",
            Self::ComponentOff(_) => "component_off",
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
            Self::NotConfirmed | Self::PlanFull { .. } | Self::Taken | Self::NoRoom => {
                StatusCode::CONFLICT
            }
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
            Self::ComponentOff(_) => "本站未开通此功能。".to_owned(),
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

    /// Something that failed here.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
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
