//! strace on a server that runs: what it does, or which of its calls shall fail.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, fs};

use tokio::process::{Child, Command};
use tokio::time::sleep;

/// How long it may take to take hold of a process, and to let it go.
const HOLD: Duration = Duration::from_secs(10);

/// A tracer that holds a process. Dropping it lets the process go.
#[derive(Debug)]
pub struct Strace {
    process: Child,
    output: PathBuf,
}

/// Whether a test has to be left out, since there is no strace here, or it may not trace.
///
/// # Panics
///
/// When that is so though `PACKETBOAT_TESTS=required` says that everything is there.
pub async fn is_missing() -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    if tried.await.is_ok_and(|output| output.status.success()) {
        return false;
    }
    let required = env::var("PACKETBOAT_TESTS").is_ok_and(|value| value == "required");
    assert!(
        !required,
        "strace does not work, and PACKETBOAT_TESTS=required"
    );
    eprintln!("SKIPPED: strace does not work here");
    true
}

impl Strace {
    /// Takes hold of a process and all its threads, with these options. What it sees goes to the file `output`.
    ///
    /// # Errors
    ///
    /// When it does not hold all threads in time.
    pub async fn attach(pid: u32, options: &[&str], output: &Path) -> io::Result<Self> {
        let process = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-o"])
            .arg(output)
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            // SIGKILL would let the process go as well.
            .kill_on_drop(true)
            .spawn()?;
        let strace = Self {
            process,
            output: output.to_owned(),
        };
        let began = Instant::now();
        while !is_held(pid)? {
            if began.elapsed() > HOLD {
                return Err(io::Error::other("strace does not get hold of the process"));
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(strace)
    }

    /// Lets the process go, and gives what was seen.
    ///
    /// # Errors
    ///
    /// The system's.
    pub async fn detach(mut self) -> io::Result<String> {
        if let Some(pid) = self.process.id() {
            let kill = Command::new("kill")
                .args(["-INT", &pid.to_string()])
                .status();
            kill.await?;
        }
        tokio::time::timeout(HOLD, self.process.wait()).await??;
        Ok(String::from_utf8_lossy(&fs::read(&self.output)?).into_owned())
    }
}

/// Whether each thread of a process has a tracer.
fn is_held(pid: u32) -> io::Result<bool> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that has ended meanwhile needs none.
        let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        if status.lines().any(|line| line == "TracerPid:\t0") {
            return Ok(false);
        }
    }
    Ok(true)
}
