//! `movie health`: one line and an exit code, for what watches over a server.

use std::time::Duration;

use clap::Args;
use packetboat_dispatch::{GetHealth, HealthStatus};
use serde_json::json;
use tokio::time::timeout;

use crate::client::args::Options;
use crate::client::lang::Lang;
use crate::client::remote::Remote;
use crate::client::report::Report;

/// A server that has not said how it is by then is not well. Its checks have one second each, all
/// at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which server.
#[derive(Args, Debug)]
pub struct Asked {
    /// The server [default: that of --server]
    addr: Option<String>,
}

/// Asks a server how it is: what it says, and whether that is `ok`.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub async fn ask(asked: Asked, options: &Options) -> (Report, bool) {
    let server = asked.addr.unwrap_or_else(|| options.server.clone());
    let health = async {
        let mut remote = Remote::connect(&server).await?;
        remote.call(GetHealth {}).await
    };
    let (word, reason) = match timeout(PATIENCE, health).await {
        Ok(Ok(health)) => match health.status {
            HealthStatus::Ok => ("ok", None),
            HealthStatus::Draining => ("draining", None),
            _ => ("degraded", None),
        },
        // Whoever reads this is a program or its log.
        Ok(Err(failure)) => ("down", Some(failure.text(Lang::En))),
        Err(_elapsed) => ("down", Some("no answer in time".to_owned())),
    };
    let text = match &reason {
        Some(reason) => format!("{word}: {reason}"),
        None => word.to_owned(),
    };
    let is_ok = word == "ok";
    let json = json!({ "ok": is_ok, "status": word });
    (Report { text, json }, is_ok)
}
