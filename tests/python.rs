//! The client in Python: its own tests, with a movie server to try it on.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use packetboat_tests::child::{Child, path_of};
use tokio::process::Command;
use tokio::time::timeout;

/// How long the tests in Python may take; they take half a minute.
const ENOUGH: Duration = Duration::from_secs(240);

#[tokio::test]
async fn the_client_in_python_passes_its_tests() {
    if Command::new("python3")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        let is_required = env::var("PACKETBOAT_TESTS").is_ok_and(|tests| tests == "required");
        assert!(!is_required, "there is no python3");
        return eprintln!("skipped: there is no python3");
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
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/python/test_packetboat.py"
    );
    let mut command = Command::new("python3");
    command
        .args(["-B", script, &server.addr().to_string()])
        .arg(path_of("movie").expect("it serves"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(ENOUGH, command.output()).await;
    let output = output.expect("it ends").expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // The movie server's part has been among them, and that of the program.
    for test in [
        "test_its_examples_hold",
        "test_an_upload_outlives_the_kill_of_its_server",
    ] {
        assert!(said.contains(test), "{said}");
    }
}
