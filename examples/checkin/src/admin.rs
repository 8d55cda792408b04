//! `checkin admin`: what an operator does without a browser, beside a server that runs or before it.

use std::fmt::Write as _;
use std::path::PathBuf;

use argon2::Params;
use clap::{Args, Subcommand, ValueEnum};
use packetboat_orm::{DbPool, ModelExt};

use crate::accounts::{self, Passwords};
use crate::config::Place;
use crate::courses::{self, Imported, NotImported};
use crate::database;
use crate::models::{Account, Course, Role, account, course};
use crate::refusals::Fault;
use crate::roster;
use crate::secrets::Secret;
use crate::server::with_causes;
use crate::sessions::DatabaseSessions;
use crate::words::Lang;

/// Where the rows are, and what to do.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Where students find the server, for the links that are printed
    #[arg(long, value_name = "ORIGIN", default_value = "http://127.0.0.1:7880")]
    origin: String,
    #[command(subcommand)]
    command: Command,
}

/// The kinds of account that an operator makes; students come by roster.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Admin,
    Teacher,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account, and print the link for its first password
    Create {
        /// Which kind of account
        kind: Kind,
        /// What is typed to log in
        name: String,
        /// What people read [default: NAME]
        #[arg(long, value_name = "TEXT")]
        display: Option<String>,
    },
    /// Make a course
    Course {
        /// Its name
        name: String,
        /// The names of its teachers' accounts
        #[arg(required = true)]
        teachers: Vec<String>,
    },
    /// Put students on a course's roster, and print a link for each new one as CSV
    Roster {
        /// The course's name
        course: String,
        /// CSV in UTF-8: number,name
        file: PathBuf,
    },
    /// Set a password, which is read from the first line of standard input
    Password {
        /// The account
        name: String,
    },
    /// Take a password away, end the account's sessions, and print the link for a new one
    Reset {
        /// The account
        name: String,
    },
    /// Lock an account
    Lock {
        /// The account
        name: String,
    },
    /// Unlock an account
    Unlock {
        /// The account
        name: String,
    },
}

/// Does it, and gives what there is to say.
///
/// # Errors
///
/// A sentence for a terminal.
pub async fn run(options: Options) -> Result<String, String> {
    let Options {
        place,
        origin,
        command,
    } = options;
    let url = place.database.as_ref().map(|url| url.0.as_str());
    let db = database::open(&place.data, url)
        .await
        .map_err(|error| with_causes(&error))?;
    run_on(&db, &origin, command)
        .await
        .map_err(|not| match not {
            NotImported::Fault(Fault::Refused(refusal)) => {
                format!("{} ({})", refusal.en, refusal.code)
            }
            NotImported::Fault(Fault::Broken(error)) => with_causes(&*error),
            NotImported::Mistakes(mistakes) => {
                let mut text = "the roster has mistakes; nothing was imported".to_owned();
                for mistake in mistakes {
                    let _ = write!(
                        text,
                        "\n  line {}: {}",
                        mistake.line,
                        mistake.what.text(Lang::En)
                    );
                }
                text
            }
        })
}

async fn run_on(db: &DbPool, origin: &str, command: Command) -> Result<String, NotImported> {
    let link = |token: &Secret| format!("{origin}/join/{}", token.0);
    match command {
        Command::Create {
            kind,
            name,
            display,
        } => {
            let role = match kind {
                Kind::Admin => Role::Admin,
                Kind::Teacher => Role::Teacher,
            };
            let display = display.as_deref().unwrap_or(&name);
            let (_, token) = accounts::create(db, &name, display, role).await?;
            Ok(format!("{name}: {}", link(&token)))
        }
        Command::Course { name, teachers } => {
            let teachers: Vec<_> = teachers.iter().map(String::as_str).collect();
            let made = courses::create(db, &name, &teachers).await?;
            Ok(format!("{}: {origin}/courses/{}", made.name, made.id))
        }
        Command::Roster { course, file } => {
            let course = Course::select()
                .filter(course::name.eq(course))
                .optional(db)
                .await?;
            let course = course.ok_or(crate::refusals::NOT_FOUND)?;
            let text = tokio::fs::read(&file).await?;
            let entries = roster::read(&text).map_err(NotImported::Mistakes)?;
            let Imported { students, links } = courses::import(db, course.id, &entries).await?;
            let mut rows = vec![["number", "name", "link"].map(str::to_owned).to_vec()];
            rows.extend(
                links
                    .iter()
                    .map(|made| vec![made.number.clone(), made.name.clone(), link(&made.token)]),
            );
            let sheet = crate::sheet::write(&rows)?;
            eprintln!(
                "{students} on the roster from this file, {} of them new",
                links.len()
            );
            Ok(String::from_utf8_lossy(&sheet).trim_end().to_owned())
        }
        Command::Password { name } => {
            let account = found(db, &name).await?;
            let line = tokio::task::spawn_blocking(first_line)
                .await
                .map_err(Fault::from)??;
            let passwords = Passwords::new(Params::DEFAULT, 1);
            accounts::set_password(db, &passwords, account.id, Secret(line)).await?;
            end_sessions(db, account.id).await?;
            Ok(format!("{name} has a new password"))
        }
        Command::Reset { name } => {
            let account = found(db, &name).await?;
            let token = accounts::invite_again(db, account.id).await?;
            end_sessions(db, account.id).await?;
            Ok(format!("{name}: {}", link(&token)))
        }
        Command::Lock { name } => locked(db, &name, true).await,
        Command::Unlock { name } => locked(db, &name, false).await,
    }
}

async fn locked(db: &DbPool, name: &str, is_locked: bool) -> Result<String, NotImported> {
    let account = found(db, name).await?;
    let own = Account::select().filter(account::id.eq(account.id));
    own.update([account::is_locked.set(is_locked)], db).await?;
    Ok(format!(
        "{name} is {}",
        if is_locked { "locked" } else { "not locked" }
    ))
}

fn first_line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn end_sessions(db: &DbPool, id: i64) -> Result<(), Fault> {
    use packetboat_dispatch::SessionStore;
    Ok(DatabaseSessions(db.clone())
        .remove_subject(&id.to_string())
        .await?)
}

async fn found(db: &DbPool, name: &str) -> Result<Account, Fault> {
    let found = Account::select()
        .filter(account::name.eq(name))
        .optional(db)
        .await?;
    found.ok_or_else(|| crate::refusals::NOT_FOUND.into())
}
