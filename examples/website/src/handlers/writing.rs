//! Messages by which visitors write.

use packetboat_dispatch::{Peer, Rejection, State};

use crate::app::App;
use crate::handlers::entry::Entry;
use crate::messages::{Ask, CountVisit, SignGuestBook, VisitCount, Written};
use crate::site::{counter, guest_book, questions};

pub(super) async fn sign_guest_book(
    State(app): State<App>,
    peer: Peer,
    request: SignGuestBook,
) -> Result<Written, Rejection> {
    let entry = Entry::to(app, peer, &request.site).await?;
    entry.writes()?;
    let id = guest_book::sign(&entry.site, &entry.db, &request.name, &request.text).await?;
    Ok(Written { id })
}

pub(super) async fn ask(
    State(app): State<App>,
    peer: Peer,
    request: Ask,
) -> Result<Written, Rejection> {
    let entry = Entry::to(app, peer, &request.site).await?;
    entry.writes()?;
    let id = questions::ask(&entry.site, &entry.db, &request.name, &request.text).await?;
    Ok(Written { id })
}

pub(super) async fn visit(
    State(app): State<App>,
    peer: Peer,
    request: CountVisit,
) -> Result<VisitCount, Rejection> {
    let entry = Entry::to(app, peer, &request.site).await?;
    let visits = counter::visit(&entry.site, &entry.db).await?;
    Ok(VisitCount { visits })
}
