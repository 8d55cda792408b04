//! An application behind pages and WebSockets, and servers of it whose connections are heard to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Extension, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use packetboat_dispatch::push::{Join, SlowReader};
use packetboat_dispatch::tls::{Certificates, TlsMode};
use packetboat_dispatch::web::{self, SocketOptions, Upgraded};
use packetboat_dispatch::{
    Anyone, BodyExt, Disconnect, Dispatcher, Error, File, FromRef, Hub, Limits, LoggedIn, Message,
    Peer, Rejection, Server, SessionManager, Sessions, ShutdownHandle, State, Upload, Wire,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message as Ws};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Long for whatever should happen at once, even on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) gate: Arc<Notify>,
    pub(crate) at_gate: Arc<AtomicUsize>,
    pub(crate) passed: Arc<AtomicUsize>,
}

impl FromRef<World> for Hub {
    fn from_ref(world: &World) -> Self {
        world.hub.clone()
    }
}

/// What a layer of the router has found out.
#[derive(Clone)]
pub(crate) struct Member(pub(crate) String);

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "echo", reply = Text)]
pub(crate) struct Echo {
    pub(crate) text: String,
}

/// A message that takes no field but its own.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "strict", reply = ())]
#[serde(deny_unknown_fields)]
pub(crate) struct Strict {
    #[serde(default, rename = "type")]
    _type: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "big", reply = Text)]
pub(crate) struct Big {
    pub(crate) size: usize,
}

/// Waits for the gate.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "wait", reply = Text)]
pub(crate) struct Wait {}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "panic", reply = ())]
pub(crate) struct Panic {}

/// Enters a room, in which others say something.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "enter", reply = ())]
pub(crate) struct Enter {
    pub(crate) room: String,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "say", reply = ())]
pub(crate) struct Say {
    pub(crate) room: String,
    pub(crate) text: String,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "said", reply = ())]
pub(crate) struct Said {
    pub(crate) text: String,
}

/// A file of so many bytes.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "film", reply = Film, reply_attachment = "size")]
pub(crate) struct GetFilm {
    pub(crate) size: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Film {
    pub(crate) size: u64,
}

/// The sum of its file's bytes.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "sum", reply = u64, attachment = "size")]
pub(crate) struct Sum {
    pub(crate) size: u64,
}

/// Who the page is, and how it came.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "who", reply = String)]
pub(crate) struct Who {}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "login", reply = LoggedInAs)]
pub(crate) struct Login {
    pub(crate) name: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoggedInAs {
    pub(crate) session: String,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "secret", reply = Text)]
pub(crate) struct Secret {}

async fn echo(request: Echo) -> Text {
    Text { text: request.text }
}

async fn strict(_: Strict) {}

async fn big(request: Big) -> Text {
    let text = "x".repeat(request.size);
    Text { text }
}

async fn wait(State(world): State<World>, _: Wait) -> Text {
    world.at_gate.fetch_add(1, Ordering::SeqCst);
    world.gate.notified().await;
    world.passed.fetch_add(1, Ordering::SeqCst);
    let text = "passed".into();
    Text { text }
}

async fn panics(_: Panic) {
    panic!("on purpose")
}

async fn enter(hub: Hub, peer: Peer, request: Enter) -> Result<(), Rejection> {
    hub.join(&peer, &request.room, Join::default()).await?;
    Ok(())
}

async fn say(hub: Hub, request: Say) -> Result<(), Rejection> {
    let Say { room, text } = request;
    hub.room(&room)
        .send(&Said { text }, SlowReader::Wait)
        .await?;
    Ok(())
}

async fn film(request: GetFilm) -> (Film, File) {
    let size = request.size;
    let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
    (Film { size }, File::bytes(bytes))
}

async fn sum(mut body: Upload, _: Sum) -> Result<u64, Rejection> {
    let mut all = Vec::new();
    body.copy_to(&mut all).await?;
    Ok(all.iter().map(|byte| u64::from(*byte)).sum())
}

async fn who(Upgraded(member): Upgraded<Member>, peer: Peer, _: Who) -> String {
    format!("{} {}", member.0, peer.is_encrypted())
}

async fn login(sessions: Sessions, request: Login) -> Result<LoggedInAs, Rejection> {
    let session = sessions.login(request.name, true).await?.expose();
    Ok(LoggedInAs { session })
}

async fn secret(_: Secret) -> Text {
    let text = "of members".into();
    Text { text }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            hub: Hub::in_memory(),
            gate: Arc::default(),
            at_gate: Arc::default(),
            passed: Arc::default(),
        }
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher<Self> {
        Dispatcher::new(self.clone())
            .sessions(SessionManager::default())
            .allow(Anyone, |group| {
                group
                    .on(echo)
                    .on(strict)
                    .on(big)
                    .on(wait)
                    .on(panics)
                    .on(enter)
                    .on(say)
                    .on(film)
                    .on(sum)
                    .on(who)
                    .on(login)
            })
            .allow(LoggedIn, |group| group.on(secret))
    }

    fn router(&self, options: SocketOptions) -> Router {
        let gate = self.clone();
        let member = Router::new()
            .route(
                "/member",
                web::socket(SocketOptions::new().carry::<Member>()),
            )
            .route_layer(from_fn(only_members));
        Router::new()
            .route("/", get(|| async { "a page" }))
            .route("/post", post(|body: String| async move { body }))
            .route(
                "/from",
                get(
                    |peer: Extension<Peer>, addr: ConnectInfo<SocketAddr>| async move {
                        format!(
                            "{} {}",
                            peer.0.addr() == Some(addr.0),
                            peer.0.is_encrypted()
                        )
                    },
                ),
            )
            .route("/panic", get(page_panics))
            .route("/large", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
            .route(
                "/wait",
                get(move || async move { wait(State(gate), Wait {}).await.text }),
            )
            .route("/socket", web::socket(options))
            .merge(member)
    }
}

