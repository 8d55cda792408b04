//! Accept, count, drain, stop.

#[cfg(feature = "tls")]
mod encrypted;
mod listener;
mod places;
#[cfg(feature = "proxies")]
mod proxied;
mod quiet;
mod serving;
mod shutdown;

pub use shutdown::ShutdownHandle;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use packetboat_framing::Budget;
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::Instrument;
use tracing::field::Empty;

use crate::app::App;
use crate::connection::Peer;
use crate::driver::{Held, Shared, Tasks};
use crate::error::{Disconnect, Error};
use crate::limits::Limits;
use crate::metrics;
#[cfg(feature = "proxies")]
use crate::proxies::TrustedProxies;
#[cfg(feature = "tls")]
use crate::tls::{Certificates, Port, TlsMode};
use crate::wire::Wire;
use listener::{Listener, Socket, tune};
use places::{Place, Places};
use quiet::Quiet;
use serving::{Served, serve_one};

/// How long accepting rests when there are no descriptors: short enough to serve again at once
/// when one is free, long enough to cost nothing.
const ACCEPT_REST: Duration = Duration::from_millis(100);

type OnConnect = dyn Fn(Peer) -> BoxFuture<'static, ()> + Send + Sync;
type OnDisconnect = dyn Fn(Peer, Arc<Disconnect>) -> BoxFuture<'static, ()> + Send + Sync;

/// A server over TCP, or over a Unix socket.
///
/// One port serves both wires, and HTTP where there is something that answers it, each connection the
/// one that it begins with.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), packetboat_dispatch::Error> {
/// use packetboat_dispatch::{Dispatcher, Server};
///
/// let server = Server::bind("127.0.0.1:0").await?;
/// println!("READY {}", server.local_addr()?);
/// let stop = server.shutdown_handle();
/// tokio::spawn(async move {
///     tokio::signal::ctrl_c().await.expect("signals can be listened to");
///     stop.shutdown();
/// });
/// server.serve(Dispatcher::new(())).await
/// # }
/// ```
pub struct Server {
    listener: Listener,
    limits: Limits,
    only: Option<Wire>,
    #[cfg(feature = "tls")]
    tls: Option<(Certificates, TlsMode)>,
    #[cfg(feature = "web")]
    web: Option<axum::Router>,
    #[cfg(feature = "proxies")]
    proxies: TrustedProxies,
    on_connect: Option<Arc<OnConnect>>,
    on_disconnect: Option<Arc<OnDisconnect>>,
    stop: Arc<watch::Sender<bool>>,
}

