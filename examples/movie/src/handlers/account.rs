//! Accounts: register, log in and out, become a VIP.

use chrono::Utc;
use packetboat_dispatch::{Idempotency, Identity, Rejection, Sessions, State};
use packetboat_orm::{self as orm, DbPool, Dialect, Executor, ModelExt, sql};

use crate::accounts::{Passwords, check_name};
use crate::app::App;
use crate::config::AdminRegistration;
use crate::guards::{Account, Viewer};
use crate::handlers::{notice, once};
use crate::messages::{BuyVip, Done, Login, LoginReply, Logout, Register, Secret, UserType};
use crate::models::{Claim, User, claim, user};
use crate::refusals::{
    ACCOUNT_LOCKED, ADMIN_REGISTRATION_CLOSED, ALREADY_VIP, NAME_TAKEN, WRONG_PASSWORD, WRONG_TYPE,
};

/// Makes an account.
pub(super) async fn register(State(app): State<App>, request: Register) -> Result<Done, Rejection> {
    let is_admin = request.user_type == UserType::Admin;
    let mut claim = None;
    if is_admin {
        // Before anything that could tell whether the name is taken.
        claim = claim_admin(app.rules.admin_registration, &app.db).await?;
    }
    check_name(&request.name)?;
    // Only to save the hash: of two that come at once the unique index lets one pass.
    if User::select()
        .filter(user::name.eq(&request.name))
        .exists(&app.db)
        .await?
    {
        return Err(NAME_TAKEN.into());
    }
    let mut user = User {
        id: 0,
        name: request.name,
        password: app.passwords.hash(request.password).await?,
        user_type: request.user_type,
        is_locked: false,
        is_vip: false,
        register_time: Utc::now(),
    };
    match insert(&mut user, claim.as_mut(), &app.db).await {
        Ok(()) => Ok(Done::new("注册成功")),
        Err(orm::Error::UniqueViolation { table: "claim", .. }) => {
            Err(ADMIN_REGISTRATION_CLOSED.into())
        }
        Err(orm::Error::UniqueViolation { .. }) => Err(NAME_TAKEN.into()),
        Err(error) => Err(error.into()),
    }
}

/// Inserts the account, and with it what only the first admin can insert; both or none.
async fn insert(user: &mut User, claim: Option<&mut Claim>, db: &DbPool) -> orm::Result<()> {
    orm::transaction(db, async |tx| {
        if let Some(claim) = claim {
            claim.insert(&mut *tx).await?;
        }
        user.insert(tx).await
    })
    .await
}

/// Whether an admin may register; where only the first may, what the first has to insert.
async fn claim_admin(
    registration: AdminRegistration,
    db: &DbPool,
) -> Result<Option<Claim>, Rejection> {
    match registration {
        AdminRegistration::Open => Ok(None),
        AdminRegistration::Closed => Err(ADMIN_REGISTRATION_CLOSED.into()),
        AdminRegistration::First => {
            let first = Claim::first_admin();
            let admins = User::select().filter(user::user_type.eq(UserType::Admin));
            let claims = Claim::select().filter(claim::name.eq(&first.name));
            if admins.exists(db).await? || claims.exists(db).await? {
                return Err(ADMIN_REGISTRATION_CLOSED.into());
            }
            Ok(Some(first))
        }
    }
}

/// Opens a session: password first, then the kind of account, then the lock.
pub(super) async fn login(
    State(db): State<DbPool>,
    State(passwords): State<Passwords>,
    sessions: Sessions,
    request: Login,
) -> Result<LoginReply, Rejection> {
    let (id, hash) = credentials(&request.name, &passwords, &db).await?;
    if !passwords.verify(request.password, hash).await? {
        return Err(WRONG_PASSWORD.into());
    }
    let user = User::find(id, &db).await?.ok_or(WRONG_PASSWORD)?;
    if user.user_type != request.user_type {
        return Err(WRONG_TYPE.into());
    }
    if user.is_locked {
        return Err(ACCOUNT_LOCKED.into());
    }
    let (notices, more) = notice::newest(&db).await?;
    let session = sessions.login(user.id.to_string(), request.keep).await?;
    Ok(LoginReply {
        msg: "登录成功".to_owned(),
        session: Secret(session.expose()),
        is_vip: user.is_vip,
        notices,
        more,
    })
}

/// The id and the hash of the account of this name; of one that does not exist, those of nobody.
///
/// Either way it is one statement and one row, so that the time does not tell which it was.
async fn credentials(
    name: &str,
    passwords: &Passwords,
    db: &DbPool,
) -> Result<(i64, Secret), Rejection> {
    let nobody = passwords.nobody();
    // No account has such a name, which is then answered like any unknown one.
    let name = if check_name(name).is_ok() { name } else { "" };
    let query = match db.dialect() {
        Dialect::MySql => sql("SELECT id, password FROM `user` WHERE name = ? \
            UNION ALL SELECT 0, ? ORDER BY 1 DESC LIMIT 1"),
        _ => sql("SELECT id, password FROM \"user\" WHERE name = ? \
            UNION ALL SELECT 0, ? ORDER BY 1 DESC LIMIT 1"),
    };
    Ok(query.bind(name).bind(nobody.0).one(db).await?)
}

/// Ends the session.
pub(super) async fn logout(
    Identity(Account(_)): Identity<Account>,
    sessions: Sessions,
    _: Logout,
) -> Result<Done, Rejection> {
    sessions.logout().await?;
    Ok(Done::new("退出成功"))
}

/// Makes the caller a VIP; once, where the request has a key and comes again.
pub(super) async fn buy_vip(
    State(db): State<DbPool>,
    Identity(Viewer(viewer)): Identity<Viewer>,
    Idempotency(key): Idempotency,
    _: BuyVip,
) -> Result<Done, Rejection> {
    let bought = orm::try_transaction(&db, async |tx| {
        if let Some(key) = key {
            Claim::once(viewer.id, key).insert(&mut *tx).await?;
        }
        let not_yet = User::select().filter(user::id.eq(viewer.id) & user::is_vip.eq(false));
        match not_yet.update([user::is_vip.set(true)], tx).await? {
            0 => Err(NotBought::Already),
            _ => Ok(()),
        }
    });
    match bought.await {
        Ok(()) => Ok(bought_vip()),
        // Done before, by the same request.
        Err(NotBought::Failed(orm::Error::UniqueViolation { table: "claim", .. })) => {
            let before = once::before(viewer.id, key, &db).await?;
            before.map_or_else(
                || Ok(bought_vip()),
                |it| once::answer(&it, "", bought_vip()),
            )
        }
        Err(NotBought::Already) => Err(ALREADY_VIP.into()),
        Err(NotBought::Failed(error)) => Err(error.into()),
    }
}

fn bought_vip() -> Done {
    Done::new("购买成功")
}

/// Why an account was not made a VIP.
enum NotBought {
    Already,
    Failed(orm::Error),
}

impl From<orm::Error> for NotBought {
    fn from(error: orm::Error) -> Self {
        Self::Failed(error)
    }
}
