//! The command line.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use movie::client::args::{Command as ClientCommand, MenuFolders, Options};
use movie::client::failure::Failure;
use movie::client::report::Report;
use movie::client::{commands, health, menu};
use movie::config::ServerConfig;
use movie::demo::{self, DemoOptions};

/// Video on demand: upload, list, buy, download
#[derive(Parser)]
#[command(name = "movie", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 refused by the server, 2 wrong usage, \
    3 no connection, 4 not logged in, 5 a file of this machine, 6 a damaged download.";

#[derive(Subcommand)]
enum Command {
    /// Serve movies
    Server(Box<ServerConfig>),
    /// Play the whole story against a server of its own
    Demo(DemoOptions),
    /// Bring the tables up to date by hand, or look at them
    Migrate(movie::migrate::Options),
    /// Ask a server how it is: exit code 0 for ok, else 1
    Health(health::Asked),
    /// Print every message of the wire as JSON Schema
    Schema(movie::schema::Options),
    /// Menus to choose from
    Menu(MenuFolders),
    #[command(flatten)]
    Client(ClientCommand),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { options, command } = Cli::parse();
    let done = match command {
        Command::Server(config) => return serve(*config).await,
        Command::Demo(demo) => return demo::run(&demo).await,
        Command::Migrate(options) => return migrate(options).await,
        Command::Health(asked) => {
            let (report, is_ok) = health::ask(asked, &options).await;
            let code = if is_ok {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
            return match options.json {
                true => answer(&report.json, code),
                false => answer(&report.text, code),
            };
        }
        Command::Schema(options) => return schema(options).await,
        Command::Menu(folders) => menu::run(folders, &options).await.map(|()| None),
        Command::Client(command) => commands::run(command, &options).await.map(Some),
    };
    match done {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) if options.json => answer(&report.json, ExitCode::SUCCESS),
        Ok(Some(report)) => answer(&report.text, ExitCode::SUCCESS),
        Err(failure) => {
            let report = Report::failure(&failure, options.lang());
            let code = ExitCode::from(failure.exit_code());
            if options.json {
                return answer(&report.json, code);
            }
            eprintln!("movie: {}", report.text);
            code
        }
    }
}

/// Prints the answer. A reader that has seen enough (`movie list | head -1`) is no failure, an
/// answer that could not be written is one.
fn answer(answer: &impl Display, code: ExitCode) -> ExitCode {
    let mut out = io::stdout().lock();
    match writeln!(out, "{answer}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("movie: stdout: {error}");
            ExitCode::from(Failure::local("stdout", error).exit_code())
        }
        _ => code,
    }
}

async fn serve(config: ServerConfig) -> ExitCode {
    movie::logs::init();
    match movie::server::run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("movie: {}", error.in_one_line());
            ExitCode::FAILURE
        }
    }
}

async fn migrate(options: movie::migrate::Options) -> ExitCode {
    match movie::migrate::run(options).await {
        Ok(said) => answer(&said, ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("movie: {}", movie::server::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn schema(options: movie::schema::Options) -> ExitCode {
    match movie::schema::run(options).await {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(schema)) => answer(&schema, ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("movie: {}", movie::server::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}
