//! A TCP proxy that misbehaves: it cuts, resets, slices and delays what passes, and partitions the network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What happens to the bytes on their way from the client to the server. Those on the way back pass as they are.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The most bytes that pass in one piece.
    pub slice: usize,
    /// The pause before each piece.
    pub latency: Duration,
    /// After how many bytes the connection breaks, and how.
    pub end: Option<(u64, End)>,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The client is gone: FIN to the server, on both ways.
    Close,
    /// The client is gone with a RST.
    Reset,
    /// Nothing passes any more, and nobody says so.
    Silence,
}

impl Default for Weather {
    /// Fair: everything passes at once.
    fn default() -> Self {
        Self {
            slice: 64 * 1024,
            latency: Duration::ZERO,
            end: None,
        }
    }
}

impl Weather {
    /// The weather of a seed: how it breaks, where (before `bytes`), and in which slices. The same seed is the same
    /// weather.
    #[must_use]
    pub fn of_seed(seed: u64, bytes: u64) -> Self {
        let mut state = seed;
        let mut draw = move |below: u64| {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % below.max(1)
        };
        let end = if draw(2) == 0 { End::Close } else { End::Reset };
        let slice =
            [97, 1000, 8 * 1024, 64 * 1024][usize::try_from(draw(4)).expect("it is below 4")];
        Self {
            slice,
            latency: Duration::ZERO,
            end: Some((draw(bytes), end)),
        }
    }
}

/// A proxy in front of one server. Dropping it breaks all its connections.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    cut: watch::Sender<bool>,
    passed: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes every connection on to `server`, in this weather.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(server: SocketAddr, weather: Weather) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (cut, cuts) = watch::channel(false);
        let passed = Arc::<AtomicU64>::default();
        let counter = Arc::clone(&passed);
        let task = tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (cuts, counter) = (cuts.clone(), Arc::clone(&counter));
                connections.spawn(async move {
                    // A connection that breaks is what a proxy of this kind is for.
                    let _ = pass(client, server, weather, cuts, &counter).await;
                });
            }
        });
        Ok(Self {
            addr,
            cut,
            passed,
            task,
        })
    }

    /// Cuts the network: nothing passes any more in either direction, on connections old and new, and nobody is told.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Mends the network for new connections. Those that it was cut for are forgotten on the way, as by a firewall: they
    /// stay open and silent.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// Bytes that have passed to the server, on all connections.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    weather: Weather,
    mut cut: watch::Receiver<bool>,
    counter: &AtomicU64,
) -> io::Result<()> {
    if *cut.borrow_and_update() {
        return std::future::pending().await;
    }
    let mut server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let end = tokio::select! {
        end = exchange(&mut client, &mut server, weather, counter) => end?,
        // The sender lives as long as this task.
        _ = cut.wait_for(|cut| *cut) => Some(End::Silence),
    };
    match end {
        // Both sockets are closed by dropping them.
        None | Some(End::Close) => Ok(()),
        // One that is closed with no linger time sends RST, and not FIN.
        Some(End::Reset) => server.set_zero_linger(),
        Some(End::Silence) => std::future::pending().await,
    }
}

/// Passes bytes both ways, until both have ended (`None`) or the weather breaks the connection.
async fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    weather: Weather,
    counter: &AtomicU64,
) -> io::Result<Option<End>> {
    let (mut client_in, mut client_out) = client.split();
    let (mut server_in, mut server_out) = server.split();
    let up = send_up(&mut client_in, &mut server_out, weather, counter);
    let down = async {
        tokio::io::copy(&mut server_in, &mut client_out).await?;
        client_out.shutdown().await
    };
    tokio::pin!(up, down);
    tokio::select! {
        ended = &mut up => match ended? {
            // The client has closed its side; what the server still answers passes.
            None => down.await.map(|()| None),
            broken => Ok(broken),
        },
        answered = &mut down => {
            answered?;
            up.await
        }
    }
}

