//! Echo: a line or a file, there and back, with framing alone.

mod client;
mod messages;
mod server;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// A line or a file, there and back.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends back whatever comes, until Ctrl-C.
    Server {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:7878")]
        listen: String,
    },
    /// Sends a line and prints what comes back.
    Send {
        /// The line.
        line: String,
        /// The server.
        #[arg(long, default_value = "127.0.0.1:7878")]
        to: String,
    },
    /// Sends a file, saves what comes back, and compares the two.
    SendFile {
        /// The file to send.
        file: PathBuf,
        /// Where to save what comes back.
        #[arg(long, default_value = "echo.out")]
        save: PathBuf,
        /// The server.
        #[arg(long, default_value = "127.0.0.1:7878")]
        to: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Server { listen } => server::run(&listen).await,
        Command::Send { line, to } => client::line(&to, &line).await,
        Command::SendFile { file, save, to } => client::file(&to, &file, &save).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            let cause = std::error::Error::source(&error);
            cause
                .into_iter()
                .for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}
