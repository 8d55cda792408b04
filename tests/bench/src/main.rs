//! Measures the crates against their peers.

mod app;
mod behind;
mod codec;
mod error;
mod files;
mod idle;
mod machine;
#[cfg_attr(
    not(feature = "peers"),
    allow(dead_code, unused_mut, reason = "only the peers need it")
)]
mod orm;
mod process;
mod push;
mod rpc;
mod served;
mod statistics;
mod websocket;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Measures the crates against their peers, in the same run.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A small reply behind a large file on one native connection.
    Behind(behind::Args),
    /// A frame encoded and decoded, against memcpy and tokio-util's LengthDelimitedCodec.
    Codec(codec::Args),
    /// A large file down and up, against sendfile, splice and copying loops.
    Files(files::Args),
    /// The memory of an idle connection.
    Idle(idle::Args),
    /// The orm, against hand-written sqlx, SeaORM, Diesel and rusqlite.
    Orm(orm::Args),
    /// A message to a room, against a broadcast channel behind axum's WebSocket and socketioxide.
    Push(push::Args),
    /// A small request and its reply, against hand-written servers and other frameworks.
    Rpc(rpc::Args),
    /// The dispatcher that is measured, for `behind`, `files` and `idle`.
    #[command(hide = true)]
    ServeApp {
        /// The folder with the file to send, where received ones go.
        folder: PathBuf,
        /// On any core.
        #[arg(long)]
        free: bool,
    },
    /// One of the hand-written servers that `files` starts.
    #[command(hide = true)]
    ServeFiles {
        /// Which one.
        kind: files::Kind,
        /// The folder with the file to send, where received ones go.
        folder: PathBuf,
    },
    /// One of the servers that `push` starts.
    #[command(hide = true)]
    ServePush {
        /// Which one.
        kind: push::Kind,
    },
    /// One of the servers that `rpc` starts.
    #[command(hide = true)]
    ServeRpc {
        /// Which one.
        kind: rpc::Kind,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Behind(args) => behind::run(&args),
        Command::Codec(args) => codec::run(&args),
        Command::Files(args) => files::run(&args),
        Command::Idle(args) => idle::run(&args),
        Command::Orm(args) => orm::run(args),
        Command::Push(args) => push::run(&args),
        Command::Rpc(args) => rpc::run(&args),
        Command::ServeApp { folder, free } => app::run(folder, free),
        Command::ServeFiles { kind, folder } => files::serve(kind, &folder),
        Command::ServePush { kind } => push::serve(kind),
        Command::ServeRpc { kind } => rpc::serve(kind),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packetboat-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
