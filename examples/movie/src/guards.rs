//! Who may come past: everyone with an account, users, admins.
//!
//! Each guard reads the account from the database at every request, so a lock, a lost role or a
//! deleted account counts from the next one on.

use packetboat_dispatch::{Call, Guard, Rejection, async_trait};
use packetboat_orm::{DbPool, ModelExt};

use crate::app::App;
use crate::messages::UserType;
use crate::models::User;
use crate::refusals::{ACCOUNT_LOCKED, FORBIDDEN, NOT_LOGGED_IN};

/// Someone who is logged in, of whichever kind.
#[derive(Clone, Debug)]
pub struct Account(pub User);

/// A user who is logged in.
#[derive(Clone, Debug)]
pub struct Viewer(pub User);

/// An admin who is logged in.
#[derive(Clone, Debug)]
pub struct Admin(pub User);

/// Lets every account pass.
#[derive(Clone, Copy, Debug)]
pub struct AnyUser;

/// Lets users pass.
#[derive(Clone, Copy, Debug)]
pub struct UserOnly;

/// Lets admins pass.
#[derive(Clone, Copy, Debug)]
pub struct AdminOnly;

#[async_trait]
impl Guard<App> for AnyUser {
    type Identity = Account;

    async fn check(&self, call: &Call, app: &App) -> Result<Account, Rejection> {
        Ok(Account(caller(call, &app.db).await?))
    }
}

#[async_trait]
impl Guard<App> for UserOnly {
    type Identity = Viewer;

    async fn check(&self, call: &Call, app: &App) -> Result<Viewer, Rejection> {
        let user = caller(call, &app.db).await?;
        match user.user_type {
            UserType::User => Ok(Viewer(user)),
            UserType::Admin => Err(FORBIDDEN.into()),
        }
    }
}

#[async_trait]
impl Guard<App> for AdminOnly {
    type Identity = Admin;

    async fn check(&self, call: &Call, app: &App) -> Result<Admin, Rejection> {
        let user = caller(call, &app.db).await?;
        match user.user_type {
            UserType::Admin => Ok(Admin(user)),
            UserType::User => Err(FORBIDDEN.into()),
        }
    }
}

/// The account behind the session that was shown.
async fn caller(call: &Call, db: &DbPool) -> Result<User, Rejection> {
    let session = call.session().await?.ok_or(NOT_LOGGED_IN)?;
    let id: i64 = session.subject.parse()?;
    let user = User::find(id, db).await?.ok_or(NOT_LOGGED_IN)?;
    if user.is_locked {
        Err(ACCOUNT_LOCKED.into())
    } else {
        Ok(user)
    }
}
