//! Who asks: prepared bytes on a wire, or a framework's own client.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::sleep,
};

use super::{Asker, Ran, Work};
use crate::error::BoxError;

/// Room for replies. 64 of any peer fit.
const ROOM: usize = 64 * 1024;

/// A wire as far as requests and replies go.
pub(super) trait Wire: Send + 'static {
    /// Appends a request.
    fn ask(&mut self, out: &mut Vec<u8>);

    /// The bytes of the first reply and whatever stands before it, or `None` while it is not whole.
    fn reply(&mut self, bytes: &[u8]) -> Result<Option<usize>, BoxError>;
}

/// A connection that is ready for requests.
struct Connection<W> {
    stream: TcpStream,
    wire: W,
    out: Vec<u8>,
    back: Vec<u8>,
}

/// All connections of a work, on a wire.
pub(super) struct Raw<W> {
    connections: Vec<Connection<W>>,
    depth: usize,
}

impl<W: Wire> Raw<W> {
    /// Connects, and lets `greet` do what comes before the first request.
    pub(super) async fn connect<F, Fut>(
        address: SocketAddr,
        work: Work,
        greet: F,
    ) -> Result<Self, BoxError>
    where
        F: Fn(TcpStream) -> Fut,
        Fut: Future<Output = Result<(TcpStream, W), BoxError>>,
    {
        let mut connections = Vec::new();
        for _ in 0..work.connections() {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (stream, wire) = greet(stream).await?;
            connections.push(Connection {
                stream,
                wire,
                out: Vec::with_capacity(ROOM),
                back: Vec::with_capacity(ROOM),
            });
        }
        let depth = work.depth();
        Ok(Self { connections, depth })
    }
}

impl<W: Wire> Asker for Raw<W> {
    fn run(&mut self, time: Duration) -> Ran<'_> {
        Box::pin(async move {
            let stop = Arc::<AtomicBool>::default();
            let begun = Instant::now();
            let mut asking = Vec::with_capacity(self.connections.len());
            for mut connection in self.connections.drain(..) {
                let (stop, depth) = (Arc::clone(&stop), self.depth);
                asking.push(tokio::spawn(async move {
                    let replies = connection.ask(depth, &stop).await?;
                    Ok::<_, BoxError>((connection, replies))
                }));
            }
            sleep(time).await;
            stop.store(true, Ordering::Relaxed);
            let mut all = 0;
            for asked in asking {
                let (connection, replies) = asked.await??;
                self.connections.push(connection);
                all += replies;
            }
            Ok((all, begun.elapsed()))
        })
    }
}

impl<W: Wire> Connection<W> {
    /// Keeps so many requests in flight until it is to stop, and gives how many were answered.
    async fn ask(&mut self, depth: usize, stop: &AtomicBool) -> Result<u64, BoxError> {
        let (mut replies, mut missing, mut in_flight) = (0, depth, 0);
        loop {
            if !stop.load(Ordering::Relaxed) {
                for _ in 0..missing {
                    self.wire.ask(&mut self.out);
                }
                in_flight += missing;
                self.stream.write_all(&self.out).await?;
                self.out.clear();
            }
            if in_flight == 0 {
                return Ok(replies);
            }
            if self.stream.read_buf(&mut self.back).await? == 0 {
                return Err("the server left".into());
            }
            let mut at = 0;
            missing = 0;
            while let Some(n) = self.wire.reply(&self.back[at..])? {
                at += n;
                missing += 1;
            }
            self.back.drain(..at);
            in_flight -= missing;
            replies += missing as u64;
        }
    }
}

/// All connections of a work, each with a client that it is asked through.
pub(super) struct Library<C, F> {
    clients: Vec<C>,
    depth: usize,
    ask: F,
}

impl<C, F> Library<C, F> {
    /// `ask` asks once.
    pub(super) fn new(clients: Vec<C>, work: Work, ask: F) -> Self {
        let depth = work.depth();
        Self {
            clients,
            depth,
            ask,
        }
    }
}

impl<C, F, Fut> Asker for Library<C, F>
where
    C: Clone + Send + 'static,
    F: Fn(C) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send,
{
    fn run(&mut self, time: Duration) -> Ran<'_> {
        Box::pin(async move {
            let stop = Arc::<AtomicBool>::default();
            let begun = Instant::now();
            let mut asking: Vec<JoinHandle<Result<u64, BoxError>>> = Vec::new();
            for client in &self.clients {
                for _ in 0..self.depth {
                    let (client, ask, stop) = (client.clone(), self.ask.clone(), Arc::clone(&stop));
                    asking.push(tokio::spawn(async move {
                        let mut replies = 0;
                        while !stop.load(Ordering::Relaxed) {
                            ask(client.clone()).await?;
                            replies += 1;
                        }
                        Ok(replies)
                    }));
                }
            }
            sleep(time).await;
            stop.store(true, Ordering::Relaxed);
            let mut all = 0;
            for asked in asking {
                all += asked.await??;
            }
            Ok((all, begun.elapsed()))
        })
    }
}
