//! A thread with blocking calls: sendfile, splice, or a read/write loop of 256 KiB.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::TcpStream,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    thread,
};

use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, pipe, splice};

use super::{
    DOWN, Request, UP,
    wire::{message, reply, send_file},
};
use crate::{error::BoxError, served};

/// Bytes of the loop's buffer.
const BUFFER: usize = 256 * 1024;
/// Bytes of the pipe that splice goes through, the most that a user may have by default.
const PIPE: usize = 1 << 20;

/// A thread for each connection.
pub(super) fn serve(folder: &Path) -> Result<(), BoxError> {
    let listener = served::begin(false)?;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let folder = folder.to_owned();
        thread::spawn(move || answer(stream, &folder));
    }
}

fn answer(mut stream: TcpStream, folder: &Path) -> Result<(), BoxError> {
    let mut buffer = vec![0; BUFFER];
    let pipe = pipe()?;
    fcntl_setpipe_size(&pipe.0, PIPE)?;
    while let Some(message) = message(&mut stream)? {
        let Request { way, size } = serde_json::from_slice(&message)?;
        match size {
            None => {
                let file = File::open(folder.join(DOWN))?;
                let len = file.metadata()?.len();
                reply(&mut stream, len.to_string().as_bytes())?;
                down(&way, &mut stream, &file, len, &mut buffer, &pipe)?;
            }
            Some(len) => {
                let mut file = File::create(folder.join(UP))?;
                up(&way, &mut stream, &mut file, len, &mut buffer, &pipe)?;
                file.sync_data()?;
                reply(&mut stream, b"saved")?;
            }
        }
    }
    Ok(())
}

fn down(
    way: &str,
    stream: &mut TcpStream,
    mut file: &File,
    len: u64,
    buffer: &mut [u8],
    pipe: &(OwnedFd, OwnedFd),
) -> io::Result<()> {
    match way {
        "sendfile" => send_file(stream, file, len),
        "splice" => through(pipe, file, &*stream, len),
        _ => copy(&mut file, stream, len, buffer),
    }
}

fn up(
    way: &str,
    stream: &mut TcpStream,
    file: &mut File,
    len: u64,
    buffer: &mut [u8],
    pipe: &(OwnedFd, OwnedFd),
) -> io::Result<()> {
    match way {
        "splice" => through(pipe, &*stream, &*file, len),
        _ => copy(stream, file, len, buffer),
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write, len: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = len;
    while left > 0 {
        let max = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = from.read(&mut buffer[..max])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&buffer[..n])?;
        left -= n as u64;
    }
    Ok(())
}

fn through(
    (read, write): &(OwnedFd, OwnedFd),
    from: impl AsFd,
    to: impl AsFd,
    len: u64,
) -> io::Result<()> {
    let flags = SpliceFlags::MOVE;
    let mut left = len;
    while left > 0 {
        let max = PIPE.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut n = splice(&from, None, write, None, max, flags)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= n as u64;
        while n > 0 {
            n -= splice(read, None, &to, None, n, flags)?;
        }
    }
    Ok(())
}
