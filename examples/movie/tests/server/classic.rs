//! A classic client in Python, sharing no code with this one, against the running program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use crate::support::{PASSWORD, skip};

/// The program itself, as `movie server` starts it. Dropping it ends it.
struct Server {
    child: Child,
    addr: String,
    log: Option<JoinHandle<String>>,
    _dir: tempfile::TempDir,
}

impl Server {
    fn start(wait: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_movie"))
            .args([
                "server",
                "--listen",
                "127.0.0.1:0",
                "--admin-registration",
                "open",
            ])
            .args(["--wait", wait, "--per-address", "256", "--data"])
            .arg(dir.path().join("data"))
            .env("MOVIE_LOG", "trace,sqlx=info")
            .env_remove("MOVIE_DATABASE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            stderr.read_to_end(&mut log).unwrap();
            String::from_utf8_lossy(&log).into_owned()
        });
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let addr = ready
            .trim()
            .strip_prefix("READY ")
            .expect("READY ADDR")
            .to_owned();
        Self {
            child,
            addr,
            log: Some(log),
            _dir: dir,
        }
    }

    /// Ends the program and gives what it logged.
    fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn play(wait: &str, scenes: &[&str]) {
    if Command::new("python3").arg("--version").output().is_err() {
        return skip("there is no python3");
    }
    let server = Server::start(wait);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/classic_session.py");
    let output = Command::new("python3")
        .args([script, &server.addr, "--wait", wait.trim_end_matches('s')])
        .args(scenes)
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let log = server.stop();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{errors}\nthe server's log ends:\n{}",
        end_of(&log)
    );
    assert!(!log.contains(PASSWORD), "a password in the log");
}

fn end_of(log: &str) -> &str {
    &log[log.floor_char_boundary(log.len().saturating_sub(5_000))..]
}

/// The recorded session, with the thirty seconds that a user without VIP waits.
#[test]
fn a_whole_session_goes_as_recorded() {
    play("30s", &["session"]);
}

#[test]
fn every_spelling_is_served() {
    play("0s", &["spellings"]);
}

#[test]
fn stale_keys_are_no_body() {
    play("0s", &["stale"]);
}

#[test]
fn two_thousand_movies_are_listed_in_pieces() {
    play("0s", &["long"]);
}

#[test]
fn what_json_forbids_is_answered_by_name() {
    play("0s", &["forbidden"]);
}

/// Row F10.
#[test]
fn a_refused_body_is_never_run() {
    play("0s", &["smuggled"]);
}
