//! A small application and a scripted peer that speaks raw bytes.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part of this"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use packetboat_dispatch::{
    Anyone, App, BodyExt, Call, Disconnect, Dispatcher, File, Guard, Identity, Limits, LoggedIn,
    Message, Outcome, Rejection, SessionManager, Sessions, State, Upload, async_trait,
    serve_stream,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// A body as its handler saw it, or the error that it saw.
pub type Received = Result<Vec<u8>, String>;

/// What the handlers have done, to be looked at by tests.
#[derive(Clone, Default)]
pub struct World {
    pub effects: Arc<AtomicUsize>,
    pub uploads: Arc<std::sync::Mutex<Vec<Received>>>,
    pub gate: Arc<Notify>,
    pub outcomes: Option<mpsc::UnboundedSender<Outcome>>,
    /// How long it takes to tell an outcome.
    pub telling: Duration,
    pub hold: Duration,
    pub refuse_start: bool,
    pub started: Arc<AtomicUsize>,
}

impl World {
    pub fn effects(&self) -> usize {
        self.effects.load(Ordering::SeqCst)
    }
}

#[derive(Debug, Deserialize, Serialize, Message)]
#[message(type = "echo", alias = "say", reply = Echoed)]
pub struct Echo {
    pub text: String,
    #[serde(default)]
    pub number: Option<i64>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Echoed {
    pub text: String,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "login", reply = Welcome)]
pub struct Login {
    pub name: String,
    #[serde(default)]
    pub keep: bool,
}

#[derive(Debug, Serialize)]
pub struct Welcome {
    pub session: String,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "whoami", reply = Echoed)]
pub struct WhoAmI {}

#[derive(Debug, Deserialize, Message)]
#[message(type = "delete_movie", reply = ())]
pub struct DeleteMovie {
    pub movie_id: i64,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "upload", reply = Echoed, attachment = "file_size")]
pub struct Receive {
    pub file_size: u64,
    pub name: String,
    #[serde(default)]
    pub refuse: bool,
    /// Before the body is read.
    #[serde(default)]
    pub pause_ms: u64,
    /// After it.
    #[serde(default)]
    pub linger_ms: u64,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "upload_for_admins", reply = (), attachment = "file_size")]
pub struct ReceiveForAdmins {
    pub file_size: u64,
    pub secret_field: String,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "download", reply = Found)]
pub struct Fetch {
    pub len: u64,
}

#[derive(Debug, Serialize)]
pub struct Found {
    pub file_size: u64,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "gate", reply = Echoed)]
pub struct Gate {}

#[derive(Debug, Deserialize, Message)]
#[message(type = "slow", reply = Echoed)]
pub struct Slow {
    pub ms: u64,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "panic", reply = ())]
pub struct Panic {
    #[serde(default)]
    pub later: bool,
}

#[derive(Debug, Deserialize, Message)]
#[message(type = "big", reply = Echoed)]
pub struct Big {
    pub len: usize,
}

#[derive(Clone, Debug)]
pub struct Admin(pub String);

pub struct AdminOnly;

#[async_trait]
impl Guard<World> for AdminOnly {
    type Identity = Admin;

    async fn check(&self, call: &Call, _: &World) -> Result<Admin, Rejection> {
        let session = call.session().await?.ok_or_else(Rejection::not_logged_in)?;
        match session.subject.as_str() {
            "admin" => Ok(Admin(session.subject)),
            _ => Err(Rejection::forbidden()),
        }
    }
}

async fn echo(request: Echo) -> Echoed {
    Echoed { text: request.text }
}

async fn login(sessions: Sessions, request: Login) -> Result<Welcome, Rejection> {
    let id = sessions.login(request.name, request.keep).await?;
    Ok(Welcome {
        session: id.expose(),
    })
}

async fn who_am_i(Identity(session): Identity<packetboat_dispatch::Session>, _: WhoAmI) -> Echoed {
    Echoed {
        text: session.subject,
    }
}

async fn delete_movie(State(world): State<World>, _: DeleteMovie) {
    world.effects.fetch_add(1, Ordering::SeqCst);
}

async fn receive(
    State(world): State<World>,
    mut body: Upload,
    request: Receive,
) -> Result<Echoed, Rejection> {
    if request.refuse {
        return Err(Rejection::new("refused", "not this one"));
    }
    tokio::time::sleep(Duration::from_millis(request.pause_ms)).await;
    let mut all = Vec::new();
    let copied = body.copy_to(&mut all).await;
    let seen = copied.as_ref().map(|_| all).map_err(ToString::to_string);
    world.uploads.lock().expect("no panic").push(seen);
    tokio::time::sleep(Duration::from_millis(request.linger_ms)).await;
    Ok(Echoed {
        text: format!("{} has {} bytes", request.name, copied?),
    })
}

