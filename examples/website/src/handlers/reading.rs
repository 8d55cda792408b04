//! Messages that read.

use packetboat_dispatch::{Peer, Rejection, State};

use crate::app::App;
use crate::handlers::entry::Entry;
use crate::messages::{
    EntryList, EntryText, GetGuestBook, GetNotices, GetPage, NoticeList, NoticeText, PageText,
};
use crate::site::{guest_book as book, notices as news, pages};

pub(super) async fn page(
    State(app): State<App>,
    peer: Peer,
    request: GetPage,
) -> Result<PageText, Rejection> {
    let entry = Entry::to(app, peer, &request.site).await?;
    let page = pages::page(&entry.site, &entry.db, &request.slug).await?;
    Ok(PageText {
        title: page.title,
        body: page.body,
    })
}

pub(super) async fn notices(
    State(app): State<App>,
    peer: Peer,
    request: GetNotices,
) -> Result<NoticeList, Rejection> {
    let entry = Entry::to(app, peer, &request.site).await?;
    let newest = news::newest(&entry.site, &entry.db).await?;
    let notices = newest.into_iter().map(|row| NoticeText {
        title: row.title,
        body: row.body,
    });
    Ok(NoticeList {
        notices: notices.collect(),
    })
}

pub(super) async fn guest_book(
    State(app): State<App>,
    peer: Peer,
    request: GetGuestBook,
) -> Result<EntryList, Rejection> {
    let entry = Entry::to(app, peer, &request.site).await?;
    let shown = book::shown(&entry.site, &entry.db).await?;
    let entries = shown.into_iter().map(|row| EntryText {
        name: row.name,
        text: row.text,
    });
    Ok(EntryList {
        entries: entries.collect(),
    })
}
