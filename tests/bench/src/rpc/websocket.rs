//! A text frame of a WebSocket that asks, and the one that answers.

use tokio::net::TcpStream;

use super::load::Wire;
use crate::{
    error::BoxError,
    websocket::{open, text},
};

/// A text frame, ready to be sent.
pub(super) struct WebSocketWire(Vec<u8>);

impl WebSocketWire {
    /// Asks for the upgrade, and keeps the text that is sent from then on.
    pub(super) async fn open(
        mut stream: TcpStream,
        path: &str,
        asked: &str,
    ) -> Result<(TcpStream, Self), BoxError> {
        open(&mut stream, path).await?;
        Ok((stream, Self(text(asked))))
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
