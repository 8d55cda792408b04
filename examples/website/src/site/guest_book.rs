//! The guest book: visitors write, and the owner decides what others see.

use chrono::Utc;
use packetboat_orm::ModelExt;

use crate::directory::Site;
use crate::models::{Entry, entry};
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::site::SHOWN;
use crate::storage::Db;
use crate::text;

/// Entries that may wait for the owner: beyond, nothing is taken until he has looked at some.
const WAITING: u64 = 200;

/// The newest entries that are shown.
///
/// # Errors
///
/// As [`shown_before`].
pub async fn shown(site: &Site, db: &Db) -> Result<Vec<Entry>, Refusal> {
    shown_before(site, db, i64::MAX).await
}

/// The newest entries that are shown, of those before this number.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], and what the database says.
pub async fn shown_before(site: &Site, db: &Db, id: i64) -> Result<Vec<Entry>, Refusal> {
    site.needs(Component::GuestBook)?;
    let shown = Entry::select().filter(entry::is_shown.eq(true));
    Ok(shown
        .filter(entry::id.lt(id))
        .order_by(entry::id.desc())
        .limit(SHOWN)
        .all(db)
        .await?)
}

/// What waits for the owner, the oldest first.
///
/// # Errors
///
/// As [`shown`].
pub async fn waiting(site: &Site, db: &Db) -> Result<Vec<Entry>, Refusal> {
    site.needs(Component::GuestBook)?;
    let waiting = Entry::select().filter(entry::is_shown.eq(false));
    Ok(waiting
        .order_by(entry::id.asc())
        .limit(SHOWN)
        .all(db)
        .await?)
}

/// Writes an entry, which waits for the owner, and gives its number.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::BadText`], [`Refusal::NoRoom`] when too many wait, and what the database says.
pub async fn sign(site: &Site, db: &Db, name: &str, words: &str) -> Result<i64, Refusal> {
    site.needs(Component::GuestBook)?;
    let mut entry = Entry {
        id: 0,
        name: text::line("name", name, 60)?,
        text: text::lines("text", words, 1_000)?,
        is_shown: false,
        at: Utc::now(),
    };
    let waiting = Entry::select().filter(entry::is_shown.eq(false));
    if waiting.count(db).await? >= WAITING {
        return Err(Refusal::NoRoom);
    }
    entry.insert(db).await?;
    Ok(entry.id)
}

/// Shows an entry to everybody.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::NotFound`], and what the database says.
pub async fn show(site: &Site, db: &Db, id: i64) -> Result<(), Refusal> {
    site.needs(Component::GuestBook)?;
    let found = Entry::select().filter(entry::id.eq(id));
    match found.update([entry::is_shown.set(true)], db).await? {
        0 => Err(Refusal::NotFound),
        _ => Ok(()),
    }
}

/// Deletes an entry, shown or not.
///
/// # Errors
///
/// As [`show`].
pub async fn delete(site: &Site, db: &Db, id: i64) -> Result<(), Refusal> {
    site.needs(Component::GuestBook)?;
    match Entry::select().filter(entry::id.eq(id)).delete(db).await? {
        0 => Err(Refusal::NotFound),
        _ => Ok(()),
    }
}
