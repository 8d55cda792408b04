//! The counter of visits: none is lost, however many come at once.

use packetboat_orm::{ModelExt, Scoped};

use crate::directory::Site;
use crate::models::{Visits, visits};
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::storage::Db;

/// The counter's only row.
const ROW: i64 = 1;

/// Counts one visit and says how many there were with it, or with some that came at the same time.
///
/// In a scope of its own: who visits has not written, and what else he reads may come from a replica.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], and what the database says.
pub async fn visit(site: &Site, db: &Db) -> Result<i64, Refusal> {
    site.needs(Component::Counter)?;
    let db = db.new_scope();
    // Added to by the database, where the row is locked: read here and written back, two would count as one.
    let more = [visits::count.set(visits::count + 1)];
    let own = || Visits::select().filter(visits::id.eq(ROW));
    if own().update(more.clone(), &db).await? == 0 {
        let mut first = Visits { id: ROW, count: 0 };
        first.upsert(visits::id).keep().run(&db).await?;
        own().update(more, &db).await?;
    }
    count(&db).await
}

/// How many visits there were.
///
/// # Errors
///
/// What the database says.
pub async fn count(db: &Db) -> Result<i64, Refusal> {
    Ok(Visits::find(ROW, db).await?.map_or(0, |row| row.count))
}
