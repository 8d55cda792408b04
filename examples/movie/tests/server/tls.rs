//! Row N13: what is served beyond this machine, to whom, and a certificate that changes.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use clap::Parser;
use movie::client::args::Options;
use movie::client::failure::Failure;
use movie::client::remote::Remote;
use movie::config::{ServerConfig, Tls};
use movie::messages::UserType;
use movie::server::{self, StartError};
use packetboat_dispatch::ClientError;
use packetboat_dispatch::client::Distrust;

use crate::support::{Certificate, config};

/// The client's options as they come from a command line.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

async fn open(server: String, ca: Option<&Path>) -> Result<Remote, Failure> {
    let ca = ca.map(|ca| ["--tls-ca".to_owned(), ca.display().to_string()]);
    let arguments = ["movie".to_owned(), "--server".to_owned(), server];
    let arguments = arguments.into_iter().chain(ca.into_iter().flatten());
    Remote::open(&Cli::parse_from(arguments).options).await
}

fn with_tls(certificate: &Certificate, data: PathBuf, tls: Tls) -> ServerConfig {
    let mut config = config();
    config.data = data;
    config.tls_cert = Some(certificate.chain.clone());
    config.tls_key = Some(certificate.key.clone());
    config.tls = tls;
    config
}

fn distrust<T>(result: Result<T, Failure>) -> Distrust {
    match result.err().expect("no handshake") {
        Failure::Connection {
            source: ClientError::Tls { why, .. },
            ..
        } => why,
        failure => panic!("{failure:?}"),
    }
}

#[tokio::test]
async fn beyond_this_machine_is_served_only_what_is_encrypted_whole() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::issue(dir.path());
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    for (tls, insecure, served) in [
        (Tls::Optional, false, false),
        (Tls::Optional, true, true),
        (Tls::Required, false, true),
    ] {
        let mut config = with_tls(&certificate, dir.path().join("data"), tls);
        config.listen = everywhere;
        config.insecure = insecure;
        match server::serve(config).await {
            Ok(running) => {
                assert!(served, "{tls:?}");
                running.shutdown().await;
            }
            Err(StartError::Insecure { addr }) => assert!(!served && addr == everywhere),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn each_wire_is_spoken_through_tls_and_in_plain_where_that_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::issue(dir.path());
    let ca = Some(&*certificate.chain);
    for tls in [Tls::Optional, Tls::Required] {
        let config = with_tls(&certificate, dir.path().join(format!("{tls:?}")), tls);
        let server = server::serve(config).await.unwrap();
        let addr = server.local_addr();
        for scheme in ["tls", "classic+tls"] {
            let mut remote = open(format!("{scheme}://{addr}"), ca).await.unwrap();
            remote.register(scheme, "pw", UserType::User).await.unwrap();
            // This machine does not trust it, and it is for another name.
            let stranger = open(format!("{scheme}://{addr}"), None).await;
            assert_eq!(distrust(stranger), Distrust::Certificate);
            let renamed = format!("{scheme}://localhost:{}", addr.port());
            assert_eq!(distrust(open(renamed, ca).await), Distrust::Certificate);
        }
        for scheme in ["native", "classic"] {
            let plain = async {
                let mut remote = open(format!("{scheme}://{addr}"), None).await?;
                remote.register(scheme, "pw", UserType::User).await
            };
            assert_eq!(plain.await.is_ok(), tls == Tls::Optional);
        }
        server.shutdown().await;
    }
}

#[tokio::test]
async fn who_asks_for_encryption_is_never_served_in_plain() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::issue(dir.path());
    let mut config = config();
    config.data = dir.path().join("data");
    let server = server::serve(config).await.unwrap();
    let addr = server.local_addr();
    for scheme in ["tls", "classic+tls"] {
        let remote = open(format!("{scheme}://{addr}"), Some(&certificate.chain)).await;
        assert!(matches!(
            distrust(remote),
            Distrust::NotTls | Distrust::Broken
        ));
    }
    // Trust without encryption is a mistake, and no reason to go on without.
    let remote = open(addr.to_string(), Some(&certificate.chain)).await;
    let failure = remote.err().unwrap();
    assert!(matches!(failure, Failure::Local { .. }), "{failure:?}");
    server.shutdown().await;
}

/// Half of what TLS takes is a mistake on the command line, and no server in plain.
#[test]
fn a_certificate_without_its_key_is_wrong_usage() {
    for arguments in [
        &["--tls-cert", "chain.pem"][..],
        &["--tls-key", "key.pem"],
        &["--tls", "required"],
        &["--tls", "optional"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_movie"));
        let command = command.args(["server", "--listen", "127.0.0.1:0"]);
        let output = command.args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "not READY");
    }
}

/// Without `--tls-ca` it is the machine that says whom to trust.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_trusted_by_the_machine_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::issue(dir.path());
    let config = with_tls(&certificate, dir.path().join("data"), Tls::Required);
    let server = server::serve(config).await.unwrap();
    for scheme in ["tls", "classic+tls"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_movie"));
        command
            .arg("--server")
            .arg(format!("{scheme}://{}", server.local_addr()))
            .args(["register", scheme])
            .env("SSL_CERT_FILE", &certificate.chain)
            .env("MOVIE_SESSIONS", dir.path().join("sessions.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let run = move || {
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(b"pw\n").unwrap();
            child.wait().unwrap()
        };
        let status = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(status.success(), "{status}");
    }
    server.shutdown().await;
}

/// The program itself, which is told by a signal. It is killed when this is dropped.
struct Program {
    child: Child,
    addr: String,
    log: Lines<BufReader<ChildStderr>>,
}

impl Program {
    fn start(certificate: &Certificate, data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_movie"))
            .args(["server", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--tls-cert")
            .arg(&certificate.chain)
            .arg("--tls-key")
            .arg(&certificate.key)
            .env_remove("MOVIE_DATABASE")
            .stdout(Stdio::piped())
            .env("MOVIE_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut ready).unwrap();
        let addr = ready.trim().strip_prefix("READY ").unwrap().to_owned();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, addr, log }
    }

    /// Tells it to read its certificate again, and waits until it says that.
    fn hang_up(&mut self, says: &str) {
        use rustix::process::{Pid, Signal, kill_process};
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
        let mut log = self.log.by_ref().map(Result::unwrap);
        assert!(log.any(|line| line.contains(says)), "it has ended");
    }

    async fn is_trusted(&self, root: &Path) -> bool {
        open(format!("tls://{}", self.addr), Some(root))
            .await
            .is_ok()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn a_signal_has_the_certificate_read_again_and_cuts_nobody_off() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::issue(dir.path());
    let (first, second) = (dir.path().join("first.pem"), dir.path().join("second.pem"));
    fs::copy(&certificate.chain, &first).unwrap();
    let mut server = Program::start(&certificate, &dir.path().join("data"));
    let mut old = open(format!("tls://{}", server.addr), Some(&first))
        .await
        .unwrap();

    // What cannot be used changes nothing, and the server goes on.
    fs::write(&certificate.key, "no key").unwrap();
    server.hang_up("the certificate stays the old one");
    assert!(server.is_trusted(&first).await);

    Certificate::issue(dir.path());
    fs::copy(&certificate.chain, &second).unwrap();
    server.hang_up("certificate read again");
    assert!(server.is_trusted(&second).await);
    assert!(!server.is_trusted(&first).await);
    old.register("ann", "pw", UserType::User).await.unwrap();
}
