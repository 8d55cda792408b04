//! A proxy in front of Redis that loses messages of channels, and nothing else.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A proxy. Dropping it breaks all its connections.
pub(crate) struct Lossy {
    pub(crate) addr: SocketAddr,
    lost: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Lossy {
    /// Loses one message in so many.
    pub(crate) async fn start(redis: SocketAddr, one_in: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let lost = Arc::<AtomicU64>::default();
        let (counter, count) = (Arc::clone(&lost), Arc::<AtomicU64>::default());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (lost, count) = (Arc::clone(&counter), Arc::clone(&count));
                connections.spawn(async move {
                    let mut server = TcpStream::connect(redis).await?;
                    let mut client = client;
                    server.set_nodelay(true)?;
                    client.set_nodelay(true)?;
                    let (mut from_client, to_client) = client.split();
                    let (from_server, mut to_server) = server.split();
                    let is_lost = move || {
                        let is = count.fetch_add(1, Ordering::Relaxed) % one_in == one_in - 1;
                        lost.fetch_add(u64::from(is), Ordering::Relaxed);
                        is
                    };
                    tokio::select! {
                        up = copy(&mut from_client, &mut to_server) => up.map(drop),
                        down = pass(from_server, to_client, is_lost) => down,
                    }
                });
            }
        });
        Self { addr, lost, task }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    is_lost: impl Fn() -> bool,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while from.read_buf(&mut bytes).await? > 0 {
        while let Some(len) = value(&bytes) {
            let is_message = bytes.starts_with(b">3\r\n$7\r\nmessage\r\n");
            if !(is_message && is_lost()) {
                to.write_all(&bytes[..len]).await?;
            }
            bytes.drain(..len);
        }
    }
    Ok(())
}

/// The length of the value of RESP3 that the bytes begin with, if all of it is there.
fn value(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")?;
    let mut len = line + 2;
    let number = || -> Option<i64> { std::str::from_utf8(&bytes[1..line]).ok()?.parse().ok() };
    let values = match bytes[0] {
        b'$' | b'=' | b'!' => {
            if let Some(text) = number().and_then(|n| usize::try_from(n).ok()) {
                len += text + 2;
            }
            0
        }
        b'*' | b'>' | b'~' => number().unwrap_or(0),
        b'%' | b'|' => 2 * number().unwrap_or(0),
        _ => 0,
    };
    for _ in 0..values {
        len += value(bytes.get(len..)?)?;
    }
    (bytes.len() >= len).then_some(len)
}

#[test]
fn values_are_measured() {
    for whole in [
        "+OK\r\n",
        "$5\r\na\r\nbc\r\n",
        "*2\r\n:1\r\n$-1\r\n",
        "%1\r\n+a\r\n>1\r\n_\r\n",
    ] {
        assert_eq!(value(whole.as_bytes()), Some(whole.len()));
        for cut in 1..whole.len() {
            assert_eq!(value(&whole.as_bytes()[..cut]), None, "{whole:?} at {cut}");
        }
    }
}
