//! `checkin migrate`: the tables by hand.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use packetboat_orm::migrate::Make;
use packetboat_orm::{self as orm, DbPool};

use crate::database::{self, SQLITE_FILE};
use crate::secrets::Secret;

/// Where the database is, and what to do.
#[derive(Args, Debug)]
pub struct Options {
    /// The folder with the SQLite file, when no database is given
    #[arg(long, value_name = "DIR", default_value = "checkin-data")]
    data: PathBuf,
    /// The database: sqlite://, postgres:// or mysql:// [default: a SQLite file in DIR]
    #[arg(
        long,
        value_name = "URL",
        env = "CHECKIN_DATABASE",
        hide_env_values = true
    )]
    database: Option<Secret>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Write the next migration, from what has changed in the models
    Make {
        /// Letters, digits and `_`
        name: String,
        /// The folder of the migrations
        #[arg(
            long,
            value_name = "DIR",
            default_value = "examples/checkin/migrations"
        )]
        folder: PathBuf,
        /// It may drop tables and columns, and shorten what is in them
        #[arg(long)]
        allow_loss: bool,
    },
    /// Apply what is not applied yet
    Up,
    /// Undo the last ones
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        count: usize,
    },
    /// Say which are applied
    Status,
    /// Compare the tables with the models
    Check,
}

/// Does it, and gives what there is to say.
///
/// # Errors
///
/// When it is refused, and when `check` finds a difference.
pub async fn run(options: Options) -> Result<String, Box<dyn Error>> {
    let open = async || match &options.database {
        Some(url) => DbPool::connect(&url.0).await,
        None => orm::sqlite::open(options.data.join(SQLITE_FILE))
            .await
            .map(DbPool::from),
    };
    let migrations = database::migrations();
    Ok(match options.command {
        Command::Make {
            name,
            folder,
            allow_loss,
        } => {
            let make = Make::new(name);
            let make = if allow_loss { make.allow_loss() } else { make };
            database::models().folder(folder).make(make)?.to_string()
        }
        Command::Up => listed("applied", &migrations.up(open().await?).await?),
        Command::Down { count } => listed("undone", &migrations.down(open().await?, count).await?),
        Command::Status => migrations.status(open().await?).await?.to_string(),
        Command::Check => {
            let report = migrations.check(open().await?).await?;
            let said = report.to_string();
            report.into_result()?;
            said
        }
    })
}

fn listed(done: &str, names: &[String]) -> String {
    if names.is_empty() {
        "nothing to do".to_owned()
    } else {
        format!("{done} {}", names.join(", "))
    }
}
