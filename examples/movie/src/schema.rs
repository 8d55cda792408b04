//! `movie schema`: every message by machine, for who writes a client in another language.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use packetboat_dispatch::SessionManager;
use packetboat_dispatch::schema::Schema;
use packetboat_orm as orm;

use crate::accounts::Passwords;
use crate::app::{App, Rules};
use crate::config::ServerConfig;
use crate::database::SQLITE_FILE;
use crate::handlers;
use crate::library::Library;

/// Where to put it.
#[derive(Args, Debug)]
pub struct Options {
    /// Write it to FILE, not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write it as declarations for TypeScript, not as JSON Schema
    #[arg(long)]
    typescript: bool,
}

/// The schema of the messages that this program serves; a running server is not asked. An admin
/// gets the same from one, by `packetboat.schema`.
///
/// # Errors
///
/// When no folder can be made for what the dispatcher wants as its state.
///
/// # Cancel safety
///
/// Dropping the future leaves nothing.
pub async fn schema() -> Result<Schema, Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let config = ServerConfig::default();
    let (reserve, keep) = (config.disk_reserve_percent, config.keep_unfinished);
    // Nothing of it is asked, so the database has no tables.
    let app = App {
        db: orm::sqlite::open(folder.path().join(SQLITE_FILE))
            .await?
            .into(),
        library: Arc::new(Library::open(folder.path(), reserve, keep).await?),
        rules: Rules::from(&config),
        passwords: Passwords::new(config.password_cost, config.passwords_waiting),
    };
    let dispatcher = handlers::dispatcher(app, SessionManager::default());
    Ok(packetboat_dispatch::App::from(dispatcher).schema())
}

/// Writes the schema where it is wanted, and gives what is to be printed, if anything is.
///
/// # Errors
///
/// As [`schema`], and the file's.
pub async fn run(options: Options) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
    let schema = schema().await?;
    let text = match options.typescript {
        true => schema.to_typescript().trim_end().to_owned(),
        false => serde_json::to_string_pretty(&schema)?,
    };
    match options.out {
        Some(file) => fs::write(file, text + "\n")
            .map(|()| None)
            .map_err(Into::into),
        None => Ok(Some(text)),
    }
}