impl Server {
    /// Binds an address; port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn bind(addr: impl ToSocketAddrs) -> Result<Self, Error> {
        let listener = TcpListener::bind(addr).await.map_err(Error::Listen)?;
        Ok(Self::from_listener(listener))
    }

    /// Binds a Unix socket. A file that is there already is replaced if it is the socket of a
    /// server that is gone; ours is removed when serving ends.
    ///
    /// Who may connect is up to the rights of the folder. Connections have no address, so
    /// [`Limits::connections_per_ip`] does not count them.
    ///
    /// # Errors
    ///
    /// The path cannot be bound.
    pub fn bind_unix(path: impl AsRef<Path>) -> Result<Self, Error> {
        let listener = Listener::unix(path.as_ref()).map_err(Error::Listen)?;
        Ok(Self::on(listener))
    }

    /// Serves on a listener that is bound already.
    #[must_use]
    pub fn from_listener(listener: TcpListener) -> Self {
        Self::on(Listener::Tcp(listener))
    }

    fn on(listener: Listener) -> Self {
        let stop = Arc::new(watch::Sender::new(false));
        let limits = Limits::default();
        Self {
            listener,
            limits,
            only: None,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "web")]
            web: None,
            #[cfg(feature = "proxies")]
            proxies: TrustedProxies::default(),
            on_connect: None,
            on_disconnect: None,
            stop,
        }
    }

    /// Keeps these limits instead of the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves this wire alone, beside HTTP where that is served. By default each connection has the
    /// one that its first bytes show.
    #[must_use]
    pub fn only(mut self, wire: Wire) -> Self {
        self.only = Some(wire);
        self
    }

    /// Serves TLS 1.2 and 1.3 on the same port, instead of plain connections or beside them. Inside,
    /// ALPN chooses the wire (`packetboat/1` is the native one), or else its first bytes do.
    ///
    /// Keep a clone of the certificates to [`reload`](Certificates::reload) them while it serves.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, certificates: Certificates, mode: TlsMode) -> Self {
        self.tls = Some((certificates, mode));
        self
    }

    /// Answers HTTP/1.1 on the same port by this router, in TLS too where that is served, and opens
    /// WebSockets for the dispatcher's handlers where the router has a [`socket`](crate::web::socket).
    ///
    /// A request sees `Extension<Peer>` and, over TCP, `ConnectInfo<SocketAddr>`. Its connection has a
    /// place among the server's others, and when the server stops it finishes the request that it is
    /// at. [`web`](crate::web) has the rest.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn web(mut self, router: axum::Router) -> Self {
        self.web = Some(router);
        self
    }

    /// Believes these proxies when they say who the client of a connection is. Where they use the PROXY protocol,
    /// [`Peer::addr`], the cap per address and the log then have the client's address.
    #[cfg(feature = "proxies")]
    #[must_use]
    pub fn trust_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Runs for each connection before its first request is read.
    #[must_use]
    pub fn on_connect<Fut>(mut self, hook: impl Fn(Peer) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_connect = Some(Arc::new(move |peer| Box::pin(hook(peer))));
        self
    }

    /// Runs for each connection after it has closed, with the reason. Handlers of it may still be
    /// at work.
    #[must_use]
    pub fn on_disconnect<Fut>(
        mut self,
        hook: impl Fn(Peer, Arc<Disconnect>) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_disconnect = Some(Arc::new(move |peer, reason| Box::pin(hook(peer, reason))));
        self
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The system does not say, or it is a Unix socket.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.listener.local_addr().map_err(Error::Listen)
    }

    /// Stops the server from elsewhere.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle::new(Arc::clone(&self.stop))
    }

    /// Serves until it is told to stop, and then until the requests that have begun are answered,
    /// for at most [`Limits::shutdown_time`].
    ///
    /// Classic connections between two requests are closed with nothing sent, since whatever is
    /// sent would be read as the next reply. Native ones are told that this side goes away, and so are
    /// WebSockets.
    ///
    /// # Errors
    ///
    /// The listener broke. Running out of descriptors is waited for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes everything at once, and aborts handlers.
    pub async fn serve(self, app: impl Into<App>) -> Result<(), Error> {
        let mut stopping = self.stop.subscribe();
        let shutdown_time = self.limits.shutdown_time;
        let places = Places::new(self.limits.connections, self.limits.connections_per_ip);
        #[cfg(feature = "web")]
        let web = self
            .web
            .map(|router| crate::web::Site::new(router, &self.limits.wire));
        #[cfg(feature = "tls")]
        let tls = self.tls.map(|(certificates, mode)| {
            #[cfg(feature = "web")]
            let http = web.is_some();
            #[cfg(not(feature = "web"))]
            let http = false;
            Port::new(certificates, mode, self.only, http)
        });
        // A server that is dropped leaves nothing running.
        let connections = AbortOnDrop(Arc::default());
        let room = Arc::new(Room {
            shared: Shared {
                app: app.into(),
                budget: Budget::new(self.limits.attachment_buffers),
                tasks: Arc::default(),
                stopping: stopping.clone(),
                limits: self.limits,
                only: self.only,
                #[cfg(feature = "tls")]
                tls,
                #[cfg(feature = "web")]
                web,
            },
            #[cfg(feature = "web")]
            connections: Arc::clone(&connections.0),
            quiet: Mutex::new(Quiet::new()),
            #[cfg(feature = "proxies")]
            proxies: self.proxies,
            on_connect: self.on_connect,
            on_disconnect: self.on_disconnect,
        });
        let handlers = AbortOnDrop(Arc::clone(&room.shared.tasks));
        let mut quiet = Quiet::new();
        metrics::describe();
        let _served = room.shared.app.answering().life().served(stopping.clone());

        loop {
            let accepted = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                accepted = self.listener.accept() => accepted,
            };
            let socket = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) if is_broken(&error) => return Err(Error::Listen(error)),
                Err(error) => {
                    metrics::refused("not_accepted");
                    quiet.warn("no connection accepted", &error);
                    sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            match places.take(room.counted_as(&socket)) {
                Ok(place) => connections
                    .0
                    .spawn(Arc::clone(&room).connection(socket, place)),
                // Dropping the socket closes it.
                Err(full) => {
                    metrics::refused(full.as_str());
                    quiet.warn("connection refused", &full);
                }
            }
        }

        drop(self.listener);
        let drained = async {
            connections.0.join().await;
            handlers.0.join().await;
        };
        if timeout(shutdown_time, drained).await.is_err() {
            tracing::warn!(?shutdown_time, "requests were cut short by the shutdown");
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// Serves one connection over anything that reads and writes: memory, a Unix socket, TLS. It may
/// speak either wire.
///
/// It ends when the peer closes, and gives the reason. Handlers that still run then go on by
/// themselves until they are done.
///
/// Each call is a server of one: [`Limits::attachment_buffers`] is its own, and how many there are
/// is up to the caller.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use packetboat_dispatch::{App, Dispatcher, Limits, serve_stream};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut client, server) = tokio::io::duplex(1024);
/// tokio::spawn(serve_stream(server, App::from(Dispatcher::new(())), Limits::default()));
/// client.write_all(b"\x10\0\0\0{\"type\": \"what\"}").await.unwrap();
/// assert!(client.read_i32_le().await.unwrap() > 0);
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future closes the connection, and aborts its handler.
pub async fn serve_stream<T>(stream: T, app: App, limits: Limits) -> Disconnect
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (read, write) = split(stream);
    // Never told to stop: dropping the future is how its owner stops it.
    let (_stop, stopping) = watch::channel(false);
    let budget = Budget::new(limits.attachment_buffers);
    let tasks: Arc<Tasks> = Arc::default();
    let shared = Shared {
        app,
        limits,
        budget,
        tasks: Arc::clone(&tasks),
        stopping,
        only: None,
        #[cfg(feature = "tls")]
        tls: None,
        #[cfg(feature = "web")]
        web: None,
    };
    let peer = Peer::new(None);
    let span = tracing::info_span!("connection", id = %peer.id(), addr = "stream", wire = Empty);
    let serving = serve_one(&shared, peer, None, read, write);
    let served = serving.instrument(span).await;
    #[cfg(not(feature = "web"))]
    let Served::Over(disconnect) = served;
    #[cfg(feature = "web")]
    let Served::Over(disconnect) = served else {
        unreachable!("HTTP is not served here")
    };
    tokio::spawn(async move { tasks.join().await });
    disconnect
}

