//! What the server does for each message, and who may ask for it.

mod account;
mod catalog;
mod download;
mod notice;
mod once;
mod upload;

use packetboat_dispatch::{Anyone, Dispatcher, Flagged, SessionManager};

use crate::app::App;
use crate::guards::{AdminOnly, AnyUser, UserOnly};
use crate::health;
use crate::refusals;

/// The table of all messages: who may send which.
pub fn dispatcher(app: App, sessions: SessionManager) -> Dispatcher<App, Flagged> {
    let checks = health::checks(&app);
    Dispatcher::new(app)
        .shape(refusals::shape())
        .sessions(sessions)
        .introspect(AdminOnly)
        .health(Anyone, AdminOnly, checks)
        .allow(Anyone, |group| {
            group.on(account::register).on(account::login)
        })
        .allow(AnyUser, |group| {
            group.on(account::logout).on(catalog::list).on(notice::list)
        })
        .allow(UserOnly, |group| {
            group
                .on(account::buy_vip)
                .on(download::download)
                .on(download::records)
        })
        .allow(AdminOnly, |group| {
            group
                .on(catalog::check)
                .on(upload::upload)
                .on(catalog::delete)
                .on(notice::publish)
        })
}
