//! Row P8 and what else keeps a server from starting: one clear line, at once.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A free port of this machine.
const LOCAL: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Long for a refusal, even on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the program, which must end by itself, and gives what it wrote.
fn refused(args: &[&str], data: &Path) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_movie"))
        .args(["server", "--data"])
        .arg(data)
        .args(args)
        .env_remove("MOVIE_DATABASE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it serves from {}", data.display());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "not READY");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let link = dir.path().join("link");
    symlink(dir.path(), &link).unwrap();
    let dangling = dir.path().join("dangling");
    symlink(dir.path().join("nowhere"), &dangling).unwrap();
    // A system folder that not even root can write.
    let read_only = Path::new("/proc/movie");
    for folder in [&*file, &file.join("below"), &link, &dangling, read_only] {
        let said = refused(&LOCAL, folder);
        assert!(said.contains(folder.to_str().unwrap()), "{said}");
    }
    let ours = dir.path().join("ours");
    std::fs::create_dir(&ours).unwrap();
    symlink(dir.path(), ours.join("movies")).unwrap();
    let said = refused(&LOCAL, &ours);
    assert!(said.contains("ours/movies"), "{said}");
}

#[test]
fn a_database_that_cannot_be_used_is_said_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    for url in [
        "postgres://u:canary@127.0.0.1:1/x",
        "mysql://u:canary@127.0.0.1:1/x",
        "ftp://u:canary@h/x",
    ] {
        let said = refused(
            &["--listen", "127.0.0.1:0", "--database", url],
            &dir.path().join("data"),
        );
        assert!(
            said.contains("database") && !said.contains("canary"),
            "{said}"
        );
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = crate::support::Certificate::issue(dir.path());
    let (chain, key) = (good.chain.to_str().unwrap(), good.key.to_str().unwrap());
    let missing = dir.path().join("missing.pem");
    let missing = missing.to_str().unwrap();
    let data = dir.path().join("data");
    for (cert, key, named) in [
        (missing, key, missing),
        (chain, missing, missing),
        (key, key, key),
        (chain, chain, chain),
    ] {
        let tls = ["--tls-cert", cert, "--tls-key", key];
        let said = refused(&[&LOCAL[..], &tls].concat(), &data);
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn nothing_unencrypted_is_served_beyond_this_machine_by_oversight() {
    let dir = tempfile::tempdir().unwrap();
    let good = crate::support::Certificate::issue(dir.path());
    let (chain, key) = (good.chain.to_str().unwrap(), good.key.to_str().unwrap());
    let optional = ["--tls", "optional", "--tls-cert", chain, "--tls-key", key];
    for tls in [&[][..], &optional] {
        let anywhere = ["--listen", "0.0.0.0:0"];
        let said = refused(&[&anywhere[..], tls].concat(), dir.path());
        assert!(
            said.contains("--insecure") && said.contains("--tls required"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_folder_serves_one_server_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = crate::support::config();
    config.data = dir.path().join("data");
    let first = movie::server::serve(config.clone()).await.unwrap();
    let second = movie::server::serve(config.clone()).await.unwrap_err();
    assert!(second.to_string().contains("in use"), "{second}");
    first.shutdown().await;
    let again = movie::server::serve(config.clone()).await.unwrap();
    again.shutdown().await;
    config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    config.insecure = true;
    movie::server::serve(config).await.unwrap().shutdown().await;
}
