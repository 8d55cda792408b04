//! Frames of the classic wire, and files, by hand.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::TcpStream,
};

/// Sends a whole file by blocking calls of sendfile.
pub(super) fn send_file(stream: &TcpStream, file: &File, len: u64) -> io::Result<()> {
    send_part(stream, file, 0, len)
}

/// Sends `len` bytes of a file from `at` on.
pub(super) fn send_part(stream: &TcpStream, file: &File, at: u64, len: u64) -> io::Result<()> {
    let (mut at, end) = (at, at + len);
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        if rustix::fs::sendfile(stream, file, Some(&mut at), left.min(1 << 30))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Writes a frame.
pub(super) fn reply(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(message)?)
}

/// A frame.
pub(super) fn frame(message: &[u8]) -> io::Result<Vec<u8>> {
    let len = i32::try_from(message.len()).map_err(io::Error::other)?;
    Ok([&len.to_le_bytes(), message].concat())
}

/// Reads a frame.
pub(super) fn message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 4];
    match stream.read_exact(&mut len) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let mut message = vec![0; u32::from_le_bytes(len) as usize];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}
