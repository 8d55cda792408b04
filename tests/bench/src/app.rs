//! The dispatcher that is measured: sessions, a guard, and a route for each of the benchmarks.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use packetboat_dispatch::web::{self, SocketOptions};
use packetboat_dispatch::{
    Anyone, BodyExt, Dispatcher, File, Identity, Limits, LoggedIn, Message, Rejection, Server,
    Session, SessionManager, Sessions, State, Upload,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{
    error::BoxError,
    files::{DOWN, UP},
    served,
};

/// Whoever says a name is logged in: no password is hashed here.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "login", reply = Welcome)]
pub(crate) struct Login {
    pub(crate) name: String,
}

/// The session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) session: String,
}

/// A small request, the same for all peers.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "ask", reply = Told)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) name: String,
}

/// The same, for whoever has no session.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "hello", reply = Told)]
pub(crate) struct Hello {
    pub(crate) id: u64,
}

/// What is answered to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) id: u64,
    pub(crate) text: String,
}

/// Asks for the file.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "down", reply = Size, reply_attachment = "file_size")]
pub(crate) struct Down {
    /// Whether its digest is to go with it, on the native wire.
    pub(crate) digest: bool,
}

/// How long the file is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Size {
    pub(crate) file_size: u64,
}

/// Brings a file.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "up", reply = Saved, attachment = "file_size")]
pub(crate) struct Up {
    pub(crate) file_size: u64,
}

/// It is on the disk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) saved: u64,
}

impl Ask {
    /// What every server answers.
    pub(crate) fn answer(self) -> Told {
        Told {
            id: self.id,
            text: self.name,
        }
    }
}

/// Where the files are, and the digest that was kept from when the one to send was made.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    digest: Option<[u8; 32]>,
}

async fn login(sessions: Sessions, request: Login) -> Result<Welcome, Rejection> {
    let session = sessions.login(request.name, false).await?.expose();
    Ok(Welcome { session })
}

async fn hello(request: Hello) -> Told {
    let text = String::new();
    Told {
        id: request.id,
        text,
    }
}

async fn ask(_: Identity<Session>, request: Ask) -> Told {
    request.answer()
}

async fn down(
    State(files): State<Arc<Files>>,
    _: Identity<Session>,
    request: Down,
) -> Result<(Size, File), Rejection> {
    let mut file = File::open(files.folder.join(DOWN)).await?;
    if let Some(digest) = files.digest.filter(|_| request.digest) {
        file = file.with_digest(digest);
    }
    let file_size = file.len();
    Ok((Size { file_size }, file))
}

async fn up(
    State(files): State<Arc<Files>>,
    _: Identity<Session>,
    mut body: Upload,
    _: Up,
) -> Result<Saved, Rejection> {
    let saved = body.len();
    body.save(files.folder.join(UP)).await?;
    Ok(Saved { saved })
}

/// Is its server. `free` lets it use two cores.
pub(crate) fn run(folder: PathBuf, free: bool) -> Result<(), BoxError> {
    let workers = if free { 2 } else { 1 };
    served::on_tokio(workers, |listener| async move {
        Ok(serve(listener, &folder).await?)
    })
}

/// Serves it, with the files of a folder. Only the number of connections is not the default.
pub(crate) async fn serve(
    listener: TcpListener,
    folder: &Path,
) -> Result<(), packetboat_dispatch::Error> {
    let digest = match std::fs::File::open(folder.join(DOWN)) {
        Ok(file) => blake3::Hasher::new()
            .update_reader(file)
            .ok()
            .map(|hasher| *hasher.finalize().as_bytes()),
        // Nobody asks for a file then.
        Err(_) => None,
    };
    let files = Arc::new(Files {
        folder: folder.to_owned(),
        digest,
    });
    let app = Dispatcher::new(files)
        .sessions(SessionManager::default())
        .allow(Anyone, |group| group.on(login).on(hello))
        .allow(LoggedIn, |group| group.on(ask).on(down).on(up));
    let limits = Limits {
        connections: 1 << 20,
        connections_per_ip: 1 << 20,
        ..Limits::default()
    };
    let socket = web::socket(SocketOptions::new().without_origin().id_key("request"));
    Server::from_listener(listener)
        .limits(limits)
        .web(web::axum::Router::new().route("/socket", socket))
        .serve(app)
        .await
}
