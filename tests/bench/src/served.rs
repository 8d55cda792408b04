//! A server in a process of its own, on a core of its own.

use std::{
    env,
    future::Future,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::{net::TcpListener, runtime};

use crate::{
    error::BoxError,
    machine::{self, End},
    process::Process,
};

/// A server that was started, as its owner has it. It ends with its owner.
pub(crate) struct Served {
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts this program with these arguments, which make it call one of the functions below.
    pub(crate) fn start(args: &[&str]) -> Result<Self, BoxError> {
        let mut child = Command::new(env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take().ok_or("no way to the server")?;
        let told = child.stdout.take().ok_or("no output of the server")?;
        let mut told = BufReader::new(told);
        let mut address = String::new();
        told.read_line(&mut address)?;
        let address = address.trim().parse()?;
        Ok(Self {
            child,
            ask,
            told,
            address,
        })
    }

    /// Its CPU time so far, all threads together.
    pub(crate) fn cpu(&mut self) -> Result<Duration, BoxError> {
        self.ask.write_all(b"\n")?;
        let mut nanos = String::new();
        self.told.read_line(&mut nanos)?;
        Ok(Duration::from_nanos(nanos.trim().parse()?))
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Only fails when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves on tokio with so many workers, until whoever has started it is gone. With one it keeps
/// to a core.
pub(crate) fn on_tokio<F, Fut>(workers: usize, serve: F) -> Result<(), BoxError>
where
    F: FnOnce(TcpListener) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let listener = begin(workers == 1)?;
    listener.set_nonblocking(true)?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    // In a task, as a server has it.
    let done = runtime.spawn(async move { serve(TcpListener::from_std(listener)?).await });
    runtime.block_on(done)?
}

/// Listens, says where, and answers what its owner asks.
pub(crate) fn begin(pinned: bool) -> Result<std::net::TcpListener, BoxError> {
    if pinned {
        machine::pin(End::Server);
    }
    machine::raise_descriptors()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    thread::spawn(|| {
        for _ in io::stdin().lines().map_while(Result::ok) {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            println!("{}", time.tv_sec * 1_000_000_000 + time.tv_nsec);
        }
        std::process::exit(0);
    });
    Ok(listener)
}
