//! The whole story, told and checked, against a server of its own.

mod load;
mod story;
mod teller;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Instant;

use tempfile::TempDir;

use crate::config::ServerConfig;
use crate::rates::RateLimits;
use crate::server;

pub use story::STEPS;
pub use teller::Tally;

/// Requests of one address: more than the story has.
const MANY: NonZeroU32 = NonZeroU32::new(100_000).expect("a number");

/// Plays the story and prints it. Fails when any step does not hold.
pub async fn run() -> ExitCode {
    match play().await {
        Ok(tally) if tally.is_whole() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("website: the demo could not be played: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a server on a free port, with SQLite in a temporary folder, and plays the story.
///
/// # Errors
///
/// When there is no server to play it with. A step that does not hold is in the tally.
pub async fn play() -> Result<Tally, Box<dyn Error + Send + Sync>> {
    let begun = Instant::now();
    let folder = TempDir::with_prefix("website-demo-")?;
    let mut config = ServerConfig {
        listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        ..ServerConfig::default()
    };
    config.data.data = Some(folder.path().join("server"));
    config.domain = Some("sites.test".to_owned());
    // All visitors have one address here.
    config.rates = RateLimits {
        requests: MANY,
        burst: MANY,
        writes: MANY,
    };
    let server = server::serve(config).await?;
    println!(
        "A website server on {}, with SQLite in {}.\n",
        server.local_addr(),
        folder.path().display()
    );
    let tally = story::tell(&server, folder.path()).await;
    server.shutdown().await;
    println!("\n{tally} in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(tally)
}
