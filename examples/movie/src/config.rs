//! What `movie server` can be told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use argon2::Params;
use clap::{Args, ValueEnum};
use packetboat_dispatch::Limits;
use packetboat_dispatch::tls::TlsMode;

use crate::messages::Secret;

/// Who may register as an admin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AdminRegistration {
    /// The first to come; then it is closed.
    #[default]
    First,
    /// Everyone.
    Open,
    /// No one.
    Closed,
}

/// Who is served where there is a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    /// Who encrypts and who does not.
    Optional,
    /// Who encrypts.
    #[default]
    Required,
}

impl From<Tls> for TlsMode {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::Optional => Self::Optional,
            Tls::Required => Self::Required,
        }
    }
}

/// The options of a server, on the command line and in tests.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7878")]
    pub listen: SocketAddr,
    /// The folder for movies, and for the SQLite file when no database is given
    #[arg(long, value_name = "DIR", default_value = "movie-data")]
    pub data: PathBuf,
    /// The database: sqlite://, postgres:// or mysql:// [default: a SQLite file in DIR]
    // In the environment a password is not seen by other people of the machine.
    #[arg(
        long,
        value_name = "URL",
        env = "MOVIE_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<Secret>,
    /// Who may register as an admin
    #[arg(long, value_enum, value_name = "WHO", default_value_t)]
    pub admin_registration: AdminRegistration,
    /// How long a user without VIP waits for a free movie
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub wait: Duration,
    /// How long an upload that was cut waits for the rest
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    pub keep_unfinished: Duration,
    /// How long a session may be idle; a silent connection is closed after the same time
    #[arg(long, value_name = "TIME", default_value = "30min", value_parser = humantime::parse_duration)]
    pub idle: Duration,
    /// The server's certificate and those that vouch for it, as PEM; with it TLS is served. A
    /// SIGHUP reads both files again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Whether who does not encrypt is served beside TLS
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t,
        requires = "tls_cert"
    )]
    pub tls: Tls,
    /// Serve beyond this machine although not all is encrypted
    #[arg(long)]
    pub insecure: bool,
    /// Tell Prometheus what the server counts, at http://ADDR/metrics
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:7879")]
    pub metrics: Option<SocketAddr>,
    /// Bytes of one movie at most
    // 20 GiB: a long film in 4K, and still an hour at 45 Mbit/s.
    #[arg(long, value_name = "BYTES", default_value_t = 20 << 30)]
    pub max_movie: u64,
    /// Bytes that one admin may store, deleted movies included
    // 1 TiB: the size of a disk. It is there to be set.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 40)]
    pub quota: u64,
    /// Connections from one address at most
    // A classroom shares one address.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub per_address: usize,
    /// What a password costs to check.
    ///
    /// Not an option of the command line: 19 MiB and two passes (OWASP's first choice) take about
    /// 19 ms, and only tests want less.
    #[arg(skip = Params::DEFAULT)]
    pub password_cost: Params,
    /// Passwords that may wait for a free thread. Beyond it a login is refused as busy: 64 take
    /// about half a second on two threads, and nobody waits longer at a prompt.
    #[arg(skip = 64_usize)]
    pub passwords_waiting: usize,
    /// Share of the disk, in per cent, that movies leave free: 5, what file systems keep for root.
    #[arg(skip = 5_u64)]
    pub disk_reserve_percent: u64,
    /// The limits of the dispatcher; those that have an option of their own follow it.
    #[arg(skip)]
    pub limits: Limits,
}

impl ServerConfig {
    /// Whether nobody is served in plain.
    pub fn encrypts_all(&self) -> bool {
        self.tls_cert.is_some() && self.tls == Tls::Required
    }
}

impl Default for ServerConfig {
    /// The options as they are when the command line says nothing.
    fn default() -> Self {
        use clap::FromArgMatches;
        let command = Self::augment_args(clap::Command::new("server").no_binary_name(true));
        let matches = command.get_matches_from(std::iter::empty::<&str>());
        Self::from_arg_matches(&matches).expect("every option has a default")
    }
}
