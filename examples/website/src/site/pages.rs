//! Pages in Markdown, by the last part of their address.

use chrono::{DateTime, TimeDelta, Utc};
use packetboat_orm::{Error, ModelExt};

use crate::directory::Site;
use crate::models::{Page, page};
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::storage::Db;
use crate::text;

/// Pages of a site at most: the navigation names them all.
const MOST: u64 = 40;

/// The page at this address.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::NotFound`], and what the database says.
pub async fn page(site: &Site, db: &Db, slug: &str) -> Result<Page, Refusal> {
    site.needs(Component::Pages)?;
    let found = Page::select().filter(page::slug.eq(slug));
    found.optional(db).await?.ok_or(Refusal::NotFound)
}

/// Every page's address and title, where pages are switched on.
///
/// # Errors
///
/// What the database says.
pub async fn contents(site: &Site, db: &Db) -> Result<Vec<(String, String)>, Refusal> {
    if !site.has(Component::Pages) {
        return Ok(Vec::new());
    }
    let all = Page::select().order_by(page::id.asc()).limit(MOST);
    Ok(all.columns((page::slug, page::title)).all(db).await?)
}

/// The page that a change began from.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its address.
    pub slug: String,
    /// When it was last changed, in microseconds since 1970, as [`Page::updated`] says.
    pub updated: i64,
}

/// Writes a page: the one that was seen, which may move to another address, or a new one.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::BadText`], [`Refusal::NoRoom`], [`Refusal::Taken`] where another page has the
/// address, [`Refusal::Changed`] where what was seen is no longer there, and what the database says.
pub async fn write(
    site: &Site,
    db: &Db,
    seen: Option<&Seen>,
    (slug, title, body): (&str, &str, &str),
) -> Result<(), Refusal> {
    site.needs(Component::Pages)?;
    let mut page = Page {
        id: 0,
        slug: text::slug(slug)?,
        title: text::line("title", title, 120)?,
        body: text::lines("body", body, 16_000)?,
        updated: Utc::now(),
    };
    let Some(seen) = seen else {
        if Page::select().count(db).await? >= MOST {
            return Err(Refusal::NoRoom);
        }
        return page.insert(db).await.map_err(taken);
    };
    let at = DateTime::from_timestamp_micros(seen.updated).ok_or(Refusal::Changed)?;
    let found = Page::select().filter(page::slug.eq(seen.slug.as_str()));
    let found = found.filter(page::updated.eq(at));
    // Later than what was seen, whatever the clock says: else two changes would have seen the same.
    let now = page.updated.max(
        at.checked_add_signed(TimeDelta::microseconds(1))
            .unwrap_or(at),
    );
    let change = [
        page::slug.set(page.slug),
        page::title.set(page.title),
        page::body.set(page.body),
        page::updated.set(now),
    ];
    match found.update(change, db).await.map_err(taken)? {
        0 => Err(Refusal::Changed),
        _ => Ok(()),
    }
}

fn taken(error: Error) -> Refusal {
    match error {
        Error::UniqueViolation { .. } => Refusal::Taken,
        error => error.into(),
    }
}

/// Deletes the page at this address.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::NotFound`], and what the database says.
pub async fn delete(site: &Site, db: &Db, slug: &str) -> Result<(), Refusal> {
    site.needs(Component::Pages)?;
    let found = Page::select().filter(page::slug.eq(slug));
    match found.delete(db).await? {
        0 => Err(Refusal::NotFound),
        _ => Ok(()),
    }
}
