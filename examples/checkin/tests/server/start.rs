//! The program: its command line, and its start.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checkin"));
    command
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .env_remove("CHECKIN_DATABASE");
    command
}

async fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

#[tokio::test]
async fn an_operator_needs_no_browser() {
    let folder = tempfile::tempdir().unwrap();
    let admin = |arguments: &[&str]| {
        let mut command = program();
        command
            .args(["admin", "--data"])
            .arg(folder.path())
            .args(arguments);
        command
    };
    let (done, text) = said(&mut admin(&[
        "create",
        "teacher",
        "ann",
        "--display",
        "Ann",
    ]))
    .await;
    assert!(
        done && text.starts_with("ann: http://127.0.0.1:7880/join/"),
        "{text}"
    );
    let (done, text) = said(&mut admin(&["create", "teacher", "ann"])).await;
    assert!(!done && text.contains("name_taken"), "{text}");
    let (done, text) = said(&mut admin(&["course", "Maths", "nobody"])).await;
    assert!(!done && text.contains("not_found"), "{text}");
    let (done, text) = said(&mut admin(&["course", "Maths", "ann"])).await;
    assert!(done && text.contains("/courses/"), "{text}");
    let roster = folder.path().join("roster.csv");
    std::fs::write(&roster, "number,name\n1,Ann\n1,Bob\n").unwrap();
    let roster = roster.to_str().unwrap();
    let (done, text) = said(&mut admin(&["roster", "Maths", roster])).await;
    assert!(
        !done && text.contains("line 3: this number is on an earlier line"),
        "{text}"
    );
    std::fs::write(roster, "number,name\n1,Ann\n2,Bob\n").unwrap();
    let (done, text) = said(&mut admin(&["roster", "Maths", roster])).await;
    assert!(done && text.matches("/join/").count() == 2, "{text}");
    let (done, text) = said(&mut admin(&["lock", "1"])).await;
    assert!(done && text.contains("1 is locked"), "{text}");
    let (done, text) = said(&mut admin(&["reset", "1"])).await;
    assert!(done && text.contains("/join/"), "{text}");
    let mut command = admin(&["password", "ann"]);
    let mut command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    command
        .stdin
        .take()
        .unwrap()
        .write_all(b"a password of ann's\n")
        .await
        .unwrap();
    assert!(command.wait().await.unwrap().success());
    // One that is no password leaves the old one, with which somebody logs in below.
    let mut command = admin(&["password", "ann"]);
    let mut command = command
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = command.stdin.take().unwrap();
    stdin.write_all(b"short\n").await.unwrap();
    assert!(!command.wait().await.unwrap().success());

    // The server on the same folder, which says when it is there and goes when it is told to.
    let mut server = program();
    server
        .args(["server", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path());
    let mut server = server
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let ready = lines.next_line().await.unwrap().unwrap();
    let addr = ready.strip_prefix("READY ").unwrap().parse().unwrap();
    let page = checkin::client::Browser::new(addr)
        .get("/login")
        .await
        .unwrap();
    assert_eq!(page.status, 200);
    let mut ann = checkin::client::Browser::new(addr);
    let answer = ann.log_in("ann", "a password of ann's").await.unwrap();
    assert_eq!(answer.status, 303, "{:?}", answer.refusal());
    let pid = rustix::process::Pid::from_raw(server.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(server.wait().await.unwrap().success());
}

#[tokio::test]
async fn what_a_command_makes_is_its_users_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let program = env!("CARGO_BIN_EXE_checkin");
    // Under the mask that most accounts have.
    let mut made = Command::new("sh");
    made.args(["-c", "umask 022; exec \"$@\"", "sh", program, "admin"]);
    made.args(["--data"]).arg(&folder);
    made.args(["create", "admin", "root"]);
    let (done, text) = said(made.env_remove("CHECKIN_DATABASE")).await;
    assert!(done, "{text}");
    let files = std::fs::read_dir(&folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(!paths.is_empty());
    paths.push(folder);
    for path in paths {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
}

#[tokio::test]
async fn a_server_refuses_what_is_not_safe_or_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, told) in [
        (vec!["--listen", "0.0.0.0:0"], "say --insecure"),
        (vec!["--every", "0s"], "1s to 1m"),
        (vec!["--every", "2h"], "1s to 1m"),
        (vec!["--grace", "61s"], "0s to 1m"),
        (vec!["--origin", "checkin.example"], "an origin is"),
        (
            vec!["--origin", "https://checkin.example/path"],
            "an origin is",
        ),
        (vec!["--tls-cert", "x.pem"], "--tls-key"),
    ] {
        let mut server = program();
        server
            .arg("server")
            .args(&arguments)
            .arg("--data")
            .arg(folder.path());
        let (done, text) = said(&mut server).await;
        assert!(!done && text.contains(told), "{arguments:?}: {text}");
    }
}
