//! The command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::fs::Mode;
use website::config::{DataOptions, ServerConfig};
use website::operator::{self, TenantCommand};
use website::refusals::with_causes;
use website::server;
use website::{demo, logs};

/// Sites for many companies, each with a database of its own and the components that its plan pays for
#[derive(Parser)]
#[command(name = "website", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the sites, to browsers and to programs
    Server(Box<ServerConfig>),
    /// Manage the companies
    Tenant {
        #[command(flatten)]
        data: Box<DataOptions>,
        #[command(subcommand)]
        command: TenantCommand,
    },
    /// Play the whole story against a server of its own
    Demo,
}

#[tokio::main]
async fn main() -> ExitCode {
    // What a command makes is its user's alone, SQLite's files included.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    match Cli::parse().command {
        Command::Server(config) => {
            logs::init();
            match server::run(*config).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&with_causes(&error)),
            }
        }
        Command::Tenant { data, command } => match operator::run(command, *data).await {
            Ok(said) => match writeln!(io::stdout().lock(), "{said}") {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    failed(&error.to_string())
                }
                _ => ExitCode::SUCCESS,
            },
            Err(refusal) => failed(&refusal.in_one_line()),
        },
        Command::Demo => demo::run().await,
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("website: {why}");
    ExitCode::FAILURE
}
