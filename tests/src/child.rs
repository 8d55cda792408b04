//! A server binary of the workspace as a child process: spawned, awaited, measured, killed.

use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{env, fs};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

/// How long a server may take until it serves. A debug build migrates in well under a second.
const START: Duration = Duration::from_secs(30);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    addr: SocketAddr,
    /// Kept, so that the server can go on writing to its standard output.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts a binary of the workspace and waits for its line `READY ADDR`. Its standard error goes to `log`.
    ///
    /// # Errors
    ///
    /// When it cannot be started, ends, or is not ready within 30 s; the error says what it has logged.
    pub async fn spawn(
        binary: &str,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        log: &Path,
    ) -> io::Result<Self> {
        let mut command = Command::new(path_of(binary)?);
        command.args(args);
        Self::spawn_command(command, log).await
    }

    /// The same for a command that ends up being the binary, such as `prlimit`.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn spawn_command(mut command: Command, log: &Path) -> io::Result<Self> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::options().create(true).append(true).open(log)?)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(addr) = line.strip_prefix("READY ") {
                    return addr.trim().parse().map_err(io::Error::other);
                }
            }
            Err(io::Error::other("it ended before it was ready"))
        };
        let addr = match timeout(START, ready).await {
            Ok(Ok(addr)) => addr,
            Ok(Err(error)) => return Err(with_log(&error.to_string(), log)),
            Err(_) => return Err(with_log("it was not ready in time", log)),
        };
        Ok(Self {
            process,
            addr,
            _stdout: lines,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its process ID.
    ///
    /// # Panics
    ///
    /// When it has ended and been waited for.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id().expect("it has not been waited for")
    }

    /// Kills it with SIGKILL, which it cannot catch, and waits for its end.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub async fn kill(mut self) -> io::Result<ExitStatus> {
        self.process.start_kill()?;
        self.process.wait().await
    }

    /// Asks it to end, by SIGTERM, and waits for its end.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub async fn terminate(mut self) -> io::Result<ExitStatus> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        self.process.wait().await
    }

    /// Waits for its end, of whatever kind.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub async fn ended(mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Memory in RAM now, in bytes.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn rss_bytes(&self) -> io::Result<u64> {
        Ok(self.status("VmRSS:")? * 1024)
    }

    /// The most memory in RAM so far, in bytes.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn peak_rss_bytes(&self) -> io::Result<u64> {
        Ok(self.status("VmHWM:")? * 1024)
    }

    /// Threads running now.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn threads(&self) -> io::Result<u64> {
        self.status("Threads:")
    }

    /// A number in its status, of kB where it has a unit.
    fn status(&self, name: &str) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let number = value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok());
        number.ok_or(io::ErrorKind::InvalidData.into())
    }

    /// File descriptors open now.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn open_fds(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }

    /// Processor time used so far, in user and system mode together.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // After the name, which may hold anything: utime and stime are the 12th and 13th of what follows.
        let fields = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .collect::<Vec<_>>();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        match (ticks(11), ticks(12)) {
            // A tick is a hundredth of a second on every Linux.
            (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 10)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Where cargo has put a binary of the workspace: two folders above the tests themselves.
///
/// # Errors
///
/// When it is not there, since only the tests of one package were built.
pub fn path_of(binary: &str) -> io::Result<PathBuf> {
    let tests = env::current_exe()?;
    let folder = tests
        .parent()
        .and_then(Path::parent)
        .ok_or(io::ErrorKind::NotFound)?;
    let path = folder.join(binary);
    if path.is_file() {
        Ok(path)
    } else {
        Err(io::Error::other(format!(
            "{binary} is not built; run `cargo build -p {binary}` first"
        )))
    }
}

fn with_log(what: &str, log: &Path) -> io::Error {
    let log = fs::read_to_string(log).unwrap_or_default();
    io::Error::other(format!("{what}; it said: {log}"))
}
