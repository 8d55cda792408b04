//! A server from its options: folder, database, dispatcher, listener.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use packetboat_dispatch::session::{Lifetime, SessionPolicy};
use packetboat_dispatch::tls::{Certificates, TlsError};
use packetboat_dispatch::{Error as ServeError, Server, SessionManager, ShutdownHandle};
use packetboat_orm::{DbPool, ModelExt};
use rustix::fs::Mode;
use tokio::task::JoinSet;

use crate::accounts::Passwords;
use crate::app::{App, Rules};
use crate::config::ServerConfig;
use crate::database::{self, DatabaseError};
use crate::handlers;
use crate::library::{Library, LibraryError};
use crate::metrics::{Exporter, MetricsError};
use crate::models::{Movie, movie};
use crate::sessions::DatabaseSessions;

/// Why a server did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// It was told to serve beyond this machine, and not all is encrypted.
    #[error(
        "{addr} is beyond this machine and not all is encrypted: \
        give --tls-cert and --tls-key with --tls required, or say --insecure"
    )]
    Insecure {
        /// Where it was to listen.
        addr: SocketAddr,
    },
    /// Its folder cannot be used.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Its address cannot be listened on.
    #[error("{addr} cannot be listened on")]
    Listen {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the system said.
        source: ServeError,
    },
    /// Its metrics cannot be told.
    #[error("the server cannot be measured")]
    Metrics(#[from] MetricsError),
    /// It broke while it served.
    #[error("the server broke")]
    Serve(#[from] ServeError),
    /// A file that an earlier run left without its row cannot be removed.
    #[error("what an earlier run left unfinished cannot be cleaned up")]
    Settle(#[source] io::Error),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
    /// Its certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl StartError {
    /// The error and its causes in one line, for a terminal.
    pub fn in_one_line(&self) -> String {
        with_causes(self).replace('\n', " ")
    }
}

/// An error and its causes, for a terminal.
pub fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
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
    /// The task that tidies up.
    _tidying: JoinSet<()>,
    metrics: Option<SocketAddr>,
    /// The same of what tells the numbers.
    _exporting: JoinSet<()>,
}

impl RunningServer {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its numbers are told, if they are.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// What its handlers share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Reads the certificate and its key again, if it has them. Connections that are open stay.
    ///
    /// # Errors
    ///
    /// They cannot be used; what was read before is then shown as before.
    pub fn reload_certificates(&self) -> Result<(), TlsError> {
        self.certificates
            .as_ref()
            .map_or(Ok(()), Certificates::reload)
    }

    /// Stops accepting, lets requests that have begun end, and returns.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once.
    pub async fn shutdown(mut self) {
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
/// Dropping the future leaves the folder and the database as far as they had come; starting again
/// goes on from there.
pub async fn serve(config: ServerConfig) -> Result<RunningServer, StartError> {
    let listen = config.listen;
    let plain = (!config.encrypts_all()).then_some(listen);
    // The numbers are told in plain, whatever is served.
    for addr in [plain, config.metrics].into_iter().flatten() {
        if !addr.ip().is_loopback() && !config.insecure {
            return Err(StartError::Insecure { addr });
        }
    }
    let certificates = match (&config.tls_cert, &config.tls_key) {
        (Some(chain), Some(key)) => Some(Certificates::from_pem_files(chain, key)?),
        _ => None,
    };
    let (reserve, keep) = (config.disk_reserve_percent, config.keep_unfinished);
    let library = Library::open(&config.data, reserve, keep).await?;
    let db = match &config.database {
        Some(url) => database::open_url(&url.0).await?,
        None => database::open_file(&config.data.join(database::SQLITE_FILE)).await?,
    };
    settle(&library, &db).await?;
    let mut sessions = SessionPolicy::default();
    sessions.connection = Lifetime {
        idle: config.idle,
        ..sessions.connection
    };
    let sessions = SessionManager::new(sessions, DatabaseSessions(db.clone()));
    let app = App {
        db,
        library: Arc::new(library),
        passwords: Passwords::new(config.password_cost.clone(), config.passwords_waiting),
        rules: Rules::from(&config),
    };

    let cannot_listen = |source| StartError::Listen {
        addr: listen,
        source,
    };
    let mut server = Server::bind(listen).await.map_err(cannot_listen)?;
    if let Some(certificates) = &certificates {
        server = server.tls(certificates.clone(), config.tls.into());
    }
    let addr = server.local_addr().map_err(cannot_listen)?;
    let stop = server.shutdown_handle();
    let mut limits = config.limits;
    limits.connections_per_ip = config.per_address;
    limits.wire.idle_time = config.idle;
    limits.wire.max_attachment_bytes = config.max_movie;
    let dispatcher = handlers::dispatcher(app.clone(), sessions);
    let mut tidying = JoinSet::new();
    tidying.spawn(app.library.tidy());
    let (mut metrics, mut exporting) = (None, JoinSet::new());
    if let Some(addr) = config.metrics {
        let exporter = Exporter::bind(addr).await?;
        metrics = Some(exporter.local_addr().map_err(MetricsError::from)?);
        exporting.spawn(exporter.serve());
    }
    let mut serving = JoinSet::new();
    serving.spawn(server.limits(limits).serve(dispatcher));
    Ok(RunningServer {
        addr,
        app,
        certificates,
        stop,
        serving,
        _tidying: tidying,
        metrics,
        _exporting: exporting,
    })
}

/// Removes the files of movies that a killed server had no time to write down.
async fn settle(library: &Library, db: &DbPool) -> Result<(), StartError> {
    for key in library.in_doubt().map_err(StartError::Settle)? {
        let own = Movie::select().filter(movie::key.eq(key.as_str()));
        let has_row = own.exists(db).await.map_err(DatabaseError::Open)?;
        let settled = library.settle(&key, has_row).await;
        settled.map_err(StartError::Settle)?;
    }
    Ok(())
}

/// Starts a server, prints `READY ADDR` on standard output, and serves until it is told to stop by
/// SIGINT or SIGTERM. With TLS a SIGHUP has it read its certificate again.
///
/// # Errors
///
/// As [`serve`], and when the server broke.
pub async fn run(config: ServerConfig) -> Result<(), StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    // What the server makes is its user's alone, SQLite's files with the hashes in them included.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    // A file over the process's limit is then an error of its write, and not the server's end.
    let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    let _noted = signal(too_large).map_err(StartError::Signals)?;
    // Without TLS it means what it means to every program.
    let mut hangup = match config.tls_cert {
        Some(_) => Some(signal(SignalKind::hangup()).map_err(StartError::Signals)?),
        None => None,
    };
    let mut server = serve(config).await?;
    if let Some(addr) = server.metrics {
        println!("METRICS {addr}");
    }
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
            _ = hung_up => match server.reload_certificates() {
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
