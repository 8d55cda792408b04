//! From the page cache to a socket, without a copy through this process.

use std::{
    any::Any,
    fs::File,
    io::{self, IoSliceMut},
    num::NonZeroU64,
    os::{fd::AsFd, unix::fs::FileExt},
    task::{Context, Poll, ready},
};

use rustix::{
    fs::Advice,
    io::{Errno, ReadWriteFlags},
};
use tokio::{
    io::Interest,
    net::{TcpStream, UnixStream, tcp, unix},
};

/// A socket that the kernel can send a file to.
#[derive(Clone, Copy)]
pub(crate) enum Socket<'a> {
    Tcp(&'a TcpStream),
    Unix(&'a UnixStream),
}

impl<'a> Socket<'a> {
    /// The socket that a writer is, if it is a plain one. TLS and wrappers are none: their bytes
    /// have to pass through them.
    pub(crate) fn of<W: 'static>(writer: &'a W) -> Option<Self> {
        // The type is known when this is compiled, so only one branch is left of it.
        let writer: &dyn Any = writer;
        if let Some(stream) = writer.downcast_ref::<TcpStream>() {
            Some(Self::Tcp(stream))
        } else if let Some(half) = writer.downcast_ref::<tcp::OwnedWriteHalf>() {
            Some(Self::Tcp(half.as_ref()))
        } else if let Some(stream) = writer.downcast_ref::<UnixStream>() {
            Some(Self::Unix(stream))
        } else {
            let half = writer.downcast_ref::<unix::OwnedWriteHalf>()?;
            Some(Self::Unix(half.as_ref()))
        }
    }

    /// Sends up to `max` bytes of a file from `offset`, as soon as the socket takes some. 0 means
    /// that the file ends there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future sends nothing: the call that sends is the last thing it does.
    pub(crate) async fn send(self, file: &File, offset: u64, max: usize) -> io::Result<usize> {
        loop {
            match self.try_send(file, offset, max) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self {
                    Self::Tcp(socket) => socket.writable().await?,
                    Self::Unix(socket) => socket.writable().await?,
                },
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }

    /// As [`send`](Self::send), for an owner who polls.
    pub(crate) fn poll_send(
        self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_send(file, offset, max) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self {
                    Self::Tcp(socket) => ready!(socket.poll_write_ready(cx))?,
                    Self::Unix(socket) => ready!(socket.poll_write_ready(cx))?,
                },
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn try_send(self, file: &File, offset: u64, max: usize) -> io::Result<usize> {
        let mut at = offset;
        match self {
            Self::Tcp(socket) => socket.try_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(socket, file, Some(&mut at), max)?)
            }),
            Self::Unix(socket) => socket.try_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(socket, file, Some(&mut at), max)?)
            }),
        }
    }

    /// Lets the kernel hold at most so many bytes that have not been sent. What is queued behind
    /// a file then overtakes all but those. Only TCP has it.
    pub(crate) fn set_notsent_lowat(self, bytes: u32) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket2::SockRef::from(socket).set_tcp_notsent_lowat(bytes),
            Self::Unix(_) => Ok(()),
        }
    }
}

/// Reads what is in memory already, without ever waiting for the disk. `WouldBlock` when nothing
/// is, or when the file system cannot tell.
pub(crate) fn read_now(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut buffers = [IoSliceMut::new(buffer)];
    match rustix::io::preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT) {
        Ok(n) => Ok(n),
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Whether a slice of a file can be sent without waiting for the disk, judged by its two ends:
/// the kernel reads ahead in one piece.
pub(crate) fn is_warm(file: &File, offset: u64, len: u64) -> bool {
    let mut byte = [0];
    let ends = [offset, offset + len.saturating_sub(1)];
    ends.into_iter()
        .all(|at| read_now(file, &mut byte, at).is_ok())
}

/// Brings a slice of a file into memory and asks for as much again. Blocking.
pub(crate) fn warm(file: &File, offset: u64, len: u64) -> io::Result<()> {
    advise(file, offset, len.saturating_mul(2));
    let mut scratch = [0; 32 * 1024];
    let (mut at, end) = (offset, offset + len);
    while at < end {
        let max = scratch.len().min((end - at) as usize);
        match file.read_at(&mut scratch[..max], at) {
            Ok(0) => break,
            Ok(n) => at += n as u64,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Asks the kernel to read ahead. A refusal costs speed and nothing else.
pub(crate) fn advise(file: &File, offset: u64, len: u64) {
    let _ = rustix::fs::fadvise(file.as_fd(), offset, NonZeroU64::new(len), Advice::WillNeed);
}
