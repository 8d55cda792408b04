//! A server from its options: databases, folder, two doors, one port.

use std::io;
use std::net::SocketAddr;

use packetboat_dispatch::proxies::{BadNetwork, ProxyProtocol, TrustedProxies};
use packetboat_dispatch::{
    Error as ServeError, Server, SessionManager, SessionPolicy, ShutdownHandle,
};
use tokio::task::JoinSet;

use crate::accounts::Passwords;
use crate::app::App;
use crate::config::{ConfigError, ServerConfig};
use crate::directory::Directory;
use crate::gate::Gate;
use crate::operator::Operator;
use crate::rates::Rates;
use crate::recent::Recent;
use crate::refusals::Refusal;
use crate::secret::{Key, secret_of_file};
use crate::sessions::DatabaseSessions;
use crate::site::files::Folder;
use crate::storage::Storage;
use crate::{handlers, web};

/// Passwords that may wait for a free thread: half a second on two.
const PASSWORDS_WAITING: usize = 64;

/// Why a server did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its file of options cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its databases cannot be used.
    #[error("the databases cannot be used: {}", .0.in_one_line())]
    Database(Refusal),
    /// Its folder cannot be used.
    #[error("the folder cannot be used")]
    Folder(#[source] io::Error),
    /// Its address cannot be listened on.
    #[error("{addr} cannot be listened on")]
    Listen {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the system said.
        source: ServeError,
    },
    /// A network of proxies is none.
    #[error(transparent)]
    Network(#[from] BadNetwork),
    /// It broke while it served.
    #[error("the server broke")]
    Serve(#[from] ServeError),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
}

/// A server that serves, on tasks of its own, until it is shut down. Dropping it ends it at once.
#[derive(Debug)]
pub struct RunningServer {
    addr: SocketAddr,
    app: App,
    operator: Operator,
    stop: ShutdownHandle,
    /// One task; a set, since that aborts what it holds when it is dropped.
    serving: JoinSet<Result<(), ServeError>>,
}

impl RunningServer {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// What its requests share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Manages its companies.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Stops accepting, lets requests that have begun end, and closes the databases.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once.
    pub async fn shutdown(mut self) {
        self.stop.shutdown();
        self.serving.join_next().await;
        self.app.tenants.close().await;
        self.app.directory.db().close().await;
    }
}

/// Starts a server.
///
/// # Errors
///
/// When the options, the folder, the databases or the address cannot be used.
///
/// # Cancel safety
///
/// Dropping the future leaves the folder as far as it had come; starting again goes on from there.
pub async fn serve(config: ServerConfig) -> Result<RunningServer, StartError> {
    let config = config.with_file()?;
    let listen = config.listen();
    let proxies = proxies(&config)?;
    let folder = config.data.folder().to_owned();
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(StartError::Folder)?;
    let key = Key::of_file(&folder.join("form-key")).map_err(StartError::Folder)?;
    let token = secret_of_file(&folder.join("operator-token")).map_err(StartError::Folder)?;
    let storage = config.data.storage();
    let directory = Directory::open(storage.directory().await.map_err(StartError::Database)?).await;
    let directory = directory.map_err(StartError::Database)?;
    let files = Folder::new(folder.join("files"), config.max_file());
    let passwords = Passwords::new(config.password_cost.clone(), PASSWORDS_WAITING);
    let sessions = DatabaseSessions(directory.db().clone());
    let app = App {
        tenants: App::tenants(Storage::clone(&storage)),
        folder: files.clone(),
        passwords: passwords.clone(),
        sessions: SessionManager::new(SessionPolicy::default(), sessions),
        key,
        gate: Gate::new(config.gate),
        rates: Rates::new(config.rates),
        recent: Recent::default(),
        proxies: proxies.clone(),
        domain: config.domain().to_ascii_lowercase().into(),
        operator: token.into(),
        directory: directory.clone(),
    };
    let cannot_listen = |source| StartError::Listen {
        addr: listen,
        source,
    };
    let server = Server::bind(listen).await.map_err(cannot_listen)?;
    let addr = server.local_addr().map_err(cannot_listen)?;
    let stop = server.shutdown_handle();
    let server = server
        .limits(config.limits)
        .trust_proxies(proxies)
        .web(web::router(&app));
    let mut serving = JoinSet::new();
    serving.spawn(server.serve(handlers::dispatcher(app.clone())));
    Ok(RunningServer {
        addr,
        app,
        operator: Operator::new(directory, storage, files, passwords),
        stop,
        serving,
    })
}

fn proxies(config: &ServerConfig) -> Result<TrustedProxies, BadNetwork> {
    let proxies = TrustedProxies::new(&config.trust)?;
    Ok(match config.proxy_protocol {
        true => proxies.proxy_protocol(ProxyProtocol::Required),
        false => proxies,
    })
}

/// Starts a server, prints `READY ADDR` on standard output, and serves until it is told to stop by SIGINT or SIGTERM.
///
/// # Errors
///
/// As [`serve`], and when the server broke.
pub async fn run(config: ServerConfig) -> Result<(), StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut server = serve(config).await?;
    println!("READY {}", server.addr);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        Some(ended) = server.serving.join_next() => {
            // The task cannot be cancelled while its set is here; a panic is passed on.
            return Ok(ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?);
        }
    }
    tracing::info!("stopping");
    server.shutdown().await;
    Ok(())
}
