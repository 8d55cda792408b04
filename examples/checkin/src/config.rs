//! What `checkin server` can be told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use argon2::Params;
use clap::Args;

use crate::clock::Clock;
use crate::secrets::Secret;

/// Where the rows are, on the command line of every subcommand that reads them.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The folder of the SQLite file, when no database is given
    #[arg(long, value_name = "DIR", default_value = "checkin-data")]
    pub data: PathBuf,
    /// The database: sqlite://, postgres:// or mysql:// [default: a SQLite file in DIR]
    // In the environment a password is not seen by other people of the machine.
    #[arg(
        long,
        value_name = "URL",
        env = "CHECKIN_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<Secret>,
}

/// The options of a server, on the command line and in tests.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7880")]
    pub listen: SocketAddr,
    /// Where the rows are.
    #[command(flatten)]
    pub place: Place,
    /// How long a code stands on the wall, from a second to a minute
    // Six characters are typed in five seconds; eight leave time to look twice.
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = every)]
    pub every: Duration,
    /// How long a code is taken after it has gone, a minute at most
    // A slow phone's request takes a second.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = grace)]
    pub grace: Duration,
    /// Where browsers find this server, when something stands before it, as `https://checkin.example`.
    /// May be repeated; the first is what QR codes say
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub origin: Vec<String>,
    /// The server's certificate and those that vouch for it, as PEM; with it TLS is served. A
    /// SIGHUP reads both files again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve beyond this machine although nothing is encrypted
    #[arg(long)]
    pub insecure: bool,
    /// Connections from one address at most
    // A whole class may share one address, with two pages each.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub per_address: usize,
    /// What a password costs to check.
    ///
    /// Not an option of the command line: 19 MiB and two passes (OWASP's first choice) take about
    /// 19 ms, and only tests want less.
    #[arg(skip = Params::DEFAULT)]
    pub password_cost: Params,
    /// Passwords that may wait for a free thread. A class of 200 logs in within a few seconds; who
    /// comes when so many wait is told that the server is busy.
    #[arg(skip = 200_usize)]
    pub passwords_waiting: usize,
    /// What time it is, in tests.
    #[arg(skip)]
    pub clock: Clock,
}

impl ServerConfig {
    /// Whether browsers speak TLS, to this server or to what stands before it.
    pub fn is_secure(&self) -> bool {
        let is_https = |origin: &String| origin.starts_with("https://");
        self.tls_cert.is_some() || self.origin.first().is_some_and(is_https)
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

fn every(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1))
}

fn grace(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO)
}

fn within(text: &str, least: Duration) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (least..=Duration::from_secs(60)).contains(&time) {
        Ok(time)
    } else {
        Err(format!("{} to 1m", humantime::format_duration(least)))
    }
}

fn origin(text: &str) -> Result<String, String> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err("an origin is http:// or https://, a host, and maybe a port".to_owned()),
    }
}
