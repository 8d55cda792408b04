//! A mixed load on a movie server: both wires, files both ways, connections that are cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use packetboat_dispatch::client::ClientError;
use packetboat_dispatch::{Message, NativeClient};
use packetboat_framing::native::Digest;
use packetboat_framing::{BodyExt, Source};
use packetboat_tests::peer::Peer;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Bytes of a movie that comes and goes: a few credits' worth on no wire, since there are many.
const SMALL: usize = 96 << 10;

/// Bytes of a movie that is cut: enough for a part to be kept.
const LARGE: usize = 3 << 20;

#[derive(Clone, Serialize, Message)]
#[message(type = "login", reply = Value, safe)]
pub(crate) struct Login {
    name: &'static str,
    password: &'static str,
    user_type: &'static str,
}

#[derive(Serialize, Message)]
#[message(type = "get_movie_list", reply = Value, safe)]
struct List {
    movie_type: &'static str,
    limit: u32,
}

#[derive(Serialize, Message)]
#[message(type = "delete_movie", reply = Value)]
struct Delete {
    movie_id: i64,
}

#[derive(Serialize, Message)]
#[message(type = "upload_movie", reply = Value, attachment = "file_size")]
struct Upload {
    file_name: String,
    file_size: u64,
    file_md5: String,
    is_free: u8,
}

#[derive(Serialize, Message)]
#[message(type = "download_movie", reply = Value, reply_attachment = "file_size")]
pub(crate) struct Download {
    pub(crate) movie_id: i64,
}

pub(crate) const ADMIN: Login = Login {
    name: "root",
    password: "pw",
    user_type: "admin",
};
pub(crate) const USER: Login = Login {
    name: "ann",
    password: "pw",
    user_type: "user",
};

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) logins: AtomicU64,
    pub(crate) lists: AtomicU64,
    pub(crate) uploads: AtomicU64,
    pub(crate) downloads: AtomicU64,
    pub(crate) cuts: AtomicU64,
    seed: AtomicU64,
}

/// A load that goes on until it is stopped.
pub(crate) struct Load {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    pub(crate) done: Arc<Done>,
}

/// One who does the same again and again.
#[derive(Clone)]
struct Worker {
    server: SocketAddr,
    stop: Arc<AtomicBool>,
    done: Arc<Done>,
}

impl Load {
    /// Makes the accounts, and one movie that stays.
    pub(crate) async fn prepare(server: SocketAddr) {
        for who in [ADMIN, USER] {
            let mut peer = Peer::connect(server).await.expect("a connection");
            let register = json!({"type": "register", "name": who.name, "password": who.password, "user_type": who.user_type});
            assert_eq!(peer.call(&register).await.expect("a reply")["flag"], true);
        }
        let client = enter(server, ADMIN).await.expect("a login");
        upload(&client, u64::MAX, LARGE).await.expect("it is new");
    }

    /// Begins.
    pub(crate) fn begin(server: SocketAddr) -> Self {
        let worker = Worker {
            server,
            stop: Arc::default(),
            done: Arc::default(),
        };
        let mut tasks = JoinSet::new();
        // Movies have other numbers than those of an earlier load.
        let begun = std::time::SystemTime::UNIX_EPOCH.elapsed();
        let begun = begun.expect("it is later").as_micros();
        let seed = u64::try_from(begun).expect("for 500,000 years");
        worker.done.seed.store(seed, Ordering::Relaxed);
        tasks.spawn(worker.clone().again(300, async |it| it.classic().await));
        tasks.spawn(worker.clone().again(300, async |it| it.native().await));
        tasks.spawn(worker.clone().again(500, async |it| it.films().await));
        tasks.spawn(worker.clone().again(400, async |it| it.cut_classic().await));
        tasks.spawn(worker.clone().again(400, async |it| it.cut_native().await));
        Self {
            tasks,
            stop: worker.stop,
            done: worker.done,
        }
    }

    /// Stops, and is done when nobody is connected any more.
    pub(crate) async fn end(mut self) -> Arc<Done> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(task) = self.tasks.join_next().await {
            task.expect("everything was answered as it should be");
        }
        self.done
    }
}

