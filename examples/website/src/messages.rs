//! The messages of the native and the classic wire: the same site, for programs.

use packetboat_dispatch::{Message, SessionId};
use serde::{Deserialize, Serialize};

/// A page in Markdown.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "page", reply = PageText, safe)]
pub struct GetPage {
    /// The company's name.
    pub site: String,
    /// The last part of the page's address.
    pub slug: String,
}

/// The page.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PageText {
    /// Its title.
    pub title: String,
    /// Markdown, as the owner wrote it.
    pub body: String,
}

/// The newest notices.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "notices", reply = NoticeList, safe)]
pub struct GetNotices {
    /// The company's name.
    pub site: String,
}

/// Notices, the newest first.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NoticeList {
    /// The notices.
    pub notices: Vec<NoticeText>,
}

/// A notice.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NoticeText {
    /// Its title.
    pub title: String,
    /// Markdown.
    pub body: String,
}

/// The newest entries of the guest book that are shown.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "guest_book", reply = EntryList, safe)]
pub struct GetGuestBook {
    /// The company's name.
    pub site: String,
}

/// Entries, the newest first.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EntryList {
    /// The entries.
    pub entries: Vec<EntryText>,
}

/// An entry of the guest book.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EntryText {
    /// As the visitor calls himself.
    pub name: String,
    /// What he wrote.
    pub text: String,
}

/// Writes into the guest book.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "sign_guest_book", reply = Written)]
pub struct SignGuestBook {
    /// The company's name.
    pub site: String,
    /// As the visitor calls himself.
    pub name: String,
    /// What he writes.
    pub text: String,
}

/// Asks a question.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "ask", reply = Written)]
pub struct Ask {
    /// The company's name.
    pub site: String,
    /// As the visitor calls himself.
    pub name: String,
    /// What he asks.
    pub text: String,
}

/// The number of what was written.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Written {
    /// The number, within the site.
    pub id: i64,
}

/// Counts a visit.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "visit", reply = VisitCount)]
pub struct CountVisit {
    /// The company's name.
    pub site: String,
}

/// The counter.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct VisitCount {
    /// Visits, this one included.
    pub visits: i64,
}

/// The owner logs in.
#[derive(Clone, Deserialize, Message, Serialize)]
#[message(type = "log_in", reply = LoggedIn)]
pub struct LogIn {
    /// The company's name.
    pub site: String,
    /// The owner's name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Without the password.
impl std::fmt::Debug for LogIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogIn")
            .field("site", &self.site)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The session that was made. It is shown with each message that is the owner's.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LoggedIn {
    /// The session.
    pub session: SessionId,
}

/// Publishes a notice on the site whose owner is logged in. The session says which site that is, and nothing else can.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "publish_notice", reply = Written)]
pub struct PublishNotice {
    /// The title.
    pub title: String,
    /// Markdown.
    pub body: String,
}
