//! Answers that are lost on their way: the program asks again, and it counts once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use movie::config::{AdminRegistration, ServerConfig};
use movie::models::{Movie, User, user};
use movie::server::{self, RunningServer};
use packetboat_orm::{DbPool, ModelExt};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;

const CLIP: &[u8] = include_bytes!("../clips/test-card.mp4");

/// A server in this process, and a folder for its data and its user.
struct Stage {
    server: RunningServer,
    folder: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::default();
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data = folder.path().join("data");
        config.admin_registration = AdminRegistration::Open;
        fs::write(folder.path().join("card.mp4"), CLIP).unwrap();
        let server = server::serve(config).await.unwrap();
        Self { server, folder }
    }

    fn db(&self) -> &DbPool {
        &self.server.app().db
    }

    async fn enter(&self, proxy: &Proxy, who: &[&str]) {
        for verb in ["register", "login"] {
            let done = self.movie(proxy, &[&[verb], who].concat()).await;
            assert!(done.status.success(), "{done:?}");
        }
    }

    async fn movie(&self, proxy: &Proxy, arguments: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_movie"));
        program
            .args([
                "--lang",
                "en",
                "--json",
                "--server",
                &proxy.addr.to_string(),
            ])
            .args(arguments)
            .env("MOVIE_SESSIONS", self.folder.path().join("sessions.json"))
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut program = program.spawn().unwrap();
        let mut input = program.stdin.take().unwrap();
        input.write_all(b"pw\n").await.unwrap();
        drop(input);
        program.wait_with_output().await.unwrap()
    }
}

/// A proxy that passes everything, but loses one answer: the first after a purchase or an upload.
struct Proxy {
    addr: SocketAddr,
    lost: Arc<AtomicBool>,
    _task: JoinSet<()>,
}

impl Proxy {
    async fn before(stage: &Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (server, db) = (stage.server.local_addr(), stage.db().clone());
        let lost = Arc::<AtomicBool>::default();
        let mut task = JoinSet::new();
        let losing = Arc::clone(&lost);
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                connections.spawn(pass(client, server, db.clone(), Arc::clone(&losing)));
            }
        });
        Self {
            addr,
            lost,
            _task: task,
        }
    }

    fn has_lost_one(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, db: DbPool, lost: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let there = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    };
    let back = async {
        // The preface of the wire is no answer.
        let mut preface = [0; 8];
        from_server.read_exact(&mut preface).await.unwrap();
        to_client.write_all(&preface).await.unwrap();
        let mut buffer = [0; 64 << 10];
        while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
            // What is answered is in the database.
            if is_done(&db).await && !lost.swap(true, Ordering::SeqCst) {
                return;
            }
            if to_client.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn is_done(db: &DbPool) -> bool {
    let vips = User::select().filter(user::is_vip.eq(true));
    vips.exists(db).await.unwrap() || Movie::select().exists(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_whose_answer_is_lost_is_made_once() {
    let stage = Stage::new().await;
    let proxy = Proxy::before(&stage).await;
    stage.enter(&proxy, &["ann"]).await;
    let bought = stage.movie(&proxy, &["buy-vip"]).await;
    assert!(bought.status.success(), "{bought:?}");
    assert!(proxy.has_lost_one());
    let again = stage.movie(&proxy, &["buy-vip"]).await;
    assert_eq!(json(&again)["code"], "already_vip");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_answer_is_lost_is_made_once() {
    let stage = Stage::new().await;
    let proxy = Proxy::before(&stage).await;
    stage.enter(&proxy, &["alice", "--admin"]).await;
    let upload = ["upload", "card.mp4", "--free"];
    let uploaded = stage.movie(&proxy, &upload).await;
    assert!(uploaded.status.success(), "{uploaded:?}");
    assert!(proxy.has_lost_one());
    let movies = Movie::select().all(stage.db()).await.unwrap();
    assert_eq!((movies.len(), &*movies[0].name), (1, "card.mp4"));
    assert_eq!(
        json(&stage.movie(&proxy, &upload).await)["code"],
        "movie_exists"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_reads_is_asked_again() {
    let stage = Stage::new().await;
    let proxy = Proxy::before(&stage).await;
    stage.enter(&proxy, &["alice", "--admin"]).await;
    stage.enter(&proxy, &["ann"]).await;
    let vip = [user::is_vip.set(true)];
    User::select().update(vip, stage.db()).await.unwrap();
    // The answer of the very next request is lost, and that is one of these.
    let listed = stage.movie(&proxy, &["notices"]).await;
    assert_eq!(json(&listed)["code"], "no_notices", "{listed:?}");
    assert!(proxy.has_lost_one());
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}