impl Worker {
    async fn again(self, pause_ms: u64, work: impl AsyncFn(&Self)) {
        while !self.stop.load(Ordering::Relaxed) {
            work(&self).await;
            sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    fn seed(&self) -> u64 {
        self.done.seed.fetch_add(1, Ordering::Relaxed)
    }

    /// A login, some lists and a whole download on the classic wire.
    async fn classic(&self) {
        let work = async {
            let (mut peer, session) = self.peer("ann", "user").await?;
            for _ in 0..5 {
                let list = json!({"type": "get_movie_list", "session": session, "movie_type": "all", "limit": 50});
                let reply = peer.call(&list).await?;
                assert_eq!(reply["flag"], true, "{reply}");
                count(&self.done.lists);
            }
            let download = json!({"type": "download_movie", "session": session, "movie_id": 1});
            let reply = peer.call(&download).await?;
            assert_eq!(reply["file_size"], LARGE, "{reply}");
            let mut film = vec![0; LARGE];
            peer.socket.read_exact(&mut film).await?;
            count(&self.done.downloads);
            io::Result::Ok(())
        };
        work.await.expect("a server that serves");
    }

    /// The same on the native wire, side by side.
    async fn native(&self) {
        let work = async {
            let client = enter(self.server, USER).await?;
            count(&self.done.logins);
            let film = async {
                let (_, mut film) = client.call_for_file(Download { movie_id: 1 }).await?;
                let came = film.skip().await.map_err(ClientError::Body)?;
                assert_eq!(came, LARGE as u64);
                count(&self.done.downloads);
                Ok::<_, ClientError>(())
            };
            let lists = async {
                for _ in 0..5 {
                    client.call(all()).await?;
                    count(&self.done.lists);
                }
                Ok::<_, ClientError>(())
            };
            tokio::try_join!(film, lists).map(drop)
        };
        work.await.expect("a server that serves");
    }

    /// Movies come on both wires, and go.
    async fn films(&self) {
        let work = async {
            let client = enter(self.server, ADMIN).await?;
            count(&self.done.logins);
            upload(&client, self.seed(), SMALL).await?;
            let (mut peer, session) = self.peer("root", "admin").await.expect("a login");
            let frame = crate::house::upload_of(&session, "classic", self.seed(), SMALL);
            peer.send(&frame).await.expect("a server that reads");
            let reply = peer.receive().await.expect("a reply");
            assert_eq!(reply["flag"], true, "{reply}");
            self.done.uploads.fetch_add(2, Ordering::Relaxed);
            let newest = client.call(all()).await?;
            for row in newest["movie_list"].as_array().expect("a list") {
                let movie_id = row[2].as_i64().expect("an id");
                if movie_id != 1 {
                    client.call(Delete { movie_id }).await?;
                }
            }
            Ok::<_, ClientError>(())
        };
        work.await.expect("a server that serves");
    }

    /// Uploads and downloads that end in the middle, by FIN and by RST.
    async fn cut_classic(&self) {
        for reset in [false, true] {
            let (mut peer, session) = self.peer("root", "admin").await.expect("a login");
            let frame = crate::house::upload_of(&session, "cut", 7, LARGE);
            let half = &frame[..frame.len() / 2];
            peer.send(half).await.expect("a server that reads");
            leave(&peer, reset);
            let (mut peer, session) = self.peer("ann", "user").await.expect("a login");
            let download = json!({"type": "download_movie", "session": session, "movie_id": 1});
            peer.call(&download).await.expect("a reply");
            leave(&peer, reset);
            self.done.cuts.fetch_add(2, Ordering::Relaxed);
        }
    }

    /// The same on the native wire, where a part stays, the same each time.
    async fn cut_native(&self) {
        let client = enter(self.server, ADMIN).await.expect("a login");
        count(&self.done.logins);
        let film = film(7, LARGE);
        let digest = Digest::of(&film);
        let upload = client.upload(message(7, LARGE), Source::bytes(film), digest, |_| ());
        // It is dropped where it is, and the connection with it.
        let _ = tokio::time::timeout(Duration::from_millis(5), upload).await;
        drop(client);
        let client = enter(self.server, USER).await.expect("a login");
        count(&self.done.logins);
        let begun = client.call_for_file(Download { movie_id: 1 }).await;
        let (_, mut film) = begun.expect("a reply");
        film.chunk().await.expect("a first piece");
        self.done.cuts.fetch_add(2, Ordering::Relaxed);
    }

    async fn peer(&self, name: &str, user_type: &str) -> io::Result<(Peer, Value)> {
        let mut peer = Peer::connect(self.server).await?;
        let login =
            json!({"type": "login", "name": name, "password": "pw", "user_type": user_type});
        let reply = peer.call(&login).await?;
        assert_eq!(reply["flag"], true, "{reply}");
        count(&self.done.logins);
        Ok((peer, reply["session"].clone()))
    }
}

fn count(what: &AtomicU64) {
    what.fetch_add(1, Ordering::Relaxed);
}

fn leave(peer: &Peer, reset: bool) {
    if reset {
        peer.socket.set_zero_linger().expect("a socket");
    }
}

async fn enter(server: SocketAddr, who: Login) -> Result<NativeClient, ClientError> {
    let client = NativeClient::connect(server).await?;
    client.call(who).await?;
    Ok(client)
}

fn all() -> List {
    List {
        movie_type: "all",
        limit: 50,
    }
}

pub(crate) fn film(seed: u64, size: usize) -> Vec<u8> {
    let bytes = seed.to_le_bytes().into_iter().chain(*b"native");
    bytes.cycle().take(size).collect()
}

fn message(seed: u64, size: usize) -> Upload {
    Upload {
        file_name: format!("native {seed}"),
        file_size: size as u64,
        file_md5: format!("{seed:032x}"),
        is_free: 1,
    }
}

pub(crate) async fn upload(
    client: &NativeClient,
    seed: u64,
    size: usize,
) -> Result<(), ClientError> {
    let film = film(seed, size);
    let digest = Digest::of(&film);
    let upload = client.upload(message(seed, size), Source::bytes(film), digest, |_| ());
    upload.await.map(drop)
}
