//! A hostile peer for a running server: every rule of both wires, broken.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use packetboat_tests::hostile::{
    Ask, Outcome, Report, Script, Target, Wire, Wrong, movie, scripts,
};
use serde_json::{Value, json};

/// Sends a running server what breaks the rules of its wires, and checks exactly what comes back.
///
/// Messages are JSON. `"$size"` in one is how many bytes follow it, `"$unique"` is something else each time. Where more
/// has to be said first, an array of messages stands for the last of them; a `session` that a reply gives is sent along.
/// The defaults are for the movie server, of a fresh folder and with `--admin-registration open`.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exit codes: 0 every script passed, 1 one failed, 2 nothing could be tried."
)]
struct Args {
    /// The server, HOST:PORT.
    #[arg(required_unless_present = "list")]
    addr: Option<SocketAddr>,
    /// The wire to try.
    #[arg(long, value_enum, default_value = "both")]
    wire: Wires,
    /// Prints the names of the scripts and ends.
    #[arg(long)]
    list: bool,
    /// Only scripts whose name contains this; may be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// One JSON object for each script, and one for them all.
    #[arg(long)]
    json: bool,
    /// Said once before all else, whatever it is answered with; may be repeated.
    #[arg(long, value_name = "JSON")]
    setup: Vec<Value>,
    /// A message that is answered at once and always alike, be it by a refusal.
    #[arg(long, value_name = "JSON")]
    good: Option<Value>,
    /// A message that a file follows.
    #[arg(long, value_name = "JSON")]
    upload: Option<Value>,
    /// A message whose reply a file of 8 bytes or more follows.
    #[arg(long, value_name = "JSON")]
    download: Option<Value>,
    /// A message that is answered after a second or more, and whose handler may be stopped.
    #[arg(long, value_name = "JSON")]
    wait: Option<Value>,
    /// How long the server lets a message take.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    header_time: Duration,
    /// Bytes of the longest message that it takes of a stranger.
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024)]
    max_message: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wires {
    Classic,
    Native,
    Both,
}

impl Wires {
    fn all(self) -> &'static [Wire] {
        match self {
            Self::Classic => &[Wire::Classic],
            Self::Native => &[Wire::Native],
            Self::Both => &[Wire::Classic, Wire::Native],
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let wires = args.wire.all();
    let mut scripts = scripts();
    scripts.retain(|script| {
        let is_named = |name: &String| script.name.contains(name.as_str());
        wires.contains(&script.wire) && (args.only.is_empty() || args.only.iter().any(is_named))
    });
    let Some(addr) = args.addr.filter(|_| !args.list) else {
        scripts
            .iter()
            .for_each(|script| println!("{}", script.name));
        return ExitCode::SUCCESS;
    };
    let target = match target(&args, addr, wires) {
        Ok(target) => target,
        Err(error) => {
            eprintln!("hostile: {addr}: {error}");
            return ExitCode::from(2);
        }
    };
    if scripts.is_empty() {
        eprintln!("hostile: no script has such a name");
        return ExitCode::from(2);
    }
    run(&scripts, &target, args.json)
}

/// The server as the arguments describe it, or the movie server.
fn target(args: &Args, addr: SocketAddr, wires: &[Wire]) -> Result<Target, Wrong> {
    let mut target = match &args.good {
        Some(good) => Target::new(addr, good.clone()),
        None => movie(addr)?,
    };
    target.header_time = args.header_time;
    target.max_message = args.max_message;
    let ask = |value: &Option<Value>| value.clone().and_then(Ask::of);
    target.upload = ask(&args.upload).or(target.upload);
    target.download = ask(&args.download).or(target.download);
    target.wait = ask(&args.wait).or(target.wait);
    target.prepare(&args.setup)?;
    target.learn(wires)?;
    Ok(target)
}

fn run(scripts: &[Script], target: &Target, json: bool) -> ExitCode {
    let since = Instant::now();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for script in scripts {
        let report = script.run(target);
        match report.outcome {
            Outcome::Passed => passed += 1,
            Outcome::Failed(_) => failed += 1,
            Outcome::Skipped(_) => skipped += 1,
        }
        match json {
            true => println!("{}", line(script, &report)),
            false => println!("{}", words(script, &report)),
        }
    }
    let seconds = since.elapsed().as_secs_f64();
    if json {
        println!(
            "{}",
            json!({"passed": passed, "failed": failed, "skipped": skipped, "seconds": seconds})
        );
    } else {
        println!("{passed} passed, {failed} failed, {skipped} skipped in {seconds:.1} s");
    }
    ExitCode::from(u8::from(failed > 0))
}

fn words(script: &Script, report: &Report) -> String {
    let (name, ms) = (&script.name, report.took.as_millis());
    match &report.outcome {
        Outcome::Passed => format!("passed   {name} ({ms} ms)"),
        Outcome::Failed(wrong) => format!("FAILED   {name} ({ms} ms): {wrong}"),
        Outcome::Skipped(need) => format!("skipped  {name}: needs {need}"),
    }
}

fn line(script: &Script, report: &Report) -> Value {
    let (outcome, why) = match &report.outcome {
        Outcome::Passed => ("passed", Value::Null),
        Outcome::Failed(wrong) => ("failed", json!(wrong.to_string())),
        Outcome::Skipped(need) => ("skipped", json!(need.to_string())),
    };
    let ms = report.took.as_secs_f64() * 1e3;
    json!({"name": script.name, "outcome": outcome, "why": why, "ms": ms})
}
