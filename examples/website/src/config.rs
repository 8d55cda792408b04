//! What `website server` can be told, on the command line or in a file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use argon2::Params;
use clap::Args;
use packetboat_dispatch::Limits;
use serde::Deserialize;

use crate::gate::GateLimits;
use crate::rates::RateLimits;
use crate::storage::{BadPlace, Place, Storage};

/// Where the companies' databases and files are: what the server and the operator's commands have in common.
#[derive(Args, Clone, Debug, Default)]
pub struct DataOptions {
    /// The folder for files, and for SQLite's databases when no database is given [default: website-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The databases that are written: postgres://.. or sqlite:FOLDER [default: SQLite in DIR]
    // In the environment a password is not seen by other people of the machine.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "WEBSITE_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<Place>,
    /// A replica to read from: as --database, with the same databases; may be given eight times
    #[arg(long = "replica", global = true, value_name = "URL")]
    pub replicas: Vec<Place>,
    /// A file with the same options, in TOML; what the command line says goes first
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl DataOptions {
    /// The folder for files.
    pub fn folder(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new("website-data"))
    }

    /// The databases.
    pub fn storage(&self) -> Storage {
        let own = || Place::Folder(self.folder().join("databases"));
        let writer = self.database.clone().unwrap_or_else(own);
        Storage::new(writer, self.replicas.clone())
    }
}

/// The options of a server.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7880]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Data and databases.
    #[command(flatten)]
    pub data: DataOptions,
    /// Below which a company's site has its host: NAME.DOMAIN [default: localhost]
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// A network whose machines are proxies that may say who the client is; may be given again
    #[arg(long, value_name = "CIDR")]
    pub trust: Vec<String>,
    /// The proxies begin each connection with a header of the PROXY protocol
    #[arg(long, requires = "trust")]
    pub proxy_protocol: bool,
    /// Bytes of one file at most [default: 8388608]
    #[arg(long, value_name = "BYTES")]
    pub max_file: Option<u64>,
    /// What a password costs to check: 19 MiB and two passes, OWASP's first choice. Only tests want less.
    #[arg(skip = Params::DEFAULT)]
    pub password_cost: Params,
    /// How much is worked on at once.
    #[arg(skip)]
    pub gate: GateLimits,
    /// How often one address may ask.
    #[arg(skip)]
    pub rates: RateLimits,
    /// The limits of the server. Those of its connections from one address follow the proxies.
    #[arg(skip)]
    pub limits: Limits,
}

impl ServerConfig {
    /// Where to listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7880)))
    }

    /// The domain below which sites have their hosts.
    pub fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or("localhost")
    }

    /// Bytes of one file at most: 8 MiB, a photograph or a catalogue.
    pub fn max_file(&self) -> u64 {
        self.max_file.unwrap_or(8 << 20)
    }

    /// With what its file says, where the command line says nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn with_file(mut self) -> Result<Self, ConfigError> {
        let Some(path) = &self.data.config else {
            return Ok(self);
        };
        let file = ConfigFile::read(path)?;
        self.data = self.data.with(&file)?;
        self.listen = self.listen.or(file.listen);
        self.domain = self.domain.or(file.domain);
        self.max_file = self.max_file.or(file.max_file);
        if self.trust.is_empty() {
            self.trust = file.trust;
            self.proxy_protocol |= file.proxy_protocol;
        }
        Ok(self)
    }
}

impl DataOptions {
    /// With what its file says, where the command line says nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn with_file(self) -> Result<Self, ConfigError> {
        match &self.config {
            Some(path) => {
                let file = ConfigFile::read(path)?;
                self.with(&file)
            }
            None => Ok(self),
        }
    }

    fn with(mut self, file: &ConfigFile) -> Result<Self, ConfigError> {
        self.data = self.data.or_else(|| file.data.clone());
        if let (None, Some(database)) = (&self.database, &file.database) {
            self.database = Some(database.parse()?);
        }
        if self.replicas.is_empty() {
            self.replicas = file
                .replicas
                .iter()
                .map(|place| place.parse())
                .collect::<Result<_, _>>()?;
        }
        Ok(self)
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

/// Why a file of options cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It names a database that is none.
    #[error(transparent)]
    Place(#[from] BadPlace),
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or says what there is not.
    #[error("{} is not understood", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
}

/// The same options, as a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    database: Option<String>,
    replicas: Vec<String>,
    domain: Option<String>,
    trust: Vec<String>,
    proxy_protocol: bool,
    max_file: Option<u64>,
}

impl ConfigFile {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| ConfigError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("website.toml");
        let text = "listen = '127.0.0.1:1'\ndomain = 'example.org'\ntrust = ['10.0.0.0/8']\nreplicas = ['sqlite:r']";
        std::fs::write(&path, text).expect("written");
        let mut config = ServerConfig {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
            ..ServerConfig::default()
        };
        config.data.config = Some(path.clone());
        let config = config.with_file().expect("good");
        assert_eq!(
            (config.listen().port(), config.domain()),
            (2, "example.org")
        );
        assert_eq!((config.trust.len(), config.data.replicas.len()), (1, 1));
        std::fs::write(&path, "lisen = '127.0.0.1:1'").expect("written");
        let mut wrong = ServerConfig::default();
        wrong.data.config = Some(path);
        assert!(matches!(wrong.with_file(), Err(ConfigError::Toml { .. })));
    }
}
