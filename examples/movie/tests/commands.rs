//! The program itself, by pipe: both menus from end to end, commands, exit codes; on both wires.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use certificate::Certificate;
use movie::config::ServerConfig;
use movie::server::{self, RunningServer};
use serde_json::Value;
use tempfile::TempDir;

#[path = "server/support/certificate.rs"]
mod certificate;

const CLIP: &[u8] = include_bytes!("../clips/test-card.mp4");

/// Each story as a test of its own on each wire, in plain and through TLS.
macro_rules! on_both_wires {
    ($($story:ident,)*) => {
        mod native {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    super::$story(super::Stage::new("native").await).await;
                }
            )*
        }
        mod classic {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    super::$story(super::Stage::new("classic").await).await;
                }
            )*
        }
        mod native_through_tls {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    super::$story(super::Stage::new("tls").await).await;
                }
            )*
        }
        mod classic_through_tls {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    super::$story(super::Stage::new("classic+tls").await).await;
                }
            )*
        }
    };
}

on_both_wires! {
    both_menus_go_through_every_number,
    commands_keep_a_session_and_tell_scripts_by_code,
    an_answer_that_nobody_reads_is_no_crash,
    a_password_is_what_was_typed_and_not_nothing,
}

#[test]
fn the_schema_is_printed_and_put_into_a_file_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let schema = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_movie"));
        let output = command
            .arg("schema")
            .args(arguments)
            .current_dir(folder.path())
            .output();
        let output = output.unwrap();
        (output.status.code(), text(&output))
    };
    let (code, printed) = schema(&[]);
    assert_eq!(code, Some(0));
    let read: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(read["messages"]["upload_movie"]["attachment"], "file_size");
    assert_eq!(schema(&["--out", "schema.json"]), (Some(0), String::new()));
    let written = fs::read_to_string(folder.path().join("schema.json")).unwrap();
    assert_eq!(written, printed);
    assert_eq!(schema(&["--out", "not/there.json"]).0, Some(1));
    let (code, declarations) = schema(&["--typescript"]);
    assert_eq!(code, Some(0));
    assert!(declarations.contains("  \"download_movie\": { message: DownloadMovie; reply: DownloadReply; upload: false; download: \"file_size\" };\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_one_line_and_an_exit_code() {
    let stage = Stage::new("native").await;
    let addr = stage.server.local_addr().to_string();
    let health = async |arguments: &[&str]| {
        let output = stage.movie(&[&["health"], arguments].concat(), &[]).await;
        (output.status.code(), text(&output))
    };
    let ok = (Some(0), "ok\n".to_owned());
    assert_eq!(health(&[]).await, ok);
    assert_eq!(health(&[&addr]).await, ok);
    assert_eq!(health(&[&format!("classic://{addr}")]).await, ok);
    let json = "{\"ok\":true,\"status\":\"ok\"}\n".to_owned();
    assert_eq!(health(&["--json"]).await, (Some(0), json));
    // Port 1 of this machine: nobody listens there.
    let (code, line) = health(&["127.0.0.1:1"]).await;
    assert_eq!(code, Some(1));
    assert!(
        line.starts_with("down: ") && line.lines().count() == 1,
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_degraded_is_exit_code_one() {
    let stage = Stage::with_reserve("native", 100).await;
    let output = stage.movie(&["health"], &[]).await;
    assert_eq!(
        (output.status.code(), &*text(&output)),
        (Some(1), "degraded\n")
    );
}

/// A server as a process of its own, killed when the test ends.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn the_numbers_of_a_server_are_told_to_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_movie"));
    server
        .args([
            "server",
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
        ])
        .current_dir(folder.path())
        .stdout(Stdio::piped());
    let mut server = Child(server.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let mut said = |word: &str| {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(word)
            .unwrap_or_else(|| panic!("{line}"))
            .to_owned()
    };
    let (metrics, addr) = (said("METRICS "), said("READY "));
    let scrape = || {
        let mut stream = TcpStream::connect(&metrics).unwrap();
        let ask = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", text.len())),
            "{head}"
        );
        text.to_owned()
    };
    for (server, code) in [(addr.clone(), 0), (format!("classic://{addr}"), 1)] {
        let mut register = Command::new(env!("CARGO_BIN_EXE_movie"));
        register
            .args(["register", "ann", "--server", &server])
            .env("MOVIE_SESSIONS", folder.path().join("sessions.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut register = register.spawn().unwrap();
        register.stdin.take().unwrap().write_all(b"pw\n").unwrap();
        assert_eq!(register.wait().unwrap().code(), Some(code));
    }
    let open = "packetboat_connections_open{wire=\"native\"} 0";
    let mut text = scrape();
    for _ in 0..1000 {
        if text.contains(open) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        text = scrape();
    }
    for line in [
        open,
        "# TYPE packetboat_requests_total counter",
        "packetboat_requests_total{type=\"register\",wire=\"native\",outcome=\"ok\"} 1",
        "packetboat_requests_total{type=\"register\",wire=\"classic\",outcome=\"refused\"} 1",
        "packetboat_connections_accepted_total 2",
        "packetboat_requests_in_flight{wire=\"native\"} 0",
        "packetboat_request_seconds_bucket{type=\"register\",le=\"30\"} 2",
        "packetboat_request_seconds_count{type=\"register\"} 2",
        "# HELP packetboat_request_seconds A handler's own time",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in:\n{text}"
        );
    }
    assert!(!text.contains("ann"), "{text}");
}

/// A server in this process, and a folder for the user.
struct Stage {
    wire: &'static str,
    server: RunningServer,
    folder: TempDir,
}

impl Stage {
    async fn new(wire: &'static str) -> Self {
        Self::with_reserve(wire, 0).await
    }

    /// A server that keeps so much of the disk free, in per cent.
    async fn with_reserve(wire: &'static str, percent: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::default();
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data = folder.path().join("data");
        config.wait = Duration::from_secs(1);
        if wire.ends_with("tls") {
            let certificate = Certificate::issue(folder.path());
            config.tls_cert = Some(certificate.chain);
            config.tls_key = Some(certificate.key);
        }
        config.disk_reserve_percent = percent;
        let server = server::serve(config).await.unwrap();
        fs::create_dir(folder.path().join("films")).unwrap();
        fs::write(folder.path().join("films/card.mp4"), CLIP).unwrap();
        Self {
            wire,
            server,
            folder,
        }
    }

    /// Where the certificate that the program shall trust stands, if it is to trust one.
    fn trust(&self) -> Vec<String> {
        match self.wire.ends_with("tls") {
            true => vec![
                "--tls-ca".to_owned(),
                self.path("chain.pem").display().to_string(),
            ],
            false => Vec::new(),
        }
    }

    /// Runs the program with these arguments, and these lines on its standard input.
    async fn movie(&self, arguments: &[&str], lines: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_movie"));
        command
            .args(["--lang", "en"])
            .args(self.trust())
            .args(arguments)
            .env("MOVIE_SERVER", self.address())
            .env("MOVIE_SESSIONS", self.path("state/sessions.json"))
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let input = lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        let run = move || {
            let mut child = command.spawn().unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(input.as_bytes())
                .unwrap();
            child.wait_with_output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// As [`movie`](Self::movie) with `--json`: the exit code and the object.
    async fn json(&self, arguments: &[&str], lines: &[&str]) -> (i32, Value) {
        let output = self.movie(&[&["--json"], arguments].concat(), lines).await;
        let json = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), json)
    }

    fn address(&self) -> String {
        format!("{}://{}", self.wire, self.server.local_addr())
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Whether the pieces come in this order.
fn assert_order(text: &str, pieces: &[&str]) {
    let mut rest = text;
    for piece in pieces {
        let at = rest
            .find(piece)
            .unwrap_or_else(|| panic!("no `{piece}` in:\n{rest}"));
        rest = &rest[at + piece.len()..];
    }
}

async fn both_menus_go_through_every_number(stage: Stage) {
    let menu = ["menu", "--uploads", "films", "--downloads", "got"];
    let lines = [
        // Admin: nobody is logged in; register, log in, upload free, once more, publish.
        "1", "3", "1", "ann", "pw", "2", "ann", "pw", "3", "1", "y", "3", "1", "5", "Tonight",
        "One film", "9", "0", // User: register, log in, list, download, VIP, again, records.
        "2", "1", "bob", "pw", "2", "bob", "pw", "3", "n", "4", "5", "1", "3", "y", "3", "5", "7",
        "1", "6", "7", "8", "0", // Admin again: log in, delete.
        "1", "2", "ann", "pw", "4", "1", "4", "0", "0",
    ];
    let output = stage.movie(&menu, &lines).await;
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    assert_order(
        &shown,
        &[
            "[Admin]",
            "Log in first.",
            "Registered; now log in.",
            "Logged in as ann",
            "   1  card.mp4",
            "Is it free?",
            "Uploaded.",
            "The movie is there already.",
            "Published.",
            "That is not one of the choices.",
            "[User]",
            "Registered; now log in.",
            "Logged in as bob\nTonight\n  One film",
            "Become one?",
            "1   free   card.mp4",
            "   1  card.mp4 [free]",
            "Saved as got/card.mp4",
            "You are a VIP now.",
            "You are a VIP already.",
            "That is not one of the choices.",
            "Saved as got/card (2).mp4",
            "There is no movie yet.",
            "card.mp4",
            "card.mp4",
            "Tonight\n  One film",
            "Logged in as ann",
            "Deleted.",
            "There is no movie yet.",
            "Bye.",
        ],
    );
    for name in ["got/card.mp4", "got/card (2).mp4"] {
        assert_eq!(fs::read(stage.path(name)).unwrap(), CLIP);
    }
}

async fn commands_keep_a_session_and_tell_scripts_by_code(stage: Stage) {
    let (code, refusal) = stage.json(&["list"], &[]).await;
    assert_eq!((code, &refusal["code"]), (4, &"not_logged_in".into()));

    assert_eq!(
        stage.json(&["register", "ann", "--admin"], &["pw"]).await.0,
        0
    );
    let (code, refusal) = stage.json(&["login", "ann", "--admin"], &["wrong"]).await;
    assert_eq!((code, &refusal["code"]), (1, &"wrong_password".into()));
    assert_eq!(stage.json(&["login", "ann", "--admin"], &["pw"]).await.0, 0);
    assert_private(&stage.path("state/sessions.json"));

    let upload = ["upload", "films/card.mp4", "--charge"];
    let (code, uploaded) = stage.json(&upload, &[]).await;
    assert_eq!((code, &uploaded["bytes"]), (0, &CLIP.len().into()));
    let (code, refusal) = stage.json(&["check", "films/card.mp4"], &[]).await;
    assert_eq!((code, &refusal["code"]), (1, &"movie_exists".into()));
    let (code, refusal) = stage.json(&["check", "films/none.mp4"], &[]).await;
    assert_eq!((code, &refusal["code"]), (5, &"local".into()));
    let (_, list) = stage.json(&["list", "charge"], &[]).await;
    assert_eq!(list["movies"][0]["name"], "card.mp4");

    // The session file is the user's: another server gets nothing of it.
    let other = format!("{}://127.0.0.1:1", stage.wire);
    let (code, refusal) = stage.json(&["--server", &other, "list"], &[]).await;
    assert_eq!((code, &refusal["code"]), (4, &"not_logged_in".into()));
    let menu = stage.movie(&["--server", &other, "menu"], &[]).await;
    assert_eq!(menu.status.code(), Some(3));
    assert_eq!(
        stage.movie(&["download", "x"], &[]).await.status.code(),
        Some(2)
    );

    assert_eq!(stage.json(&["logout"], &[]).await.0, 0);
    assert_eq!(stage.json(&["list"], &[]).await.0, 4);
}

/// What a person would call a crash: `movie list | head -1`, a full disk.
async fn an_answer_that_nobody_reads_is_no_crash(stage: Stage) {
    stage.json(&["register", "ann"], &["pw"]).await;
    stage.json(&["login", "ann"], &["pw"]).await;
    let buy_vip = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_movie"));
        command
            .args(["--lang", "en", "buy-vip", "--json"])
            .args(stage.trust())
            .env("MOVIE_SERVER", stage.address())
            .env("MOVIE_SESSIONS", stage.path("state/sessions.json"))
            .stdout(out)
            .stderr(Stdio::piped());
        command
    };
    let mut unread = buy_vip(Stdio::piped()).spawn().unwrap();
    drop(unread.stdout.take());
    let ended = |child: std::process::Child| async {
        let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
        let output = output.await.unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), errors)
    };
    assert_eq!(ended(unread).await, (Some(0), String::new()));

    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (code, errors) = ended(buy_vip(full.into()).spawn().unwrap()).await;
    assert_eq!(code, Some(5));
    assert!(errors.starts_with("movie: stdout: "), "{errors}");
}

async fn a_password_is_what_was_typed_and_not_nothing(stage: Stage) {
    let (code, refusal) = stage.json(&["register", "ann"], &[""]).await;
    assert_eq!((code, &refusal["code"]), (1, &"bad_password".into()));
    assert_eq!(stage.json(&["register", "ann"], &[" pw "]).await.0, 0);
    assert_eq!(stage.json(&["login", "ann"], &["pw"]).await.0, 1);
    assert_eq!(stage.json(&["login", "ann"], &[" pw "]).await.0, 0);
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}