/// Passes bytes up until the client ends (`None`) or the weather does.
async fn send_up(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    weather: Weather,
    counter: &AtomicU64,
) -> io::Result<Option<End>> {
    let mut buffer = vec![0; weather.slice];
    let mut passed = 0;
    loop {
        let room = weather.end.map_or(u64::MAX, |(bytes, _)| bytes - passed);
        if let (0, Some((_, end))) = (room, weather.end) {
            return Ok(Some(end));
        }
        let most = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = from.read(&mut buffer[..most]).await?;
        if read == 0 {
            to.shutdown().await?;
            return Ok(None);
        }
        if !weather.latency.is_zero() {
            sleep(weather.latency).await;
        }
        to.write_all(&buffer[..read]).await?;
        passed += read as u64;
        counter.fetch_add(read as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server receives of 1,000 bytes through a proxy, and how its reading ended.
    async fn received(weather: Weather) -> (usize, io::Result<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let proxy = Proxy::start(listener.local_addr().expect("an address"), weather)
            .await
            .expect("a proxy");
        let mut client = TcpStream::connect(proxy.addr())
            .await
            .expect("a connection");
        let (mut server, _) = listener.accept().await.expect("the proxy's connection");
        client
            .write_all(&[7; 1000])
            .await
            .expect("a buffer's worth");
        client.shutdown().await.expect("an open socket");
        let mut buffer = [0; 64];
        let mut bytes = 0;
        loop {
            match server.read(&mut buffer).await {
                Ok(0) => return (bytes, Ok(())),
                Ok(read) => bytes += read,
                Err(error) => return (bytes, Err(error)),
            }
        }
    }

    #[tokio::test]
    async fn fair_weather_passes_everything() {
        let (bytes, end) = received(Weather {
            slice: 7,
            ..Weather::default()
        })
        .await;
        assert_eq!(bytes, 1000);
        end.expect("FIN");
    }

    #[tokio::test]
    async fn a_connection_is_cut_where_told() {
        let (bytes, end) = received(Weather {
            slice: 7,
            end: Some((600, End::Close)),
            ..Weather::default()
        })
        .await;
        assert_eq!(bytes, 600);
        end.expect("FIN");
    }

    #[tokio::test]
    async fn a_reset_is_seen_as_one() {
        let (_, end) = received(Weather {
            end: Some((600, End::Reset)),
            ..Weather::default()
        })
        .await;
        assert_eq!(end.expect_err("RST").kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_cut_network_is_silent_and_mends_for_new_connections() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let server = listener.local_addr().expect("an address");
        let proxy = Proxy::start(server, Weather::default())
            .await
            .expect("a proxy");
        let connect = async || {
            TcpStream::connect(proxy.addr())
                .await
                .expect("a connection")
        };
        let mut old = connect().await;
        let (mut old_server, _) = listener.accept().await.expect("the proxy's connection");
        old.write_all(b"a").await.expect("it passes");
        assert_eq!(old_server.read_u8().await.expect("it has passed"), b'a');

        proxy.cut();
        let mut during = connect().await;
        tokio::task::yield_now().await;
        for stream in [&mut old, &mut during] {
            stream.write_all(b"b").await.expect("nobody is told");
        }
        proxy.mend();
        let mut new = connect().await;
        new.write_all(b"c").await.expect("it passes");
        let (mut new_server, _) = listener.accept().await.expect("the proxy's connection");
        assert_eq!(new_server.read_u8().await.expect("it has passed"), b'c');
        let silent = tokio::time::timeout(Duration::from_millis(100), old_server.read_u8()).await;
        assert!(silent.is_err(), "{silent:?}");
    }

    #[test]
    fn a_seed_is_always_the_same_weather() {
        let said = |seed| format!("{:?}", Weather::of_seed(seed, 1 << 20));
        assert_eq!(said(1), said(1));
        assert!((2..9).any(|seed| said(seed) != said(1)));
    }
}
