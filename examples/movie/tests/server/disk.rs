//! Row P5: a full disk is said, cleaned up after, and reads go on.

use std::path::{Path, PathBuf};
use std::process::Command;

use movie::messages::UserType;
use movie::models::Movie;
use packetboat_orm::ModelExt;
use serde_json::json;
use sqlx::Connection;

use crate::support::{Client, config, required, skip, some_bytes, upload};

/// Where the child finds its disk.
const DISK: &str = "MOVIE_TEST_DISK";

/// What the shell ends with when it could not mount.
const NO_DISK: i32 = 77;

/// Runs the test again in a mount namespace of its own, with a disk of 1 MiB. The namespace, and the
/// disk with it, ends with the child.
#[test]
fn a_full_disk_is_refused_and_reads_go_on() {
    if std::env::var_os(DISK).is_some() {
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=1m tmpfs \"$1\" || exit 77; shift; exec \"$@\"";
    let child = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(disk.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "disk::on_a_small_disk"])
        .args(["--ignored", "--nocapture"])
        .env(DISK, disk.path())
        .output();
    let output = match child {
        Ok(output) => output,
        Err(error) => return skip(&format!("no disk of its own: unshare: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(NO_DISK) || !said.contains("running 1 test") {
        return skip(&format!("no disk of its own: {errors}"));
    }
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{errors}"
    );
}

#[tokio::test]
#[ignore = "run by the test above, on a disk of its own"]
async fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return assert!(!required(), "{DISK} is not set");
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let mut config = config();
    config.data = disk.join("data");
    config.disk_reserve_percent = 0;
    let rows = elsewhere.path().join("movie.db");
    config.database = Some(format!("sqlite://{}", rows.display()).into());
    let server = movie::server::serve(config).await.unwrap();
    let mut admin = logged_in(server.local_addr(), "admin", UserType::Admin).await;
    let mut ann = logged_in(server.local_addr(), "ann", UserType::User).await;
    let kept = some_bytes(100_000);
    let id = admin.uploaded("kept.mp4", &kept, true).await;

    // Refused before the body: there is no room for it.
    let large = upload("large.mp4", b"", true);
    admin
        .refused(
            crate::support::merged(&large, json!({"file_size": 2 << 20}).as_object().unwrap()),
            "no_space",
        )
        .await;
    drop(admin);
    let mut admin = logged_in_again(server.local_addr(), "admin").await;

    // There was room when it was asked for, and none when the bytes came.
    let bytes = some_bytes(600_000);
    admin
        .send(upload("late.mp4", &bytes, true), &bytes[..100_000])
        .await;
    wait_for_half_received(&disk).await;
    let filler = disk.join("filler");
    let filled = std::fs::write(&filler, vec![0; 2 << 20]).unwrap_err();
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    tokio::io::AsyncWriteExt::write_all(&mut admin.stream, &bytes[100_000..])
        .await
        .unwrap();
    let reply = admin.reply().await;
    assert_eq!(reply["code"], "no_space", "{reply}");
    assert_eq!(movies(&disk).len(), 1, "the half that came is gone");

    // Reads go on while the disk is full.
    std::fs::write(disk.join("more"), vec![0; 2 << 20]).unwrap_err();
    assert_eq!(ann.download(id).await.1, kept);
    assert_eq!(admin.newest().await, id);

    // And with room again, so do uploads.
    std::fs::remove_file(&filler).unwrap();
    std::fs::remove_file(disk.join("more")).unwrap();
    admin.uploaded("late.mp4", &bytes, true).await;
    assert_eq!(Movie::select().count(&server.app().db).await.unwrap(), 2);
    // A server that stops leaves those who are still connected time to read.
    drop((admin, ann));
    server.shutdown().await;

    rows_on_a_full_disk(&disk).await;
}

/// The same for the rows, with SQLite's file on the disk that is full.
async fn rows_on_a_full_disk(disk: &Path) {
    std::fs::remove_dir_all(disk.join("data")).unwrap();
    let mut config = config();
    config.data = disk.join("data");
    let server = movie::server::serve(config).await.unwrap();
    let mut ann = logged_in(server.local_addr(), "ann", UserType::User).await;
    std::fs::write(disk.join("filler"), vec![0; 2 << 20]).unwrap_err();
    let mut client = Client::connect(server.local_addr()).await;
    let mut stored = vec!["ann".to_owned()];
    let refused = loop {
        let name = format!("user{}", stored.len());
        let account =
            json!({"type": "register", "name": name, "password": "p", "user_type": "user"});
        let reply = client.call(account).await;
        if reply["flag"] == false {
            break reply;
        }
        // What is left of the journal is used up first.
        stored.push(name);
        assert!(stored.len() < 1_000);
    };
    assert_eq!(refused["code"], "internal", "{refused}");
    ann.refused(json!({"type": "check_notice"}), "no_notices")
        .await;
    std::fs::remove_file(disk.join("filler")).unwrap();
    client.register("late", UserType::User).await;
    drop((client, ann));
    server.shutdown().await;

    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(disk.join("data/movie.db"));
    let mut rows = sqlx::SqliteConnection::connect_with(&file).await.unwrap();
    let check: Result<Vec<String>, _> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut rows)
        .await;
    assert_eq!(check.unwrap(), ["ok".to_owned()]);
    let names: Result<Vec<String>, _> = sqlx::query_scalar("SELECT name FROM user ORDER BY id")
        .fetch_all(&mut rows)
        .await;
    stored.push("late".to_owned());
    assert_eq!(
        names.unwrap(),
        stored,
        "what was acknowledged is there, and nothing else"
    );
}

async fn logged_in(addr: std::net::SocketAddr, name: &str, user_type: UserType) -> Client {
    let mut client = Client::connect(addr).await;
    client.register(name, user_type).await;
    client.login(name, user_type).await;
    client
}

async fn logged_in_again(addr: std::net::SocketAddr, name: &str) -> Client {
    let mut client = Client::connect(addr).await;
    client.login(name, UserType::Admin).await;
    client
}

async fn wait_for_half_received(disk: &Path) {
    while movies(disk).len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn movies(disk: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(disk.join("data/movies")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
