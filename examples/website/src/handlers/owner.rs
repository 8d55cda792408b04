//! What the owner of a site sends. His session says which site it is, and no message can say another.

use packetboat_dispatch::{Call, Guard, Identity, Peer, Rejection, Sessions, State, async_trait};

use crate::app::App;
use crate::handlers::entry::Entry;
use crate::messages::{LogIn, LoggedIn, PublishNotice, Written};
use crate::site::{notices, owners};

/// The owner of a site.
#[derive(Clone, Debug)]
pub(super) struct SiteOwner {
    /// The site's name.
    site: String,
}

/// Lets owners pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnerOnly;

#[async_trait]
impl Guard<App> for OwnerOnly {
    type Identity = SiteOwner;

    async fn check(&self, call: &Call, app: &App) -> Result<SiteOwner, Rejection> {
        let session = call.session().await?.ok_or_else(Rejection::not_logged_in)?;
        let number = session
            .subject
            .split(':')
            .next()
            .and_then(|id| id.parse().ok());
        let number = number.ok_or_else(Rejection::not_logged_in)?;
        let site = app.directory.by_number(number).await?;
        let site = site.ok_or_else(Rejection::not_logged_in)?;
        let db = app.db(&site, false).await?;
        match owners::of_session(&site, &db, &session).await? {
            Some(_) => Ok(SiteOwner {
                site: site.name.clone(),
            }),
            None => Err(Rejection::not_logged_in()),
        }
    }
}

pub(super) async fn log_in(
    State(app): State<App>,
    peer: Peer,
    sessions: Sessions,
    request: LogIn,
) -> Result<LoggedIn, Rejection> {
    let client = peer.ip();
    let entry = Entry::to(app.clone(), peer, &request.site).await?;
    entry.writes()?;
    let given = (request.name.as_str(), request.password);
    let subject = owners::check(&entry.site, &entry.db, &app.passwords, client, given).await?;
    let session = sessions.login(subject, true).await?;
    Ok(LoggedIn { session })
}

pub(super) async fn publish_notice(
    State(app): State<App>,
    peer: Peer,
    Identity(owner): Identity<SiteOwner>,
    request: PublishNotice,
) -> Result<Written, Rejection> {
    let entry = Entry::to(app, peer, &owner.site).await?;
    let id = notices::publish(&entry.site, &entry.db, &request.title, &request.body).await?;
    Ok(Written { id })
}