async fn page_panics() -> &'static str {
    panic!("on purpose")
}

/// A layer that knows its members by a cookie.
async fn only_members(mut request: Request, next: Next) -> Response {
    let cookie = request.headers().get("cookie");
    let name = cookie.and_then(|cookie| cookie.to_str().ok()?.strip_prefix("member="));
    let Some(name) = name.map(str::to_owned) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    request.extensions_mut().insert(Member(name));
    next.run(request).await
}

/// A server over TCP.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) world: World,
    pub(crate) stop: ShutdownHandle,
    pub(crate) serving: JoinHandle<Result<(), Error>>,
    pub(crate) ended: mpsc::UnboundedReceiver<Arc<Disconnect>>,
}

/// What a server is to serve, and how.
pub(crate) struct Plan {
    pub(crate) tls: Option<(Certificates, TlsMode)>,
    pub(crate) limits: Limits,
    pub(crate) only: Option<Wire>,
    pub(crate) options: SocketOptions,
    pub(crate) router: Option<Router>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            tls: None,
            limits: Limits {
                connections_per_ip: 10_000,
                ..Limits::default()
            },
            only: None,
            options: SocketOptions::new().without_origin(),
            router: None,
        }
    }
}

impl Plan {
    pub(crate) async fn serve(self) -> Running {
        let (sender, ended) = mpsc::unbounded_channel();
        let server = Server::bind("127.0.0.1:0").await.expect("a free port");
        let world = World::new();
        let router = self.router.unwrap_or_else(|| world.router(self.options));
        let mut server = server
            .limits(self.limits)
            .web(router)
            .on_disconnect(move |_, reason| {
                let _ = sender.send(reason);
                async {}
            });
        if let Some((certificates, mode)) = self.tls {
            server = server.tls(certificates, mode);
        }
        if let Some(only) = self.only {
            server = server.only(only);
        }
        let addr = server.local_addr().expect("bound");
        let stop = server.shutdown_handle();
        let serving = tokio::spawn(server.serve(world.dispatcher()));
        Running {
            addr,
            world,
            stop,
            serving,
            ended,
        }
    }
}

impl Running {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("a server")
    }

    /// A WebSocket that shares only tungstenite with the server.
    pub(crate) async fn websocket(&self) -> Client<TcpStream> {
        Client::over(self.connect().await, "/socket", &[])
            .await
            .expect("a WebSocket")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.addr)
    }

    /// Why the next connection ended.
    pub(crate) async fn end(&mut self) -> Arc<Disconnect> {
        let ended = timeout(PATIENCE, self.ended.recv()).await;
        ended.expect("in time").expect("the server lives")
    }

    /// Sends this, and gives all that comes until the server closes.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The server may refuse, and close, before it has read everything.
        let _ = stream.write_all(bytes.as_ref()).await;
        let rest = rest(&mut stream).await;
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// All that comes until the server closes.
pub(crate) async fn rest(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, io.read_to_end(&mut rest)).await;
    // A reset is an end too.
    let _ = read.expect("the server closes");
    rest
}

/// Waits until this is so.
pub(crate) async fn settled(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("in time");
}

/// A client in text.
pub(crate) struct Client<T> {
    pub(crate) socket: WebSocketStream<T>,
}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Client<T> {
    pub(crate) async fn over(
        stream: T,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let url = format!("ws://localhost{path}");
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            let value = value.parse().expect("a value");
            request.headers_mut().insert(*name, value);
        }
        let (socket, _) = client_async(request, stream).await?;
        Ok(Self { socket })
    }

    pub(crate) async fn send(&mut self, text: &str) {
        let sent = self.socket.send(Ws::text(text)).await;
        sent.expect("the server reads");
    }

    /// The next message that is text.
    pub(crate) async fn next(&mut self) -> Value {
        serde_json::from_str(&self.next_text().await).expect("JSON")
    }

    /// Logs in, in a session that is kept.
    pub(crate) async fn log_in(&mut self, name: &str) -> String {
        let ask = format!(r#"{{"id":0,"type":"login","name":"{name}"}}"#);
        let answer = self.ask(&ask).await;
        let session = answer["reply"]["session"].as_str();
        session.expect("a session").to_owned()
    }

    pub(crate) async fn next_text(&mut self) -> String {
        loop {
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("in time");
            match message.expect("the server lives").expect("a message") {
                Ws::Text(text) => return text.as_str().to_owned(),
                Ws::Ping(_) | Ws::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn ask(&mut self, text: &str) -> Value {
        self.send(text).await;
        self.next().await
    }

    /// The code with which the server closes, whatever comes before.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("in time");
            match message {
                Some(Ok(Ws::Close(frame))) => {
                    return frame.map(|CloseFrame { code, .. }| code.into());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
