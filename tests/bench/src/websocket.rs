//! WebSocket, as far as whoever asks needs it.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::error::BoxError;

/// Buffers of a peer's WebSocket. With the default ones an idle connection costs 130 KiB.
#[cfg_attr(
    not(feature = "peers"),
    allow(dead_code, reason = "only the peers need it")
)]
pub(crate) const BUFFER: usize = 4 * 1024;

/// Asks for the upgrade.
pub(crate) async fn open(stream: &mut TcpStream, path: &str) -> Result<(), BoxError> {
    let upgrade = format!(
        "GET {path} HTTP/1.1\r\nhost: bench\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    );
    stream.write_all(upgrade.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    match head.starts_with(b"HTTP/1.1 101") {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&head).into()),
    }
}

/// A whole text, masked with zeros: a server that unmasks does so all the same.
///
/// # Panics
///
/// If it has 64 KiB or more.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(len @ ..126) => frame.push(0x80 | len),
        _ => {
            let len = u16::try_from(text.len()).expect("a short text");
            frame.push(0x80 | 126);
            frame.extend_from_slice(&len.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The next text of a server.
pub(crate) async fn next(stream: &mut TcpStream) -> Result<String, BoxError> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let len = match head {
        [0x81, len @ ..126] => usize::from(len),
        [0x81, 126] => usize::from(stream.read_u16().await?),
        [first, _] => return Err(format!("a frame that begins with {first:#x}").into()),
    };
    let mut text = vec![0; len];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8(text)?)
}
