//! The client in JavaScript: its own tests, with a movie server to try it on, and its types.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use std::{env, fs};

use packetboat_tests::child::{Child, path_of};
use tokio::process::Command;
use tokio::time::timeout;

/// How long the tests in JavaScript may take; they take three seconds.
const ENOUGH: Duration = Duration::from_secs(120);

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/javascript");

/// Whether a program is there. Where the tests must be whole, it has to be.
async fn is_there(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output().await;
    if version.is_ok() {
        return true;
    }
    let is_required = env::var("PACKETBOAT_TESTS").is_ok_and(|tests| tests == "required");
    assert!(!is_required, "there is no {program}");
    eprintln!("skipped: there is no {program}");
    false
}

async fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(ENOUGH, command.output()).await;
    output.expect("it ends").expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn the_client_in_javascript_passes_its_tests() {
    if !is_there("node").await {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data").display().to_string();
    let log = folder.path().join("log");
    let args = [
        "server",
        "--listen",
        "127.0.0.1:0",
        "--admin-registration",
        "open",
        "--wait",
        "0s",
        "--data",
        &data,
    ];
    let server = Child::spawn("movie", args, &log).await.expect("a server");
    let mut command = Command::new("node");
    command
        // What Node 18 has behind a flag.
        .arg("--experimental-global-customevent")
        .arg("--experimental-global-webcrypto")
        .args(["--test", "test_packetboat.mjs", "test_played.mjs"])
        .env("PACKETBOAT_MOVIE", server.addr().to_string())
        .current_dir(FOLDER);
    let output = run(&mut command).await;
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("# pass 19") && said.contains("# fail 0"),
        "{said}"
    );
}

#[tokio::test]
async fn the_types_of_the_movie_system_fit_the_client() {
    if !is_there("tsc").await {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["packetboat.d.ts", "types.ts"] {
        let from = Path::new(FOLDER).join(name);
        fs::copy(from, folder.path().join(name)).expect("a file of the client");
    }
    let mut schema = Command::new(path_of("movie").expect("it is built"));
    let schema = schema.args(["schema", "--typescript", "--out", "movie.d.ts"]);
    let output = run(schema.current_dir(folder.path())).await;
    assert!(output.status.success(), "{}", said(&output));
    let mut tsc = Command::new("tsc");
    let strict = [
        "--strict",
        "--noEmit",
        "--target",
        "es2020",
        "--lib",
        "es2020,dom",
    ];
    let node = ["--moduleResolution", "node"];
    let tsc = tsc.args(strict).args(node).arg("types.ts");
    // Of `types.ts` each line that must not compile says so, so that one that does is an error.
    let output = run(tsc.current_dir(folder.path())).await;
    assert!(output.status.success(), "{}", said(&output));
}
