//! Notices: publish, list.

use chrono::Utc;
use packetboat_dispatch::{Identity, Rejection, State};
use packetboat_orm::{self as orm, DbPool, ModelExt};

use crate::fit::{self, Page, json_len};
use crate::guards::{Account, Admin};
use crate::messages::{self, Done, ListNotices, NoticeList, ReleaseNotice};
use crate::models::{Notice, notice};
use crate::names;
use crate::refusals::{BAD_NOTICE, NO_NOTICES};

/// Characters of a title at most.
const MAX_TITLE_CHARS: usize = 200;

/// Bytes of a content at most: a reply carries it three times.
const MAX_CONTENT_BYTES: usize = 8 << 10;

/// Publishes a notice.
pub(super) async fn publish(
    State(db): State<DbPool>,
    Identity(Admin(admin)): Identity<Admin>,
    request: ReleaseNotice,
) -> Result<Done, Rejection> {
    let title = request.title.chars().count();
    let title_fits = (1..=MAX_TITLE_CHARS).contains(&title);
    let content_fits = (1..=MAX_CONTENT_BYTES).contains(&request.content.len());
    // Line breaks, and the joiners that emoji and many scripts need, do no harm.
    let harmless = |c: char| matches!(c, '\n' | '\r' | '\t' | '\u{200c}' | '\u{200d}');
    let visible = |c: char| harmless(c) || !names::is_hidden(c);
    let tame = request
        .title
        .chars()
        .chain(request.content.chars())
        .all(visible);
    if !(title_fits && content_fits && tame) {
        return Err(BAD_NOTICE.into());
    }
    let mut notice = Notice {
        id: 0,
        title: request.title,
        content: request.content,
        user_id: admin.id,
        create_time: Utc::now(),
    };
    notice.insert(&db).await?;
    Ok(Done::new("公告发布成功"))
}

/// Lists notices, newest first.
pub(super) async fn list(
    State(db): State<DbPool>,
    Identity(Account(_)): Identity<Account>,
    request: ListNotices,
) -> Result<NoticeList, Rejection> {
    let page = Page {
        offset: request.offset,
        limit: request.limit,
    };
    match page_of(page, &db).await? {
        (notices, _) if notices.is_empty() => Err(NO_NOTICES.into()),
        (notices, more) => Ok(NoticeList { notices, more }),
    }
}

/// The newest notices that fit into a reply, and whether there are more.
pub(super) async fn newest(db: &DbPool) -> orm::Result<(Vec<messages::Notice>, bool)> {
    page_of(Page::default(), db).await
}

async fn page_of(page: Page, db: &DbPool) -> orm::Result<(Vec<messages::Notice>, bool)> {
    let select = Notice::select().order_by(notice::id.desc());
    let row = |row: Notice| messages::Notice {
        title: row.title,
        content: row.content,
    };
    // As `{title: content}` it is shorter than as `{"title": .., "content": ..}`. A login says the
    // newest once more.
    fit::rows(select, page, db, row, |row| 3 * json_len(row)).await
}
