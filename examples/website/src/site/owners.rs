//! Who may change a site: a login, the session that it makes, and the owner behind one.

use std::net::IpAddr;

use chrono::Utc;
use packetboat_dispatch::Session;
use packetboat_orm::ModelExt;

use crate::accounts::Passwords;
use crate::directory::Site;
use crate::models::{Login, Owner, login, owner};
use crate::refusals::Refusal;
use crate::storage::Db;
use crate::text;

/// Logins that are kept for the owner to look at.
const KEPT: u64 = 100;

/// Adds an owner.
///
/// # Errors
///
/// [`Refusal::BadText`] for a name or password that is none, [`Refusal::Taken`], and what the database says.
pub async fn add(
    db: &Db,
    passwords: &Passwords,
    name: &str,
    password: String,
) -> Result<(), Refusal> {
    let mut owner = Owner {
        id: 0,
        name: text::line("name", name, 64)?,
        password: passwords.hash(password).await?,
    };
    owner.insert(db).await.map_err(|error| match error {
        packetboat_orm::Error::UniqueViolation { .. } => Refusal::Taken,
        error => error.into(),
    })
}

/// Checks a name and a password of this site, and gives the subject of a session of this site.
///
/// # Errors
///
/// [`Refusal::BadLogin`], alike for an unknown name and a wrong password; [`Refusal::Full`] when too many passwords
/// wait to be checked; and what the database says.
pub async fn check(
    site: &Site,
    db: &Db,
    passwords: &Passwords,
    client: Option<IpAddr>,
    (name, password): (&str, String),
) -> Result<String, Refusal> {
    let found = Owner::select().filter(owner::name.eq(name.trim()));
    let found = found.optional(db).await?;
    let hash = match &found {
        Some(owner) => owner.password.clone(),
        // Costs as much as a wrong password, so that time does not tell whether there is such a name.
        None => passwords.nobody(),
    };
    let is_right = passwords.verify(password, hash).await?;
    let succeeded = is_right && found.is_some();
    note(db, found.as_ref(), client, succeeded).await?;
    let Some(owner) = found.filter(|_| succeeded) else {
        return Err(Refusal::BadLogin);
    };
    Ok(format!("{}:{}", site.id, owner.id))
}

async fn note(
    db: &Db,
    owner: Option<&Owner>,
    client: Option<IpAddr>,
    succeeded: bool,
) -> Result<(), Refusal> {
    let mut row = Login {
        id: 0,
        owner_id: owner.map(|owner| owner.id),
        address: client.map_or_else(|| "-".to_owned(), |client| client.to_string()),
        succeeded,
        at: Utc::now(),
    };
    row.insert(db).await?;
    let old = Login::select().filter(login::id.le(row.id - KEPT.cast_signed()));
    old.delete(db).await?;
    Ok(())
}

/// The newest logins.
///
/// # Errors
///
/// What the database says.
pub async fn logins(db: &Db) -> Result<Vec<Login>, Refusal> {
    Ok(Login::select()
        .order_by(login::id.desc())
        .limit(10)
        .all(db)
        .await?)
}

/// The owner behind a session, if it is a session of **this** site. A session of another company is nobody here,
/// whatever number its owner has there.
///
/// # Errors
///
/// What the database says.
pub async fn of_session(site: &Site, db: &Db, session: &Session) -> Result<Option<Owner>, Refusal> {
    let Some((of, owner)) = session.subject.split_once(':') else {
        return Ok(None);
    };
    if of.parse() != Ok(site.id) {
        return Ok(None);
    }
    match owner.parse::<i64>() {
        Ok(id) => Ok(Owner::find(id, db).await?),
        Err(_) => Ok(None),
    }
}
