//! Which tests ran, and how they ended, out of a test runner's log.
//!
//! A test is named `package::target::path`, with `lib`, `bin/NAME` or `tests/NAME` as its target:
//! `packetboat-framing::lib::prefix::tests::refuses_negatives`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The tests of a run, by name, and whether each passed.
pub type Results = BTreeMap<String, bool>;

/// Reads the log of cargo-nextest.
///
/// Its lines are `PASS [   0.005s] (1/8) packetboat-orm::postgres codec::text`. The last line of a test counts: the
/// failed ones are listed again at the end.
#[must_use]
pub fn of_nextest(log: &str) -> Results {
    let mut results = Results::new();
    for line in log.lines() {
        let Some((status, rest)) = line.trim_start().split_once(" [") else {
            continue;
        };
        let passed = match status {
            "PASS" | "LEAK" => true,
            "ABORT" | "FAIL" | "LEAK-FAIL" | "TIMEOUT" => false,
            _ if status.starts_with("SIG") => false,
            _ => continue,
        };
        let Some((_, rest)) = rest.split_once("] ") else {
            continue;
        };
        // `(1/8)`, where this version counts.
        let rest = rest.trim_start();
        let rest = rest
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(") "))
            .map_or(rest, |(_, rest)| rest);
        let Some((binary, path)) = rest.trim().split_once(' ') else {
            continue;
        };
        let name = match binary.split_once("::") {
            None => format!("{binary}::lib::{path}"),
            Some((package, target)) if target.contains('/') => {
                format!("{package}::{target}::{path}")
            }
            Some((package, target)) => format!("{package}::tests/{target}::{path}"),
        };
        results.insert(name, passed);
    }
    results
}

/// Reads the log of `cargo test`, with what `cargo test --no-run --message-format=json` says of its programs: the log
/// alone does not tell to which package one belongs.
#[must_use]
pub fn of_cargo(log: &str, artifacts: &str) -> Results {
    let programs = programs(artifacts);
    let mut results = Results::new();
    let mut program = None;
    for line in log.lines() {
        let line = line.trim();
        if line.starts_with("Running ") {
            // `Running unittests src/lib.rs (target/debug/deps/packetboat_orm-0f3c)`
            program = line
                .rsplit_once('(')
                .and_then(|(_, path)| programs.get(file_name(path.trim_end_matches(')'))))
                .map(String::as_str);
        } else if line.starts_with("Doc-tests ") {
            program = None;
        } else if let (Some(program), Some(test)) = (program, line.strip_prefix("test ")) {
            let Some((path, end)) = test.rsplit_once(" ... ") else {
                continue;
            };
            match end {
                "ok" => results.insert(format!("{program}::{path}"), true),
                "FAILED" => results.insert(format!("{program}::{path}"), false),
                _ => None,
            };
        }
    }
    results
}

/// The test programs that cargo built: file name to `package::target`.
fn programs(artifacts: &str) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Artifact {
        package_id: String,
        target: Target,
        executable: Option<String>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }

    artifacts
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter_map(|artifact| {
            let program = file_name(artifact.executable.as_deref()?).to_owned();
            let package = package_name(&artifact.package_id);
            let target = match artifact.target.kind.first().map(String::as_str) {
                Some("bin") => format!("bin/{}", artifact.target.name),
                Some("test") => format!("tests/{}", artifact.target.name),
                _ => "lib".to_owned(),
            };
            Some((program, format!("{package}::{target}")))
        })
        .collect()
}

/// The name in a package ID: `path+file:///src/orm#packetboat-orm@0.1.0`, or `path+file:///src/movie#0.1.0` where the
/// folder is named alike.
fn package_name(id: &str) -> &str {
    let (path, rest) = id.rsplit_once('#').unwrap_or((id, ""));
    rest.split_once('@')
        .map_or_else(|| file_name(path), |(name, _)| name)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_lines_become_names() {
        let log = "
    Starting 5 tests across 3 binaries
        PASS [   0.005s] (1/5) packetboat-orm codec::tests::text
        PASS [   0.010s] packetboat-framing::limits length_bomb
        FAIL [   1.010s] (3/5) movie::bin/movie accounts::tests::x
  SIGABRT [   0.010s] (4/5) packetboat-orm::crash y
        SLOW [> 60.000s] (─────) packetboat-orm::crash z
     TIMEOUT [ 300.000s] (5/5) packetboat-orm::crash z
     Summary [ 300.000s] 5 tests run: 2 passed, 2 failed, 1 timed out, 0 skipped";
        let expected = [
            ("movie::bin/movie::accounts::tests::x", false),
            ("packetboat-framing::tests/limits::length_bomb", true),
            ("packetboat-orm::lib::codec::tests::text", true),
            ("packetboat-orm::tests/crash::y", false),
            ("packetboat-orm::tests/crash::z", false),
        ];
        assert_eq!(
            of_nextest(log),
            expected
                .map(|(name, passed)| (name.to_owned(), passed))
                .into()
        );
    }

    #[test]
    fn cargo_lines_become_names() {
        let artifacts = r#"
{"reason":"compiler-artifact","package_id":"path+file:///p/orm#packetboat-orm@0.1.0","target":{"kind":["lib"],"name":"packetboat_orm"},"executable":"/t/debug/deps/packetboat_orm-01"}
{"reason":"compiler-artifact","package_id":"path+file:///p/movie#0.1.0","target":{"kind":["bin"],"name":"movie"},"executable":"/t/debug/deps/movie-02"}
{"reason":"compiler-artifact","package_id":"path+file:///p/movie#0.1.0","target":{"kind":["test"],"name":"wire"},"executable":"/t/debug/deps/wire-03"}
{"reason":"build-finished","success":true}"#;
        let log = "
     Running unittests src/lib.rs (t/debug/deps/packetboat_orm-01)
test codec::tests::text ... ok
test codec::tests::left_out ... ignored
     Running unittests src/main.rs (t/debug/deps/movie-02)
test accounts::tests::x ... FAILED
     Running tests/wire.rs (t/debug/deps/wire-03)
test y ... ok
   Doc-tests packetboat_orm
test orm/src/lib.rs - (line 3) ... ok";
        let expected = [
            ("movie::bin/movie::accounts::tests::x", false),
            ("movie::tests/wire::y", true),
            ("packetboat-orm::lib::codec::tests::text", true),
        ];
        assert_eq!(
            of_cargo(log, artifacts),
            expected
                .map(|(name, passed)| (name.to_owned(), passed))
                .into()
        );
    }
}
