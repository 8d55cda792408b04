//! Questions of visitors, shown with the owner's answer once there is one.

use chrono::Utc;
use packetboat_orm::ModelExt;

use crate::directory::Site;
use crate::models::{Question, question};
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::site::SHOWN;
use crate::storage::Db;
use crate::text;

/// Questions that may wait for an answer.
const WAITING: u64 = 200;

/// The newest questions that are answered.
///
/// # Errors
///
/// As [`answered_before`].
pub async fn answered(site: &Site, db: &Db) -> Result<Vec<Question>, Refusal> {
    answered_before(site, db, i64::MAX).await
}

/// The newest questions that are answered, of those before this number.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], and what the database says.
pub async fn answered_before(site: &Site, db: &Db, id: i64) -> Result<Vec<Question>, Refusal> {
    site.needs(Component::Questions)?;
    let answered = Question::select().filter(question::answer.is_not_null());
    Ok(answered
        .filter(question::id.lt(id))
        .order_by(question::id.desc())
        .limit(SHOWN)
        .all(db)
        .await?)
}

/// What waits for an answer, the oldest first.
///
/// # Errors
///
/// As [`answered`].
pub async fn waiting(site: &Site, db: &Db) -> Result<Vec<Question>, Refusal> {
    site.needs(Component::Questions)?;
    let waiting = Question::select().filter(question::answer.is_null());
    Ok(waiting
        .order_by(question::id.asc())
        .limit(SHOWN)
        .all(db)
        .await?)
}

/// Asks, and gives the question's number.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::BadText`], [`Refusal::NoRoom`] when too many wait, and what the database says.
pub async fn ask(site: &Site, db: &Db, name: &str, words: &str) -> Result<i64, Refusal> {
    site.needs(Component::Questions)?;
    let mut question = Question {
        id: 0,
        name: text::line("name", name, 60)?,
        text: text::lines("text", words, 1_000)?,
        answer: None,
        at: Utc::now(),
    };
    let waiting = Question::select().filter(question::answer.is_null());
    if waiting.count(db).await? >= WAITING {
        return Err(Refusal::NoRoom);
    }
    question.insert(db).await?;
    Ok(question.id)
}

/// Answers a question, or answers it anew.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::BadText`], [`Refusal::NotFound`], and what the database says.
pub async fn answer(site: &Site, db: &Db, id: i64, words: &str) -> Result<(), Refusal> {
    site.needs(Component::Questions)?;
    let words = text::lines("answer", words, 4_000)?;
    let found = Question::select().filter(question::id.eq(id));
    match found
        .update([question::answer.set(Some(words))], db)
        .await?
    {
        0 => Err(Refusal::NotFound),
        _ => Ok(()),
    }
}

/// Deletes a question, answered or not.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::NotFound`], and what the database says.
pub async fn delete(site: &Site, db: &Db, id: i64) -> Result<(), Refusal> {
    site.needs(Component::Questions)?;
    match Question::select()
        .filter(question::id.eq(id))
        .delete(db)
        .await?
    {
        0 => Err(Refusal::NotFound),
        _ => Ok(()),
    }
}
