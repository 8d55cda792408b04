//! Pages in Markdown, by the last part of their address.

use chrono::Utc;
use packetboat_orm::ModelExt;

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

/// Writes the page at this address, new or not.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::BadText`], [`Refusal::NoRoom`], and what the database says.
pub async fn write(
    site: &Site,
    db: &Db,
    slug: &str,
    title: &str,
    body: &str,
) -> Result<(), Refusal> {
    site.needs(Component::Pages)?;
    let mut page = Page {
        id: 0,
        slug: text::slug(slug)?,
        title: text::line("title", title, 120)?,
        body: text::lines("body", body, 16_000)?,
        updated: Utc::now(),
    };
    let other = Page::select().filter(page::slug.ne(page.slug.as_str()));
    if other.count(db).await? >= MOST {
        return Err(Refusal::NoRoom);
    }
    page.upsert(page::slug)
        .update((page::title, page::body, page::updated))
        .run(db)
        .await?;
    Ok(())
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
