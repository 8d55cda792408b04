//! A server from its options: database, pages, dispatcher, listener.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use packetboat_dispatch::tls::{Certificates, TlsError, TlsMode};
use packetboat_dispatch::{
    Error as ServeError, Hub, Limits, Server, SessionManager, SessionPolicy, ShutdownHandle,
};
use tokio::task::JoinSet;

use crate::accounts::Passwords;
use crate::app::{self, App, Rules, Watching};
use crate::config::ServerConfig;
use crate::database::{self, DatabaseError};
use crate::handlers;
use crate::pages;
use crate::refusals::Fault;
use crate::sessions::DatabaseSessions;

/// Why a server did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// It was told to serve beyond this machine, and nothing is encrypted.
    #[error(
        "{addr} is beyond this machine and nothing is encrypted: \
        give --tls-cert and --tls-key, or say --insecure"
    )]
    Insecure {
        /// Where it was to listen.
        addr: SocketAddr,
    },
    /// The key of its forms can neither be read nor written.
    #[error("the key of the forms cannot be kept")]
    Key(#[source] Box<dyn Error + Send + Sync>),
    /// Its address cannot be listened on.
    #[error("{addr} cannot be listened on")]
    Listen {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the system said.
        source: ServeError,
    },
    /// It broke while it served.
    #[error("the server broke")]
    Serve(#[from] ServeError),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for")]
    Signals(#[source] std::io::Error),
    /// Its certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// An error and its causes in one line, for a terminal.
pub fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line.replace('\n', " ")
}

/// A server that serves, on tasks of its own, until it is shut down. Dropping it ends it at once.
#[derive(Debug)]
pub struct RunningServer {
    addr: SocketAddr,
    app: App,
    certificates: Option<Certificates>,
    stop: ShutdownHandle,
    /// One task; a set, since that aborts what it holds when it is dropped.
    serving: JoinSet<Result<(), ServeError>>,
}

impl RunningServer {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// What its handlers share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Stops accepting, tells those who are connected, lets requests that have begun end, and
    /// returns.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once.
    pub async fn shutdown(mut self) {
        self.app.hub.shutdown().await;
        self.stop.shutdown();
        self.serving.join_next().await;
    }
}

/// Starts a server.
///
/// # Errors
///
/// When the certificate, the folder, the database or the address cannot be used.
///
/// # Cancel safety
///
/// Dropping the future leaves the database as far as it had come; starting again goes on from
/// there.
pub async fn serve(config: ServerConfig) -> Result<RunningServer, StartError> {
    let listen = config.listen;
    let is_encrypted = config.tls_cert.is_some();
    if !is_encrypted && !listen.ip().is_loopback() && !config.insecure {
        return Err(StartError::Insecure { addr: listen });
    }
    let certificates = match (&config.tls_cert, &config.tls_key) {
        (Some(chain), Some(key)) => Some(Certificates::from_pem_files(chain, key)?),
        _ => None,
    };
    let url = config.place.database.as_ref().map(|url| url.0.as_str());
    let db = database::open(&config.place.data, url).await?;
    let form_key = app::form_key(&db).await.map_err(|fault| match fault {
        Fault::Broken(error) => StartError::Key(error),
        Fault::Refused(refusal) => StartError::Key(refusal.en.into()),
    })?;
    let app = App {
        sessions: SessionManager::new(SessionPolicy::default(), DatabaseSessions(db.clone())),
        db,
        hub: Hub::in_memory(),
        passwords: Passwords::new(config.password_cost.clone(), config.passwords_waiting),
        clock: config.clock,
        form_key,
        rules: Arc::new(Rules::from(&config)),
        watching: Watching::default(),
    };
    let cannot_listen = |source| StartError::Listen {
        addr: listen,
        source,
    };
    let mut server = Server::bind(listen).await.map_err(cannot_listen)?;
    if let Some(certificates) = &certificates {
        server = server.tls(certificates.clone(), TlsMode::Required);
    }
    let addr = server.local_addr().map_err(cannot_listen)?;
    let stop = server.shutdown_handle();
    let limits = Limits {
        connections_per_ip: config.per_address,
        ..Limits::default()
    };
    let (router, dispatcher) = (pages::router(&app), handlers::dispatcher(app.clone()));
    let mut serving = JoinSet::new();
    serving.spawn(server.limits(limits).web(router).serve(dispatcher));
    Ok(RunningServer {
        addr,
        app,
        certificates,
        stop,
        serving,
    })
}

/// Starts a server, prints `READY ADDR` on standard output, and serves until it is told to stop by
/// SIGINT or SIGTERM. With TLS a SIGHUP has it read its certificate again.
///
/// # Errors
///
/// As [`serve`], and when the server broke.
pub async fn run(config: ServerConfig) -> Result<(), StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut hangup = match config.tls_cert {
        Some(_) => Some(signal(SignalKind::hangup()).map_err(StartError::Signals)?),
        None => None,
    };
    let mut server = serve(config).await?;
    println!("READY {}", server.addr);
    loop {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hung_up => match server.certificates.as_ref().map_or(Ok(()), Certificates::reload) {
                Ok(()) => tracing::info!("certificate read again"),
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::error!(error, "the certificate stays the old one");
                }
            },
            Some(ended) = server.serving.join_next() => {
                // The task cannot be cancelled while its set is here; a panic is passed on.
                return Ok(ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?);
            }
        }
    }
    tracing::info!("stopping");
    server.shutdown().await;
    Ok(())
}
