//! The two servers that are compared: framing, and blocking calls by hand.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
};

use clap::ValueEnum;
use packetboat_framing::{BodyExt, Connection, Limits, Prefix, Source};

use crate::error::BoxError;

/// Which of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `packetboat-framing` on tokio.
    Framing,
    /// A thread with `sendfile`, and with a read/write loop of 256 KiB.
    Blocking,
}

/// The file that is sent, in the servers' folder.
pub(crate) const DOWN: &str = "down.bin";
/// The file that is received.
pub(crate) const UP: &str = "up.bin";

/// Serves one connection after another, until it is killed. Prints its address first.
pub(crate) fn run(kind: Kind, folder: &Path) -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    match kind {
        Kind::Framing => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(framing(listener, folder))
        }
        Kind::Blocking => blocking(&listener, folder),
    }
}

async fn framing(listener: TcpListener, folder: &Path) -> Result<(), BoxError> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let folder = folder.to_owned();
        // In a task of its own, as a server has it.
        tokio::spawn(async move { answer(stream, &folder).await.map_err(|e| e.to_string()) })
            .await??;
    }
}

async fn answer(
    stream: tokio::net::TcpStream,
    folder: &Path,
) -> Result<(), packetboat_framing::Error> {
    let mut peer = Connection::tcp(stream, Prefix::CLASSIC, &Limits::default())?;
    while let Some(message) = peer.reader.message().await? {
        if message.bytes == b"down" {
            let source = Source::open(folder.join(DOWN)).await?;
            let len = source.len();
            peer.writer
                .send_with(source, |out| serde_json::to_writer(out, &len))
                .await?;
        } else {
            let len = serde_json::from_slice(message.bytes).map_err(io::Error::from)?;
            peer.reader.attachment(len)?.save(folder.join(UP)).await?;
            peer.writer.send(b"saved").await?;
        }
    }
    Ok(())
}

fn blocking(listener: &TcpListener, folder: &Path) -> Result<(), BoxError> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        while let Some(message) = message(&mut stream)? {
            if message == b"down" {
                let file = File::open(folder.join(DOWN))?;
                let len = file.metadata()?.len();
                reply(&mut stream, len.to_string().as_bytes())?;
                send_file(&stream, &file, len)?;
            } else {
                let mut left: u64 = serde_json::from_slice(&message)?;
                let path = folder.join(UP);
                let mut file = File::create(&path)?;
                while left > 0 {
                    let max = buffer.len().min(usize::try_from(left)?);
                    let n = stream.read(&mut buffer[..max])?;
                    if n == 0 {
                        return Err("the client left".into());
                    }
                    file.write_all(&buffer[..n])?;
                    left -= n as u64;
                }
                file.sync_data()?;
                reply(&mut stream, b"saved")?;
            }
        }
    }
}

/// Sends a whole file by blocking calls of sendfile.
pub(crate) fn send_file(stream: &TcpStream, file: &File, len: u64) -> io::Result<()> {
    let mut at = 0;
    while at < len {
        let left = usize::try_from(len - at).unwrap_or(usize::MAX);
        if rustix::fs::sendfile(stream, file, Some(&mut at), left.min(1 << 30))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Writes a frame of the classic wire by hand.
pub(crate) fn reply(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let len = i32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_le_bytes(), message].concat())
}

/// Reads a frame of the classic wire by hand.
pub(crate) fn message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
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

/// Removes what the last upload left, so that each begins with the same disk.
pub(crate) fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(UP)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
