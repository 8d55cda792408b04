//! WebSocket, as far as whoever asks needs it.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::load::Wire;
use crate::error::BoxError;

/// A text frame, ready to be sent.
pub(super) struct WebSocketWire(Vec<u8>);

impl WebSocketWire {
    /// Asks for the upgrade, and keeps the text that is sent from then on.
    pub(super) async fn open(
        mut stream: TcpStream,
        path: &str,
        text: &str,
    ) -> Result<(TcpStream, Self), BoxError> {
        let upgrade = format!(
            "GET {path} HTTP/1.1\r\nhost: bench\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&head).into());
        }
        // A whole text, masked with zeros: a server that unmasks does so all the same.
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(len @ ..126) => frame.push(0x80 | len),
            _ => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        Ok((stream, Self(frame)))
    }
}

impl Wire for WebSocketWire {
    fn ask(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Option<usize>, BoxError> {
        let (head, len) = match bytes {
            [0x81, len @ ..126, ..] => (2, usize::from(*len)),
            [0x81, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            [] | [0x81] | [0x81, 126, ..] => return Ok(None),
            [other, ..] => return Err(format!("a frame that begins with {other:#x}").into()),
        };
        Ok((bytes.len() >= head + len).then_some(head + len))
    }
}
