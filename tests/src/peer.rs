//! A peer that speaks raw bytes of the classic wire, and shares no code with the crates.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take before a test gives up.
const ANSWER: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Debug)]
pub struct Peer {
    /// The socket itself, for whatever a test wants to do to it.
    pub socket: TcpStream,
}

impl Peer {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket })
    }

    /// The bytes of a request: its length as a little-endian i32, then the JSON.
    ///
    /// # Panics
    ///
    /// When it is longer than 2 GiB.
    #[must_use]
    pub fn frame(request: &Value) -> Vec<u8> {
        let text = request.to_string();
        let length = i32::try_from(text.len()).expect("a test's request is short");
        [&length.to_le_bytes()[..], text.as_bytes()].concat()
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Receives one reply.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] when the server closes instead, [`io::ErrorKind::TimedOut`] when it is silent
    /// for 20 s, [`io::ErrorKind::InvalidData`] for what is no frame.
    pub async fn receive(&mut self) -> io::Result<Value> {
        let receive = async {
            let mut length = [0; 4];
            self.socket.read_exact(&mut length).await?;
            let length = usize::try_from(i32::from_le_bytes(length))
                .map_err(|_| io::ErrorKind::InvalidData)?;
            let mut text = vec![0; length];
            self.socket.read_exact(&mut text).await?;
            Ok(serde_json::from_slice(&text)?)
        };
        timeout(ANSWER, receive)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Sends a request and receives its reply.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send) and [`receive`](Self::receive).
    pub async fn call(&mut self, request: &Value) -> io::Result<Value> {
        self.send(&Self::frame(request)).await?;
        self.receive().await
    }

    /// Waits until the server has closed the connection; what it still sends is dropped.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] when it does not within 20 s.
    pub async fn closed(&mut self) -> io::Result<()> {
        let drain = async {
            let mut buffer = [0; 4096];
            // A reset is an end as well.
            while matches!(self.socket.read(&mut buffer).await, Ok(1..)) {}
        };
        timeout(ANSWER, drain)
            .await
            .map_err(|_| io::ErrorKind::TimedOut.into())
    }
}
