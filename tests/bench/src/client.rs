//! The client of both servers: the same blocking code for either.

use std::{
    fs::File,
    io::Read,
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::error::BoxError;
use crate::server::{message, reply, send_file};

/// Asks for the file and reads it. Gives the time from the request to the last byte, and shows
/// each piece to `look`.
pub(crate) fn down(
    stream: &mut TcpStream,
    mut look: impl FnMut(&[u8]) -> Result<(), BoxError>,
) -> Result<Duration, BoxError> {
    let mut buffer = vec![0; 1024 * 1024];
    let start = Instant::now();
    reply(stream, b"down")?;
    let len = message(stream)?.ok_or("the server left")?;
    let mut left: u64 = serde_json::from_slice(&len)?;
    while left > 0 {
        let max = buffer.len().min(usize::try_from(left)?);
        let n = stream.read(&mut buffer[..max])?;
        if n == 0 {
            return Err("the server left in mid-file".into());
        }
        look(&buffer[..n])?;
        left -= n as u64;
    }
    Ok(start.elapsed())
}

/// Sends the file. Gives the time from the request to the reply, which comes once the file is
/// durable.
pub(crate) fn up(stream: &mut TcpStream, file: &File) -> Result<Duration, BoxError> {
    let len = file.metadata()?.len();
    let start = Instant::now();
    reply(stream, len.to_string().as_bytes())?;
    send_file(stream, file, len)?;
    match message(stream)?.as_deref() {
        Some(b"saved") => Ok(start.elapsed()),
        other => Err(format!("unexpected reply {other:?}").into()),
    }
}
