//! A Redis of a test's own, to stop, to flush, to crash and to start again; and the one that tests share.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fmt};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(10);

/// The URL of the server that tests share, or `None` where there is none.
///
/// # Panics
///
/// When it is missing though `PACKETBOAT_TESTS=required` says that every server is there.
#[must_use]
pub fn shared() -> Option<String> {
    let url = env::var("PACKETBOAT_REDIS_URL").ok();
    if url.is_none() {
        missing("PACKETBOAT_REDIS_URL is not set");
    }
    url
}

fn missing(what: &str) {
    let required = env::var("PACKETBOAT_TESTS").is_ok_and(|value| value == "required");
    assert!(!required, "{what}, and PACKETBOAT_TESTS=required");
    eprintln!("left out: {what}");
}

/// A server without data. Dropping it kills it and removes its files.
pub struct Redis {
    process: Child,
    port: u16,
    password: String,
    /// Dropped last, when nobody writes there any more.
    folder: TempDir,
}

impl Redis {
    /// Starts one, or returns `None` where Redis is not installed.
    ///
    /// # Panics
    ///
    /// When it does not start, and when it is missing though `PACKETBOAT_TESTS=required` says that every server is there.
    pub async fn start() -> Option<Self> {
        if find().is_none() {
            missing("redis-server is not installed");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let password = password().expect("the system's randomness");
        let port = free_port().expect("a free port");
        let config = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {}\nsave \"\"\nappendonly no\n",
            folder.path().display()
        );
        fs::write(folder.path().join("redis.conf"), config).expect("a folder of our own");
        let process = spawn(folder.path()).expect("a server");
        let mut server = Self {
            process,
            port,
            password,
            folder,
        };
        server.ready().await;
        Some(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_by(self.addr())
    }

    /// Its URL by way of a proxy.
    #[must_use]
    pub fn url_by(&self, proxy: SocketAddr) -> String {
        format!("redis://default:{}@{proxy}/0", self.password)
    }

    /// Hangs: it keeps its connections, and does nothing (SIGSTOP).
    pub fn hang(&self) {
        self.signal("STOP");
    }

    /// Goes on after it has hung.
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    /// Crashes it (SIGKILL).
    ///
    /// # Panics
    ///
    /// When the system refuses.
    pub fn crash(&mut self) {
        self.process.kill().expect("our own child");
        self.process.wait().expect("our own child");
    }

    /// Starts it again after a crash, without data. Returns when it answers.
    ///
    /// # Panics
    ///
    /// When it does not come back.
    pub async fn start_again(&mut self) {
        self.process = spawn(self.folder.path()).expect("a server");
        self.ready().await;
    }

    /// A command, and its answer as it stands on the wire.
    ///
    /// # Panics
    ///
    /// When it is not answered.
    pub async fn command(&self, words: &[&str]) -> String {
        self.try_command(words).await.expect("an answer")
    }

    async fn try_command(&self, words: &[&str]) -> io::Result<String> {
        let mut stream = BufReader::new(TcpStream::connect(self.addr()).await?);
        let auth = ["AUTH", &self.password];
        stream.write_all(&written(&auth)).await?;
        let answer = answer(&mut stream).await?;
        if answer != "OK" {
            return Err(io::Error::other(answer));
        }
        stream.write_all(&written(words)).await?;
        self::answer(&mut stream).await
    }

    async fn ready(&mut self) {
        let began = Instant::now();
        while let Err(error) = self.try_command(&["PING"]).await {
            let ended = self.process.try_wait().expect("our own child");
            assert!(
                ended.is_none() && began.elapsed() < START,
                "Redis did not start: {error}; it said: {}",
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.process.id().to_string())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Without the password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join("redis-server"))
        .find(|path| path.is_file())
}

/// It ends with this thread, and writes to its log.
fn spawn(folder: &Path) -> io::Result<Child> {
    let program = find().ok_or(io::ErrorKind::NotFound)?;
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))?;
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .arg(folder.join("redis.conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// A command on the wire.
fn written(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
    bytes
}

/// A simple answer, a number or a text.
async fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end();
    if let Some(len) = line.strip_prefix('$') {
        let len: usize = len.parse().map_err(io::Error::other)?;
        let mut text = vec![0; len + 2];
        stream.read_exact(&mut text).await?;
        text.truncate(len);
        return String::from_utf8(text).map_err(io::Error::other);
    }
    match line.split_at_checked(1) {
        Some(("+" | ":", answer)) => Ok(answer.to_owned()),
        _ => Err(io::Error::other(line.to_owned())),
    }
}
