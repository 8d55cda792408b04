//! Notices: short news, the newest first.

use chrono::Utc;
use packetboat_orm::ModelExt;

use crate::directory::Site;
use crate::models::{Notice, notice};
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::site::SHOWN;
use crate::storage::Db;
use crate::text;

/// The newest notices.
///
/// # Errors
///
/// As [`before`].
pub async fn newest(site: &Site, db: &Db) -> Result<Vec<Notice>, Refusal> {
    before(site, db, i64::MAX).await
}

/// The newest notices of those before this number.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], and what the database says.
pub async fn before(site: &Site, db: &Db, id: i64) -> Result<Vec<Notice>, Refusal> {
    site.needs(Component::Notices)?;
    let newest = Notice::select().filter(notice::id.lt(id));
    let newest = newest.order_by(notice::id.desc()).limit(SHOWN);
    Ok(newest.all(db).await?)
}

/// Publishes a notice, and gives its number.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::BadText`], and what the database says.
pub async fn publish(site: &Site, db: &Db, title: &str, body: &str) -> Result<i64, Refusal> {
    site.needs(Component::Notices)?;
    let mut notice = Notice {
        id: 0,
        title: text::line("title", title, 120)?,
        body: text::lines("body", body, 4_000)?,
        at: Utc::now(),
    };
    notice.insert(db).await?;
    Ok(notice.id)
}

/// Takes a notice back.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::NotFound`], and what the database says.
pub async fn delete(site: &Site, db: &Db, id: i64) -> Result<(), Refusal> {
    site.needs(Component::Notices)?;
    match Notice::select()
        .filter(notice::id.eq(id))
        .delete(db)
        .await?
    {
        0 => Err(Refusal::NotFound),
        _ => Ok(()),
    }
}
