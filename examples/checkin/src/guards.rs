//! Who may come past: everyone with an account, teachers, students.
//!
//! Each guard reads the session and the account from the database at every message, so that a
//! logout, a lock or a lost role counts from the next one on, also on a WebSocket that stays open.

use packetboat_dispatch::{Call, Guard, Rejection, SessionId, async_trait};
use packetboat_orm::{DbPool, ModelExt};

use crate::app::App;
use crate::models::{Account, Role};
use crate::refusals::{ACCOUNT_LOCKED, FORBIDDEN, Fault, NOT_LOGGED_IN};

/// What a browser has shown before its WebSocket was opened.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The session of its cookie.
    pub session: SessionId,
    /// The device of its cookie.
    pub device: String,
}

/// Someone who is logged in, of whichever kind.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub account: Account,
    /// By which session.
    pub session: SessionId,
    /// The device, where a browser has shown one.
    pub device: Option<String>,
}

/// Someone who may run classes: a teacher, or an admin.
#[derive(Clone, Debug)]
pub struct Teacher(pub Member);

/// Someone who may sign in.
#[derive(Clone, Debug)]
pub struct Student(pub Member);

/// Lets every account pass.
#[derive(Clone, Copy, Debug)]
pub struct AnyMember;

/// Lets teachers and admins pass.
#[derive(Clone, Copy, Debug)]
pub struct TeacherOnly;

/// Lets students pass.
#[derive(Clone, Copy, Debug)]
pub struct StudentOnly;

#[async_trait]
impl Guard<App> for AnyMember {
    type Identity = Member;

    async fn check(&self, call: &Call, app: &App) -> Result<Member, Rejection> {
        caller(call, app).await
    }
}

#[async_trait]
impl Guard<App> for TeacherOnly {
    type Identity = Teacher;

    async fn check(&self, call: &Call, app: &App) -> Result<Teacher, Rejection> {
        let member = caller(call, app).await?;
        match member.account.role {
            Role::Admin | Role::Teacher => Ok(Teacher(member)),
            Role::Student => Err(FORBIDDEN.into()),
        }
    }
}

#[async_trait]
impl Guard<App> for StudentOnly {
    type Identity = Student;

    async fn check(&self, call: &Call, app: &App) -> Result<Student, Rejection> {
        let member = caller(call, app).await?;
        match member.account.role {
            Role::Student => Ok(Student(member)),
            Role::Admin | Role::Teacher => Err(FORBIDDEN.into()),
        }
    }
}

/// The account behind the session that the message shows, or else that its WebSocket was opened
/// with.
async fn caller(call: &Call, app: &App) -> Result<Member, Rejection> {
    if let (Some(session), Some(id)) = (call.session().await?, call.session_id()) {
        return Ok(Member {
            account: account(&app.db, &session.subject).await?,
            session: id,
            device: None,
        });
    }
    let Shown { session, device } = shown(call).ok_or(NOT_LOGGED_IN)?;
    Ok(Member {
        account: who(app, &session).await?,
        session,
        device: Some(device),
    })
}

/// What stood in the cookies of the request that became this WebSocket.
fn shown(call: &Call) -> Option<Shown> {
    call.upgraded::<Shown>().cloned()
}

/// The account behind a kept session.
///
/// # Errors
///
/// `not_logged_in`, `account_locked`.
pub async fn who(app: &App, session: &SessionId) -> Result<Account, Fault> {
    let peer = packetboat_dispatch::Peer::new(None);
    let session = app.sessions.connection(peer).verify(session).await?;
    account(&app.db, &session.ok_or(NOT_LOGGED_IN)?.subject).await
}

async fn account(db: &DbPool, subject: &str) -> Result<Account, Fault> {
    let account = Account::find(subject.parse::<i64>()?, db)
        .await?
        .ok_or(NOT_LOGGED_IN)?;
    if account.is_locked {
        return Err(ACCOUNT_LOCKED.into());
    }
    Ok(account)
}
