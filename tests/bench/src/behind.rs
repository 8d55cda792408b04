//! How long a small reply waits behind a large file on the same native connection.
//!
//! Frames of the file and replies take turns on one stream of bytes, so a reply waits for what is on its way already.
//! The file is read at a steady pace, as over a fast line, and requests follow one another meanwhile.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use packetboat_dispatch::{Body, BodyExt, NativeClient};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::{
    app::{Ask, Down, Login},
    error::BoxError,
    files::{DOWN, write_file},
    machine::{self, End},
    served::Served,
    statistics::{quantile, rounded},
};

/// Bytes of the file.
const FILE: u64 = 64 << 20;

/// Options of `behind`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many files are read; at least 9 tell something.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How fast they are read, in MB/s.
    #[arg(long, default_value_t = 200.0)]
    pace: f64,
    /// Prints one JSON object a line, and no table.
    #[arg(long)]
    json: bool,
}

/// Measures, and prints medians and the worst hundredth.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    machine::pin(End::Client);
    let folder = tempfile::Builder::new()
        .prefix("packetboat-bench")
        .tempdir()?;
    write_file(&folder.path().join(DOWN), FILE)?;
    let path = folder.path().to_str().ok_or("a folder without a name")?;
    let server = Served::start(&["serve-app", path])?;
    // Two workers: whoever reads the file is not to keep the other from its reply.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (alone, behind, speed) = runtime.block_on(all(args, server.address))?;
    drop(server);
    fs::remove_file(folder.path().join(DOWN))?;
    report(args, &alone, &behind, speed);
    Ok(())
}

/// The waits, in milliseconds, with no file and behind one, and how fast that came in MB/s.
async fn all(args: &Args, address: SocketAddr) -> Result<(Vec<f64>, Vec<f64>, f64), BoxError> {
    let client = NativeClient::connect(address).await?;
    let name = "Ann".to_owned();
    client.call(Login { name }).await?;
    let (mut alone, mut behind) = (Vec::new(), Vec::new());
    let (mut bytes, mut time) = (0, Duration::ZERO);
    for _ in 0..args.rounds {
        let stop = Arc::<AtomicBool>::default();
        let asking = tokio::spawn(ask(client.clone(), Arc::clone(&stop)));
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.store(true, Ordering::Relaxed);
        alone.extend(asking.await??);

        let (_, mut body) = client.call_for_file(Down { digest: false }).await?;
        let stop = Arc::<AtomicBool>::default();
        let asking = tokio::spawn(ask(client.clone(), Arc::clone(&stop)));
        let (begun, mut read) = (Instant::now(), 0.0);
        while let Some(chunk) = body.chunk().await? {
            read += chunk.len() as f64;
            drop(chunk);
            sleep_until(begun + Duration::from_secs_f64(read / args.pace / 1e6)).await;
        }
        if body.remaining() > 0 {
            return Err("the file is not whole".into());
        }
        bytes += FILE;
        time += begun.elapsed();
        stop.store(true, Ordering::Relaxed);
        behind.extend(asking.await??);
    }
    alone.sort_by(f64::total_cmp);
    behind.sort_by(f64::total_cmp);
    Ok((alone, behind, bytes as f64 / time.as_secs_f64() / 1e6))
}

/// One request after the other; the waits in milliseconds.
async fn ask(client: NativeClient, stop: Arc<AtomicBool>) -> Result<Vec<f64>, BoxError> {
    let mut waits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let name = "fourteen bytes".to_owned();
        let begun = Instant::now();
        client.call(Ask { id: 1, name }).await?;
        waits.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(waits)
}

fn report(args: &Args, alone: &[f64], behind: &[f64], speed: f64) {
    if !args.json {
        println!("{}", machine::line());
        println!("a file of 64 MiB, read at {speed:.0} MB/s\n");
        println!("{:<8} {:>9} {:>9} {:>9}", "reply", "p50", "p99", "how many");
    }
    for (work, waits) in [("alone", alone), ("64MiB", behind)] {
        let (p50, p99) = (quantile(waits, 0.5), quantile(waits, 0.99));
        if args.json {
            for (unit, value) in [("p50-ms", p50), ("p99-ms", p99)] {
                println!(
                    "{}",
                    json!({"bench": "behind", "work": work, "unit": unit, "value": rounded(value)})
                );
            }
        } else {
            println!("{work:<8} {p50:>6.2} ms {p99:>6.2} ms {:>9}", waits.len());
        }
    }
    if args.json {
        println!(
            "{}",
            json!({"bench": "behind", "work": "64MiB", "unit": "MB/s", "value": rounded(speed)})
        );
    }
}
