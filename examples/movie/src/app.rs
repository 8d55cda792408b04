//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use packetboat_dispatch::FromRef;
use packetboat_orm::DbPool;

use crate::accounts::Passwords;
use crate::config::{AdminRegistration, ServerConfig};
use crate::library::Library;

/// The dispatcher's state; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The rows.
    pub db: DbPool,
    /// The files.
    pub library: Arc<Library>,
    /// The hasher.
    pub passwords: Passwords,
    /// What the operator decided.
    pub rules: Rules,
}

/// What the operator decided.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Who may register as an admin.
    pub admin_registration: AdminRegistration,
    /// How long a user without VIP waits for a free movie.
    pub wait: Duration,
    /// Bytes that one admin may store.
    pub quota: u64,
}

impl From<&ServerConfig> for Rules {
    fn from(config: &ServerConfig) -> Self {
        Self {
            admin_registration: config.admin_registration,
            wait: config.wait,
            quota: config.quota,
        }
    }
}

impl FromRef<App> for DbPool {
    fn from_ref(app: &App) -> Self {
        app.db.clone()
    }
}

impl FromRef<App> for Passwords {
    fn from_ref(app: &App) -> Self {
        app.passwords.clone()
    }
}

impl FromRef<App> for Arc<Library> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.library)
    }
}

impl FromRef<App> for Rules {
    fn from_ref(app: &App) -> Self {
        app.rules
    }
}
