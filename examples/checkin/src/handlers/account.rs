//! Logging in and out by message, and what there is to see.

use packetboat_dispatch::{Identity, Rejection, Sessions, State};

use crate::accounts;
use crate::app::App;
use crate::classes;
use crate::courses;
use crate::guards::Member;
use crate::messages::{CourseLine, ListCourses, LoggedIn, Login, Logout};

/// Logs in. The session is in the database like those of the pages: one that lived in the connection
/// alone could not be ended from elsewhere.
pub(super) async fn login(
    State(app): State<App>,
    sessions: Sessions,
    login: Login,
) -> Result<LoggedIn, Rejection> {
    let Login { name, password } = login;
    let account = accounts::log_in(&app.db, &app.passwords, &name, password).await?;
    let session = sessions.login(account.id.to_string(), true).await?;
    Ok(LoggedIn {
        session,
        name: account.display,
    })
}

/// Logs out.
pub(super) async fn logout(sessions: Sessions, _: Logout) -> Result<(), Rejection> {
    Ok(sessions.logout().await?)
}

/// The caller's courses.
pub(super) async fn courses(
    State(app): State<App>,
    Identity(member): Identity<Member>,
    _: ListCourses,
) -> Result<Vec<CourseLine>, Rejection> {
    let mut lines = Vec::new();
    for course in courses::of(&app.db, &member.account).await? {
        let classes = classes::of_course(&app.db, course.id).await?;
        lines.push(CourseLine {
            course: course.id,
            name: course.name,
            open_class: classes
                .iter()
                .find(|class| class.closed.is_none())
                .map(|class| class.id),
        });
    }
    Ok(lines)
}