/// What the connections of a server have in common.
struct Room {
    shared: Shared,
    /// Where the task of a WebSocket is begun.
    #[cfg(feature = "web")]
    connections: Arc<Tasks>,
    // A std lock: held to write a line of the log, never across an await.
    quiet: Mutex<Quiet>,
    #[cfg(feature = "proxies")]
    proxies: TrustedProxies,
    on_connect: Option<Arc<OnConnect>>,
    on_disconnect: Option<Arc<OnDisconnect>>,
}

impl Room {
    /// The task of a connection.
    async fn connection(self: Arc<Self>, socket: Socket, place: Place) {
        #[cfg(feature = "proxies")]
        let (socket, place) = match self.is_proxied(&socket) {
            false => (socket, place),
            // Boxed: a connection of nobody's proxy does not pay for it.
            true => match Box::pin(self.behind_proxies(socket, place)).await {
                Some(begun) => begun,
                None => return,
            },
        };
        let addr = socket.addr();
        let peer = Peer::new(addr);
        let addr = addr.map_or_else(|| "unix".to_owned(), |addr| addr.to_string());
        let span = tracing::info_span!("connection", id = %peer.id(), addr, wire = Empty);
        self.greeted(socket, peer, place).instrument(span).await;
    }

    async fn greeted(self: Arc<Self>, socket: Socket, peer: Peer, place: Place) {
        if let Some(hook) = &self.on_connect {
            hook(peer.clone()).await;
        }
        tracing::debug!("connected");
        let serving = AssertUnwindSafe(self.serve(socket, peer.clone(), place)).catch_unwind();
        match serving.await {
            Ok(Served::Over(disconnect)) => self.parted(peer, disconnect).await,
            #[cfg(feature = "web")]
            Ok(Served::Upgraded(opened)) => {
                let connections = Arc::clone(&self.connections);
                connections.spawn(self.websocket(opened));
            }
            Err(_panic) => self.parted(peer, Disconnect::Panicked).await,
        }
    }

