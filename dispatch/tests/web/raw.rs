//! A client that makes its frames itself, and may make them wrong.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{PATIENCE, Running};

pub(crate) const CONTINUE: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame, which is right unless it is told not to be.
#[derive(Clone)]
pub(crate) struct Frame {
    opcode: u8,
    fin: bool,
    rsv: u8,
    masked: bool,
    payload: Vec<u8>,
}

/// A frame of this kind.
pub(crate) fn frame(opcode: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame {
        opcode,
        fin: true,
        rsv: 0,
        masked: true,
        payload: payload.as_ref().to_vec(),
    }
}

impl Frame {
    pub(crate) fn more(mut self) -> Self {
        self.fin = false;
        self
    }

    pub(crate) fn rsv(mut self, rsv: u8) -> Self {
        self.rsv = rsv;
        self
    }

    pub(crate) fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode];
        let mask = u8::from(self.masked) << 7;
        match self.payload.len() {
            len @ ..126 => bytes.push(mask | len as u8),
            len @ ..65_536 => {
                bytes.push(mask | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(mask | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend(MASK);
            let masked = self.payload.iter().enumerate();
            bytes.extend(masked.map(|(n, byte)| byte ^ MASK[n % 4]));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}

pub(crate) fn all(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

/// A message in so many pieces of this size.
pub(crate) fn pieces(opcode: u8, message: &[u8], size: usize) -> Vec<Frame> {
    let count = message.chunks(size).count();
    let pieces = message.chunks(size).enumerate().map(|(n, piece)| {
        let piece = frame(if n == 0 { opcode } else { CONTINUE }, piece);
        if n + 1 < count { piece.more() } else { piece }
    });
    pieces.collect()
}

pub(crate) fn close(code: u16, reason: &[u8]) -> Frame {
    frame(CLOSE, [&code.to_be_bytes()[..], reason].concat())
}

/// A request of so many bytes, and its answer.
pub(crate) fn echo_of(len: usize) -> (String, String) {
    let around = r#"{"type":"echo","text":""}"#.len();
    let text = "*".repeat(len - around);
    (
        format!(r#"{{"type":"echo","text":"{text}"}}"#),
        format!(r#"{{"reply":{{"text":"{text}"}}}}"#),
    )
}

/// What a server has said: the opcode and the payload of each frame, until it closed.
pub(crate) type Said = Vec<(u8, Vec<u8>)>;

/// The code of the last frame, if it is a closing one.
pub(crate) fn closed_with(said: &Said) -> Option<u16> {
    match said.last() {
        Some((CLOSE, payload)) => payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
        _ => None,
    }
}

/// A WebSocket of which only the handshake is done.
pub(crate) async fn open(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    shake_hands(&mut stream).await;
    stream
}

/// The handshake.
pub(crate) async fn shake_hands(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let request = "GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the server reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8(head).expect("ASCII");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // RFC 6455, 1.3 has this pair.
    let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert!(head.contains(accept), "{head}");
}

/// One frame of the server's, or `None` at its end.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    timeout(PATIENCE, read_late(stream)).await.expect("in time")
}

/// The same, however long that takes.
pub(crate) async fn read_late(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let reading = async {
        let first = stream.read_u8().await.ok()?;
        let second = stream.read_u8().await.ok()?;
        assert_eq!(
            (first & 0x70, second & 0x80),
            (0, 0),
            "no bit that means nothing, no mask"
        );
        assert_ne!(first & 0x80, 0, "the server does not cut messages");
        let len = match second {
            126 => u64::from(stream.read_u16().await.ok()?),
            127 => stream.read_u64().await.ok()?,
            len => u64::from(len),
        };
        let mut payload = vec![0; len as usize];
        stream.read_exact(&mut payload).await.ok()?;
        Some((first & 0x0f, payload))
    };
    reading.await
}

/// Sends this, whole or in pieces of this size, and gives all that the server says until it closes.
pub(crate) async fn talk(server: &Running, bytes: &[u8], size: usize) -> Said {
    let mut stream = open(server).await;
    for piece in bytes.chunks(size) {
        // The server may have closed.
        if stream.write_all(piece).await.is_err() {
            break;
        }
        if size < 100 {
            tokio::task::yield_now().await;
        }
    }
    let mut said = Vec::new();
    while let Some(frame) = read(&mut stream).await {
        said.push(frame);
    }
    said
}
