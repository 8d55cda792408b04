//! A server in this process, its rows and its folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use movie::config::{AdminRegistration, ServerConfig};
use movie::messages::UserType;
use movie::server::{self, RunningServer};
use packetboat_orm::DbPool;
use tempfile::TempDir;

use super::{Client, Database};

/// The options that most tests want: open registration, cheap passwords, no wait.
pub fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.admin_registration = AdminRegistration::Open;
    config.wait = Duration::ZERO;
    config.password_cost = argon2::Params::new(argon2::Params::MIN_M_COST, 1, 1, None).unwrap();
    config.passwords_waiting = 256;
    config.per_address = 256;
    config
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Fixture {
    pub server: RunningServer,
    pub addr: SocketAddr,
    pub db: DbPool,
    pub dir: TempDir,
    // Last: it goes when nothing uses it any more.
    _database: Database,
}

impl Fixture {
    pub async fn new(database: Database, mut config: ServerConfig) -> Self {
        // What the server complains of stands beside a test that fails. One program has its own log.
        let log = tracing_subscriber::fmt()
            .with_test_writer()
            .with_env_filter("warn");
        let _already_set = log.try_init();
        let dir = tempfile::tempdir().unwrap();
        config.data = dir.path().join("data");
        config.database = database.url.clone();
        let server = server::serve(config).await.unwrap();
        let (addr, db) = (server.local_addr(), server.app().db.clone());
        Self {
            server,
            addr,
            db,
            dir,
            _database: database,
        }
    }

    /// With the usual options.
    pub async fn with(database: Database) -> Self {
        Self::new(database, config()).await
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// A new account, logged in.
    pub async fn account(&self, name: &str, user_type: UserType) -> Client {
        let mut client = self.client().await;
        client.register(name, user_type).await;
        client.login(name, user_type).await;
        client
    }

    pub async fn admin(&self, name: &str) -> Client {
        self.account(name, UserType::Admin).await
    }

    pub async fn user(&self, name: &str) -> Client {
        self.account(name, UserType::User).await
    }

    /// Every file in the folder of movies, hidden ones included.
    pub fn files(&self) -> Vec<PathBuf> {
        let folder = self.dir.path().join("data/movies");
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}
