//! A peer that sends whatever it is told to, frame by frame.

use packetboat_framing::native::{
    Code, Connection, Flags, Frame, FrameDecoder, FrameEncoder, FrameHeader, Kind, Outgoing,
    Preface, Role,
};
use packetboat_framing::{Budget, Limits, MessageWriter};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(crate) struct Raw {
    io: DuplexStream,
    decoder: FrameDecoder,
    last: u32,
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) header: FrameHeader,
    pub(crate) payload: Vec<u8>,
    /// Of its attachment, if it states it.
    pub(crate) size: Option<u64>,
}

impl Raw {
    /// Says hello, and hears it.
    pub(crate) async fn greet(mut io: DuplexStream) -> Self {
        io.write_all(&Preface::client().to_bytes())
            .await
            .expect("the server reads");
        let mut answer = [0; Preface::BYTES];
        io.read_exact(&mut answer).await.expect("a preface");
        assert_eq!(answer[..4], Preface::MAGIC);
        Self {
            io,
            decoder: FrameDecoder::new(&Limits::default()),
            last: 0,
        }
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        // A server that has seen enough may have closed.
        let _ = self.io.write_all(bytes).await;
    }

    pub(crate) async fn frame(&mut self, header: FrameHeader, payload: &[u8]) {
        let mut bytes = FrameHeader {
            length: payload.len() as u32,
            ..header
        }
        .to_bytes()
        .to_vec();
        bytes.extend_from_slice(payload);
        self.bytes(&bytes).await;
    }

    /// Sends a request that nothing follows.
    pub(crate) async fn ask(&mut self, message: &str) -> u32 {
        self.send(&Outgoing::json(), message).await
    }

    pub(crate) async fn send(&mut self, outgoing: &Outgoing<'_>, message: &str) -> u32 {
        self.last += 1;
        let header = FrameHeader {
            flags: match outgoing.attachment {
                Some(_) => Flags::ATTACHMENT,
                None => Flags::NONE,
            },
            codec: outgoing.codec,
            ..FrameHeader::control(Kind::Message, self.last, outgoing.message_type)
        };
        let mut extensions = outgoing.extensions;
        extensions.size = outgoing.attachment.and_then(|attached| attached.size);
        let mut encoder = FrameEncoder::new(&Limits::default());
        let write =
            |out: &mut MessageWriter<'_>| std::io::Write::write_all(out, message.as_bytes());
        encoder
            .message(header, &extensions, write)
            .expect("a small message");
        self.bytes(encoder.pending()).await;
        self.last
    }

    pub(crate) async fn cancel(&mut self, request: u32) {
        let cancel = FrameHeader::control(Kind::Cancel, request, Code::CANCELLED.0);
        self.frame(cancel, b"").await;
    }

    pub(crate) async fn shut(&mut self) {
        self.io.shutdown().await.expect("it is open");
    }

    /// The next frame; `None` when the server has closed.
    pub(crate) async fn next(&mut self) -> Option<Came> {
        loop {
            match self.decoder.decode().expect("the server keeps the rules") {
                Some(Frame::Whole {
                    header,
                    extensions,
                    payload,
                }) => {
                    return Some(Came {
                        header,
                        payload: payload.to_vec(),
                        size: extensions.fields().size,
                    });
                }
                Some(Frame::Data { header, bytes, .. }) => {
                    return Some(Came {
                        header,
                        payload: bytes.to_vec(),
                        size: None,
                    });
                }
                Some(_) => {}
                None => {
                    let space = self.decoder.space();
                    if self.io.read_buf(space).await.ok()? == 0 {
                        return None;
                    }
                }
            }
        }
    }

    /// The next frame of this kind.
    pub(crate) async fn next_of(&mut self, kind: Kind) -> Option<Came> {
        loop {
            let came = self.next().await?;
            if came.header.kind == kind {
                return Some(came);
            }
        }
    }

    pub(crate) async fn reply(&mut self, request: u32) -> String {
        let came = self.next_of(Kind::Reply).await.expect("a reply");
        assert_eq!(came.header.request, request);
        String::from_utf8(came.payload).expect("JSON is UTF-8")
    }

    /// The refusal of a request: its number, and the word of its message.
    pub(crate) async fn error(&mut self, request: u32) -> (Code, String) {
        let came = self.next_of(Kind::Error).await.expect("an error");
        assert_eq!(came.header.request, request);
        let value: serde_json::Value = serde_json::from_slice(&came.payload).unwrap_or_default();
        let code = value["code"].as_str().unwrap_or_default().to_owned();
        (Code(came.header.argument), code)
    }

    /// Why the server ends the connection; `None` if it closes without a word.
    pub(crate) async fn goodbye(&mut self) -> Option<Code> {
        let came = self.next_of(Kind::GoingAway).await?;
        Some(Code(came.header.argument))
    }

    pub(crate) async fn is_closed(&mut self) -> bool {
        self.next().await.is_none()
    }
}

/// That this side has a state machine of its own is what the other tests are for.
#[test]
fn a_client_begins_with_its_preface() {
    let client = Connection::new(Role::Client, &Limits::default(), &Budget::default());
    assert_eq!(client.pending(), Preface::client().to_bytes());
}
