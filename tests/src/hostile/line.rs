//! A connection that tells a close from a reset.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::hostile::script::{Played, wrong};
use crate::hostile::target::Target;

/// How long the server may take to close what it has to close at once.
const CLOSE: Duration = Duration::from_secs(3);

/// How long a write may wait for a server that does not read.
const WRITE: Duration = Duration::from_secs(10);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Fin,
    Reset,
}

/// What a read gave.
enum Came {
    Bytes(usize),
    End(End),
    Late,
}

/// One connection.
pub(super) struct Line {
    socket: TcpStream,
    patience: Duration,
}

impl Line {
    pub(super) fn connect(target: &Target) -> Played<Self> {
        match TcpStream::connect_timeout(&target.addr, target.patience) {
            Ok(socket) => Self::over(socket, target),
            Err(error) => wrong(format!("no connection: {error}")),
        }
    }

    /// One that takes in as little as the system allows before it is read.
    pub(super) fn narrow(target: &Target) -> Played<Self> {
        let connected = narrow_socket(target.addr, target.patience);
        match connected {
            Ok(socket) => Self::over(socket, target),
            Err(error) => wrong(format!("no connection: {error}")),
        }
    }

    fn over(socket: TcpStream, target: &Target) -> Played<Self> {
        let set = socket
            .set_nodelay(true)
            .and_then(|()| socket.set_write_timeout(Some(WRITE)));
        match set {
            Ok(()) => Ok(Self {
                socket,
                patience: target.patience,
            }),
            Err(error) => wrong(format!("no connection: {error}")),
        }
    }

    /// Sends. That the server has closed already shows in what is read.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Sends as long as the server takes it in; whether all of it went.
    pub(super) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// Sends byte by byte, each in a packet of its own.
    pub(super) fn trickle(&mut self, bytes: &[u8], pause: Duration) -> bool {
        bytes.chunks(1).all(|byte| {
            thread::sleep(pause);
            self.try_send(byte)
        })
    }

    /// Nothing more is sent.
    pub(super) fn shut(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Drops the connection by a reset.
    pub(super) fn reset(self) {
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    /// Waits until something comes, or the connection ends.
    pub(super) fn wait_for(&mut self, within: Duration) -> Played {
        let peeked = self.socket.set_read_timeout(Some(within));
        match peeked.and_then(|()| self.socket.peek(&mut [0])) {
            Ok(_) => Ok(()),
            Err(error) => wrong(format!("nothing came within {within:?}: {error}")),
        }
    }

    /// The next bytes, as many as these.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Played {
        let until = Instant::now() + self.patience;
        let (mut at, wanted) = (0, buffer.len());
        while at < wanted {
            match self.some(&mut buffer[at..], until)? {
                Came::Bytes(n) => at += n,
                Came::End(end) => {
                    return wrong(format!("{end:?} after {at} bytes, {wanted} were due"));
                }
                Came::Late => return wrong(format!("silence after {at} bytes, {wanted} were due")),
            }
        }
        Ok(())
    }

    /// The connection is closed in good order, and nothing comes before that.
    pub(super) fn fin(&mut self) -> Played {
        match self.end(CLOSE)? {
            End::Fin => Ok(()),
            End::Reset => wrong("a reset, where an answer might be lost to it"),
        }
    }

    /// The connection is closed, be it by a reset, and nothing comes before that.
    pub(super) fn gone(&mut self, within: Duration) -> Played {
        self.end(within).map(drop)
    }

    /// Drops what comes until the connection is closed.
    pub(super) fn drained(&mut self) -> Played<End> {
        let until = Instant::now() + self.patience;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.some(&mut buffer, until)? {
                Came::Bytes(_) => {}
                Came::End(end) => return Ok(end),
                Came::Late => return wrong("the connection is still open"),
            }
        }
    }

    /// How it ends, with nothing before that.
    pub(super) fn end(&mut self, within: Duration) -> Played<End> {
        let mut buffer = [0; 256];
        match self.some(&mut buffer, Instant::now() + within)? {
            Came::Bytes(n) => wrong(format!("{:02x?}.. where a close was due", &buffer[..n])),
            Came::End(end) => Ok(end),
            Came::Late => wrong(format!("still open after {within:?}")),
        }
    }

    fn some(&mut self, buffer: &mut [u8], until: Instant) -> Played<Came> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Came::Late);
            }
            if let Err(error) = self.socket.set_read_timeout(Some(left)) {
                return wrong(format!("the socket takes no timeout: {error}"));
            }
            return Ok(match self.socket.read(buffer) {
                Ok(0) => Came::End(End::Fin),
                Ok(n) => Came::Bytes(n),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        continue;
                    }
                    _ => Came::End(End::Reset),
                },
            });
        }
    }
}

fn narrow_socket(addr: SocketAddr, patience: Duration) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_recv_buffer_size(4096)?;
    socket.connect_timeout(&addr.into(), patience)?;
    Ok(socket.into())
}