    /// The task of a connection that has become a WebSocket.
    #[cfg(feature = "web")]
    async fn websocket(self: Arc<Self>, opened: Box<crate::web::Opened>) {
        let peer = opened.peer().clone();
        let span = opened.span();
        let served = async {
            let disconnect = crate::web::serve_socket(&self.shared, opened).await;
            self.parted(peer, disconnect).await;
        };
        served.instrument(span).await;
    }

    /// A connection has ended.
    async fn parted(&self, peer: Peer, disconnect: Disconnect) {
        let disconnect = Arc::new(disconnect);
        match &*disconnect {
            Disconnect::Panicked => tracing::error!("disconnected: {disconnect}"),
            // Whoever set this port up may have meant another: that is said where it is seen.
            _ if disconnect.is_misdirected() => {
                let quiet = self.quiet.lock();
                let mut quiet = quiet.unwrap_or_else(PoisonError::into_inner);
                quiet.warn("connection closed", &disconnect);
            }
            _ => tracing::debug!("disconnected: {disconnect}"),
        }
        if let Some(hook) = &self.on_disconnect {
            hook(peer, disconnect).await;
        }
    }

    async fn serve(&self, socket: Socket, peer: Peer, place: Place) -> Served {
        let held: Held = Some(Arc::new(place));
        match socket {
            Socket::Tcp(stream, _) => {
                if let Err(error) = tune(&stream) {
                    return Served::Over(Disconnect::Failed(error.into()));
                }
                let (read, write) = stream.into_split();
                serve_one(&self.shared, peer, held, read, write).await
            }
            Socket::Unix(stream) => {
                let (read, write) = stream.into_split();
                serve_one(&self.shared, peer, held, read, write).await
            }
        }
    }
}

#[cfg(not(feature = "proxies"))]
impl Room {
    /// The address whose connections are counted together with this one.
    #[allow(
        clippy::unused_self,
        reason = "it looks at the trusted proxies, where there may be some"
    )]
    fn counted_as(&self, socket: &Socket) -> Option<std::net::IpAddr> {
        socket.addr().map(|addr| addr.ip())
    }
}

/// Tasks that end with their owner.
struct AbortOnDrop(Arc<Tasks>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An error that is about the connection which was to be accepted, and not about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// The listener itself is none, or none any more. Everything else passes: a shortage of
/// descriptors or memory when something is given back, and accept(2) also reports what the network
/// did to a connection that waited.
fn is_broken(error: &io::Error) -> bool {
    // EBADF, EFAULT, EINVAL, ENOTSOCK.
    matches!(error.raw_os_error(), None | Some(9 | 14 | 22 | 88))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_listener_ends_a_server() {
        // ENETDOWN, EPROTO, EHOSTUNREACH, EPERM (a firewall), EMFILE, ENOBUFS.
        for passes in [100, 71, 113, 1, 24, 105] {
            assert!(!is_broken(&io::Error::from_raw_os_error(passes)));
        }
        assert!(is_broken(&io::Error::from_raw_os_error(9)));
    }

    /// Nearly all that a connection costs is its task. In a release build it is 2,472 bytes.
    #[tokio::test]
    async fn the_task_of_a_connection_is_small() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let listener = Listener::Tcp(listener);
        let addr = listener.local_addr().expect("its address");
        let (client, socket) =
            tokio::join!(tokio::net::TcpStream::connect(addr), listener.accept());
        let _client = client.expect("the listener is there");
        let places = Places::new(1, 1);
        let place = places.take(None).expect("there is a place");
        let room = Arc::new(Room {
            shared: Shared {
                app: crate::Dispatcher::new(()).into(),
                budget: Budget::default(),
                tasks: Arc::default(),
                stopping: watch::channel(false).1,
                limits: Limits::default(),
                only: None,
                #[cfg(feature = "tls")]
                tls: None,
                #[cfg(feature = "web")]
                web: None,
            },
            #[cfg(feature = "proxies")]
            proxies: TrustedProxies::default(),
            on_connect: None,
            on_disconnect: None,
            #[cfg(feature = "web")]
            connections: Arc::default(),
            quiet: Mutex::new(Quiet::new()),
        });
        let task = room.connection(socket.expect("a connection"), place);
        let size = size_of_val(&task);
        assert!(size <= 3 * 1024, "{size} bytes");
    }
}
