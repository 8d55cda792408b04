//! The command line.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use checkin::config::ServerConfig;
use checkin::demo::DemoOptions;
use checkin::server::with_causes;
use clap::{Parser, Subcommand};
use rustix::fs::Mode;

/// Attendance: a code that changes on the wall, students who sign in by phone
#[derive(Parser)]
#[command(name = "checkin", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages
    Server(Box<ServerConfig>),
    /// Make accounts, courses and rosters without a browser
    Admin(checkin::admin::Options),
    /// Play a class of sixty against a server of its own
    Demo(DemoOptions),
    /// Bring the tables up to date by hand, or look at them
    Migrate(checkin::migrate::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    // What a command makes is its user's alone, SQLite's files with the hashes in them included.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    match Cli::parse().command {
        Command::Server(config) => {
            checkin::logs::init();
            let served = checkin::server::run(*config).await;
            done(
                served
                    .map(|()| None::<String>)
                    .map_err(|error| with_causes(&error)),
            )
        }
        Command::Admin(options) => done(checkin::admin::run(options).await.map(Some)),
        Command::Demo(options) => checkin::demo::run(&options).await,
        Command::Migrate(options) => {
            let said = checkin::migrate::run(options).await;
            done(said.map(Some).map_err(|error| with_causes(&*error)))
        }
    }
}

/// Prints the answer. A reader that has seen enough is no failure, an answer that could not be
/// written is one.
fn done(done: Result<Option<impl Display>, String>) -> ExitCode {
    let answer = match done {
        Ok(Some(answer)) => answer,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("checkin: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut out = io::stdout().lock();
    match writeln!(out, "{answer}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("checkin: stdout: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
