//! The door for programs: the same functions of a site, by messages.

mod entry;
mod owner;
mod reading;
mod writing;

use packetboat_dispatch::{Anyone, Dispatcher};

use crate::app::App;

/// The table of all messages: who may send which.
pub fn dispatcher(app: App) -> Dispatcher<App> {
    let sessions = app.sessions.clone();
    Dispatcher::new(app)
        .sessions(sessions)
        .allow(Anyone, |group| {
            group
                .on(reading::page)
                .on(reading::notices)
                .on(reading::guest_book)
                .on(writing::sign_guest_book)
                .on(writing::ask)
                .on(writing::visit)
                .on(owner::log_in)
        })
        .allow(owner::OwnerOnly, |group| group.on(owner::publish_notice))
}
