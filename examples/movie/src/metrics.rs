//! `--metrics`: what the server counts, as Prometheus reads it.
//!
//! Prometheus asks for one text over HTTP, so this answers one request per connection and no more.
//! The listener that comes with the exporter brings an HTTP stack along, has no limit of time or
//! number, does not say which port it got, and leaves its tasks to nobody.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Upper ends of the buckets of a handler's time, in seconds, up to the server's limit for it.
const SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2.5, 10.0, 30.0];
/// Connections that are answered at once. Others wait to be accepted; a server has one Prometheus.
const AT_ONCE: usize = 8;
/// From accepting to the last byte: more than a scraper waits by default is of no use to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const MAX_HEAD: usize = 8 * 1024;
/// What was recorded is put into its buckets so often; until then it takes memory.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long accepting rests when there are no descriptors.
const REST: Duration = Duration::from_millis(100);

/// Why nothing is measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The process has another recorder already.
    #[error("the numbers of this process are recorded elsewhere")]
    Install(#[from] BuildError),
    /// The address cannot be listened on.
    #[error("the metrics cannot be listened for")]
    Listen(#[from] io::Error),
}

/// Tells the numbers to who asks.
#[derive(Debug)]
pub struct Exporter {
    listener: TcpListener,
    handle: PrometheusHandle,
}

impl Exporter {
    /// Records from now on, and listens. The numbers are the process's: two servers in it have the
    /// same.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or something else records.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future listens to nothing; it may record already.
    pub async fn bind(addr: SocketAddr) -> Result<Self, MetricsError> {
        let listener = TcpListener::bind(addr).await?;
        let handle = recorder()?;
        Ok(Self { listener, handle })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping it breaks off what is being answered.
    pub async fn serve(self) {
        let mut answering = JoinSet::new();
        let mut upkeep = interval(UPKEEP);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if answering.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) => {
                        let handle = self.handle.clone();
                        answering.spawn(async move {
                            match timeout(PATIENCE, answer(stream, &handle)).await {
                                Ok(Ok(())) => {}
                                Ok(Err(error)) => tracing::debug!(%error, "metrics were not read"),
                                Err(_elapsed) => tracing::debug!("metrics were not read in time"),
                            }
                        });
                    }
                    Err(error) => {
                        tracing::debug!(%error, "metrics could not be asked for");
                        sleep(REST).await;
                    }
                },
                Some(_) = answering.join_next() => {}
                _ = upkeep.tick() => self.handle.run_upkeep(),
            }
        }
    }
}

/// The recorder of this process.
fn recorder() -> Result<PrometheusHandle, BuildError> {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS)?;
    // Of two that come at once the second is refused.
    let handle = builder.install_recorder()?;
    Ok(RECORDER.get_or_init(|| handle).clone())
}

async fn answer(mut stream: TcpStream, handle: &PrometheusHandle) -> io::Result<()> {
    let mut head = Vec::with_capacity(MAX_HEAD);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_HEAD {
        let mut rest = (&mut stream).take((MAX_HEAD - head.len()) as u64);
        if rest.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let (status, text) = match asked(&head) {
        Ok(()) => ("200 OK", handle.render()),
        Err(status) => (status, format!("{status}\n")),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Whether the numbers are asked for, else the status that says what is wrong.
fn asked(head: &[u8]) -> Result<(), &'static str> {
    if !head.windows(4).any(|end| end == b"\r\n\r\n") {
        return Err("431 Request Header Fields Too Large");
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    match (words.next(), words.next()) {
        (Some(b"GET"), Some(target)) => match target.split(|byte| *byte == b'?').next() {
            Some(b"/" | b"/metrics") => Ok(()),
            _ => Err("404 Not Found"),
        },
        (Some(_), Some(_)) => Err("405 Method Not Allowed"),
        _ => Err("400 Bad Request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_numbers_can_be_asked_for() {
        let status = |head: &str| asked(head.as_bytes()).err().map(|status| &status[..3]);
        assert_eq!(status("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), None);
        assert_eq!(status("GET /metrics?name=x HTTP/1.1\r\n\r\n"), None);
        assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), None);
        assert_eq!(status("GET /metricsx HTTP/1.1\r\n\r\n"), Some("404"));
        assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), Some("405"));
        assert_eq!(status("GET\r\n\r\n"), Some("400"));
        assert_eq!(status("\r\n\r\n"), Some("400"));
        assert_eq!(status(&"x".repeat(MAX_HEAD)), Some("431"));
    }

    /// What a stranger sends, and the first line of the answer.
    async fn sent(bytes: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let handle = PrometheusBuilder::new().build_recorder().handle();
        let exporter = Exporter { listener, handle };
        let mut serving = JoinSet::new();
        serving.spawn(exporter.serve());
        let mut stream = TcpStream::connect(addr).await.expect("it listens");
        stream.write_all(bytes).await.expect("it reads");
        stream.shutdown().await.expect("it reads");
        let mut answer = Vec::new();
        // A head that is too long is cut off with bytes unread, and its answer may be lost.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    #[tokio::test]
    async fn half_a_request_is_no_request() {
        assert_eq!(
            sent(b"GET /metrics HTTP/1.1\r\n\r\n").await,
            "HTTP/1.1 200 OK"
        );
        assert_eq!(sent(b"GET /metrics HTTP/1.1\r\n").await, "");
        assert_eq!(sent(b"").await, "");
        let long = [b'x'; MAX_HEAD];
        let answer = sent(&long).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}
