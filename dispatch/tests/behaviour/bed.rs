//! A server on one wire over one transport, and peers of it.

use std::net::SocketAddr;

#[cfg(feature = "tls")]
use packetboat_dispatch::tls::TlsMode;
use packetboat_dispatch::{App, Limits, Server, Wire, serve_stream};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
#[cfg(feature = "tls")]
use tokio_rustls::rustls::ALL_VERSIONS;

#[cfg(feature = "tls")]
use crate::authority::{Authority, authority};
use crate::common::{World, dispatcher};
use crate::peer::Peer;

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Memory,
    Tcp,
    /// TCP with TLS, which the server requires.
    #[cfg(feature = "tls")]
    Tls,
    Unix,
}

/// A way to the same application. The server serves both wires.
pub(crate) struct Bed {
    pub(crate) wire: Wire,
    over: Over,
}

/// A server that runs.
pub(crate) struct Running {
    wire: Wire,
    place: Place,
}

enum Place {
    Memory {
        app: App,
        limits: Box<Limits>,
    },
    Tcp(SocketAddr),
    #[cfg(feature = "tls")]
    Tls(SocketAddr, Box<Authority>),
    Unix(TempDir),
}

/// Either half of anything.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Bed {
    pub(crate) fn new(wire: Wire, over: Over) -> Self {
        Self { wire, over }
    }

    pub(crate) async fn serve(&self, world: &World, limits: Limits) -> Running {
        let app = App::from(dispatcher(world.clone()));
        let place = match self.over {
            Over::Memory => {
                let limits = Box::new(limits);
                Place::Memory { app, limits }
            }
            Over::Tcp => {
                let server = Server::bind("127.0.0.1:0").await.expect("a free port");
                let addr = server.local_addr().expect("it is bound");
                tokio::spawn(server.limits(limits).serve(app));
                Place::Tcp(addr)
            }
            #[cfg(feature = "tls")]
            Over::Tls => {
                let authority = authority();
                let server = Server::bind("127.0.0.1:0").await.expect("a free port");
                let addr = server.local_addr().expect("it is bound");
                let server = server.tls(authority.certificates(), TlsMode::Required);
                tokio::spawn(server.limits(limits).serve(app));
                Place::Tls(addr, Box::new(authority))
            }
            Over::Unix => {
                let folder = tempfile::tempdir().expect("a folder");
                let server = Server::bind_unix(folder.path().join("socket")).expect("a path");
                tokio::spawn(server.limits(limits).serve(app));
                Place::Unix(folder)
            }
        };
        Running {
            wire: self.wire,
            place,
        }
    }
}

impl Running {
    pub(crate) async fn peer(&self) -> Peer {
        let stream: Box<dyn Stream> = match &self.place {
            Place::Memory { app, limits } => {
                let (ours, theirs) = tokio::io::duplex(64 * 1024);
                tokio::spawn(serve_stream(theirs, app.clone(), (**limits).clone()));
                Box::new(ours)
            }
            Place::Tcp(addr) => Box::new(TcpStream::connect(addr).await.expect("a server")),
            #[cfg(feature = "tls")]
            Place::Tls(addr, authority) => {
                let stream = TcpStream::connect(addr).await.expect("a server");
                let alpn = (self.wire == Wire::Native).then_some("packetboat/1");
                let shaken = authority.connect(stream, alpn, ALL_VERSIONS).await;
                Box::new(shaken.expect("a handshake"))
            }
            Place::Unix(folder) => {
                let path = folder.path().join("socket");
                Box::new(UnixStream::connect(path).await.expect("a server"))
            }
        };
        Peer::new(self.wire, stream)
    }
}
