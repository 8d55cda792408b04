//! The whole story, told and checked, against a server of its own.

mod story;
mod teller;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;

use crate::config::ServerConfig;
use crate::server;

pub use story::STEPS;
pub use teller::Tally;

/// Options of the demo.
#[derive(Args, Clone, Debug)]
pub struct DemoOptions {
    /// How long a user without VIP waits; a server's default is 30s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    pub wait: Duration,
    /// The wait that the server is really given, to see the demo fail where it is another
    #[arg(long, hide = true, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub server_wait: Option<Duration>,
}

/// Plays the story and prints it. Fails when any step does not hold.
pub async fn run(options: &DemoOptions) -> ExitCode {
    match play(options).await {
        Ok(tally) if tally.is_whole() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("movie: the demo could not be played: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a server on a free port, with SQLite in a temporary folder, and plays the story.
///
/// # Errors
/// When there is no server to play it with. A step that does not hold is in the tally.
pub async fn play(options: &DemoOptions) -> Result<Tally, Box<dyn Error + Send + Sync>> {
    let begun = Instant::now();
    let folder = TempDir::with_prefix("movie-demo-")?;
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        data: folder.path().join("server"),
        wait: options.server_wait.unwrap_or(options.wait),
        // How full the rest of the disk is matters to nobody here.
        disk_reserve_percent: 0,
        ..ServerConfig::default()
    };
    let server = server::serve(config).await?;
    let address = server.local_addr();
    println!(
        "A movie server on {address}, with SQLite in {}.",
        folder.path().display()
    );
    let shortened = humantime::format_duration(options.wait);
    println!("Who is no VIP waits {shortened} here, where a server's default is 30s.\n");

    let tally = story::tell(&address.to_string(), folder.path(), options.wait).await;
    server.shutdown().await;
    println!("\n{tally} in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(tally)
}
