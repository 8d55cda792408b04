//! What every handler and every page shares.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use packetboat_dispatch::push::Tied;
use packetboat_dispatch::{ConnectionId, FromRef, Hub, SessionManager};
use packetboat_orm::{DbPool, ModelExt};

use crate::accounts::Passwords;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::models::Setting;
use crate::refusals::Fault;
use crate::secrets::{self, Secret};

/// The state; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The rows.
    pub db: DbPool,
    /// The rooms: one for the teachers who look at a class.
    pub hub: Hub,
    /// Who is logged in.
    pub sessions: SessionManager,
    /// The hasher.
    pub passwords: Passwords,
    /// What time it is.
    pub clock: Clock,
    /// The key of the tokens in forms.
    pub form_key: Secret,
    /// What the operator decided.
    pub rules: Arc<Rules>,
    /// The task of each connection that watches a class.
    pub watching: Watching,
}

/// What the operator decided.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How long a code stands on the wall.
    pub every: Duration,
    /// How long it is taken after that.
    pub grace: Duration,
    /// Where browsers find the server, if that is not where they say they found it.
    pub origins: Vec<String>,
    /// Whether cookies go over TLS only.
    pub is_secure: bool,
}

impl From<&ServerConfig> for Rules {
    fn from(config: &ServerConfig) -> Self {
        Self {
            every: config.every,
            grace: config.grace,
            origins: config.origin.clone(),
            is_secure: config.is_secure(),
        }
    }
}

/// The task that follows a class, of each connection that watches one: asking twice must not start
/// two.
#[derive(Clone, Debug, Default)]
// A std lock around a short list; never held across an await.
pub struct Watching(Arc<Mutex<Vec<(ConnectionId, i64, Tied)>>>);

impl Watching {
    /// Notes the task of a connection for a class, and stops the one that it replaces.
    pub fn replace(&self, connection: ConnectionId, class: i64, task: Tied) {
        let mut tasks = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        tasks.retain(|(id, of, old)| {
            let is_replaced = *id == connection && *of == class;
            if is_replaced {
                old.stop();
            }
            !is_replaced && !old.is_over()
        });
        tasks.push((connection, class, task));
    }

    /// Tasks that run.
    pub fn running(&self) -> usize {
        let tasks = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        tasks.iter().filter(|(_, _, task)| !task.is_over()).count()
    }
}

/// The key of the tokens in forms, made up by whichever server comes first.
///
/// # Errors
///
/// When the database fails.
pub async fn form_key(db: &DbPool) -> Result<Secret, Fault> {
    let mut key = Setting {
        name: "form_key".to_owned(),
        value: secrets::random::<32>(),
    };
    match key.insert(db).await {
        Ok(()) => Ok(key.value),
        Err(error) => match Setting::find("form_key".to_owned(), db).await? {
            Some(kept) => Ok(kept.value),
            None => Err(error.into()),
        },
    }
}

impl FromRef<App> for Hub {
    fn from_ref(app: &App) -> Self {
        app.hub.clone()
    }
}
