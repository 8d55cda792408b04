//! A classic client in Python, sharing no code with this one, against the running program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use crate::support::{Certificate, Database, Kind, PASSWORD, skip};

on_each_database! {
    a_whole_session_goes_as_recorded
    every_spelling_is_served
    stale_keys_are_no_body
    two_thousand_movies_are_listed_in_pieces
    what_json_forbids_is_answered_by_name
    a_refused_body_is_never_run
}

/// The program itself, as `movie server` starts it. Dropping it ends it.
struct Server {
    child: Child,
    addr: String,
    log: Option<JoinHandle<String>>,
    _dir: tempfile::TempDir,
}

impl Server {
    fn start(database: &Database, wait: &str, certificate: Option<&Certificate>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_movie"));
        command.arg("server");
        match &database.url {
            Some(url) => command.env("MOVIE_DATABASE", &url.0),
            None => command.env_remove("MOVIE_DATABASE"),
        };
        if let Some(Certificate { chain, key }) = certificate {
            command.arg("--tls-cert").arg(chain);
            command.arg("--tls-key").arg(key);
        }
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--admin-registration", "open"])
            .args(["--wait", wait, "--per-address", "256", "--data"])
            .arg(dir.path().join("data"))
            .env("MOVIE_LOG", "trace,sqlx=info")
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

/// Plays scenes with a server on this database, in a thread that may wait for both.
async fn play(database: Database, wait: &'static str, scene: &'static str) {
    let playing = move || play_now(&database, wait, &[scene], None);
    tokio::task::spawn_blocking(playing).await.unwrap();
}

fn play_now(database: &Database, wait: &str, scenes: &[&str], certificate: Option<&Certificate>) {
    if Command::new("python3").arg("--version").output().is_err() {
        return skip("there is no python3");
    }
    let server = Server::start(database, wait, certificate);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/classic_session.py");
    let mut command = Command::new("python3");
    command.args([script, &server.addr, "--wait", wait.trim_end_matches('s')]);
    if let Some(certificate) = certificate {
        command.arg("--tls-ca").arg(&certificate.chain);
    }
    let output = command.args(scenes).output().unwrap();
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

/// The recorded session, once with the thirty seconds that a user without VIP waits.
async fn a_whole_session_goes_as_recorded(database: Database) {
    let wait = if database.kind == Kind::Sqlite {
        "30s"
    } else {
        "3s"
    };
    play(database, wait, "session").await;
}

async fn every_spelling_is_served(database: Database) {
    play(database, "0s", "spellings").await;
}

async fn stale_keys_are_no_body(database: Database) {
    play(database, "0s", "stale").await;
}

async fn two_thousand_movies_are_listed_in_pieces(database: Database) {
    play(database, "0s", "long").await;
}

async fn what_json_forbids_is_answered_by_name(database: Database) {
    play(database, "0s", "forbidden").await;
}

/// Python's own TLS on the other side, with a certificate that it checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_through_tls() {
    let Some(database) = Database::fresh(Kind::Sqlite).await else {
        return;
    };
    let playing = move || {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::issue(folder.path());
        play_now(&database, "1s", &[], Some(&certificate));
    };
    tokio::task::spawn_blocking(playing).await.unwrap();
}

/// Row F10.
async fn a_refused_body_is_never_run(database: Database) {
    play(database, "0s", "smuggled").await;
}
