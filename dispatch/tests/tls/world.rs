//! An application that says how it is reached, and servers of it whose end is heard.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packetboat_dispatch::tls::{Certificates, TlsMode};
use packetboat_dispatch::{
    Anyone, BodyExt, Disconnect, Dispatcher, Error, File, Limits, Message, Peer, Rejection, Server,
    ShutdownHandle, State, Upload, Wire,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long for whatever should happen at once, even on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How the server is reached.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "how", reply = How)]
pub(crate) struct AskHow {
    #[serde(default)]
    pub(crate) padding: usize,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct How {
    pub(crate) encrypted: bool,
    pub(crate) padding: String,
}

/// A file of the server's disk.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "film", reply = Film, reply_attachment = "size")]
pub(crate) struct GetFilm {}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Film {
    pub(crate) size: u64,
}

/// A file for the server, which is compared with its own.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "compare", reply = bool, attachment = "size")]
pub(crate) struct Compare {
    pub(crate) size: u64,
}

async fn how(peer: Peer, request: AskHow) -> How {
    How {
        encrypted: peer.is_encrypted(),
        padding: "x".repeat(request.padding),
    }
}

async fn film(State(film): State<PathBuf>, _: GetFilm) -> Result<(Film, File), Rejection> {
    let file = File::open(film).await.map_err(|_| Rejection::internal())?;
    Ok((Film { size: file.len() }, file))
}

async fn compare(
    State(film): State<PathBuf>,
    mut body: Upload,
    _: Compare,
) -> Result<bool, Rejection> {
    let mut all = Vec::new();
    body.copy_to(&mut all).await?;
    Ok(std::fs::read(film).is_ok_and(|film| film == all))
}

fn dispatcher(path: PathBuf) -> Dispatcher<PathBuf> {
    Dispatcher::new(path).allow(Anyone, |group| group.on(how).on(film).on(compare))
}

/// A server over TCP.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) stop: ShutdownHandle,
    pub(crate) serving: JoinHandle<Result<(), Error>>,
    pub(crate) ended: mpsc::UnboundedReceiver<Arc<Disconnect>>,
}

/// What a server is to do with TLS, and with which wire.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) tls: Option<(Certificates, TlsMode)>,
    pub(crate) limits: Limits,
    pub(crate) only: Option<Wire>,
    pub(crate) film: PathBuf,
}

impl Plan {
    pub(crate) fn tls(certificates: Certificates, mode: TlsMode) -> Self {
        Self {
            tls: Some((certificates, mode)),
            ..Self::default()
        }
    }

    /// The limit for a handshake.
    pub(crate) fn within(mut self, handshake: Duration) -> Self {
        self.limits.tls_handshake_time = handshake;
        self
    }

    pub(crate) async fn serve(self) -> Running {
        let (sender, ended) = mpsc::unbounded_channel();
        let server = Server::bind("127.0.0.1:0").await.expect("a free port");
        let mut server = server.limits(self.limits).on_disconnect(move |_, reason| {
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
        let serving = tokio::spawn(server.serve(dispatcher(self.film)));
        Running {
            addr,
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

    /// Why the next connection ended.
    pub(crate) async fn end(&mut self) -> Arc<Disconnect> {
        let ended = timeout(PATIENCE, self.ended.recv()).await;
        ended.expect("in time").expect("the server lives")
    }
}

pub(crate) fn frame(message: &str) -> Vec<u8> {
    let mut bytes = (message.len() as i32).to_le_bytes().to_vec();
    bytes.extend_from_slice(message.as_bytes());
    bytes
}

/// Asks on the classic wire, and gives whether the server says that the connection is encrypted.
pub(crate) async fn is_encrypted(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
    let ask = frame(r#"{"type": "how"}"#);
    io.write_all(&ask).await.expect("the server reads");
    io.flush().await.expect("the server reads");
    let len = io.read_i32_le().await.expect("an answer");
    let mut answer = vec![0; len as usize];
    io.read_exact(&mut answer).await.expect("an answer");
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    answer["encrypted"].as_bool().expect("it says so")
}

/// All that comes until the server closes.
pub(crate) async fn rest(io: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, io.read_to_end(&mut rest)).await;
    // A reset is an end too.
    let _ = read.expect("the server closes");
    rest
}

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Of what an operator sees who has set nothing.
    pub(crate) fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("a log is text")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
