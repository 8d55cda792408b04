//! Checks faults.toml against the log of a test run.
//!
//! ```text
//! faults default|quick|long LOG [ARTIFACTS]
//! ```
//!
//! LOG is that of cargo-nextest, or with ARTIFACTS that of `cargo test`. It also counts the tests of the orm suite on
//! each database, which must be the same everywhere.

use std::process::ExitCode;
use std::{env, fs};

use packetboat_tests::databases::{self, Databases};
use packetboat_tests::faults::{self, Fault};
use packetboat_tests::results::{self, Results};

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let [mode, log, artifacts @ ..] = arguments.as_slice() else {
        eprintln!("usage: faults default|quick|long LOG [ARTIFACTS]");
        return ExitCode::from(2);
    };
    let results = match artifacts {
        [artifacts] => results::of_cargo(&read(log), &read(artifacts)),
        _ => results::of_nextest(&read(log)),
    };
    let quick = mode == "quick";
    let lacking = count_databases(&results, quick);
    match faults::parse(&read(concat!(env!("CARGO_MANIFEST_DIR"), "/faults.toml"))) {
        Ok(faults) if check_all(&faults, &results, quick) && !lacking => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("tests/faults.toml: {}", wrong.join("\n"));
            ExitCode::FAILURE
        }
    }
}

/// Prints what is not proven, and the line that `tests/run` reads.
fn check_all(faults: &[Fault], results: &Results, quick: bool) -> bool {
    // The quick run has no servers.
    let left_out = |name: &str| quick && needs_server(name);
    let mut bad = 0;
    for fault in faults {
        let wrong = faults::unproven(fault, results, left_out);
        bad += usize::from(!wrong.is_empty());
        for line in wrong {
            eprintln!("{line}");
        }
    }
    println!("faults: {} proven, {bad} unproven", faults.len() - bad);
    bad == 0
}

/// Prints how many tests of the orm suite ran on each database, and which of them lack one.
fn count_databases(results: &Results, quick: bool) -> bool {
    let Databases {
        counts,
        mut lacking,
    } = databases::count(results);
    lacking.retain(|name| !(quick && needs_server(name)));
    let line = counts
        .iter()
        .map(|(database, count)| format!("{database} {count}"))
        .collect::<Vec<_>>()
        .join(", ");
    println!("orm suite: {line}");
    for name in &lacking {
        eprintln!("the orm suite lacks {name}");
    }
    if counts.is_empty() {
        eprintln!("nothing of the orm suite ran");
    }
    counts.is_empty() || !lacking.is_empty()
}

/// By convention a part of such a test's name says so.
fn needs_server(name: &str) -> bool {
    name.split("::").any(|part| {
        ["on_mysql", "on_postgres", "on_redis"]
            .iter()
            .any(|on| part.contains(on))
    })
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| {
        eprintln!("{path}: {error}");
        String::new()
    })
}
