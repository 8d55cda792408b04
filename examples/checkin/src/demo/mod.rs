//! A class of sixty, told and checked, against a server of its own.

mod cast;
mod story;
mod teller;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;

use crate::config::{Place, ServerConfig};
use crate::server;

pub use story::STEPS;
pub use teller::Tally;

/// Options of the demo.
#[derive(Args, Clone, Debug)]
pub struct DemoOptions {
    /// How long a code stands on the wall; a server's default is 8s
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = humantime::parse_duration)]
    pub every: Duration,
    /// The time that the server is really given, to see the demo fail where it is another
    #[arg(long, hide = true, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub server_every: Option<Duration>,
}

/// Plays the story and prints it. Fails when any step does not hold.
pub async fn run(options: &DemoOptions) -> ExitCode {
    match play(options).await {
        Ok(tally) if tally.is_whole() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("checkin: the demo could not be played: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a server on a free port, with SQLite in a temporary folder, and plays the story.
///
/// # Errors
///
/// When there is no server to play it with. A step that does not hold is in the tally.
pub async fn play(options: &DemoOptions) -> Result<Tally, Box<dyn Error + Send + Sync>> {
    let begun = Instant::now();
    let folder = TempDir::with_prefix("checkin-demo-")?;
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        place: Place {
            data: folder.path().to_owned(),
            database: None,
        },
        every: options.server_every.unwrap_or(options.every),
        grace: Duration::from_secs(1),
        ..ServerConfig::default()
    };
    let server = server::serve(config.clone()).await?;
    println!(
        "A check-in server on http://{}, with SQLite in {}.",
        server.local_addr(),
        folder.path().display()
    );
    let shortened = humantime::format_duration(options.every);
    println!("A code stands on the wall for {shortened} here, where a server's default is 8s.\n");

    let (tally, server) = story::tell(server, config, options.every).await;
    if let Some(server) = server {
        server.shutdown().await;
    }
    println!("\n{tally} in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(tally)
}