async fn receive_for_admins(
    State(world): State<World>,
    Identity(_): Identity<Admin>,
    _: ReceiveForAdmins,
) {
    world.effects.fetch_add(1, Ordering::SeqCst);
}

async fn fetch(State(world): State<World>, request: Fetch) -> (Found, File) {
    let bytes: Vec<u8> = (0..request.len).map(|i| (i % 251) as u8).collect();
    let (started, refuse) = (Arc::clone(&world.started), world.refuse_start);
    let file = File::bytes(bytes)
        .not_before(Instant::now() + world.hold)
        .on_start(async move {
            started.fetch_add(1, Ordering::SeqCst);
            if refuse {
                Err(Rejection::new("no", "no"))
            } else {
                Ok(())
            }
        })
        .on_end(move |outcome| async move {
            if let Some(outcomes) = world.outcomes {
                if !world.telling.is_zero() {
                    tokio::time::sleep(world.telling).await;
                }
                let _ = outcomes.send(outcome);
            }
        });
    (
        Found {
            file_size: file.len(),
        },
        file,
    )
}

async fn gate(State(world): State<World>, _: Gate) -> Echoed {
    world.gate.notified().await;
    world.effects.fetch_add(1, Ordering::SeqCst);
    Echoed {
        text: "open".to_owned(),
    }
}

async fn slow(State(world): State<World>, request: Slow) -> Echoed {
    tokio::time::sleep(Duration::from_millis(request.ms)).await;
    world.effects.fetch_add(1, Ordering::SeqCst);
    Echoed {
        text: "slow".to_owned(),
    }
}

async fn panic(request: Panic) {
    if request.later {
        tokio::task::yield_now().await;
    }
    panic!("a handler panics on purpose");
}

async fn big(request: Big) -> Echoed {
    Echoed {
        text: "x".repeat(request.len),
    }
}

pub fn dispatcher(world: World) -> Dispatcher<World> {
    Dispatcher::new(world)
        .sessions(SessionManager::default())
        .allow(Anyone, |group| {
            group
                .on(echo)
                .on(login)
                .on(delete_movie)
                .on(receive)
                .on(fetch)
                .on(gate)
                .on(slow)
                .on(panic)
                .on(big)
        })
        .allow(LoggedIn, |group| group.on(who_am_i))
        .allow(AdminOnly, |group| group.on(receive_for_admins))
}

/// A peer that speaks raw bytes, over memory or TCP.
pub struct RawPeer<T> {
    pub io: T,
}

/// A peer and the connection that serves it.
pub fn connect(world: &World, limits: Limits) -> (RawPeer<DuplexStream>, JoinHandle<Disconnect>) {
    let (ours, theirs) = tokio::io::duplex(256 * 1024);
    let app = App::from(dispatcher(world.clone()));
    (
        RawPeer { io: ours },
        tokio::spawn(serve_stream(theirs, app, limits)),
    )
}

pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as i32).to_le_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

impl<T: AsyncRead + AsyncWrite + Unpin> RawPeer<T> {
    pub async fn send(&mut self, message: impl AsRef<[u8]>) {
        self.send_raw(&frame(message.as_ref())).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the server reads");
    }

    /// The next reply; `None` when the server has closed.
    pub async fn reply(&mut self) -> Option<Value> {
        let len = self.io.read_i32_le().await.ok()?;
        let mut message = vec![0; len as usize];
        self.io.read_exact(&mut message).await.ok()?;
        Some(serde_json::from_slice(&message).expect("a reply is JSON"))
    }

    pub async fn ask(&mut self, message: impl AsRef<[u8]>) -> Value {
        self.send(message).await;
        self.reply().await.expect("an answer")
    }

    /// The code of the refusal that answers.
    pub async fn refusal(&mut self, message: impl AsRef<[u8]>) -> String {
        let answer = self.ask(message).await;
        assert_eq!(answer["flag"], false, "{answer}");
        answer["code"]
            .as_str()
            .expect("a refusal has a code")
            .to_owned()
    }

    pub async fn is_alive(&mut self) -> bool {
        self.io
            .write_all(&frame(br#"{"type": "echo", "text": "alive?"}"#))
            .await
            .is_ok()
            && self
                .reply()
                .await
                .is_some_and(|answer| answer["text"] == "alive?")
    }

    /// Whether the server closes without a further byte.
    pub async fn is_closed(&mut self) -> bool {
        matches!(self.io.read(&mut [0; 1]).await, Ok(0) | Err(_))
    }

    pub async fn log_in(&mut self, name: &str) -> String {
        let answer = self
            .ask(format!(r#"{{"type": "login", "name": "{name}"}}"#))
            .await;
        answer["session"].as_str().expect("a session").to_owned()
    }
}
