//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use movie::config::ServerConfig;

#[derive(Parser)]
#[command(name = "movie", about = "Video on demand")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve movies
    Server(Box<ServerConfig>),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Server(config) = Cli::parse().command;
    movie::logs::init();
    match movie::server::run(*config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("movie: {}", error.in_one_line());
            ExitCode::FAILURE
        }
    }
}
