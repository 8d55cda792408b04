//! What the server does for each message, and who may send it.

mod account;
mod class;
mod student;

use packetboat_dispatch::{Anyone, Dispatcher};

use crate::app::App;
use crate::guards::{AnyMember, StudentOnly, TeacherOnly};

/// The table of all messages.
pub fn dispatcher(app: App) -> Dispatcher<App> {
    let sessions = app.sessions.clone();
    Dispatcher::new(app)
        .sessions(sessions)
        .allow(Anyone, |group| group.on(account::login))
        .allow(AnyMember, |group| {
            group.on(account::logout).on(account::courses)
        })
        .allow(StudentOnly, |group| group.on(student::check_in))
        .allow(TeacherOnly, |group| {
            group
                .on(class::open)
                .on(class::close)
                .on(class::watch)
                .on(class::correct)
        })
}
